"""The gradient probe: signs, before a run, that a model's gradient misleads adversaries.

They are listed in Athalye, Carlini and Wagner 2018 (section 3.1) and in the checklist of Carlini et al. 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .._utils import memory
from .._utils.errors import ModelError
from .._utils.files import one_line
from ..attacks import AdversaryBatch, Logits, checked, loss_and_grad
from ..results import ATHALYE

DISTILLATION = "Carlini and Wagner 2016, arXiv:1607.04311"

_DIFFERENT = 1e-3  # of the logits' spread: far above the effect of another order of summation
_SATURATED = -math.log(2**-24)  # margin beyond which the best class has probability one in float32
_FEW = 0.05  # share of images below which zero gradients are chance


def probe(model: Logits, images: Tensor, labels: Tensor) -> list[str]:
    """Look for signs that gradient attacks on a model will mislead.

    Parameters
    ----------
    model : callable
        Float images in [0, 1] to logits.
    images : Tensor, shape-(N, C, H, W)
        Some 50 are enough.
    labels : Tensor, shape-(N,), int64
        True classes.

    Returns
    -------
    list of str
        One line for each finding, with the paper that explains it.

    Raises
    ------
    ModelError
        The model does not return finite logits.
    """
    with torch.no_grad():
        first, second = (checked(model(images), len(images)).clone() for _ in range(2))
    return [*_random(first, second), *_saturated(first), *_gradients(AdversaryBatch(images, labels, model))]


def _random(first: Tensor, second: Tensor) -> Iterator[str]:
    if (first - second).abs().max() > _DIFFERENT * first.std():
        flipped = int((first.argmax(1) != second.argmax(1)).sum())
        yield (
            f"the model answers differently when asked twice (another class for {flipped} of {len(first)} images): "
            "attack its mean answer, for example with pgd:eot=10, or put it in eval mode if that is dropout "
            f"({ATHALYE}, on expectation over transformations)"
        )


def _saturated(logits: Tensor) -> Iterator[str]:
    first, second = logits.topk(2).values.double().T
    certain = int((first - second > _SATURATED).sum())
    if certain > len(logits) / 2:
        yield (
            f"the logits saturate: the softmax is one to float precision for {certain} of {len(logits)} images, so the "
            f"cross-entropy's gradient drowns in rounding; trust apgd-dlr, which no scaling changes ({DISTILLATION})"
        )


def _gradients(batch: AdversaryBatch) -> Iterator[str]:
    try:
        gradient = loss_and_grad(batch, batch.images).gradient
    except ModelError as error:
        yield f"{error} ({ATHALYE}, on shattered gradients)"
        return
    except Exception as error:  # a model is other people's code, and its backward pass may raise anything
        if memory.ran_out(error):
            raise
        yield f"the model cannot be differentiated, gradient attacks will fail: {one_line(error)}"
        return
    zero = int((~gradient.flatten(1).any(1)).sum())
    if zero > _FEW * len(gradient):
        yield (
            f"the gradient is exactly zero for {zero} of {len(gradient)} images, as behind rounding or saturation: "
            f"fgsm, pgd and apgd-ce cannot move there; trust square-attack instead ({ATHALYE}, on shattered gradients)"
        )

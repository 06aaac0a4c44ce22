"""Queries of a model: its logits checked, its classes, and the number of its passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .._utils.errors import ModelError

Logits = Callable[[Tensor], Tensor]
"""A model: float images in [0, 1] of shape-(N, C, H, W) to logits of shape-(N, K)."""


def predict(model: Logits, images: Tensor) -> Tensor:
    """Class that a model gives each image.

    Parameters
    ----------
    model : callable
    images : Tensor, shape-(N, C, H, W)

    Returns
    -------
    Tensor, shape-(N,), int64

    Raises
    ------
    ModelError
        The model answers with something else than finite logits of shape-(N, K).
    """
    with torch.inference_mode():
        predictions = checked(model(images), len(images)).argmax(1)
    return predictions.clone()


def checked(logits: Any, count: int) -> Tensor:
    """A model's answer, refused where it is no batch of finite logits.

    Parameters
    ----------
    logits : Any
    count : int
        N, how many images were asked about.

    Returns
    -------
    Tensor, shape-(N, K)

    Raises
    ------
    ModelError
    """
    if not isinstance(logits, Tensor):
        raise ModelError(f"the model returned a {type(logits).__name__}, expected a tensor of logits")
    if logits.ndim != 2 or len(logits) != count or logits.shape[1] < 2:
        raise ModelError(
            f"the model returned shape {tuple(logits.shape)} for {count} images, "
            f"expected logits of shape ({count}, classes), at least two classes"
        )
    bad = int((~logits.isfinite()).any(1).sum())
    if bad:
        raise ModelError(
            f"the model returned NaN or infinite logits for {bad} of {count} images; "
            "check the weights, and the mean and std of the preprocessing",
            "mean",
            "std",
        )
    return logits


class Counted:
    """A model that counts its passes.

    Parameters
    ----------
    model : callable
        Images to logits.

    Attributes
    ----------
    forward : int
        Images that went through the model.
    backward : int
        Images that a gradient came back for.
    """

    def __init__(self, model: Logits) -> None:
        self.model = model
        self.forward = self.backward = 0

    def __call__(self, images: Tensor) -> Tensor:
        """What the model answers, shape-(N, K)."""
        self.forward += len(images)
        logits = self.model(images)
        # On the answer, not in the attacks: other libraries' attacks are counted as well.
        if isinstance(logits, Tensor) and logits.requires_grad:
            logits.register_hook(self._count)  # type: ignore[no-untyped-call]
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backward += len(gradient)

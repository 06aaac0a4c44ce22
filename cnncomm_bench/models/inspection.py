"""One probing pass: which shape of images a network takes, and how many classes it distinguishes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .._utils.errors import ModelError
from .._utils.files import listed, one_line
from .programs import OnnxModel

MOST_CHANNELS = 64
"""Of images that are tried on a network; a stranger's checkpoint may claim 100,000."""

# Sides to try on a network whose size is not known: usual ones first, then what makes fully convolutional ones run.
_SIDES = (
    32,
    28,
    64,
    224,
    96,
    128,
    299,
    192,
    256,
    160,
    384,
    48,
    40,
    56,
    112,
    240,
    260,
    288,
    300,
    320,
    448,
    512,
)


def logits_of(output: Any) -> Tensor:
    """Take the logits out of what libraries wrap them in.

    Parameters
    ----------
    output : Tensor, tuple, dict or transformers output
        What a network returned.

    Returns
    -------
    Tensor, shape-(N, K)

    Raises
    ------
    TypeError
        There are none.
    """
    if hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, dict) and ("logits" in output or len(output) == 1):
        output = output["logits"] if "logits" in output else next(iter(output.values()))
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        keys = f" of {listed([str(key) for key in output])}" if isinstance(output, dict) and output else ""
        raise TypeError(
            f"the model returned a {type(output).__name__}{keys}, expected logits of shape (N, classes), "
            "or a dict that holds them as logits"
        )
    return output.float()


@dataclass(frozen=True)
class Probe:
    """What a network was found to take and return.

    Attributes
    ----------
    classes : int
    channels, size : int or None
        None: it takes several.
    notes : tuple of str
    """

    classes: int
    channels: int | None
    size: int | None
    notes: tuple[str, ...] = ()


def probe(name: str, network: nn.Module, channels: int | None, size: int | None) -> Probe:
    """Run plain grey images through a network until a shape fits.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    network : nn.Module
        Takes normalised images.
    channels, size : int or None
        Where they are known; others are tried.

    Raises
    ------
    ModelError
        No shape fits, or what comes out are no finite logits of two classes or more.
    """
    first_error: Exception | None = None
    for count, side in _shapes(network, channels, size):
        try:
            output = _run(network, count, side)
            if output.dim() == 2 and len(output) != 2:  # a reshape that took two images for more
                raise ModelError(_wrong_shape(name, output))
        except Exception as error:  # any layer may refuse a shape in its own way
            first_error = first_error or error
            continue
        _check_output(name, output)
        anything = size is None and _runs(network, count, side + 32)
        notes: tuple[str, ...] = ()
        if bool(((output >= 0) & (output <= 1)).all()) and torch.allclose(output.sum(1), torch.ones(2), atol=1e-3):
            notes = (f"{name} returns probabilities, not logits: adversaries that follow gradients are weakened",)
        any_channels = channels is None and not any(p.dim() == 4 for p in network.parameters())
        several = any_channels and _runs(network, 1 if count == 3 else 3, side)
        return Probe(output.shape[1], None if several else count, None if anything else side, notes)
    if isinstance(first_error, ModelError):
        raise first_error
    shape = f"images of {channels or 'any'} channels" + (f" and {size} x {size} pixels" if size else "")
    raise ModelError(
        f"{name} cannot classify {shape} ({one_line(first_error or ValueError('nothing fits'))}): "
        f"pass {'images of another' if size else 'a'} size if it takes one only",
        "size",
    )


def _shapes(network: nn.Module, channels: int | None, size: int | None) -> Iterator[tuple[int, int]]:
    if isinstance(network, OnnxModel):
        size = size or network.shape[2]
    with contextlib.suppress(RuntimeError):  # TorchScript may hold no parameters at all
        kernels = [p for p in network.parameters() if p.dim() == 4]
        likely = int(kernels[0].shape[1]) if kernels else 3
        for count in [channels] if channels else dict.fromkeys((likely, 3, 1)):
            if count > MOST_CHANNELS:
                continue
            for side in [size] if size else _SIDES:
                yield count, side


def _run(network: nn.Module, channels: int, side: int) -> Tensor:
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    # Two different images: a network that mixes up batch and classes shows itself.
    images = torch.linspace(0.2, 0.8, 2, device=device).view(2, 1, 1, 1).expand(2, channels, side, side).contiguous()
    with torch.no_grad():
        return logits_of(network(images)).cpu()


def _runs(network: nn.Module, channels: int, side: int) -> bool:
    try:
        return _run(network, channels, side).dim() == 2
    except Exception:  # any layer may refuse a shape in its own way
        return False


def _wrong_shape(name: str, output: Tensor) -> str:
    return (
        f"{name} returned shape {tuple(output.shape)} for 2 images, expected (2, classes): "
        "pass a classifier, one row of logits an image"
    )


def _check_output(name: str, output: Tensor) -> None:
    if output.dim() != 2:
        raise ModelError(_wrong_shape(name, output))
    if output.shape[1] < 2:
        raise ModelError(f"{name} returned 1 number an image, expected one logit a class: at least 2 classes")
    if not bool(torch.isfinite(output).all()):
        raise ModelError(f"{name} returned NaN or infinity for a plain grey image: the checkpoint is broken")

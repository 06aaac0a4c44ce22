"""Rounding to the levels of an image file, and the SNR that it costs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .clipping import Bounds
from .measurement import power


def quantise(images: Tensor, bits: int | None, bounds: Bounds = (0.0, 1.0), *, within: Tensor | None = None) -> Tensor:
    """Round images to the levels of a file of `bits` bits, in [0, 1] unless other bounds are given.

    Parameters
    ----------
    images : Tensor, shape-(N, ...)
    bits : int or None
        None leaves the images as they are.
    bounds : (float, float)
        Values of the lowest and the highest level.
    within : Tensor, shape-(N, ...), optional
        Clean images that rounding must not move the images away from: one that the nearest levels would give more
        noise power gets, in each value that they move outwards, the next level inwards. Where clean images are on
        levels none has more power than before; a value whose clean one is between levels may have none as near.

    Returns
    -------
    Tensor, shape-(N, ...)
    """
    if bits is None:
        return images
    numbers = _numbers(images, bits, bounds).round_()
    nearest = _values(numbers, bits, bounds)
    if within is None:
        return nearest
    away = (nearest - within).abs() > (images - within).abs()
    inward = _values(numbers - away * (nearest - within).sign(), bits, bounds)
    inward = torch.where((inward - within).abs() < (nearest - within).abs(), inward, nearest)
    more = power(nearest.double() - within.double()) > power(images.double() - within.double())
    return torch.where(more.reshape(-1, *[1] * (images.ndim - 1)), inward, nearest)


def _numbers(images: Tensor, bits: int, bounds: Bounds) -> Tensor:
    """Images in units of a level."""
    low, high = bounds
    numbers: Tensor = (images - low) * ((2**bits - 1) / (high - low))
    return numbers


def _values(numbers: Tensor, bits: int, bounds: Bounds) -> Tensor:
    low, high = bounds
    values: Tensor = numbers / ((2**bits - 1) / (high - low)) + low
    return values


def rounding_db(norm: float, values: int) -> float:
    """SNR of rounding to 8 bits, noise of variance 1/12 of a level: beyond it a saved file cannot hold the noise.

    Parameters
    ----------
    norm : float
        L2 norm of the image.
    values : int
        How many pixel values it has.

    Returns
    -------
    float
        dB.
    """
    return 10 * math.log10(norm**2 / values * 12 * 255**2)

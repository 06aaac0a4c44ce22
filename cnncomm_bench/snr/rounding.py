"""Rounding to the levels of an image file, and the SNR that it costs."""

from __future__ import annotations

import math

from torch import Tensor

from .clipping import Bounds


def quantise(images: Tensor, bits: int | None, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """Round images to the levels of a file of `bits` bits, in [0, 1] unless other bounds are given.

    Parameters
    ----------
    images : Tensor, shape-(N, ...)
    bits : int or None
        None leaves the images as they are.
    bounds : (float, float)
        Values of the lowest and the highest level.
    """
    if bits is None:
        return images
    low, high = bounds
    levels = (2**bits - 1) / (high - low)
    rounded: Tensor = ((images - low) * levels).round_() / levels + low
    return rounded


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

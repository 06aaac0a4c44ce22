"""Images placed at an exact SNR after clipping, by the scale of their noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import clipping
from .clipping import Bounds
from .measurement import _refuse, noise_power

# One row of temporaries is some 50 bytes a pixel value: chunks of this many values stay in cache and bound memory.
_CHUNK = 1 << 18
# How far outside the bounds a clean pixel may be: the round trip of a normalisation leaves values such as -3e-8.
_SLACK = 1e-5
_LARGEST = 1e38  # scales stay finite in float32, so that 0 * scale is 0


def scales(
    clean: Tensor, direction: Tensor, snr_db: float | Tensor, bounds: Bounds = (0.0, 1.0)
) -> tuple[Tensor, Tensor]:
    """Scale s at which clip(clean + s direction) has the SNR asked for, for every target at once.

    Parameters
    ----------
    clean, direction : Tensor, shape-(N, ...)
        `direction` may be as large as 1e30.
    snr_db : float or Tensor
        A number, shape-(K,) for K targets, or shape-(1, N) or (K, N) for a target per image; inf asks for none.
    bounds : (float, float)
        Smallest and largest valid pixel; infinite where nothing is clipped.

    Returns
    -------
    scale : Tensor, shape-(K, N), float64
        K is 1 for a number.
    reached : Tensor, shape-(K, N), bool
        False for an image that saturates before that power; its scale saturates it.

    Raises
    ------
    ValueError
        NaN in any argument, images of zero power, pixels outside the bounds, shapes that do not fit.
    """
    if clean.shape != direction.shape:
        raise ValueError(f"clean images of shape {tuple(clean.shape)}, direction {tuple(direction.shape)}")
    wanted = noise_power(clean, snr_db)
    flat, flat_direction = clean.flatten(1), direction.flatten(1)
    _refuse(flat_direction.isnan().any(1), "has a direction with NaN")
    check_pixels(clean, bounds)
    scale, reached = torch.empty_like(wanted), torch.empty_like(wanted, dtype=torch.bool)
    rows = max(1, _CHUNK // max(1, flat.shape[1]))
    for start in range(0, len(flat), rows):
        part = slice(start, start + rows)
        scale[:, part], reached[:, part] = clipping.scales(flat[part], flat_direction[part], wanted[:, part], bounds)
    return scale, reached


def check_pixels(images: Tensor, bounds: Bounds = (0.0, 1.0)) -> None:
    """Refuse images that are not in their range.

    Parameters
    ----------
    images : Tensor, shape-(N, ...)
    bounds : (float, float)
        Smallest and largest valid pixel; infinite where nothing is clipped.

    Raises
    ------
    ValueError
        Whole numbers, or pixels outside the bounds by more than a normalisation's rounding: the first images are named.
    """
    if not images.is_floating_point():
        raise ValueError(f"images of {images.dtype}: expected floats, divide pixels of 0 to 255 by 255")
    low, high = bounds
    flat = images.flatten(1)
    outside = (flat < low - _slack(low)) | (flat > high + _slack(high))
    _refuse(outside.any(1), f"holds pixels outside [{low:g}, {high:g}]")


def apply(clean: Tensor, direction: Tensor, scale: Tensor, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """clip(clean + scale * direction), one scale an image.

    Parameters
    ----------
    clean, direction : Tensor, shape-(N, ...)
    scale : Tensor, shape-(N,)
    bounds : (float, float)

    Returns
    -------
    Tensor, shape-(N, ...), dtype of `clean`
    """
    factor = scale.clamp(max=_LARGEST).to(clean.dtype).reshape(-1, *[1] * (clean.ndim - 1))
    return torch.mul(direction, factor).add_(clean).clamp_(*bounds)


def project(
    clean: Tensor, direction: Tensor, snr_db: float | Tensor, bounds: Bounds = (0.0, 1.0)
) -> tuple[Tensor, Tensor]:
    """The point on the path clip(clean + s direction) whose realised SNR is `snr_db`.

    Parameters
    ----------
    clean, direction : Tensor, shape-(N, ...)
    snr_db : float or Tensor
        A number; shape-(K,): K targets; shape-(1, N) or (K, N): a target per image. dB.
    bounds : (float, float)
        Smallest and largest valid pixel.

    Returns
    -------
    disturbed : Tensor
        Shape-(N, ...) for a number, else shape-(K, N, ...).
    reached : Tensor, bool
        Shape-(N,) for a number, else shape-(K, N): False for an image that saturates before that power.

    Raises
    ------
    ValueError
        As for `scales`.

    Examples
    --------
    >>> clean = torch.full((1, 1, 2, 2), 0.5)
    >>> disturbed, reached = project(clean, torch.ones_like(clean), 20.0)
    >>> disturbed.flatten(), reached
    (tensor([0.5500, 0.5500, 0.5500, 0.5500]), tensor([True]))
    """
    scale, reached = scales(clean, direction, snr_db, bounds)
    if isinstance(snr_db, Tensor) and snr_db.ndim:
        disturbed = clean.new_empty((len(scale), *clean.shape))
        for step, row in enumerate(scale):
            disturbed[step] = apply(clean, direction, row, bounds)
        return disturbed, reached
    return apply(clean, direction, scale[0], bounds), reached[0]


def _slack(bound: float) -> float:
    return _SLACK * max(1.0, abs(bound)) if math.isfinite(bound) else 0.0

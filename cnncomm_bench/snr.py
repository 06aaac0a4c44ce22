"""The ruler: signal and noise power, dB, and images placed at an exact SNR after clipping.

All images are tensors of shape-(N, C, H, W). The SNR of an image is formula (1) of Ge et al.,

    SNR(dB) = 10 log10( sum(clean^2) / sum((clean - disturbed)^2) ),

over all the pixel values of that image. The power of a disturbed image is what remains *after* clipping
to valid pixels; `clipping` finds the scale of a noise realisation that meets an SNR.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from . import clipping

Ruler = Literal["realised", "dispersion", "geometric"]
RULERS: tuple[str, ...] = get_args(Ruler)
Bounds = clipping.Bounds

# One row of temporaries is some 50 bytes a pixel value: chunks of this many values stay in cache and bound memory.
_CHUNK = 1 << 18
_RUN = 64
# How far outside the bounds a clean pixel may lie: the round trip of a normalisation leaves values such as -3e-8.
_SLACK = 1e-5
_LARGEST = 1e38  # scales stay finite in float32, so that 0 * scale is 0


def power(images: Tensor) -> Tensor:
    """Sum of squares of each image.

    Parameters
    ----------
    images : Tensor, shape-(N, ...)

    Returns
    -------
    Tensor, shape-(N,), float64

    Raises
    ------
    ValueError
        An image holds NaN or an infinite value; its index is named.
    """
    flat = images.flatten(1)
    values = (flat if flat.dtype == torch.float64 else flat.float()).square()
    # Sums of 64 in the images' own dtype, and these in double: as good as doubles all the way, without their copy.
    whole = values.shape[1] // _RUN
    runs = values[:, : whole * _RUN].reshape(len(values), whole, _RUN).sum(2)
    squares: Tensor = runs.sum(1, dtype=torch.float64) + values[:, whole * _RUN :].sum(1, dtype=torch.float64)
    _refuse(~torch.isfinite(squares), "holds NaN or infinite pixel values")
    return squares


def measure(clean: Tensor, disturbed: Tensor) -> Tensor:
    """SNR of each disturbed image, formula (1) of Ge et al.

    Parameters
    ----------
    clean, disturbed : Tensor, shape-(N, ...)

    Returns
    -------
    Tensor, shape-(N,), float64
        In dB; inf where the two images are the same.

    Raises
    ------
    ValueError
        Shapes differ, or an image is of zero power or holds NaN; its index is named.

    Examples
    --------
    >>> measure(torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 0.55)).round(decimals=2)
    tensor([20.], dtype=torch.float64)
    """
    if clean.shape != disturbed.shape:
        raise ValueError(f"clean images of shape {tuple(clean.shape)}, disturbed {tuple(disturbed.shape)}")
    signal = _signal_power(clean)
    noise = power(disturbed - clean)
    return 10 * torch.log10(signal / noise)


def radius(clean: Tensor, snr_db: float | Tensor) -> Tensor:
    """L2 norm of the noise that an SNR allows: ||x|| 10^(-SNR/20).

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : float or Tensor
        In dB; broadcast against shape-(N,).

    Returns
    -------
    Tensor, float64
        Shape-(N,), or as `snr_db` broadcasts.
    """
    target = torch.as_tensor(snr_db, dtype=torch.float64, device=clean.device)
    return _signal_power(clean).sqrt() * 10 ** (-target / 20)


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
    low, high = bounds
    outside = (flat < low - _slack(low)) | (flat > high + _slack(high))
    _refuse(outside.any(1), f"holds pixels outside [{low:g}, {high:g}]")
    scale, reached = torch.empty_like(wanted), torch.empty_like(wanted, dtype=torch.bool)
    rows = max(1, _CHUNK // max(1, flat.shape[1]))
    for start in range(0, len(flat), rows):
        part = slice(start, start + rows)
        scale[:, part], reached[:, part] = clipping.scales(flat[part], flat_direction[part], wanted[:, part], bounds)
    return scale, reached


def noise_power(clean: Tensor, snr_db: float | Tensor) -> Tensor:
    """Sum of squares that noise of each SNR has on each image.

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : float or Tensor
        A number, shape-(K,), (1, N) or (K, N), dB.

    Returns
    -------
    Tensor, shape-(K, N), float64

    Raises
    ------
    ValueError
        A target is NaN or of another shape, an image is of zero power or holds NaN.
    """
    target = torch.as_tensor(snr_db, dtype=torch.float64, device=clean.device)
    if target.isnan().any():
        raise ValueError("an SNR is NaN")
    if target.ndim < 2:
        target = target.reshape(-1, 1)
    elif target.ndim > 2 or target.shape[1] != len(clean):
        raise ValueError(
            f"SNRs of shape {tuple(target.shape)} for {len(clean)} images: expected a number, (K,), (1, N) or (K, N)"
        )
    return _signal_power(clean) * 10 ** (-target / 10)


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


def law_scale(clean: Tensor, snr_db: Tensor, ruler: str, geometric_power: float) -> Tensor:
    """Dispersion (scale parameter) of a stable law on the rulers that fix the law instead of the outcome.

    `dispersion` fixes the scale itself, gamma = sqrt(P/2) 10^(-SNR/20); `geometric` fixes the geometric power G
    of the law, G^2 = P 10^(-SNR/10) / (2 Cg), Cg = exp(Euler's constant) (Gonzalez, Paredes and Arce 2006). Both
    give a Gaussian the variance P 10^(-SNR/10). P is the mean square of a pixel value of the image.

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : Tensor, shape-(K,), dB
    ruler : {"dispersion", "geometric"}
    geometric_power : float
        G of the law at scale one.

    Returns
    -------
    Tensor, shape-(K, N), float64
    """
    mean_noise_power = noise_power(clean, snr_db) / clean[0].numel()
    if ruler == "dispersion":
        return (mean_noise_power / 2).sqrt()
    return (mean_noise_power / (2 * math.exp(EULER_GAMMA))).sqrt() / geometric_power


EULER_GAMMA = 0.57721566490153286


def quantise(images: Tensor, bits: int | None, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """Round images to the levels of a file of `bits` bits, in [0, 1] unless other bounds are given.

    Parameters
    ----------
    images : Tensor
    bits : int or None
        None leaves the images as they are.
    bounds : (float, float)

    Returns
    -------
    Tensor
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
    float, dB
    """
    return 10 * math.log10(norm**2 / values * 12 * 255**2)


def _signal_power(clean: Tensor) -> Tensor:
    signal = power(clean)
    _refuse(signal == 0, "has zero power, so that no SNR is defined")
    return signal


def _slack(bound: float) -> float:
    return _SLACK * max(1.0, abs(bound)) if math.isfinite(bound) else 0.0


def _refuse(bad: Tensor, what: str) -> None:
    if bad.any():
        indices = bad.nonzero().flatten().tolist()
        shown = ", ".join(map(str, indices[:5])) + (", ..." if len(indices) > 5 else "")
        raise ValueError(f"image {shown} {what}")

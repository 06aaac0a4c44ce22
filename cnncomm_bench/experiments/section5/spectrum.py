"""Compares the spectrum of an adversary's perturbations with the damage of noise at each frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor

from ...attacks import BandNoise, ToneNoise, parse, radial_frequencies
from ...results.claims import Interval
from ...results.statistics import Effect, Floats, effect_of, quantiles, resample
from ..training import at_snr

RESAMPLES = 2000
_BATCH = 125

Bools = npt.NDArray[np.bool_]


def density(noise: Tensor) -> Tensor:
    """How the power of each image's noise spreads over the spectrum, against white noise.

    Parameters
    ----------
    noise : Tensor, shape-(N, C, H, W)

    Returns
    -------
    Tensor, shape-(N, H, W), float64
        Power a coefficient, as laid out by `torch.fft.fft2`; 1 on average, 0 everywhere for no noise.
    """
    power: Tensor = torch.fft.fft2(noise.double()).abs().square().sum(1)
    return power.div_(power.mean((1, 2), keepdim=True).clamp_(min=torch.finfo(torch.float64).tiny))


def perturbations(model: Any, images: Tensor, labels: Tensor, snr_db: float, device: str, *, seed: int = 0) -> Tensor:
    """Adversarial noise of pgd on every image at its full budget.

    Returns
    -------
    Tensor, shape-(N, C, H, W)
        On the host.
    """
    attack = at_snr(parse("pgd:steps=10"), snr_db, seed)
    parts = []
    for first in range(0, len(images), _BATCH):
        clean = images[first : first + _BATCH].to(device)
        parts.append((attack(model, clean, labels[first : first + _BATCH].to(device), 0) - clean).cpu())
    return torch.cat(parts)


def means(spectrum: Tensor, places: Sequence[BandNoise | ToneNoise], width: float) -> Floats:
    """Mean density within each band, and around each tone.

    Parameters
    ----------
    spectrum : Tensor, shape-(N, H, W)
        From `density`.
    places : sequence of BandNoise or ToneNoise
    width : float
        Side of the square around a tone, cycles per pixel.

    Returns
    -------
    ndarray, shape-(len(places), N)
    """
    height, side = spectrum.shape[1:]
    radius = radial_frequencies(height, side)
    v, u = (torch.fft.fftfreq(count, dtype=torch.float64) for count in (height, side))

    def inside(place: BandNoise | ToneNoise) -> Tensor:
        if isinstance(place, BandNoise):
            return (radius >= place.low) & (radius < place.high)
        # Frequencies repeat after one cycle per pixel. One of the two mirror images is enough: their power is the same.
        across, down = ((axis - at + 0.5) % 1 - 0.5 for axis, at in ((u, place.u), (v, place.v)))
        near: Tensor = (down.abs()[:, None] <= width / 2) & (across.abs()[None] <= width / 2)
        return near

    return torch.stack([spectrum[:, inside(place)].mean(1) for place in places]).numpy()


def agreement(clean: Bools, noisy: Bools, power: Floats, *, seed: int) -> tuple[Effect, Interval]:
    """Rank correlation over bands or tones of the noise's damage and the adversary's power (Spearman 1904).

    Parameters
    ----------
    clean : ndarray, shape-(N,), bool
        Which images are right without noise.
    noisy : ndarray, shape-(B, N), bool
        And under noise of each band or tone.
    power : ndarray, shape-(B, N)
        Density of the adversary's noise there.
    seed : int

    Returns
    -------
    correlation : Effect
        Of a bootstrap over images.
    permuted : (float, float, float)
        Median and 95 % range of the control, in which the adversary's are in random order.
    """
    counts = resample(len(clean), RESAMPLES, seed).astype(float)
    damage = counts @ (clean[None].astype(float) - noisy).T
    spread = counts @ power.T
    values = rank_correlation(damage, spread)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(power)), (RESAMPLES, 1)), axis=1)
    control = rank_correlation(np.broadcast_to(damage[0], order.shape), spread[0][order])
    effect, (low, high) = effect_of(values, len(clean)), quantiles(control, control)
    # An unknown correlation is somewhere between -1 and 1.
    return (
        effect._replace(low=max(effect.low, -1.0), high=min(effect.high, 1.0)),
        (float(np.median(control)), max(low, -1.0), min(high, 1.0)),
    )


def rank_correlation(first: Floats, second: Floats) -> Floats:
    """Spearman's, row by row; NaN where a row is constant."""
    one, other = (rankdata(values, axis=1) for values in (first, second))
    one, other = (ranks - ranks.mean(1, keepdims=True) for ranks in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Floats = (one * other).sum(1) / np.sqrt((one**2).sum(1) * (other**2).sum(1))
    return correlation

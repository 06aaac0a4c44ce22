"""Which spatial frequencies a model listens to, and whether its adversary finds them (Section 5.1).

The map: the accuracy that noise of one band, or a single tone, of a fixed SNR costs. The adversary: how the power of
its perturbations spreads over the same frequencies. For a linear model both are the squared transfer function of the
classifier, so the two must agree where the paper's picture holds: finding the perturbation is finding the carrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor

from ..attacks import parse
from ..attacks.answers import Logits, predict
from ..attacks.base import Batch
from ..attacks.tone import NYQUIST, BandNoise, ToneNoise
from ..statistics.intervals import Floats, paired_difference, quantiles, resample, wilson
from ..streams import digests
from ..training import at_snr
from ..verdict import Interval

RINGS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.71)
"""Edges of the bands, cycles per pixel; the last holds the corners of the spectrum."""

STEP = 0.125
"""Between the tones of the map, cycles per pixel."""

RESAMPLES = 2000
_BATCH = 125

Bools = npt.NDArray[np.bool_]
Carrier = BandNoise | ToneNoise


def bands(height: int, width: int) -> list[BandNoise]:
    """The rings of the spectrum that hold a frequency of images of this size."""
    radius = _radii(height, width)
    return [BandNoise(low, high) for low, high in pairwise(RINGS) if bool(((radius >= low) & (radius < high)).any())]


def tones() -> list[ToneNoise]:
    """Tones on a grid over half of the spectrum; a real wave's other half is its mirror image."""
    count = round(NYQUIST / STEP)
    return [
        ToneNoise(round(STEP * u, 6), round(STEP * v, 6))
        for u in range(count + 1)
        for v in range(-count, count + 1)
        if u > 0 or v > 0
    ]


def right(
    model: Logits,
    images: Tensor,
    labels: Tensor,
    noises: Sequence[Carrier | None],
    snr_db: float,
    device: str = "cpu",
    *,
    seed: int = 0,
) -> Bools:
    """Which images a model gets right under each noise.

    Parameters
    ----------
    model : callable
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64
    noises : sequence of noise or None
        None leaves the images clean.
    snr_db : float
    device : str
    seed : int

    Returns
    -------
    ndarray, shape-(len(noises), N), bool
    """
    grid = torch.tensor([snr_db], dtype=torch.float64)
    found = np.empty((len(noises), len(images)), dtype=np.bool_)
    for first in range(0, len(images), _BATCH):
        rows = slice(first, first + _BATCH)
        clean, target = images[rows].to(device), labels[rows].to(device)
        batch = Batch(clean, seed=seed, keys=digests(clean))
        for place, noise in enumerate(noises):
            disturbed = clean if noise is None else next(noise.over(batch, grid)).images
            found[place, rows] = (predict(model, disturbed) == target).cpu().numpy()
    return found


def carrier_map(
    model: Logits, images: Tensor, labels: Tensor, snr_db: float, device: str = "cpu", *, seed: int = 0
) -> pd.DataFrame:
    """Accuracy drop under noise of each band and under each tone, all of one SNR.

    Parameters
    ----------
    model : callable
        On the device; images in [0, 1] to logits.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64
    snr_db : float
    device : str
    seed : int

    Returns
    -------
    DataFrame
        `carrier` (a spec string), `kind` (band or tone), `u`, `v` (of a tone), `low`, `high` (of a band),
        `frequency` (radial, cycles per pixel; of a band its middle), `snr_db`, `images`, `accuracy`, `accuracy_low`,
        `accuracy_high`, `drop`, `drop_low`, `drop_high`.
    """
    noises: list[Carrier] = [*bands(*images.shape[2:]), *tones()]
    clean, *noisy = right(model, images, labels, [None, *noises], snr_db, device, seed=seed)
    return pd.DataFrame([_row(noise, clean, hits, snr_db) for noise, hits in zip(noises, noisy)])


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


def in_bands(spectrum: Tensor, rings: Sequence[BandNoise]) -> Floats:
    """Mean density within each band.

    Parameters
    ----------
    spectrum : Tensor, shape-(N, H, W)
        From `density`.
    rings : sequence of BandNoise

    Returns
    -------
    ndarray, shape-(len(rings), N)
    """
    radius = _radii(*spectrum.shape[1:])
    means = [spectrum[:, (radius >= ring.low) & (radius < ring.high)].mean(1) for ring in rings]
    return torch.stack(means).numpy()


def agreement(clean: Bools, noisy: Bools, power: Floats, *, seed: int) -> tuple[Interval, Interval]:
    """Rank correlation over the bands of the noise's damage and the adversary's power (Spearman 1904).

    Parameters
    ----------
    clean : ndarray, shape-(N,), bool
        Which images are right without noise.
    noisy : ndarray, shape-(B, N), bool
        And under noise of each band.
    power : ndarray, shape-(B, N)
        Density of the adversary's noise in each band.
    seed : int

    Returns
    -------
    correlation, permuted : (float, float, float)
        Estimate and 95 % interval of a bootstrap over images; and median and 95 % range of the control, in which
        the bands of the adversary are in random order.
    """
    counts = resample(len(clean), RESAMPLES, seed).astype(float)
    damage = counts @ (clean[None].astype(float) - noisy).T
    spread = counts @ power.T
    values = _spearman(damage, spread)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(power)), (RESAMPLES, 1)), axis=1)
    control = _spearman(np.broadcast_to(damage[0], order.shape), spread[0][order])
    return (
        (float(values[0]), *quantiles(values[1:], values[1:])),
        (float(np.median(control)), *quantiles(control, control)),
    )


def _spearman(first: Floats, second: Floats) -> Floats:
    """Row by row; NaN where a row is constant."""
    one, other = (rankdata(values, axis=1) for values in (first, second))
    one, other = (ranks - ranks.mean(1, keepdims=True) for ranks in (one, other))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Floats = (one * other).sum(1) / np.sqrt((one**2).sum(1) * (other**2).sum(1))
    return correlation


def _radii(height: int, width: int) -> Tensor:
    down, right = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    return torch.hypot(down[:, None], right[None])


def _row(noise: Carrier, clean: Bools, noisy: Bools, snr_db: float) -> dict[str, Any]:
    accuracy, lost = float(noisy.mean()), clean.astype(float) - noisy
    low, high = wilson(np.array(accuracy), np.array(len(noisy)))
    drop_low, drop_high = paired_difference(lost)
    place: dict[str, Any] = {"u": np.nan, "v": np.nan, "low": np.nan, "high": np.nan}
    if isinstance(noise, BandNoise):
        place |= {"low": noise.low, "high": noise.high, "frequency": (noise.low + noise.high) / 2}
    else:
        place |= {"u": noise.u, "v": noise.v, "frequency": float(np.hypot(noise.u, noise.v))}
    return {
        "carrier": noise.spec, "kind": noise.family, **place, "snr_db": snr_db, "images": len(noisy),
        "accuracy": accuracy, "accuracy_low": float(low), "accuracy_high": float(high),
        "drop": float(lost.mean()), "drop_low": drop_low, "drop_high": drop_high,
    }  # fmt: skip

"""Measures which spatial frequencies a model depends on, and whether its adversary uses them (Section 5.1).

The map: the accuracy that noise of one band, or a single tone, of a fixed SNR costs. The adversary: how the power of
its perturbations spreads over the same frequencies. For a linear model both are the squared transfer function of the
classifier, so the two must agree where the paper's picture holds: "finding an effective adversarial
perturbation is similar to finding the carrier frequency of a signal source in signal interference".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...attacks import NYQUIST, BandNoise, DirectionNoise, Logits, NoiseBatch, ToneNoise, predict, radial_frequencies
from ...results.claims import Claim, Interval, decide
from ...results.statistics import Effect, paired_difference, wilson
from ...snr import digests
from .spectrum import Bools, agreement, density, means, perturbations

RINGS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.71)
"""Edges of the bands, cycles per pixel; the last holds the corners of the spectrum."""

STEP = 0.125
"""Between the tones of the map, cycles per pixel."""

IMAGES = 500
"""Test images that a study takes."""

ADVERSARY_DB = 20.0
SNRS_DB = (20.0, 15.0, 10.0, 5.0)
"""At which the bands are compared; the map is drawn at the first where one band takes half of what a model knows."""

_BATCH = 125

Carrier = BandNoise | ToneNoise


def bands(height: int, width: int) -> list[BandNoise]:
    """The rings of the spectrum that hold a frequency of images of this size."""
    radius = radial_frequencies(height, width)
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
    noises: Sequence[DirectionNoise | None],
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
        batch = NoiseBatch(clean, seed=seed, keys=digests(clean))
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


@dataclass(frozen=True)
class Study:
    """The frequencies a model depends on, and those of its adversary.

    Attributes
    ----------
    name : str
        The model's.
    snr_db : float
        Of the map.
    map : DataFrame
        See `carrier_map`; with `model` before all columns.
    spectrum : DataFrame
        `model, low, high, drop, density` for each band: the drop of the map, and the adversary's power a coefficient
        against white noise.
    plane : Tensor, shape-(H, W)
        The adversary's mean density, as laid out by `torch.fft.fft2`.
    claims : list of Claim
        Agreement over the bands at each SNR and over the tones; then a control for both.
    """

    name: str
    snr_db: float
    map: pd.DataFrame
    spectrum: pd.DataFrame
    plane: Tensor
    claims: list[Claim]

    @property
    def summary(self) -> str:
        """Rank correlations with their intervals, and those of the controls, as a sentence."""
        texts = [
            f"{claim.model.removeprefix(f'{self.name}, ')} "
            f"{'unknown' if claim.effect is None else f'{claim.effect:.2f}'} ({claim.low:.2f} to {claim.high:.2f})"
            for claim in self.claims
        ]
        return (
            f"The {self.name} model, rank correlation of the noise's damage and the adversary's power: "
            f"{', '.join(texts[:-2])}. With the adversary's in random order: {', '.join(texts[-2:])}."
        )


def study(
    name: str, model: nn.Module, images: Tensor, labels: Tensor, *, device: str, classes: int, seed: int = 0
) -> Study:
    """Map a model's carriers, and compare them with the spectrum of its adversary's noise.

    Parameters
    ----------
    name : str
        The model's, for tables.
    model : nn.Module
        On the device.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64
    device : str
    classes, seed : int
    """
    rings, waves = bands(*images.shape[2:]), tones()
    power = density(perturbations(model, images, labels, ADVERSARY_DB, device, seed=seed))
    in_rings, around_waves = means(power, rings, STEP), means(power, waves, STEP)
    clean = right(model, images, labels, [None], SNRS_DB[0], device)[0]
    noisy = {snr_db: right(model, images, labels, rings, snr_db, device, seed=seed) for snr_db in SNRS_DB}
    half = (clean.mean() - 1 / classes) / 2
    map_db = next((at for at in SNRS_DB if clean.mean() - noisy[at].mean(1).min() >= half), SNRS_DB[-1])
    tone_hits = right(model, images, labels, waves, map_db, device, seed=seed)
    agreed = {f"bands at {at:g} dB": agreement(clean, hits, in_rings, seed=seed) for at, hits in noisy.items()}
    agreed[f"tones at {map_db:g} dB"] = agreement(clean, tone_hits, around_waves, seed=seed)
    measured = zip([*rings, *waves], np.concatenate([noisy[map_db], tone_hits]))
    frame = pd.DataFrame([{"model": name, **_row(carrier, clean, hits, map_db)} for carrier, hits in measured])
    spectrum = frame.loc[frame.kind == "band", ["model", "low", "high", "drop"]].assign(density=in_rings.mean(1))
    return Study(name, map_db, frame, spectrum, power.mean(0), _claims(name, agreed, map_db))


def _claims(name: str, agreed: dict[str, tuple[Effect, Interval]], map_db: float) -> list[Claim]:
    what = f"Spearman's correlation of the noise's accuracy drop and the power of pgd at {ADVERSARY_DB:g} dB"
    found = [
        decide("carriers", f"{name}, {noise}", "realised", at, f"{what}; interval over images")
        for noise, (at, _) in agreed.items()
    ]
    controls = [
        decide("carriers-control", f"{name}, {noise}", "realised", at, f"{what}, whose places are in random order")
        for noise, (_, at) in agreed.items()
        if noise.endswith(f" {map_db:g} dB")
    ]
    return [*found, *controls]


def _row(noise: DirectionNoise, clean: Bools, noisy: Bools, snr_db: float) -> dict[str, Any]:
    accuracy, lost = float(noisy.mean()), clean.astype(float) - noisy
    low, high = wilson(np.array(accuracy), np.array(len(noisy)))
    drop_low, drop_high = paired_difference(lost)
    place: dict[str, Any] = {"u": np.nan, "v": np.nan, "low": np.nan, "high": np.nan}
    if isinstance(noise, BandNoise):
        place |= {"low": noise.low, "high": noise.high, "frequency": (noise.low + noise.high) / 2}
    elif isinstance(noise, ToneNoise):
        place |= {"u": noise.u, "v": noise.v, "frequency": float(np.hypot(noise.u, noise.v))}
    return {
        "carrier": noise.spec, "kind": noise.family, **place, "snr_db": snr_db, "images": len(noisy),
        "accuracy": accuracy, "accuracy_low": float(low), "accuracy_high": float(high),
        "drop": float(lost.mean()), "drop_low": drop_low, "drop_high": drop_high,
    }  # fmt: skip

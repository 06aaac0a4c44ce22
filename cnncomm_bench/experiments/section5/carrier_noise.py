"""Tests whether noise at the carrier's frequency does more harm than white noise of the same SNR (Section 5.2).

On the link the carrier is known, and both error rates have closed forms. In a CNN it is where the adversary spends its
power: random noise is given the mean spectrum of its perturbations, or the one frequency at which they are strongest.
The control keeps the powers and puts them at frequencies in random order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtr
from torch import Tensor, nn

from ... import snr
from ...attacks import Logits, filtered_noise, predict
from ...results.claims import Claim, decide
from ...results.statistics import Effect, Floats, effect_of, resample
from .carriers import ADVERSARY_DB, SNRS_DB
from .spectrum import RESAMPLES, Bools, density, perturbations

LINK_DB = (-10.0, -5.0, 0.0, 5.0, 10.0)
SPECTRUM, STRONGEST = "the adversary's spectrum", "its strongest frequency"
LINK, TONE = "link, uncoded BPSK", "a tone on the carrier"
_ORDERS = 5
_BATCH = 125


class Harm(NamedTuple):
    """Error rates of a system under noise at its carrier and under white noise of the same SNR.

    Attributes
    ----------
    system, noise : str
    snr_db : float
    white, carrier : float
        Error rates.
    effect : Effect
        Their difference, with an interval over images; exact on the link.
    elsewhere : float
        The mean error of noise at frequencies in random order; NaN on the link.
    control : Effect, optional
        Its difference from white noise.
    strongest : str
        Where a network's adversary is strongest, cycles per pixel.
    """

    system: str
    noise: str
    snr_db: float
    white: float
    carrier: float
    effect: Effect
    elsewhere: float = np.nan
    control: Effect | None = None
    strongest: str = ""


def tone_error(snr_db: Floats) -> Floats:
    """Bit error rate of BPSK under a tone on its carrier, of random phase in each frame.

    A tone of noise power s^2 reaches a matched filter as sqrt(2) s cos(phase), and a symbol of power one is lost
    beyond 1: at a share arccos(1 / (sqrt(2) s)) / pi of the phases, at none where the SNR is above 3 dB.

    Examples
    --------
    >>> float(tone_error(np.array(0.0)).round(4))
    0.25
    """
    amplitude = np.sqrt(2) * 10 ** (-np.asarray(snr_db) / 20)
    rate: Floats = np.arccos(np.minimum(1.0, 1 / amplitude)) / np.pi
    return rate


def white_error(snr_db: Floats) -> Floats:
    """Bit error rate of BPSK in Gaussian noise, Q(sqrt(SNR))."""
    rate: Floats = ndtr(-(10 ** (np.asarray(snr_db) / 20)))
    return rate


def compare(
    networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor, *, device: str, seed: int = 0
) -> list[Harm]:
    """Error rates under noise at the carrier and under white noise, of networks and of the link.

    Parameters
    ----------
    networks : mapping of str to nn.Module
        On the device.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64
    device : str
    seed : int
    """
    found = [
        harm for name, model in networks.items() for harm in _of_network(name, model, images, labels, device, seed)
    ]
    for snr_db in LINK_DB:
        white, tone = float(white_error(np.array(snr_db))), float(tone_error(np.array(snr_db)))
        more = tone - white
        exact = Effect(more, more, more, float(more <= 0), float(more >= 0))  # closed forms leave no doubt
        found.append(Harm(LINK, TONE, snr_db, white, tone, exact))
    return found


def table(harms: list[Harm]) -> pd.DataFrame:
    """A row for each: `system, noise, snr_db, white, carrier, difference, low, high, elsewhere`, and its difference."""
    rows = []
    for harm in harms:
        row = dict(zip(("difference", "low", "high"), harm.effect.interval))
        if harm.control is not None:
            row |= {"elsewhere": harm.elsewhere}
            row |= dict(zip(("elsewhere_difference", "elsewhere_low", "elsewhere_high"), harm.control.interval))
        rows.append({**dict(zip(Harm._fields[:5], harm)), **row, "strongest": harm.strongest})
    return pd.DataFrame(rows)


def judge(harms: list[Harm]) -> list[Claim]:
    """A claim at each SNR, and the controls of the networks'."""
    claims, controls = [], []
    for harm in harms:
        about = f"{harm.system}, {harm.noise}, {harm.snr_db:g} dB"
        how = "closed forms"
        if harm.control is not None:
            how = f"interval over images; spectrum of pgd at {ADVERSARY_DB:g} dB, strongest at {harm.strongest}"
        evidence = f"error {harm.carrier:.3g} against {harm.white:.3g} under white noise of the same SNR; {how}"
        statement = _STATEMENTS["carrier-noise"].format(snr_db=harm.snr_db)
        claims.append(decide("carrier-noise", about, "realised", harm.effect, evidence, statement=statement))
        if harm.control is not None:
            evidence = (
                f"error {harm.elsewhere:.3g}, mean of {_ORDERS} orders, against {harm.white:.3g} under white noise"
            )
            statement = _STATEMENTS["carrier-noise-control"]
            controls.append(
                decide("carrier-noise-control", about, "realised", harm.control, evidence, statement=statement)
            )
    return [*claims, *controls]


def summary(harms: list[Harm]) -> str:
    """The differences by SNR, a sentence a system and noise."""
    texts = []
    for system, noise in dict.fromkeys((harm.system, harm.noise) for harm in harms):
        part = [harm for harm in harms if (harm.system, harm.noise) == (system, noise)]
        each = ", ".join(f"{harm.effect.at:+.3f} at {harm.snr_db:g} dB" for harm in part)
        texts.append(f"{system}, {noise}: error beyond that of white noise of the same SNR {each}.")
    return "\n".join(texts)


def _of_network(name: str, model: nn.Module, images: Tensor, labels: Tensor, device: str, seed: int) -> list[Harm]:
    spectrum = density(perturbations(model, images, labels, ADVERSARY_DB, device, seed=seed)).mean(0)
    half = spectrum[:, : images.shape[3] // 2 + 1]
    down, right = divmod(int(half.argmax()), half.shape[1])
    strongest = torch.zeros_like(half)
    strongest[down, right] = 1
    v, u = ((place / side + 0.5) % 1 - 0.5 for place, side in zip((down, right), spectrum.shape))
    generator = torch.Generator().manual_seed(seed)
    white = _right(model, images, labels, torch.ones_like(half), device, seed)
    found = []
    for noise, power in ((SPECTRUM, half), (STRONGEST, strongest)):
        at = _right(model, images, labels, power, device, seed)
        orders = [_order(half.numel(), int(half.argmax()), generator) for _ in range(_ORDERS)]
        elsewhere = np.mean(
            [
                _right(model, images, labels, power.flatten()[order].reshape(half.shape), device, seed)
                for order in orders
            ],
            axis=0,
        )
        found += [
            Harm(f"{name} CNN", noise, snr_db, 1 - w.mean(), 1 - c.mean(), _difference(w, c, seed), 1 - e.mean(),
                 _difference(w, e, seed), f"u={u:.3g}, v={v:.3g}")
            for snr_db, w, c, e in zip(SNRS_DB, white.astype(float), at.astype(float), elsewhere, strict=True)
        ]  # fmt: skip
    return found


def _difference(first: Floats, second: Floats, seed: int) -> Effect:
    drawn = resample(len(first), RESAMPLES, seed).astype(float)
    return effect_of(drawn @ (first - second) / len(first), len(first))


def _order(count: int, strongest: int, generator: torch.Generator) -> Tensor:
    """A random order of frequencies that moves the strongest."""
    order = torch.randperm(count, generator=generator)
    return order.roll(1) if order[strongest] == strongest else order


def _right(model: Logits, images: Tensor, labels: Tensor, power: Tensor, device: str, seed: int) -> Bools:
    """Which images are right under random noise of a power spectrum, shape-(len(SNRS_DB), N)."""
    grid = torch.tensor(SNRS_DB, dtype=torch.float64)
    parts = []
    for first in range(0, len(images), _BATCH):
        clean, target = images[first : first + _BATCH].to(device), labels[first : first + _BATCH].to(device)
        noise = filtered_noise(snr.digests(clean), tuple(clean.shape[1:]), power.sqrt(), seed=seed)
        disturbed, _ = snr.project(clean, noise.to(device), grid)
        parts.append(torch.stack([predict(model, noisy) == target for noisy in disturbed]).cpu())
    return torch.cat(parts, 1).numpy()


_STATEMENTS = {
    "carrier-noise": (
        "Noise at the carrier's frequency does more harm than white noise of the same SNR (Ge et al., Section 5.2, in "
        "our words), at {snr_db:g} dB."
    ),
    "carrier-noise-control": (
        "Control, not to be supported: noise as concentrated, at frequencies in random order, does more harm than "
        "white noise."
    ),
}

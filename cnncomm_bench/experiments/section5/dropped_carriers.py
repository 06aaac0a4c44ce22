"""The link's half of Section 5.3: several carriers, a jammer on some of them, a receiver that drops these.

K orthogonal carriers of equal power send a bit each by BPSK. White noise spreads its power over all; a jammer of the
same power puts it on J of them. One receiver decides on all carriers; one drops the J with the strongest noise, jammed
or not; as a control, one drops J blindly. A receiver's rate is what an ideal code over the carriers reaches with its
decisions: the share of the carriers in use, times the capacity of a binary symmetric channel of their bit error rate
(Shannon 1948).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.special import entr

from ...results.claims import Claim, bootstrapped, decide
from ...results.statistics import RESAMPLES, Floats, effect_of, resample
from ..link import MODULATIONS, Channel, Stable, exact

CARRIERS, JAMMED = 8, 3
FRAMES, SYMBOLS = 250, 64
"""Of a point; in each frame other carriers are jammed, the same for all its symbols."""

GRID_DB = tuple(float(db) for db in range(-10, 16, 5))
JUDGED_DB = 0.0
"""At which the noise has the power of the signal."""

WHITE, JAMMER = "white noise", "jammer"
ALL, DROP, BLIND = "all", "drop", "drop blindly"

_STATEMENTS = {
    "carriers-dropped": (
        "A receiver that drops the disturbed carriers has a lower rate without a jammer and a higher one with it (the "
        "link's half of Ge et al., Section 5.3, in our words)."
    ),
    "carriers-dropped-control": (
        "Control, to come out undecided: a receiver that drops carriers without knowing which are jammed errs as often "
        "as one that uses all."
    ),
}


class Sent(NamedTuple):
    """What arrived of a number of frames.

    Attributes
    ----------
    wrong : ndarray, shape-(F, K), int64
        Wrong bits of each carrier.
    dispersion : ndarray, shape-(F, K)
        Scale of its noise: known to the receiver, as it would be from pilots.
    """

    wrong: npt.NDArray[np.int64]
    dispersion: Floats


def send(noise: str, snr_db: float, *, frames: int = FRAMES, seed: int = 0) -> Sent:
    """Send frames over all carriers.

    Parameters
    ----------
    noise : {"white noise", "jammer"}
    snr_db : float
        Power of a real sample over that of the noise, mean over the carriers.
    frames, seed : int
        One seed gives the same bits and jammed carriers at all SNRs.
    """
    generator = np.random.default_rng(seed)
    bits = torch.from_numpy(generator.integers(0, 2, (frames * CARRIERS, SYMBOLS), dtype=np.uint8))
    order = generator.permuted(np.tile(np.arange(CARRIERS), (frames, 1)), axis=1)
    disturbed = torch.from_numpy(order < (JAMMED if noise == JAMMER else CARRIERS)).flatten()
    samples, dispersion = MODULATIONS["bpsk"].modulate(bits), torch.zeros(len(bits), dtype=torch.float64)
    each_db = snr_db - 10 * math.log10(CARRIERS * frames / int(disturbed.sum()))
    received = Channel(Stable(2.0), "dispersion", each_db).send(samples[disturbed], 1, generator)
    samples[disturbed] = received.samples
    dispersion[disturbed] = received.dispersion.double().expand(len(received.samples), 1)[:, 0]
    wrong = ((samples < 0) != bits.bool()).sum(1)
    return Sent(wrong.reshape(frames, CARRIERS).numpy(), dispersion.reshape(frames, CARRIERS).numpy())


def kept(sent: Sent, receiver: str) -> npt.NDArray[np.int64]:
    """Wrong bits on the carriers that a receiver uses, shape-(F, K) or (F, K - J)."""
    if receiver == ALL:
        return sent.wrong
    used = CARRIERS - JAMMED
    if receiver == BLIND:
        return sent.wrong[:, :used]
    quietest = np.argsort(sent.dispersion, axis=1, kind="stable")[:, :used]
    return np.take_along_axis(sent.wrong, quietest, axis=1)


def rate(error_rate: Floats, carriers: int) -> Floats:
    """Bits a carrier and symbol, of so many of the K carriers.

    Examples
    --------
    >>> rate(np.array([0.0, 0.11, 0.5]), CARRIERS).round(3)
    array([1. , 0.5, 0. ])
    """
    known: Floats = 1 - (entr(error_rate) + entr(1 - error_rate)) / math.log(2)
    return carriers / CARRIERS * known


def run(seed: int = 0) -> tuple[pd.DataFrame, list[Claim]]:
    """Measure the receivers in both noises at each SNR of the grid.

    Parameters
    ----------
    seed : int

    Returns
    -------
    table : DataFrame
        `noise, receiver, snr_db, bits, errors, ber, ber_low, ber_high, rate, rate_low, rate_high`.
    claims : list of Claim
        What dropping costs in white noise, and what it gains with the jammer, at `JUDGED_DB`; the control.
    """
    weights = resample(FRAMES, RESAMPLES, seed).astype(float)
    rows: list[tuple[object, ...]] = []
    error_rates: dict[tuple[str, str], Floats] = {}
    rates: dict[tuple[str, str], Floats] = {}
    for noise in (WHITE, JAMMER):
        for snr_db in GRID_DB:
            sent = send(noise, snr_db, seed=seed)
            for receiver in (ALL, DROP, BLIND):
                wrong = kept(sent, receiver)
                bits, errors = wrong.size * SYMBOLS, int(wrong.sum())
                sampled = weights @ wrong.sum(1) / bits
                reached = rate(sampled, wrong.shape[1])
                rows.append((noise, receiver, snr_db, bits, errors, *exact(errors, bits), *bootstrapped(reached)))
                if snr_db == JUDGED_DB:
                    error_rates[noise, receiver], rates[noise, receiver] = sampled, reached
    names = ["noise", "receiver", "snr_db", "bits", "errors", "ber", "ber_low", "ber_high"]
    table = pd.DataFrame(rows, columns=[*names, "rate", "rate_low", "rate_high"])
    lost, gained = (rates[noise, ALL] - rates[noise, DROP] for noise in (WHITE, JAMMER))
    claims = [
        _decided("carriers-dropped", WHITE, lost, f"rate of {ALL!r} minus rate of {DROP!r}, bits a carrier and symbol"),
        _decided("carriers-dropped", JAMMER, -gained, f"rate of {DROP!r} minus rate of {ALL!r}, likewise"),
        _decided("carriers-dropped-control", JAMMER, error_rates[JAMMER, ALL] - error_rates[JAMMER, BLIND],
                 f"bit error rate of {ALL!r} minus that of {BLIND!r}"),
    ]  # fmt: skip
    return table, claims


def _decided(claim: str, noise: str, values: Floats, what: str) -> Claim:
    about = f"{what}, {JAMMED} of {CARRIERS} carriers; interval over {FRAMES} frames"
    effect = effect_of(values, FRAMES)
    return decide(claim, f"{noise}, {JUDGED_DB:g} dB", "dispersion", effect, about, statement=_STATEMENTS[claim])

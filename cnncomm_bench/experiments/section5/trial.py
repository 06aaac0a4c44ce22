"""Measurements of a check on two streams, and the tables that follow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...results.claims import bootstrapped
from ...results.statistics import Crossing, Floats, difference, estimate, resample, wilson, with_signs
from .detection import Bools, Received, auc, roc, threshold

UNAWARE, ADAPTIVE = "pgd:steps=10", "adaptive pgd"
LOW, TWIN, ITSELF = "low resolution", "same resolution", "itself"
_RESAMPLES = 1000


class GainRow(NamedTuple):
    """Row of `gains_table`."""

    check: str
    attack: str
    threshold_without_db: float
    threshold_with_db: float
    gain_db: float
    low: float
    high: float


@dataclass(frozen=True)
class Trial:
    """All that was measured: on clean images, and by check and attack.

    Attributes
    ----------
    right : ndarray, shape-(N,), bool
        The first stream's decisions on clean images.
    clean : dict of str to ndarray
        Check to the disagreement on clean images.
    alarm : dict of str to float
        Check to the disagreement above which it fails.
    received : dict of (str, str) to Received
        By check and attack.
    classes : int
    seed : int
        Of the bootstrap.
    """

    right: Bools
    clean: dict[str, Floats]
    alarm: dict[str, float]
    received: dict[tuple[str, str], Received]
    classes: int
    seed: int = 0

    @cached_property
    def weights(self) -> Floats:
        """How often each image is drawn, shape-(1 + B, N), the sample first."""
        return resample(len(self.right), _RESAMPLES, self.seed).astype(np.float32)

    def areas(self, check: str, attack: str) -> Floats:
        """AUC at each SNR, shape-(K, 1 + B), on the images that the link gets right when they are clean."""
        clean, drawn = self.clean[check][self.right], self.weights[:, self.right]
        return np.stack([auc(score[self.right], clean, drawn) for score in self.received[check, attack].score])

    def thresholds(self, check: str, attack: str) -> tuple[Crossing, Crossing]:
        """Where half of what the link knows passes as undetected errors, without the check and with it."""
        chance, weights, alarm = 1 / self.classes, self.weights, self.alarm[check]
        received, checked = self.received[check, attack], self.right | (self.clean[check] > alarm)
        level = (weights @ self.right / weights.sum(1) + chance) / 2
        return (
            threshold(received.delivered(np.inf), self.right, received.snr_db, level, chance, weights),
            threshold(received.delivered(alarm), checked, received.snr_db, level, chance, weights),
        )

    def informative(self, check: str, attack: str) -> Bools:
        """SNRs at which the attack has taken 10 to 90 % of what the link knows beyond chance, shape-(K,)."""
        clean = float(self.right.mean())
        lost = (clean - self.received[check, attack].right.mean(1)) / max(clean - 1 / self.classes, 1e-9)
        return np.asarray((lost > 0.1) & (lost < 0.9))


def detection_table(trial: Trial) -> pd.DataFrame:
    """AUC with its interval: `check, attack, snr_db, images, auc, low, high`."""
    rows = []
    for (check, attack), received in trial.received.items():
        for snr_db, area in zip(received.snr_db, trial.areas(check, attack), strict=True):
            at, low, high = bootstrapped(area)
            # Unbounded where a sample drew no image that is right: an area is still one.
            rows.append((check, attack, snr_db, int(trial.right.sum()), at, max(low, 0.0), min(high, 1.0)))
    return pd.DataFrame(rows, columns=["check", "attack", "snr_db", "images", "auc", "low", "high"])


def undetected_table(trial: Trial) -> pd.DataFrame:
    """Errors that pass without a check and with one, the latter's Wilson interval, and the share that is rejected.

    Returns
    -------
    DataFrame
        `check, attack, snr_db, error_without_check, undetected_error, low, high, rejected`.
    """
    rows: list[tuple[object, ...]] = []
    for (check, attack), received in trial.received.items():
        alarm = trial.alarm[check]
        bare, checked = (1 - received.delivered(level).mean(1) for level in (np.inf, alarm))
        low, high = wilson(checked, np.full(len(checked), len(trial.right)))
        rejected = (received.score > alarm).mean(1)
        rows += [(check, attack, *row) for row in zip(received.snr_db, bare, checked, low, high, rejected, strict=True)]
    names = ["error_without_check", "undetected_error", "low", "high", "rejected"]
    return pd.DataFrame(rows, columns=["check", "attack", "snr_db", *names])


def gains_table(trial: Trial) -> pd.DataFrame:
    """How many dB more noise the link takes with the check, until half of what it knows passes as undetected errors.

    Returns
    -------
    DataFrame
        `check, attack, threshold_without_db, threshold_with_db, gain_db, low, high`.
    """
    rows = []
    for check, attack in trial.received:
        without, with_check = trial.thresholds(check, attack)
        rows.append((check, attack, without.at[0], with_check.at[0], *estimate(difference(without, with_check))))
    return pd.DataFrame(rows, columns=list(GainRow._fields))


def signed_gains(trial: Trial, gains: pd.DataFrame) -> pd.DataFrame:
    """The table of gains for its file; thresholds off the grid are bounds."""
    grids = [received.snr_db for received in trial.received.values()]
    return with_signs(gains, [grid[0] for grid in grids], [grid[-1] for grid in grids])


def roc_table(trial: Trial) -> pd.DataFrame:
    """ROC curves of the low-resolution check, each at the SNR at which its attack has taken about half.

    Returns
    -------
    DataFrame
        `attack, snr_db, false_alarm, detection`, a row for each corner.
    """
    right, frames = trial.right, []
    halfway = (right.mean() + 1 / trial.classes) / 2
    for (check, attack), received in trial.received.items():
        if check != LOW:
            continue
        step = int(np.abs(received.right.mean(1) - halfway).argmin())
        false_alarm, detection = roc(received.score[step][right], trial.clean[check][right])
        about = {"attack": attack, "snr_db": received.snr_db[step]}
        frames.append(pd.DataFrame({**about, "false_alarm": false_alarm, "detection": detection}))
    return pd.concat(frames, ignore_index=True)

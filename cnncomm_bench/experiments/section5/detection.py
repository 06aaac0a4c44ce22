"""Measures how well a score separates attacked images from clean ones, and which errors pass a check."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...results.statistics import Crossing, Floats, crossing

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Received:
    """What came out of the link under one attack.

    Attributes
    ----------
    snr_db : ndarray, shape-(K,)
        Rising.
    right : ndarray, shape-(K, N), bool
        The first stream decides as labelled.
    score : ndarray, shape-(K, N)
        Disagreement of the two streams.
    adversary : bool
        It has the SNR as budget.
    """

    snr_db: Floats
    right: Bools
    score: Floats
    adversary: bool

    def delivered(self, alarm: float) -> Bools:
        """Images that are right or detected, shape-(K, N): 1 less the undetected error rate.

        An adversary that got one through with less power gets it through with more.

        Parameters
        ----------
        alarm : float
            The check fails above this score; infinite for a link without a check.
        """
        passed = self.right | (self.score > alarm)
        return np.logical_and.accumulate(passed[::-1])[::-1] if self.adversary else passed


def alarm_level(score: Floats, false_alarm: float) -> float:
    """Score above which the check fails, for a share of false alarms on clean images of at most `false_alarm`.

    Parameters
    ----------
    score : ndarray, shape-(N,)
        Of clean images that are not those it is used on.
    false_alarm : float

    Examples
    --------
    >>> alarm_level(np.arange(100.0), 0.05)
    94.0
    """
    ordered = np.sort(score)
    return float(ordered[len(ordered) - 1 - int(false_alarm * len(ordered))])


def auc(attacked: Floats, clean: Floats, weights: Floats) -> Floats:
    """Area under the ROC curve: how often an attacked image scores higher than a clean one (Hanley and McNeil 1982).

    Parameters
    ----------
    attacked, clean : ndarray, shape-(N,)
        Scores of the same images; ties count half.
    weights : ndarray, shape-(1 + B, N)
        How often each image is drawn.

    Returns
    -------
    ndarray, shape-(1 + B,)
        NaN where no image is drawn.

    Examples
    --------
    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.0]), np.ones((1, 2)))
    array([0.875])
    """
    above = (np.sign(attacked[:, None] - clean[None]) + 1) / 2
    with np.errstate(invalid="ignore"):
        area: Floats = ((weights @ above) * weights).sum(1) / np.square(weights.sum(1))
    return area


def roc(attacked: Floats, clean: Floats) -> tuple[Floats, Floats]:
    """Corners of the ROC curve.

    Parameters
    ----------
    attacked, clean : ndarray, shape-(N,)

    Returns
    -------
    false_alarm, detection : ndarray
        From (0, 0) to (1, 1).
    """
    levels = np.unique(np.concatenate([attacked, clean]))[::-1]
    ends = np.concatenate([[np.inf], levels])
    false_alarm, detection = ((values[None] >= ends[:, None]).mean(1) for values in (clean, attacked))
    return false_alarm, detection


def threshold(
    delivered: Bools, clean: Bools, snr_db: Floats, level: Floats, chance: float, weights: Floats
) -> Crossing:
    """SNR at which the share of images that are right or detected crosses a level.

    Parameters
    ----------
    delivered : ndarray, shape-(K, N), bool
    clean : ndarray, shape-(N,), bool
        The same of clean images.
    snr_db : ndarray, shape-(K,)
    level : ndarray, shape-(1 + B,)
    chance : float
    weights : ndarray, shape-(1 + B, N)

    Returns
    -------
    Crossing
        Of arrays of shape-(1 + B,).
    """
    total = weights.sum(1)
    rates = weights @ delivered.T / total[:, None]
    ceiling = weights @ clean / total
    return crossing(rates, snr_db, level, ceiling=ceiling, chance=chance, images=len(clean))

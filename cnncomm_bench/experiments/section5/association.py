"""Regresses clean accuracy on the threshold over a ladder of trainings, several networks a rung.

Two things make a rung's numbers uncertain: which images it was tested on, and how its networks happened to train. The
interval covers both, so that networks that were all trained alike show no association.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...results.claims import UNKNOWN, Interval
from ...results.statistics import Counts, Curve, Effect, Floats, common_level, effect_of, threshold


@dataclass(frozen=True)
class Ladder:
    """What the networks of a ladder are worth, in the sample and in bootstrap samples of the images.

    Attributes
    ----------
    accuracy : ndarray, shape-(1 + B, R, S)
        Clean; of R rungs and S networks each, the sample first. All share their images in each sample.
    threshold_db : ndarray, shape-(1 + B, R, S)
        At one level for all; infinite off the grid.
    """

    accuracy: Floats
    threshold_db: Floats

    @classmethod
    def of(cls, counts: Counts, rungs: list[list[str]], attack: str, accuracy: Mapping[str, Floats]) -> Ladder:
        """Clean accuracies, and thresholds under an attack, of the networks that are named.

        Parameters
        ----------
        counts : Counts
            All its models share one level: halfway from chance to the lowest clean accuracy.
        rungs : list of list of str
            Names of the networks of each rung, the same number in all.
        attack : str
        accuracy : mapping of str to ndarray, shape-(1 + B,)
            Clean accuracy of each network, also on images that were not attacked.

        Raises
        ------
        ValueError
            A network was not run under that attack.
        """
        networks = [name for rung in rungs for name in rung]
        found = {curve.model: curve for curve in counts.curves if curve.attack == attack}
        if missing := [name for name in networks if name not in found]:
            raise ValueError(f"{', '.join(missing)} did not run under {attack}")
        curves: list[Curve] = [found[name] for name in networks]
        images = np.logical_and.reduce([curve.images for curve in curves])
        level = common_level(counts, images)
        thresholds = np.stack([threshold(counts, curve, images, level).at for curve in curves], 1)
        shape = (-1, len(rungs), len(rungs[0]))
        clean = np.stack([accuracy[name] for name in networks], 1)
        return cls(clean.reshape(shape), thresholds.reshape(shape))


def retrained(ladder: Ladder, seed: int = 0) -> tuple[Floats, Floats]:
    """Means of the rungs in samples of images and of trainings.

    To the mean over a rung's networks each sample adds a deviation drawn from the bivariate law of Student's t that
    the networks' deviations from their rungs' means give, pooled over the rungs: R (S - 1) degrees of freedom.

    Parameters
    ----------
    ladder : Ladder
        With two networks a rung or more, and finite thresholds in the sample.
    seed : int

    Returns
    -------
    accuracy, threshold_db : ndarray, shape-(1 + B, R)
        Row 0 is the sample.
    """
    values = np.stack([ladder.accuracy, ladder.threshold_db], -1)
    samples, rungs, networks, _ = values.shape
    freedom = rungs * (networks - 1)
    deviations = (values[0] - values[0].mean(1, keepdims=True)).reshape(-1, 2)
    covariance = deviations.T @ deviations / freedom / networks
    generator = np.random.default_rng(seed)
    normal = generator.multivariate_normal(np.zeros(2), covariance, size=(samples, rungs), method="eigh")
    student = normal / np.sqrt(generator.chisquare(freedom, (samples, 1, 1)) / freedom)
    student[0] = 0
    means = values.mean(2) + student
    return means[..., 0], means[..., 1]


def slope(accuracy: Floats, threshold_db: Floats) -> Floats:
    """Least-squares slope of accuracy on the threshold, per 10 dB.

    Positive where robustness costs accuracy: the lower its threshold SNR, the more robust a model is.

    Parameters
    ----------
    accuracy, threshold_db : ndarray, shape-(..., R)

    Returns
    -------
    ndarray, shape-(...)
        NaN where a threshold is infinite, or all are the same.

    Examples
    --------
    >>> float(slope(np.array([0.8, 0.7]), np.array([30.0, 10.0])).round(3))
    0.05
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        away = threshold_db - threshold_db.mean(-1, keepdims=True)
        fitted: Floats = 10 * (away * accuracy).sum(-1) / np.square(away).sum(-1)
    return fitted


def association(ladder: Ladder, seed: int = 0) -> tuple[Effect | Interval, str]:
    """Slope of clean accuracy on the threshold, and why it is undecided, if so.

    Parameters
    ----------
    ladder : Ladder
    seed : int

    Returns
    -------
    effect : Effect, or `UNKNOWN`
        Accuracy lost per 10 dB gained, and its 95 % interval over images and trainings.
    reason : str
        Empty where there is an effect.
    """
    _, rungs, networks = ladder.accuracy.shape
    if rungs < 2 or networks < 2:
        return UNKNOWN, f"{rungs} rungs of {networks} networks, at least 2 of 2 are needed"
    off = int((~np.isfinite(ladder.threshold_db[0])).sum())
    if off:
        return UNKNOWN, f"{off} of {rungs * networks} networks have no threshold on the grid"
    return effect_of(slope(*retrained(ladder, seed)), 1 + rungs * (networks - 1)), ""

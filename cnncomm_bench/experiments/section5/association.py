"""Clean accuracies and thresholds of networks that were trained alike, and how the one depends on the other.

A ladder has several trainings, and several networks a rung; clean accuracy is regressed on the threshold.

Two things make a rung's numbers uncertain: which images it was tested on, and how its networks happened to train. The
interval covers both, so that networks that were all trained alike show no association.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor

from ...attacks import Logits
from ...results.claims import UNKNOWN, Interval, bootstrapped
from ...results.statistics import Counts, Curve, Effect, Floats, common_level, effect_of, estimate, resample, threshold
from .carriers import right


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


def clean_accuracy(
    models: Mapping[str, Logits], images: Tensor, labels: Tensor, device: str, *, resamples: int, seed: int
) -> dict[str, Floats]:
    """Clean accuracy of each model in the sample and in samples of the images, the same for all, shape-(1 + B,).

    Parameters
    ----------
    models : mapping of str to callable
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64
    device : str
    resamples : int
        B.
    seed : int
    """
    weights = resample(len(images), resamples, seed).astype(np.float32)
    return {
        name: weights @ right(model, images, labels, [None], 0.0, device)[0] / len(images)
        for name, model in models.items()
    }


def threshold_table(counts: Counts, accuracy: Mapping[str, Floats]) -> pd.DataFrame:
    """Clean accuracy of each network, and its threshold under each attack at the level common to all.

    Returns
    -------
    DataFrame
        `network, attack, clean, clean_low, clean_high, level, threshold_db, low, high`.
    """
    rows = []
    for curve in counts.curves:
        level, clean = common_level(counts, curve.images), bootstrapped(accuracy[curve.model])
        crossed = estimate(threshold(counts, curve, curve.images, level))
        rows.append((curve.model, curve.attack, *clean, float(level[0]), *crossed))
    names = ["network", "attack", "clean", "clean_low", "clean_high", "level", "threshold_db", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def draws(*networks: int) -> int:
    """How many independent draws the estimate of the trainings' spread is worth: its degrees of freedom and one.

    Parameters
    ----------
    *networks : int
        Of each training.
    """
    return 1 + sum(number - 1 for number in networks)


def over_trainings(values: Floats, seed: int = 0) -> Floats:
    """Means over the networks of a training in samples of images and of trainings.

    To the mean over a training's networks each sample adds a deviation drawn from the multivariate law of Student's t
    that the networks' deviations from their means give, pooled over the trainings: R (S - 1) degrees of freedom.

    Parameters
    ----------
    values : ndarray, shape-(1 + B, R, S, V)
        V numbers of each of S >= 2 networks of R trainings, in the sample and in B bootstrap samples of images.
    seed : int

    Returns
    -------
    ndarray, shape-(1 + B, R, V)
        Row 0 is the sample.
    """
    samples, trainings, networks, count = values.shape
    freedom = trainings * (networks - 1)
    deviations = (values[0] - values[0].mean(1, keepdims=True)).reshape(-1, count)
    covariance = deviations.T @ deviations / freedom / networks
    generator = np.random.default_rng(seed)
    normal = generator.multivariate_normal(np.zeros(count), covariance, size=(samples, trainings), method="eigh")
    student = normal / np.sqrt(generator.chisquare(freedom, (samples, 1, 1)) / freedom)
    student[0] = 0
    means: Floats = values.mean(2) + student
    return means


def retrained(ladder: Ladder, seed: int = 0) -> tuple[Floats, Floats]:
    """Means of the rungs in samples of images and of trainings, see `over_trainings`.

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
    means = over_trainings(np.stack([ladder.accuracy, ladder.threshold_db], -1), seed)
    return means[..., 0], means[..., 1]


def gain(ladder: Ladder, seed: int = 0) -> tuple[Effect | Interval, str]:
    """DB by which the threshold of the second of two rungs is below that of the first, and why it is unknown, if so.

    Parameters
    ----------
    ladder : Ladder
    seed : int

    Returns
    -------
    effect : Effect, or `UNKNOWN`
        With its 95 % interval over images and trainings.
    reason : str
        Empty where there is an effect.
    """
    if not np.isfinite(ladder.threshold_db[0]).all():
        return UNKNOWN, "a threshold is off the grid"
    _, threshold_db = retrained(ladder, seed)
    with np.errstate(invalid="ignore"):  # both off the grid in a bootstrap sample: unbounded on both sides
        gained = threshold_db[:, 0] - threshold_db[:, 1]
    return effect_of(gained, draws(*[ladder.threshold_db.shape[2]] * 2)), ""


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
    return effect_of(slope(*retrained(ladder, seed)), draws(*[networks] * rungs)), ""

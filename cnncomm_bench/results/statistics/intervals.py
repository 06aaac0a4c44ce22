"""Intervals, bootstrap samples and paired tests; arrays in, arrays out.

The unit is the image: the seeds of an image are averaged before anything else, for they share all that makes the
image easy or hard.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.floating[Any]]

CONFIDENCE = 0.95
RESAMPLES = 1000
"""Bootstrap samples of a score."""

Z = float(ndtri((1 + CONFIDENCE) / 2))


def wilson(accuracy: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Score interval of a proportion (Wilson 1927), at 95 %.

    Parameters
    ----------
    accuracy : array_like
        Share of successes.
    trials : array_like
        Number of independent trials, or the effective number of dependent ones (`effective_trials`).

    Returns
    -------
    low, high : ndarray

    Examples
    --------
    >>> low, high = wilson(np.array(0.0), np.array(100))
    >>> round(float(low), 3), round(float(high), 3)
    (0.0, 0.037)
    """
    from statsmodels.stats.proportion import proportion_confint

    p, n = np.asarray(accuracy, dtype=float), np.asarray(trials, dtype=float)
    low, high = proportion_confint(p * n, n, alpha=1 - CONFIDENCE, method="wilson")
    # At 0 and 1 the interval ends there exactly; rounding would leave 1e-17.
    return np.where(p == 0, 0.0, low), np.where(p == 1, 1.0, high)


def effective_trials(hits: Floats, seeds: int) -> float:
    """How many independent trials a set of images run with several seeds is worth.

    The variance of the images' means against the binomial one (Kish's design effect) turns Wilson's interval
    into one for clusters, which unlike a bootstrap stays honest at accuracies of 0 and 1 (Dean and Pagano 2015).
    One seed gives the number of images.

    Parameters
    ----------
    hits : ndarray, shape-(N,)
        Share of the seeds at which each image was right.
    seeds : int

    Returns
    -------
    float
        Between the number of images and that times `seeds`.
    """
    p, spread = float(hits.mean(dtype=float)), float(hits.var(dtype=float))
    images = float(len(hits))
    return images if spread == 0 else float(np.clip(images * p * (1 - p) / spread, images, images * seeds))


def paired_difference(differences: Floats) -> tuple[float, float]:
    """Interval of a mean paired difference of proportions (Bonett and Price 2012), at 95 %.

    Two images are added, one for either side, so that the interval has a width where all pairs agree. For
    images with several seeds the same is done with each image's mean difference.

    Parameters
    ----------
    differences : ndarray, shape-(N,)
        In [-1, 1], one an image.

    Returns
    -------
    low, high : float
    """
    n = len(differences) + 2
    mean = float(differences.sum(dtype=float)) / n
    square = (float(np.square(differences, dtype=float).sum()) + 2) / n
    half = Z * ((square - mean**2) / n) ** 0.5
    return max(mean - half, -1.0), min(mean + half, 1.0)


def resample(images: int, resamples: int, seed: int) -> npt.NDArray[np.uint8]:
    """How often each image is drawn in the sample itself and in each bootstrap sample of it (Efron 1979).

    Returns
    -------
    ndarray, shape-(1 + resamples, images)
        The first row is all ones: the statistic of row 0 is the estimate.
    """
    generator = np.random.default_rng(seed)
    counts = np.ones((1 + resamples, images), dtype=np.uint8)
    for row in counts[1:]:
        row[:] = np.bincount(generator.integers(0, images, images, dtype=np.uint32), minlength=images)
    return counts


def ragged_means(weights: npt.NDArray[Any], values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Weighted means over the columns that are present, row by row; NaN where none is.

    Parameters
    ----------
    weights : ndarray, shape-(B, N)
        How often each image is drawn, see `resample`.
    values : ndarray, shape-(K, N)
        0 where not present.
    present : ndarray, shape-(K, N), bool

    Returns
    -------
    ndarray, shape-(B, K)
    """
    drawn = weights.astype(np.float32)
    with np.errstate(invalid="ignore"):
        means: Floats = (drawn @ values.T.astype(np.float32)) / (drawn @ present.T.astype(np.float32))
    return means.astype(float)


def quantiles(low: Floats, high: Floats) -> tuple[float, float]:
    """Percentile interval from bootstrap values, at 95 %; `low` and `high` differ where a value is only bounded.

    Parameters
    ----------
    low, high : ndarray, shape-(B,)
        Infinite where unbounded; NaN, a value that could not be computed, counts as unbounded on both sides.

    Returns
    -------
    low, high : float
    """
    tail = (1 - CONFIDENCE) / 2
    # No interpolation between order statistics: some are infinite.
    return (
        float(np.quantile(np.where(np.isnan(low), -np.inf, low), tail, method="lower")),
        float(np.quantile(np.where(np.isnan(high), np.inf, high), 1 - tail, method="higher")),
    )


def mcnemar(differences: Floats) -> float:
    """Exact two-sided test that two models are right equally often on the same images (McNemar 1947).

    Parameters
    ----------
    differences : ndarray, shape-(N,)
        Right by one minus right by the other, one an image. With several seeds their mean, of which only the
        sign counts: the sign test, which for one seed is McNemar's.

    Returns
    -------
    float
        p value.

    Examples
    --------
    >>> mcnemar(np.array([1, 1, 1, 1, 1, -1, 0, 0]))
    0.21875
    """
    from statsmodels.stats.contingency_tables import mcnemar as exact_test

    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return float(exact_test([[0, wins], [losses, 0]], exact=True).pvalue)


def holm(p: Floats) -> Floats:
    """Adjust p values for their number (Holm 1979): below 0.05, one false alarm among all of them in 20 runs.

    Parameters
    ----------
    p : ndarray, shape-(M,)

    Returns
    -------
    ndarray, shape-(M,)

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    from statsmodels.stats.multitest import multipletests

    adjusted: Floats = multipletests(p, method="holm")[1]
    return adjusted

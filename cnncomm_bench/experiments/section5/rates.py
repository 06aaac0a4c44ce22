"""Fits how many dB of threshold a doubling of the training data buys, with its interval and a permutation test."""

from __future__ import annotations

import numpy as np

from ...results.claims import Interval
from ...results.statistics import Effect, Floats, effect_of, isotonic, quantiles

PERMUTATIONS = 10_000


def ladder(images: int, rungs: int) -> list[int]:
    """Sizes of training sets, each about twice the one before; the last is all images.

    Examples
    --------
    >>> ladder(6000, 6)
    [188, 375, 750, 1500, 3000, 6000]
    """
    return [round(images / 2**rung) for rung in reversed(range(rungs))]


def exchange_rate(thresholds_db: Floats, doublings: Floats, *, seed: int, predicted: float = 0.0) -> Effect:
    """How many dB the threshold falls for a doubling of the data, by least squares.

    Parameters
    ----------
    thresholds_db : ndarray, shape-(1 + B, M)
        Of M trainings, in the sample and in B bootstrap samples of the test images.
    doublings : ndarray, shape-(M,)
        Logarithm to base 2 of the size of each training set.
    seed : int
    predicted : float
        Is taken off the rate, dB.

    Returns
    -------
    Effect
        Rate and 95 % interval: a bootstrap over test images and, since each training is a draw as well, Student's t
        for the slope of a line with M - 2 degrees of freedom (its residuals, resampled, cover 84 % for M = 5).
    """
    draws, trainings = thresholds_db.shape
    freedom = trainings - 2
    x = doublings - doublings.mean()
    own = thresholds_db[0] - thresholds_db[0].mean()
    residuals = own - x * (own @ x) / (x @ x)
    error = np.sqrt(residuals @ residuals / freedom / (x @ x))
    rates = -(thresholds_db @ x) / (x @ x)
    rates[1:] += error * np.random.default_rng(seed).standard_t(freedom, draws - 1)
    return effect_of(rates - predicted, 1 + freedom)


def permuted_rates(thresholds_db: Floats, doublings: Floats, *, seed: int) -> tuple[Interval, float]:
    """Test a rate against those of the same thresholds with the sizes of the training sets in random order.

    Parameters
    ----------
    thresholds_db, doublings : ndarray, shape-(M,)
    seed : int

    Returns
    -------
    null : (float, float, float)
        Median and 95 % range of the rates in random order.
    p : float
        Two-sided: the share of orders, the true one among them, whose rate is at least as far from zero.
    """
    x = doublings - doublings.mean()
    away = thresholds_db - thresholds_db.mean()
    orders = np.random.default_rng(seed).permuted(np.tile(x, (PERMUTATIONS, 1)), axis=1)
    rates, own = -(orders @ away) / (x @ x), abs(x @ away) / (x @ x)
    far = np.abs(rates) >= own * (1 - 1e-9)  # orders that give the same rate differ by rounding
    return (float(np.median(rates)), *quantiles(rates, rates)), float((1 + far.sum()) / (1 + PERMUTATIONS))


def needed(accuracy: Floats, doublings: Floats, level: Floats) -> Floats:
    """Logarithm to base 2 of the number of images at which a learning curve reaches a level.

    Parameters
    ----------
    accuracy : ndarray, shape-(B, M)
    doublings : ndarray, shape-(M,)
        Rising.
    level : ndarray, shape-(B,)

    Returns
    -------
    ndarray, shape-(B,)
        The smallest size where it is reached there already, the largest where it never is.
    """
    fitted = isotonic(accuracy)
    above = np.array([np.searchsorted(curve, at) for at, curve in zip(level, fitted)])
    after = above.clip(1, len(doublings) - 1)
    low, high = (np.take_along_axis(fitted, place[:, None], 1)[:, 0] for place in (after - 1, after))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(((level - low) / (high - low)).clip(0, 1))
    reached: Floats = doublings[after - 1] + share * (doublings[after] - doublings[after - 1])
    return np.where(above == 0, doublings[0], reached)

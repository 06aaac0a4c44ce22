"""Thresholds: the SNR at which an accuracy curve crosses a level, and differences of thresholds.

Everything is vectorised over leading dimensions, so that a bootstrap costs one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from .intervals import Floats, quantiles

LINKS: tuple[Callable[[Floats], Floats], ...] = (
    ndtri,
    lambda share: np.log(-np.log1p(-share)),
    lambda share: -np.log(-np.log(share)),
)
"""Scales on which a share is interpolated: tolerances normal in dB, and of Gumbel's law, skewed to either side."""

RISE = (0.1, 0.9)
"""Shares of the way from floor to ceiling between which a curve counts as rising."""

_MARGIN = 1 / 8  # of a step


def isotonic(values: Floats, weights: Floats | None = None) -> Floats:
    """Least-squares fit that never falls along the last dimension.

    The min-max formula of isotonic regression (Barlow et al. 1972), g_k = max over i <= k of min over j >= k of
    mean(values_i ... values_j): no loop over curves, as many of them as a bootstrap makes.

    Parameters
    ----------
    values : ndarray, shape-(..., K)
    weights : ndarray, shape-(K,), optional
        Of the squares, such as how many images a value is the mean of; equal by default.

    Returns
    -------
    ndarray, shape-(..., K)

    Examples
    --------
    >>> isotonic(np.array([0.1, 0.4, 0.2, 0.9]))
    array([0.1, 0.3, 0.3, 0.9])
    """
    steps = values.shape[-1]
    each = np.ones(steps) if weights is None else np.asarray(weights, dtype=float)
    total = np.concatenate([np.zeros_like(values[..., :1]), (values * each).cumsum(-1)], -1)
    fitted = np.full_like(values, -np.inf)
    for i in range(steps):
        means = (total[..., i + 1 :] - total[..., i : i + 1]) / each[i:].cumsum()
        best = np.minimum.accumulate(means[..., ::-1], -1)[..., ::-1]
        fitted[..., i:] = np.maximum(fitted[..., i:], best)
    return fitted


@dataclass(frozen=True)
class Crossing:
    """Where curves cross a level, and the bounds that the grid gives.

    Attributes
    ----------
    at : ndarray, shape-(...)
        SNR in dB; -inf below the grid's first SNR, inf above its last, NaN where there is no such level.
    earliest, latest : ndarray, shape-(...)
        Where curves of other shapes through the same points cross, see `LINKS`: at `at` on a fine grid. An eighth of
        a step further where a single SNR of the grid is in the curve's rise: so far does interpolation err for normal,
        logistic, Gumbel and skew-normal tolerances, however narrow. The neighbouring SNR of the grid where none is,
        or where the accuracy on that side is at its floor or ceiling: the curve may then be as steep as it likes.
    first, last : float
        The grid's first and last SNR.
    """

    at: Floats
    earliest: Floats
    latest: Floats
    first: float
    last: float


def crossing(
    accuracy: Floats,
    snr_db: Floats,
    level: Floats,
    *,
    ceiling: Floats,
    chance: float,
    images: int | npt.NDArray[np.integer[Any]],
) -> Crossing:
    """SNR at which accuracy crosses a level.

    Monotone regression, then monotone cubic interpolation (Fritsch and Butland 1984) of the probit of the accuracy
    between its floor and its ceiling: exact where the images' tolerances are normal in dB, and biased by less than
    0.2 dB on a 5 dB grid for logistic and moderately skewed ones whose spread is 2.5 dB or more. What skewed
    tolerances could shift is added to the interval. The floor is chance, or the accuracy at the first SNR where that
    is lower, so that adversaries have theirs at zero.

    Parameters
    ----------
    accuracy : ndarray, shape-(..., K)
    snr_db : ndarray, shape-(K,)
        Rising.
    level, ceiling : ndarray, shape-(...)
        The ceiling is the clean accuracy.
    chance : float
    images : int or ndarray, shape-(K,)
        How many images an accuracy is the mean of: shares closer to 0 or 1 than half an image are clipped.
    """
    counted = np.broadcast_to(np.asarray(images, dtype=float), accuracy.shape[-1:])
    fitted = isotonic(accuracy, counted)
    floor = np.minimum(fitted[..., :1], chance)
    height = np.asarray(ceiling)[..., None] - floor
    finest = 0.5 / counted
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (fitted - floor) / height
        target = ((np.asarray(level)[..., None] - floor) / height).clip(finest.min(), 1 - finest.min())
    above = fitted >= np.asarray(level)[..., None]
    if len(snr_db) > 1:
        step = np.where(above.any(-1), above.argmax(-1), 1).clip(min=1)
        dbs, inside = np.asarray(snr_db, dtype=float), share.clip(finest, 1 - finest)
        crossings = [_between(link(inside), dbs, step, link(target)[..., 0]) for link in LINKS]
        at = crossings[0]
        rising = ((share > RISE[0]) & (share < RISE[1])).sum(-1)
        below, beyond = dbs[step - 1], dbs[step]
        margin = np.where(rising == 0, beyond - below, np.where(rising == 1, _MARGIN * (beyond - below), 0))
        earliest = np.maximum(np.minimum.reduce(crossings) - margin, below)
        latest = np.minimum(np.maximum.reduce(crossings) + margin, beyond)
        earliest = np.where(_at(share >= 1 - finest, step), below, earliest)
        latest = np.where(_at(share <= finest, step - 1), beyond, latest)
    else:  # a single SNR has no inside
        at = earliest = latest = np.full(above.shape[:-1], np.nan)
    bounds = []
    undefined = ~(np.asarray(ceiling) > chance) | np.isnan(accuracy).any(-1)
    for values in (at, earliest, latest):
        inside = np.where(above[..., 0], -np.inf, np.where(above[..., -1], values, np.inf))
        bounds.append(np.where(undefined, np.nan, inside))
    return Crossing(bounds[0], bounds[1], bounds[2], float(snr_db[0]), float(snr_db[-1]))


def difference(minuend: Crossing, subtrahend: Crossing) -> Crossing:
    """Difference of two thresholds in dB, one-sided where one of them is off its grid.

    Parameters
    ----------
    minuend, subtrahend : Crossing
        Of one shape.

    Returns
    -------
    Crossing
        `at` is inf (-inf) where the difference only has a lower (upper) bound, NaN where it has none;
        `earliest` and `latest` are the bounds.
    """

    def on_grid(values: Floats, curve: Crossing) -> Floats:
        return np.clip(values, curve.first, curve.last)

    no_lower = (minuend.earliest == -np.inf) | (subtrahend.latest == np.inf)
    no_upper = (minuend.latest == np.inf) | (subtrahend.earliest == -np.inf)
    low = on_grid(minuend.earliest, minuend) - on_grid(subtrahend.latest, subtrahend)
    high = on_grid(minuend.latest, minuend) - on_grid(subtrahend.earliest, subtrahend)
    up = (minuend.at == np.inf) | (subtrahend.at == -np.inf)
    down = (minuend.at == -np.inf) | (subtrahend.at == np.inf)
    with np.errstate(invalid="ignore"):
        at = np.where(up & down, np.nan, np.where(up, np.inf, np.where(down, -np.inf, minuend.at - subtrahend.at)))
    return Crossing(
        at,
        np.where(no_lower, -np.inf, low),
        np.where(no_upper, np.inf, high),
        minuend.first - subtrahend.last,
        minuend.last - subtrahend.first,
    )


def estimate(values: Crossing) -> tuple[float, float, float]:
    """Estimate and 95 % interval of a bootstrapped threshold or difference of thresholds.

    Parameters
    ----------
    values : Crossing
        Of arrays of shape-(1 + resamples,), the sample first.

    Returns
    -------
    estimate, low, high : float
    """
    at = float(values.at[0])
    low, high = quantiles(values.earliest[1:], values.latest[1:])
    # The sample's own bounds belong to the interval too.
    return at, min(low, float(values.earliest[0])), max(high, float(values.latest[0]))


def _between(values: Floats, snr_db: Floats, step: npt.NDArray[np.intp], target: Floats) -> Floats:
    """Where values cross a target between grid points step - 1 and step."""
    spacing = np.diff(snr_db)
    secant = np.diff(values, axis=-1) / spacing
    slope = np.zeros_like(values)
    # Fritsch and Butland's weighted harmonic mean inside, the secant at both ends.
    w1, w2 = 2 * spacing[1:] + spacing[:-1], spacing[1:] + 2 * spacing[:-1]
    rising = (secant[..., :-1] > 0) & (secant[..., 1:] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w1 + w2) / (w1 / secant[..., :-1] + w2 / secant[..., 1:])
    slope[..., 1:-1] = np.where(rising, mean, 0)
    slope[..., 0], slope[..., -1] = secant[..., 0], secant[..., -1]
    z0, z1 = _at(values, step - 1), _at(values, step)
    width = spacing[step - 1]
    d0, d1 = width * _at(slope, step - 1), width * _at(slope, step)
    low, high = np.zeros_like(z0), np.ones_like(z0)
    for _ in range(30):  # bisection: the cubic rises between its ends
        t = (low + high) / 2
        value = z0 * (1 + 2 * t) * (1 - t) ** 2 + d0 * t * (1 - t) ** 2 + z1 * t**2 * (3 - 2 * t) - d1 * t**2 * (1 - t)
        below = value < target
        low, high = np.where(below, t, low), np.where(below, high, t)
    return np.asarray(snr_db[step - 1] + width * high)


def _at(values: npt.NDArray[Any], step: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    picked: npt.NDArray[Any] = np.take_along_axis(values, step[..., None], -1)[..., 0]
    return picked

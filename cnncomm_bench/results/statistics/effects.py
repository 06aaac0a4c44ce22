"""Effects from bootstrap samples: estimate, interval and p value, also beyond the tails that the samples show.

A claim among many is decided at a level at which a thousand bootstrap samples have hardly any values: at 0.05 / 14,
two on either side. Beyond the 2.5 % quantile q the distribution is therefore continued as Student's t through the
median m and q, with one degree of freedom less than there are units: a value x is at t = c (m - x) / (m - q), where c
is that law's own 97.5 % quantile. So p is below 0.05 exactly where the 95 % interval excludes zero, and both follow
the spread on the side of the distribution that decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from .intervals import CONFIDENCE, Floats, quantiles
from .thresholds import Crossing

_TAIL = (1 - CONFIDENCE) / 2


class Effect(NamedTuple):
    """An effect with its interval and two p values, each one-sided.

    Attributes
    ----------
    at : float
        The estimate; infinite where it only has a bound, NaN where it is unknown.
    low, high : float
        Interval, infinite where unbounded.
    p_positive : float
        Of "the effect is zero or negative": small where it is shown to be positive.
    p_negative : float
        Of "the effect is zero or positive".
    """

    at: float
    low: float
    high: float
    p_positive: float
    p_negative: float

    @property
    def interval(self) -> tuple[float, float, float]:
        """Estimate and ends of the interval."""
        return self.at, self.low, self.high

    @property
    def p(self) -> float:
        """Two-sided p value."""
        return min(1.0, 2 * min(self.p_positive, self.p_negative))


def effect_of(values: Floats | Crossing, units: int, *, comparisons: int = 1) -> Effect:
    """Effect, interval and p values from bootstrap values.

    Parameters
    ----------
    values : ndarray, shape-(1 + B,), or Crossing of such arrays
        The sample's own value first.
    units : int
        How many independent ones were drawn, such as images; of a fit one more than its degrees of freedom.
    comparisons : int
        Among how many effects this one was chosen: the interval and both p values are Bonferroni's.

    Examples
    --------
    >>> samples = student.ppf((np.arange(1000) + 0.5) / 1000, df=99)
    >>> effect = effect_of(np.r_[3.0, 3 + samples], units=100)
    >>> round(effect.low, 1), round(effect.p, 4)
    (1.0, 0.0035)
    """
    if isinstance(values, Crossing):
        at, below, above = float(values.at[0]), values.earliest, values.latest
        # The sample's own bounds belong to the interval too, as in `thresholds.estimate`.
        own = float(below[0]), float(above[0])
    else:
        at, below, above = float(values[0]), values, values
        own = np.inf, -np.inf
    low, high = quantiles(below[1:], above[1:])
    p_positive, low = _tail(below[1:], min(low, own[0]), units, comparisons)
    p_negative, high = _tail(-above[1:], -max(high, own[1]), units, comparisons)
    return Effect(at, low, -high, p_positive, p_negative)


def _tail(values: Floats, quantile: float, units: int, comparisons: int) -> tuple[float, float]:
    """P value of "zero or less", and the interval's lower end; `quantile` is its 2.5 % one."""
    known = np.where(np.isnan(values), -np.inf, values)
    middle = float(np.quantile(known, 0.5, method="lower"))
    width, freedom = middle - quantile, max(1, units - 1)
    edge = float(student.isf(_TAIL, freedom))
    if quantile > 0:
        # A distribution without a width has no tail.
        p = float(student.sf(edge * middle / width, freedom)) if width > 0 else 0.0
    else:
        p = max(_TAIL, (1 + float((known <= 0).sum())) / (1 + len(known)))
    if comparisons > 1 and np.isfinite(width):
        quantile = middle - float(student.isf(_TAIL / comparisons, freedom)) / edge * width
    return min(1.0, comparisons * p), quantile

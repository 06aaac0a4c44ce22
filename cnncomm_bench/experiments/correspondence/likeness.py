"""Measures how alike two families of curves are; arrays in, arrays out.

Any two falling curves look alike once each is moved at will. What two families of curves must share is the order of
their members at each SNR, one map of the axis for all members together, and the spacing of the members: families in
the same order with spacings that have nothing to do with each other are the null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations

import numpy as np
from scipy.stats import kendalltau

from ...results.statistics import Floats, quantiles

SHIFTS_DB = np.arange(-40, 40.5, 0.5)
STRETCHES = np.geomspace(0.25, 4, 81)
COARSE = 4
"""Of these every fourth is tried first, where many families are laid on one."""

LEVEL = 0.05
DRAWS = 500


@dataclass(frozen=True)
class Order:
    """How two families order their members at one SNR.

    Attributes
    ----------
    tau : float
        Kendall's tau-b; NaN where all members of a family are equal.
    concordant, discordant, undecided : int
        Pairs of members that both families order the same way, or the other way round, or whose intervals overlap
        in one of them.
    """

    tau: float
    concordant: int
    discordant: int
    undecided: int


def order(first: Floats, second: Floats) -> Order:
    """Compare the orders of A members by their values and intervals.

    Parameters
    ----------
    first, second : ndarray, shape-(A, 3)
        Value and the ends of its interval.

    Examples
    --------
    >>> rising = np.array([[0.1, 0.0, 0.2], [0.5, 0.4, 0.6], [0.9, 0.8, 1.0]])
    >>> order(rising, rising[::-1])
    Order(tau=-1.0, concordant=0, discordant=3, undecided=0)
    """
    same = []
    for one, other in combinations(range(len(first)), 2):
        signs = [_difference(family[one], family[other]) for family in (first, second)]
        same.append(signs[0] * signs[1])
    tau = float(kendalltau(first[:, 0], second[:, 0]).statistic)
    return Order(tau, same.count(1), same.count(-1), same.count(0))


def _difference(one: Floats, other: Floats) -> int:
    return int(one[1] > other[2]) - int(other[1] > one[2])


@dataclass(frozen=True)
class Overlay:
    """One family laid on another.

    Attributes
    ----------
    shift_db, stretch : float
        SNR of the first family = shift_db + stretch * SNR of the second.
    residual : float
        Root of the mean squared distance of the curves, both families normalised to [0, 1].
    permuted_best, permuted_mean : float
        Residuals where members are paired wrongly, each pairing with the best map of its own.
    rank, pairings : int
        Place of the right pairing among all by its residual. Families in the same order are first by their order
        alone, so that this shows families in different orders, and no likeness: see `random_spacings`.
    """

    shift_db: float
    stretch: float
    residual: float
    permuted_best: float
    permuted_mean: float
    rank: int
    pairings: int


def overlay(first: Floats, first_db: Floats, second: Floats, second_db: Floats) -> Overlay:
    """Find the shift and stretch in dB, shared by all members, that lay the second family on the first best.

    Every shift of `SHIFTS_DB` and stretch of `STRETCHES` is tried for the right pairing of members and for each
    wrong one. Beyond its grid a curve keeps its last value.

    Parameters
    ----------
    first : ndarray, shape-(A, K)
    first_db : ndarray, shape-(K,), rising
    second : ndarray, shape-(A, L)
    second_db : ndarray, shape-(L,), rising

    Examples
    --------
    >>> db = np.arange(0, 50, 5.0)
    >>> family = np.array([1 / (1 + np.exp((db - middle) / 4)) for middle in (15, 20, 30)])
    >>> found = overlay(family, db, family, db - 10)
    >>> found.shift_db, round(found.stretch, 2), found.rank
    (10.0, 1.0, 1)
    """
    target, source = normalised(first), normalised(second)
    shifts, stretches = _maps(SHIFTS_DB, STRETCHES)
    # Squared distance of each member of one family to each of the other, by map: pairings only choose among them.
    distances = np.stack([_squares(target, first_db, [member] * len(target), second_db, shifts, stretches)
                          for member in source], axis=2)  # fmt: skip
    members = np.arange(len(target))
    pairings = list(permutations(range(len(target))))  # the right one comes first
    squares = np.array([distances[:, members, list(pairing)].mean(axis=1) for pairing in pairings])
    residuals = np.sqrt(squares.min(axis=1))
    best = int(squares[0].argmin())
    return Overlay(
        float(shifts[best]),
        float(stretches[best]),
        float(residuals[0]),
        float(residuals[1:].min()),
        float(residuals[1:].mean()),
        int((residuals <= residuals[0]).sum()),
        len(pairings),
    )


@dataclass(frozen=True)
class Spacings:
    """The residual against that of families with random spacings.

    Attributes
    ----------
    residual_low, residual_high : float
        95 % interval of the residual, a bootstrap.
    random_low, random_median : float
        5 % quantile and median of the residual where the second family keeps its order and has random spacings.
    p : float
        Share of random spacings that fit as well as the second family's own.
    """

    residual_low: float
    residual_high: float
    random_low: float
    random_median: float
    p: float

    @property
    def alike(self) -> bool:
        """Whether the spacings fit better than random ones, by more than the residual is uncertain."""
        return self.p <= LEVEL and self.residual_high < self.random_low


def random_spacings(
    first: Floats, first_db: Floats, second: Floats, second_db: Floats, *, draws: int = DRAWS, seed: int = 0
) -> Spacings:
    """Compare the spacings of two families with random ones.

    The null moves each member of the second family along the axis: the first and the last stay, those between are
    placed uniformly in the same order. Each draw is laid on the first family by the best map of its own.

    Parameters
    ----------
    first : ndarray, shape-(1 + B, A, K)
        The family, then bootstrap samples of it; members in the order of their places on the axis.
    first_db : ndarray, shape-(K,), rising
    second : ndarray, shape-(1 + B, A, L)
    second_db : ndarray, shape-(L,), rising
    draws, seed : int
        Of the null.

    Examples
    --------
    >>> db = np.arange(0, 50, 5.0)
    >>> family = np.array([[1 / (1 + np.exp((db - middle) / 4)) for middle in (15, 20, 30, 33)]])
    >>> random_spacings(family, db, family, db - 10).p < 0.05
    True
    """
    grids = np.tile(second_db, (len(second[0]), 1))
    residuals = np.array([_fit(one, first_db, other, grids) for one, other in zip(first, second, strict=True)])
    places = _places(normalised(second[0]), second_db)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    for draw in range(draws):
        shares = np.concatenate([[0.0], np.sort(generator.random(len(places) - 2)), [1.0]])
        drawn = places[0] + shares * (places[-1] - places[0])
        null[draw] = _fit(first[0], first_db, second[0], grids + (drawn - places)[:, None])
    low, high = quantiles(residuals, residuals)
    return Spacings(
        low,
        high,
        float(np.quantile(null, LEVEL)),
        float(np.median(null)),
        (1 + int((null <= residuals[0]).sum())) / (1 + draws),
    )


def _places(family: Floats, db: Floats) -> Floats:
    """Where each member is on the axis, dB: sums of the shifts that lay each on the one before."""
    steps = [
        float(SHIFTS_DB[_squares(one[None], db, [other], db, SHIFTS_DB, np.ones_like(SHIFTS_DB)).argmin()])
        for one, other in pairwise(family)
    ]
    return -np.cumsum([0.0, *steps])


def _fit(first: Floats, first_db: Floats, second: Floats, grids: Floats) -> float:
    """Least residual over maps: every fourth shift and stretch, then all around the best."""
    target, source = normalised(first), normalised(second)
    shifts, stretches = _maps(SHIFTS_DB[::COARSE], STRETCHES[::COARSE])
    best = int(_squares(target, first_db, source, grids, shifts, stretches).mean(1).argmin())
    near = [
        values[np.abs(np.arange(len(values)) - int(np.abs(values - at).argmin())) <= COARSE]
        for values, at in ((SHIFTS_DB, shifts[best]), (STRETCHES, stretches[best]))
    ]
    shifts, stretches = _maps(*near)
    return float(np.sqrt(_squares(target, first_db, source, grids, shifts, stretches).mean(1).min()))


def _maps(shifts: Floats, stretches: Floats) -> tuple[Floats, Floats]:
    """Each shift with each stretch."""
    both = np.meshgrid(shifts, stretches, indexing="ij")
    return both[0].ravel(), both[1].ravel()


def _squares(
    target: Floats,
    first_db: Floats,
    source: Sequence[Floats] | Floats,
    grids: Floats,
    shifts: Floats,
    stretches: Floats,
) -> Floats:
    """Mean squared distance of each member of the target to its member of the source, by map, shape-(maps, A)."""
    places = (first_db - shifts[:, None]) / stretches[:, None]
    axes = np.broadcast_to(grids, (len(target), grids.shape[-1]))
    members = zip(target, source, axes, strict=True)
    return np.stack([np.square(one - np.interp(places, db, other)).mean(1) for one, other, db in members], axis=1)


def normalised(family: Floats) -> Floats:
    """A family with its smallest value at 0 and its largest at 1."""
    spread = family.max() - family.min()
    return (family - family.min()) / spread if spread > 0 else np.zeros_like(family)

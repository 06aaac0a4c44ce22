"""How alike two families of curves are; arrays in, arrays out.

Any two falling curves look alike once each is moved at will. What two families of curves must share is the order of
their members at each SNR, and one map of the axis for all members together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau

Floats = npt.NDArray[np.floating[Any]]

SHIFTS_DB = np.arange(-40, 40.5, 0.5)
STRETCHES = np.geomspace(0.25, 4, 81)


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

    Returns
    -------
    Order

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
        Place of the right pairing among all by its residual; the share rank / pairings is its p value against
        "which member is which makes no difference".
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

    Returns
    -------
    Overlay

    Examples
    --------
    >>> db = np.arange(0, 50, 5.0)
    >>> family = np.array([1 / (1 + np.exp((db - middle) / 4)) for middle in (15, 20, 30)])
    >>> found = overlay(family, db, family, db - 10)
    >>> found.shift_db, round(found.stretch, 2), found.rank
    (10.0, 1.0, 1)
    """
    target, source = normalised(first), normalised(second)
    maps = [(shift, stretch) for shift in SHIFTS_DB for stretch in STRETCHES]
    # Squared distance of each member of one family to each of the other, by map: pairings only choose among them.
    distances = np.empty((len(maps), len(target), len(target)))
    for row, (shift, stretch) in enumerate(maps):
        moved = np.array([np.interp((first_db - shift) / stretch, second_db, member) for member in source])
        distances[row] = np.square(target[:, None] - moved[None]).mean(axis=2)
    members = np.arange(len(target))
    pairings = list(permutations(range(len(target))))  # the right one comes first
    squares = np.array([distances[:, members, list(pairing)].mean(axis=1) for pairing in pairings])
    residuals = np.sqrt(squares.min(axis=1))
    shift, stretch = maps[int(squares[0].argmin())]
    return Overlay(
        float(shift),
        float(stretch),
        float(residuals[0]),
        float(residuals[1:].min()),
        float(residuals[1:].mean()),
        int((residuals <= residuals[0]).sum()),
        len(pairings),
    )


def normalised(family: Floats) -> Floats:
    """A family with its smallest value at 0 and its largest at 1."""
    spread = family.max() - family.min()
    return (family - family.min()) / spread if spread > 0 else np.zeros_like(family)

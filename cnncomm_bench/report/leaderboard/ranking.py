"""Boards and rankings: which entries may be compared, who is ahead, and who is tied with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...results.statistics import quantiles
from .entry import Entry, ScoreRecord


@dataclass(frozen=True)
class Standing:
    """An entry's place in a ranking.

    Attributes
    ----------
    entry : Entry
    score : ScoreRecord
    first, last : int
        The places it may have: `first - 1` entries are better beyond doubt, and as many as come after `last` are
        worse.
    """

    entry: Entry
    score: ScoreRecord
    first: int
    last: int

    @property
    def place(self) -> str:
        """The place as text; a range where it is tied, such as "2–3"."""
        return str(self.first) if self.first == self.last else f"{self.first}\N{EN DASH}{self.last}"


@dataclass(frozen=True)
class Board:
    """Entries that may be compared: the same images, suite and rounding.

    Attributes
    ----------
    entries : tuple of Entry
        In the order of the first ranking.
    rankings : dict
        (kind, ruler) to the standings, best first.
    """

    entries: tuple[Entry, ...]
    rankings: dict[tuple[str, str], tuple[Standing, ...]]


def boards(entries: Sequence[Entry]) -> list[Board]:
    """Group entries into boards and rank them.

    Returns
    -------
    list of Board
        By the data's name, the largest board of a data set first.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.model.name, entry.identity)):
        groups.setdefault(entry.board, []).append(entry)
    ordered = sorted(groups.items(), key=lambda item: (item[1][0].data.name, -len(item[1]), item[0]))
    return [_board(group) for _, group in ordered]


def rank(entries: Sequence[Entry], kind: str, ruler: str) -> tuple[Standing, ...]:
    """Rank entries of one board by a score.

    Entries whose clean accuracy is not above chance come last, whatever their score: against adversaries on a hard
    grid a constant classifier would pass for a robust one.

    Parameters
    ----------
    entries : sequence of Entry
    kind, ruler : str
        Which score.

    Returns
    -------
    tuple of Standing
        Best first.
    """
    scored = [
        (entry, score) for entry in entries for score in entry.scores if (score.kind, score.ruler) == (kind, ruler)
    ]
    standings = [
        Standing(
            *one,
            first=1 + sum(_better(other, one) for other in scored),
            last=len(scored) - sum(_better(one, other) for other in scored),
        )
        for one in scored
    ]
    return tuple(sorted(standings, key=lambda at: (_useless(at.entry), -at.score.score, at.entry.model.name)))


def difference(one: ScoreRecord, other: ScoreRecord) -> tuple[float, float]:
    """95 % interval of the difference of two scores on the same images.

    Both entries drew the same bootstrap samples of the images, so the replicates are paired. Were they not, the
    differences would be those of independent samples, and the interval a wider one.

    Returns
    -------
    low, high : float
    """
    count = min(len(one.replicates), len(other.replicates))
    values = np.subtract(one.replicates[:count], other.replicates[:count])
    return quantiles(values, values)


def _better(one: tuple[Entry, ScoreRecord], other: tuple[Entry, ScoreRecord]) -> bool:
    if _useless(one[0]) != _useless(other[0]):
        return _useless(other[0])
    return difference(one[1], other[1])[0] > 0


def _useless(entry: Entry) -> bool:
    return entry.clean.low <= entry.chance


def _board(entries: list[Entry]) -> Board:
    keys = {(str(score.kind), score.ruler) for entry in entries for score in entry.scores}
    rankings = {key: rank(entries, *key) for key in sorted(keys, key=lambda key: (key[0] != "noise", key[1]))}
    in_order = [at.entry for standings in rankings.values() for at in standings]
    return Board(tuple({entry.identity: entry for entry in in_order}.values()), rankings)

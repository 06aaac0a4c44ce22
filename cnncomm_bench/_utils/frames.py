"""Data frames with types: rows as named tuples, groups under keys of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row", bound=NamedTuple)


def rows(frame: pd.DataFrame, row: type[Row]) -> Iterator[Row]:
    """Rows of a frame as named tuples, whose fields name the columns that are read.

    Examples
    --------
    >>> import pandas as pd
    >>> Point = NamedTuple("Point", [("snr_db", float), ("accuracy", float)])
    >>> list(rows(pd.DataFrame({"accuracy": [0.5], "snr_db": [20.0]}), Point))
    [Point(snr_db=20.0, accuracy=0.5)]
    """
    return map(row._make, frame[list(row._fields)].itertuples(index=False, name=None))


def groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Groups of rows that agree in two or more columns of text, in order of appearance.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"model": ["b", "a", "b"], "attack": ["x", "x", "x"]})
    >>> [(key, len(part)) for key, part in groups(frame, ["model", "attack"])]
    [(('b', 'x'), 2), (('a', 'x'), 1)]
    """
    for key, part in frame.groupby(list(by), sort=False, observed=True):
        yield tuple(map(str, key)), part

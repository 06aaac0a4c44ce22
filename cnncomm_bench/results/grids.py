"""Grids of SNRs in dB: from text, from numbers, or left to a pilot."""

from __future__ import annotations

import math
from typing import Literal

from .._utils.errors import UsageError

LIMIT_DB = 300.0  # powers beyond are no float32 any more
AUTO: Literal["auto"] = "auto"
"""In place of a grid: a pilot lays one for each attack."""


def as_grid(value: object) -> tuple[float, ...] | Literal["auto"]:
    """A grid from text or numbers, or "auto".

    Raises
    ------
    UsageError
    """
    if value == AUTO:
        return AUTO
    return parse_grid(value) if isinstance(value, str) else check_grid(value)


def parse_grid(text: str) -> tuple[float, ...]:
    """SNR grid from `first:last:step`, both ends included, or from `10,20,30`.

    Returns
    -------
    tuple of float
        Rising, dB.

    Raises
    ------
    UsageError
        No grid, an empty or a backward one.

    Examples
    --------
    >>> parse_grid("0:20:10")
    (0.0, 10.0, 20.0)
    """
    usage = (
        f"SNR grid {text!r}: expected FIRST:LAST:STEP with FIRST <= LAST and STEP > 0, a list such as 10,20,30, or auto"
    )
    try:
        if ":" in text:
            first, last, step = (float(part) for part in text.split(":"))
            if not (first <= last and step > 0 and (last - first) / step < 10_000):
                raise UsageError(usage)
            return check_grid([first + i * step for i in range(math.floor((last - first) / step + 1e-9) + 1)])
        return check_grid([float(part) for part in text.split(",")])
    except (ValueError, OverflowError) as error:
        raise UsageError(usage) if not isinstance(error, UsageError) else error from None


def check_grid(values: object) -> tuple[float, ...]:
    """A grid of distinct SNRs in rising order, within `LIMIT_DB`.

    Parameters
    ----------
    values : sequence of float, dB

    Raises
    ------
    UsageError
    """
    try:
        grid = tuple(float(value) for value in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"SNR grid {values!r}: expected numbers in dB, for example 0:50:5") from None
    if not grid or not all(abs(db) <= LIMIT_DB for db in grid) or list(grid) != sorted(set(grid)):
        raise UsageError(
            f"SNR grid {values!s:.80}: expected values from {-LIMIT_DB:g} to {LIMIT_DB:g} dB in rising order, for "
            "example 0:50:5"
        )
    return grid

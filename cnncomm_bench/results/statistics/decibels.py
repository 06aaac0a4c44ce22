"""Thresholds and gains in tables and files: "23.5 dB", and off the grid a bound with its sign, never an estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from .counts import CLEAN

SIGNS = {
    "threshold_db": "censored",
    "gain_db": "censored",
    "jamming_gain_db": "gain_censored",
    "threshold_without_db": "without_censored",
    "threshold_with_db": "with_censored",
}
"""Columns of thresholds and gains in files, and the column that has the sign of those that are bounds."""

_ENDS = {
    "threshold_db": ("low", "high"),
    "gain_db": ("low", "high"),
    "jamming_gain_db": ("gain_low", "gain_high"),
}


_DECIMALS = 4
"""Of dB in files."""


def format_db(value: float, grid: tuple[float, float]) -> str:
    """Write a threshold in dB.

    Parameters
    ----------
    value : float
        -inf or inf where it is off the grid.
    grid : (float, float)
        The first and last SNR.

    Returns
    -------
    str
        Empty for NaN.

    Examples
    --------
    >>> format_db(23.456, (0, 50)), format_db(-math.inf, (0, 50)), format_db(math.inf, (0, 50))
    ('23.5 dB', '< 0 dB', '> 50 dB')
    """
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return f"> {grid[1]:g} dB" if value > 0 else f"< {grid[0]:g} dB"
    return f"{value:.1f} dB"


def format_gain(value: float, low: float, high: float) -> str:
    """Write a gain in dB; a bound where a threshold is off the grid.

    Parameters
    ----------
    value, low, high : float
        The gain and its interval.

    Returns
    -------
    str
        Empty where there is neither value nor bound.

    Examples
    --------
    >>> format_gain(math.inf, 12.3, math.inf), format_gain(4.0, 3.0, 5.0)
    ('> 12.3 dB', '4.0 dB')
    """
    if math.isfinite(value):
        return f"{value:.1f} dB"
    bound = low if value > 0 else high
    if math.isnan(value) or not math.isfinite(bound):
        return ""
    return f"{'>' if value > 0 else '<'} {bound:.1f} dB"


def in_column(text: str) -> str:
    """Text of `format_db` or `format_gain` for a column of estimates, in which a bound is named as one.

    Examples
    --------
    >>> in_column("> 50 dB"), in_column("23.5 dB")
    ('> 50 dB (bound)', '23.5 dB')
    """
    return f"{text} (bound)" if text.startswith(("<", ">")) else text


def as_numbers(frame: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Thresholds or gains as files carry them: numbers alone, and a column that says which of them are bounds.

    Parameters
    ----------
    frame : DataFrame
        `Scores.thresholds` or `Scores.gains`.
    curves : DataFrame
        `Scores.curves`, for the ends of the grids.

    Returns
    -------
    DataFrame
        With `censored` (and `gain_censored` for jamming gains) at the end: "" for an estimate; ">" or "<" where the
        number only bounds it, a threshold by the grid's end and a gain by its interval's. An end of an interval that
        is not bounded is NaN, an empty field.
    """
    if "threshold_db" not in frame.columns:
        return with_signs(frame)
    grid = curves[curves["attack"] != CLEAN].groupby(["attack", "ruler"], observed=True)["snr_db"].agg(["min", "max"])
    ends = grid.loc[list(zip(frame["attack"], frame["ruler"], strict=True))]
    return with_signs(frame, ends["min"].tolist(), ends["max"].tolist())


def with_signs(
    frame: pd.DataFrame,
    first: float | Sequence[float] = -math.inf,
    last: float | Sequence[float] = math.inf,
) -> pd.DataFrame:
    """Any table of thresholds or gains as its file carries it, see `as_numbers`.

    Parameters
    ----------
    frame : DataFrame
        With columns of `SIGNS`, infinite where a threshold is off its grid.
    first, last : float or sequence of float
        Ends of the grid that thresholds are on, of all rows or of each.
    """
    numbers = frame.copy()
    for estimate, sign in SIGNS.items():
        if estimate not in frame.columns:
            continue
        ends = _ENDS.get(estimate, ())
        grid = (first, last) if estimate.startswith("threshold") else (-math.inf, math.inf)
        low, high = (frame[name] for name in ends or (estimate, estimate))
        limits = (np.broadcast_to(np.asarray(end, dtype=float), len(frame)) for end in grid)
        rows = [_censored(*row) for row in zip(frame[estimate], low, high, *limits, strict=True)]
        columns = pd.DataFrame(rows, columns=[estimate, *(ends or ("low", "high")), sign], index=frame.index)
        for name in (estimate, *ends):
            numbers[name] = columns[name].astype(float).round(_DECIMALS)
        numbers[sign] = columns[sign].astype(str)
    return numbers


def _censored(at: float, low: float, high: float, first: float, last: float) -> tuple[float, float, float, str]:
    """Estimate and interval as numbers, and the sign of a bound; a bound that is not known is none at all."""
    # An interval wholly beyond the grid begins at its end.
    low, high = min(low, last), max(high, first)
    if math.isinf(at):
        sign, at = (">", low if last == math.inf else last) if at > 0 else ("<", high if first == -math.inf else first)
    else:
        sign = ""
    at, low, high = (value if math.isfinite(value) else math.nan for value in (at, low, high))
    return at, low, high, "" if math.isnan(at) else sign


def read_table(path: str | Path) -> pd.DataFrame:
    """Read `thresholds.csv` or `gains.csv`, of this version or of one that wrote bounds as text.

    Returns
    -------
    DataFrame
        As `Scores.thresholds` or `Scores.gains`: infinite where a file has only a bound.
    """
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"censored": str, "gain_censored": str})
    for estimate, (low, high) in _ENDS.items():
        if estimate not in frame.columns:
            continue
        censored = SIGNS[estimate]
        if censored not in frame.columns:
            frame[[estimate, low, high]] = frame[[estimate, low, high]].map(_parse)
            continue
        known = frame[estimate].notna()
        frame[estimate] = frame[estimate].mask(frame[censored] == ">", math.inf).mask(frame[censored] == "<", -math.inf)
        frame[low] = frame[low].mask(known & frame[low].isna(), -math.inf)
        frame[high] = frame[high].mask(known & frame[high].isna(), math.inf)
    return frame.drop(columns=[name for name in ("censored", "gain_censored") if name in frame.columns])


def _parse(text: str | float) -> float:
    """A field that may be a number, empty, or a bound as old files have it: "> 50 dB"."""
    if not isinstance(text, str):
        return float(text)
    text = text.removesuffix("dB").strip()
    return {"<": -math.inf, ">": math.inf}[text[0]] if text[0] in "<>" else float(text)

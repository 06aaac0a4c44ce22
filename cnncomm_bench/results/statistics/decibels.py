"""Thresholds and gains as text: "23.5 dB", and off the grid "< 0 dB" or "> 50 dB", never a number."""

from __future__ import annotations

import math

import pandas as pd

from .counts import CLEAN

# The dB columns of a frame: the estimate, and the ends of its interval.
_DB = (
    ("threshold_db", "low", "high"),
    ("jamming_gain_db", "gain_low", "gain_high"),
    ("gain_db", "low", "high"),
)


def format_db(value: float, grid: tuple[float, float], *, digits: int = 1) -> str:
    """Write a threshold in dB.

    Parameters
    ----------
    value : float
        -inf or inf where it is off the grid.
    grid : (float, float)
        The first and last SNR.
    digits : int
        Decimals.

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
    return f"{value:.{digits}f} dB"


def format_gain(value: float, low: float, high: float, *, digits: int = 1) -> str:
    """Write a gain in dB; a bound where a threshold is off the grid.

    Parameters
    ----------
    value, low, high : float
        The gain and its interval.
    digits : int

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
        return f"{value:.{digits}f} dB"
    bound = low if value > 0 else high
    if math.isnan(value) or not math.isfinite(bound):
        return ""
    return f"{'>' if value > 0 else '<'} {bound:.{digits}f} dB"


def parse_db(text: str | float) -> float:
    """Read a cell that `as_text` wrote.

    Examples
    --------
    >>> parse_db("< 0 dB"), parse_db("> 50 dB"), parse_db("23.5")
    (-inf, inf, 23.5)
    """
    if not isinstance(text, str):
        return float(text)
    text = text.removesuffix("dB").strip()
    if not text:
        return math.nan
    return {"<": -math.inf, ">": math.inf}[text[0]] if text[0] in "<>" else float(text)


def as_text(frame: pd.DataFrame, curves: pd.DataFrame, *, digits: int = 4) -> pd.DataFrame:
    """Write thresholds or gains as files carry them: numbers as numbers, what is off the grid as "< 0 dB".

    Parameters
    ----------
    frame : DataFrame
        `Scores.thresholds` or `Scores.gains`.
    curves : DataFrame
        `Scores.curves`, for the ends of the grids.
    digits : int
        Decimals that are kept.

    Returns
    -------
    DataFrame
        An interval's end beyond the grid is the grid's end ("> 50 dB"); a gain's that is not bounded is empty.
    """
    grid = curves[curves["attack"] != CLEAN].groupby(["attack", "ruler"], observed=True)["snr_db"].agg(["min", "max"])
    names = list(frame.columns)
    text = frame.astype({name: object for columns in _DB for name in columns if name in frame.columns})
    for columns in _DB:
        if columns[0] not in frame.columns:
            continue
        for row, (attack, ruler, *values) in enumerate(
            zip(frame["attack"], frame["ruler"], *(frame[c] for c in columns), strict=True)
        ):
            for name, value in zip(columns, values, strict=True):
                if math.isfinite(value):
                    cell: float | str = round(value, digits)
                elif math.isnan(value):
                    cell = ""
                elif columns[0] == "threshold_db":
                    first, last = grid.loc[(attack, ruler)]
                    cell = format_db(value, (first, last))
                else:
                    cell = format_gain(*values) if name == columns[0] else ""
                text.iloc[row, names.index(name)] = cell
    return text

"""Summarises a simulation of the link as text."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tabulate import tabulate

from .ber_table import SYSTEM
from .ordering import alpha_order

TARGET = 1e-3


class Reach(NamedTuple):
    """Where a curve reaches a bit error rate.

    Attributes
    ----------
    snr_db : float
    bound : {"", "<", ">"}
        Whether the SNR is only known to be below or above that.
    """

    snr_db: float
    bound: str = ""

    def __str__(self) -> str:
        return f"{self.bound} {self.snr_db:g}" if self.bound else f"{self.snr_db:.1f}"


def reaches(curve: pd.DataFrame, target: float = TARGET) -> Reach:
    """SNR from which on a curve stays at or below a bit error rate, by straight lines in dB and log rate.

    Parameters
    ----------
    curve : DataFrame
        Rows of `ber.csv`, one curve, rising SNR.
    target : float

    Returns
    -------
    Reach
        A bound where the curve begins below the rate, ends above it, or falls through it to a point at which no
        error was seen: a rate of which only an upper bound is known has no place on a line.
    """
    above = np.flatnonzero(curve.ber > target)
    if not len(above):
        return Reach(float(curve.snr_db.iloc[0]), "<")
    last = int(above[-1])
    if last + 1 == len(curve):
        return Reach(float(curve.snr_db.iloc[-1]), ">")
    pair = curve.iloc[last : last + 2]
    if pair.errors.iloc[1] == 0:
        return Reach(float(pair.snr_db.iloc[1]), "<")
    return Reach(float(np.interp(-np.log10(target), -np.log10(pair.ber), pair.snr_db)))


def after(table: pd.DataFrame, folder: Path) -> str:
    """What to show when a simulation has ended.

    Parameters
    ----------
    table : DataFrame
        Of `ber.csv`.
    folder : Path
    """
    lines = [
        f'SNR (dB) at a bit error rate of {TARGET:g}; "<": no error was seen at that SNR, or the grid begins there; '
        '">": the grid ends there:',
        _thresholds(table),
    ]
    order = alpha_order(table)
    if len(order):
        shown = order.drop(columns=["agree", "disagree", "undecided"])
        lines += ["", "The smaller alpha, the more errors?", tabulate(shown.to_dict("list"), headers="keys")]
    files = ", ".join(f"{folder / name}" for name in ("ber.png", "ber.svg", "ber.csv", "link.json"))
    return "\n".join([*lines, "", f"written: {files}"])


def _thresholds(table: pd.DataFrame) -> str:
    found = {
        key: str(reaches(curve)) for key, curve in table.groupby([*SYSTEM, "ruler", "noise"], sort=False, observed=True)
    }
    names = pd.MultiIndex.from_tuples(found, names=[*SYSTEM, "ruler", "noise"])
    wide = pd.Series(list(found.values()), index=names).unstack("noise", sort=False).fillna("")
    return str(tabulate(wide.reset_index().to_dict("list"), headers="keys", disable_numparse=True))

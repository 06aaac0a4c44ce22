"""Summarises a simulation of the link as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from ...results.statistics import format_db
from .ber_table import SYSTEM
from .ordering import alpha_order

TARGET = 1e-3


def reaches(curve: pd.DataFrame, target: float = TARGET) -> float:
    """SNR from which on a curve stays at or below a bit error rate, by straight lines in dB and log rate.

    Parameters
    ----------
    curve : DataFrame
        Rows of `ber.csv`, one curve, rising SNR.
    target : float

    Returns
    -------
    float
        dB; -inf where all of the curve is below, inf where its end is above.
    """
    above = np.flatnonzero(curve.ber > target)
    if not len(above):
        return -np.inf
    last = int(above[-1])
    if last + 1 == len(curve):
        return np.inf
    pair = curve.iloc[last : last + 2]
    # Where no error was seen the rate is no logarithm: the end of its interval bounds it.
    logs = np.log10(pair.ber.where(pair.errors > 0, np.minimum(pair.ber_high, target)))
    return float(np.interp(-np.log10(target), -logs, pair.snr_db))


def after(table: pd.DataFrame, folder: Path) -> str:
    """What to show when a simulation has ended.

    Parameters
    ----------
    table : DataFrame
        Of `ber.csv`.
    folder : Path

    Returns
    -------
    str
    """
    lines = [f"SNR (dB) at a bit error rate of {TARGET:g}:", _thresholds(table)]
    order = alpha_order(table)
    if len(order):
        shown = order.drop(columns=["agree", "disagree", "undecided"])
        lines += ["", "The smaller alpha, the more errors?", tabulate(shown.to_dict("list"), headers="keys")]
    files = ", ".join(f"{folder / name}" for name in ("ber.png", "ber.svg", "ber.csv", "link.json"))
    return "\n".join([*lines, "", f"written: {files}"])


def _thresholds(table: pd.DataFrame) -> str:
    grid = (table.snr_db.min(), table.snr_db.max())
    found = table.groupby([*SYSTEM, "ruler", "noise"], sort=False)[list(table.columns)].apply(reaches)
    wide = found.map(lambda db: _written(db, grid)).unstack("noise", sort=False).fillna("")
    return str(tabulate(wide.reset_index().to_dict("list"), headers="keys", disable_numparse=True))


def _written(db: float, grid: tuple[float, float]) -> str:
    return format_db(db, grid).removesuffix(" dB")

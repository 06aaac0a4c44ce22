"""Bit error rates as the field draws them: a logarithmic axis against dB, a panel for each system and ruler."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...report import COLOURS, MARKERS
from .ber_table import SYSTEM, system_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS_A_ROW = 3


def plot(table: pd.DataFrame, title: str) -> Figure:
    """Draw the curves of `ber.csv`."""
    from matplotlib.figure import Figure

    # One below the other the systems, side by side their rulers.
    panels = [
        panel
        for _, system in table.groupby(SYSTEM, sort=False)
        for panel in system.groupby([*SYSTEM, "ruler"], sort=False)
    ]
    rulers = table.ruler.nunique()
    columns = rulers if rulers > 1 else min(_PANELS_A_ROW, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(3.9 * columns + 1.9, 3.1 * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    noises = list(dict.fromkeys(table.noise))
    for axes, (system, part) in zip(grid.flat, panels, strict=False):
        for noise, curve in part.groupby("noise", sort=False):
            _curve(axes, curve, noises.index(noise), str(noise))
        _dress(axes, system, float(part.rate.iloc[0]))
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("bit error rate")
    for axes in grid[-1]:
        axes.set_xlabel("SNR (dB)")
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines() if line.get_marker() != "v"}
    shown = [label for label in lines if not str(label).startswith("_")]
    figure.legend([lines[label] for label in shown], shown, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    return figure


def _curve(axes: Axes, curve: pd.DataFrame, place: int, label: str) -> None:
    colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
    seen, unseen = curve[curve.errors > 0], curve[curve.errors == 0]
    axes.plot(seen.snr_db, seen.ber, color=colour, marker=marker, ms=3.5, lw=1.3, label=label)
    axes.fill_between(seen.snr_db, seen.ber_low, seen.ber_high, color=colour, alpha=0.2, lw=0)
    # No error was seen: the rate is below the end of its interval.
    axes.plot(unseen.snr_db, unseen.ber_high, color=colour, marker="v", ms=5, mfc="none", ls="none")


def _dress(axes: Axes, system: tuple[Any, ...], rate: float) -> None:
    *parts, ruler = system
    axes.set_title(f"{system_name(*parts)}\nruler: {ruler}", fontsize=9)
    axes.set_yscale("log")
    axes.set_ylim(1e-7, 1)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    limit_db = 10 * math.log10(4**rate - 1)  # where Shannon's capacity of a Gaussian sample is the rate
    axes.axvline(limit_db, color="0.4", lw=0.9, ls=(0, (2, 2)), label="Shannon's limit\n(Gaussian noise)")

"""Draws the check: ROC curves, and the errors that pass undetected against the SNR."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .curve_figures import BLUE, GREEN, GREY, ORANGE, dress, figure, legend_beside

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Noise in one colour, adversaries of the first network, and last the one that knows of the check.
_STYLES = ((BLUE, "-"), (BLUE, "--"), (BLUE, ":"), (GREEN, "-"), (ORANGE, "-"), ("black", "-"))


def roc(table: pd.DataFrame) -> Figure:
    """Detections against false alarms, a curve for each attack.

    Parameters
    ----------
    table : DataFrame
        `roc` of `checkbits.run`.
    """
    drawn = figure(6.8, 4.2)
    axes = drawn.subplots()
    for attack, (colour, style) in zip(table.attack.unique(), _STYLES):
        mine = table[table.attack == attack]
        label = f"{attack}, {mine.snr_db.iloc[0]:g} dB"
        axes.plot(mine.false_alarm, mine.detection, color=colour, ls=style, lw=1.4, label=label)
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.9, ls=(0, (2, 2)), label="chance")
    axes.set_aspect("equal")
    dress(axes, "false alarms on clean images", "attacked images detected")
    legend_beside(axes)
    return drawn


def undetected(table: pd.DataFrame) -> Figure:
    """Undetected error rate against SNR: without a check, and with each.

    Parameters
    ----------
    table : DataFrame
        `checkbits` of `checkbits.run`.
    """
    attacks, checks = list(table.attack.unique()), [name for name in table.check.unique() if name != "itself"]
    drawn = figure(9.6, 5.4)
    panels = drawn.subplots(2, 3, sharey=True).flat
    for place, (axes, attack) in enumerate(zip(panels, attacks)):
        mine = table[table.attack == attack]
        first = mine[mine.check == mine.check.iloc[0]]
        axes.plot(first.snr_db, first.error_without_check, color="black", lw=1.2, ls="--", label="no check")
        for check, colour in zip(checks, (ORANGE, BLUE)):
            found = mine[mine.check == check]
            if len(found):
                axes.plot(found.snr_db, found.undetected_error, color=colour, marker="o", ms=3.5, lw=1.4, label=check)
                axes.fill_between(found.snr_db, found.low, found.high, color=colour, alpha=0.15, lw=0)
        axes.set_title(attack, fontsize=10)
        axes.set_ylim(-0.02, 1.02)
        dress(axes, "SNR (dB)" if place >= 3 else "", "undetected errors" if place % 3 == 0 else "")
        if place == 2:
            legend_beside(axes)
    return drawn

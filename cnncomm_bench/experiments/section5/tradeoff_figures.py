"""Draws the ladder: accuracy against threshold, what local and global features carry, the maps of carriers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ...results.statistics import Floats
from .curve_figures import GREY, dress, figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "os^DvPX*"


def plane(table: pd.DataFrame) -> Figure:
    """Clean accuracy against the threshold, a panel for each attack.

    Parameters
    ----------
    table : DataFrame
        `tradeoff` of `tradeoff.run`.
    """
    attacks, trainings = list(table.attack.unique()), list(table.training.unique())
    drawn = figure(3.1 * len(attacks) + 1.4, 3.6)
    row = drawn.subplots(1, len(attacks), sharey=True, squeeze=False)[0]
    for axes, attack in zip(row, attacks, strict=True):
        for (training, colour), marker in zip(_colours(trainings).items(), itertools.cycle(_MARKERS)):
            for part, face in (("ladder", colour), ("control", "white")):
                chosen = table[(table.attack == attack) & (table.training == training) & (table.part == part)]
                if chosen.empty:
                    continue
                at = chosen[np.isfinite(chosen.threshold_db)]
                axes.errorbar(
                    at.threshold_db, at.clean, xerr=_ends(at, "threshold_db", "low", "high"),
                    yerr=_ends(at, "clean", "clean_low", "clean_high"), fmt=marker, color=colour, mfc=face, ms=6,
                    lw=0.9, label=training if part == "ladder" else f"{training} (control)",
                )  # fmt: skip
        dress(axes, "threshold (dB), more robust →", "clean accuracy" if attack == attacks[0] else "")
        axes.invert_xaxis()
        off = int((~np.isfinite(table[table.attack == attack].threshold_db)).sum())
        axes.set_title(attack + (f" ({off} off the grid)" if off else ""), fontsize=10)
    _key(row[-1])
    return drawn


def views(table: pd.DataFrame, *, chance: float) -> Figure:
    """Accuracy on whole, shuffled and low-passed images, a bar for each training.

    Parameters
    ----------
    table : DataFrame
        `views` of `tradeoff.run`.
    chance : float
    """
    names, trainings = list(table["view"].unique()), list(table.training.unique())
    drawn = figure(8.4, 3.6)
    axes = drawn.subplots()
    width = 0.8 / len(trainings)
    for place, (training, colour) in enumerate(_colours(trainings).items()):
        mine = table[table.training == training]
        where = np.arange(len(names)) + (place - (len(trainings) - 1) / 2) * width
        errors = _ends(mine, "accuracy", "accuracy_low", "accuracy_high")
        axes.bar(where, mine.accuracy, width, yerr=errors, color=colour, label=training,
                 error_kw={"lw": 0.9, "ecolor": GREY})  # fmt: skip
    axes.axhline(chance, color="black", lw=0.9, ls=(0, (2, 2)), label="chance")
    axes.set_xticks(range(len(names)), names)
    dress(axes, "", "accuracy")
    _key(axes)
    return drawn


def carriers(table: pd.DataFrame) -> Figure:
    """Accuracy drop under noise of each band, a line for each training.

    Parameters
    ----------
    table : DataFrame
        `carriers` of `tradeoff.run`.
    """
    banded = table[table.kind == "band"]
    drawn = figure(6.8, 3.6)
    axes = drawn.subplots()
    colours = _colours(list(banded.training.unique()))
    for (training, colour), marker in zip(colours.items(), itertools.cycle(_MARKERS)):
        mine = banded[banded.training == training]
        axes.plot(mine.frequency, mine["drop"], color=colour, marker=marker, ms=4, lw=1.4, label=training)
        axes.fill_between(mine.frequency, mine.drop_low, mine.drop_high, color=colour, alpha=0.15, lw=0)
    axes.axhline(0, color="black", lw=0.8)
    dress(axes, "middle of the band (cycles per pixel)", f"accuracy drop at {banded.snr_db.iloc[0]:g} dB")
    _key(axes)
    return drawn


def _colours(trainings: list[str]) -> dict[str, tuple[float, ...]]:
    """Along the ladder, from dark to light: distinct in lightness alone."""
    from matplotlib import colormaps

    steps = np.linspace(0, 0.85, len(trainings))
    return dict(zip(trainings, map(tuple, colormaps["viridis"](steps).tolist()), strict=True))


def _ends(table: pd.DataFrame, middle: str, low: str, high: str) -> Floats:
    """Lengths of error bars; an end that is not bounded is left out."""
    lengths = np.stack([table[middle] - table[low], table[high] - table[middle]])
    return np.where(np.isfinite(lengths), lengths, 0).clip(min=0)


def _key(axes: Axes) -> None:
    axes.legend(title="trained at", loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)

"""Draws Section 5.3: accuracy against threshold, local and global features, carriers, gradients, the link's half."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from ...results.statistics import Floats
from .curve_figures import BLUE, ORANGE, dress, figure, legend_beside
from .dropped_carriers import BLIND
from .patches import EXCHANGED, PASSED, SHUFFLED, WHOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

_BRIGHT = 0.99
"""Quantile of a gradient's magnitude that gets the full colour."""

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
    legend_beside(row[-1], "trained at")
    return drawn


def views(table: pd.DataFrame, *, chance: float) -> Figure:
    """Accuracy where local features alone are left, where global ones are, and at the SNR of the latter.

    Parameters
    ----------
    table : DataFrame
        `views` of `tradeoff.run`.
    chance : float
    """
    titles = {
        SHUFFLED: "shuffled patches: local features",
        PASSED: "low-passed: global features",
        EXCHANGED: "patches exchanged, SNR of low-passed",
    }
    drawn = figure(11.5, 3.8)
    row = drawn.subplots(1, len(titles), sharey=True)
    colours = _colours(list(table.training.unique()))
    grids = sorted(table.patches[table["view"] != WHOLE].unique())
    for axes, (view, title) in zip(row, titles.items(), strict=True):
        for (training, colour), marker in zip(colours.items(), itertools.cycle(_MARKERS)):
            mine = table[(table.training == training) & (table["view"] == view)]
            axes.errorbar(mine.patches, mine.accuracy, _ends(mine, "accuracy", "accuracy_low", "accuracy_high"),
                          color=colour, marker=marker, ms=5, lw=1.3, elinewidth=0.9, label=training)  # fmt: skip
        axes.axhline(chance, color="black", lw=0.9, ls=(0, (2, 2)), label="chance")
        axes.set_xscale("log")
        axes.set_xticks(grids, [str(grid) for grid in grids])
        axes.minorticks_off()
        axes.set_title(title, fontsize=10)
        dress(axes, "patches along a side", "accuracy" if view == SHUFFLED else "")
    row[0].set_ylim(0, 1)
    legend_beside(row[-1], "trained at")
    return drawn


def gradients(images: Tensor, edges: Tensor, found: Mapping[str, Tensor]) -> Figure:
    """Images, their edges, and input gradients, a row for each training.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    edges : Tensor, shape-(N, H, W)
    found : mapping of str to Tensor, shape-(N, C, H, W)
        Gradients by training; means over the channels are shown, each scaled to its own largest values.
    """
    drawn = figure(1.15 * len(images) + 1.4, 1.15 * (2 + len(found)) + 0.3)
    grid = drawn.subplots(2 + len(found), len(images), squeeze=False)
    shades = images.permute(0, 2, 3, 1) if images.shape[1] == 3 else images.mean(1)
    for column, (shade, edge) in enumerate(zip(shades.cpu().numpy(), edges.cpu().numpy(), strict=True)):
        grid[0, column].imshow(shade, cmap="gray", vmin=0, vmax=1)
        grid[1, column].imshow(edge, cmap="gray_r")
        for axes, each in zip(grid[2:, column], found.values(), strict=True):
            slope = each[column].mean(0).cpu().numpy()
            most = float(np.quantile(np.abs(slope), _BRIGHT)) or 1.0
            axes.imshow(slope, cmap="RdBu_r", vmin=-most, vmax=most)
    for axes, name in zip(grid[:, 0], ("image", "edges", *(f"gradient,\n{name}" for name in found)), strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return drawn


def link(table: pd.DataFrame, networks: pd.DataFrame) -> Figure:
    """What discarding costs and gains: rate of the link's receivers, and accuracy of the networks beside it.

    Parameters
    ----------
    table : DataFrame
        `link` of `tradeoff.run`.
    networks : DataFrame
        `training, noise, snr_db, accuracy` of the standard and the robust training, under pgd and under white noise.
    """
    drawn = figure(10.5, 3.9)
    left, right = drawn.subplots(1, 2)
    shown = table[table.receiver != BLIND]
    for axes, frame, who, value in ((left, shown, "receiver", "rate"), (right, networks, "training", "accuracy")):
        for (name, noise), curve in frame.groupby([who, "noise"], sort=False):
            colour = (BLUE, ORANGE)[list(frame[who].unique()).index(name)]
            dashed = noise == frame.noise.iloc[0]
            axes.plot(curve.snr_db, curve[value], color=colour, ls="--" if dashed else "-", marker="o", ms=4,
                      mfc="white" if dashed else colour, label=f"{name}; {noise}")  # fmt: skip
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
        axes.set_ylim(0, 1.02)
    dress(left, "SNR (dB)", "link: bits a carrier and symbol")
    dress(right, "SNR (dB)", "network: accuracy")
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
    legend_beside(axes, "trained at")
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

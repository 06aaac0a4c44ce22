"""Draws thresholds of capsule networks and CNNs, errors that pass their checks, and what the capsules draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ...attacks import parse, predict
from ..training import at_snr
from .capsules_claims import ADVERSARY, CAPSULES, CNN, DRAWING, NOISES, STREAMS
from .curve_figures import BLUE, GREEN, GREY, ORANGE, dress, figure, legend_beside

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from .capsnet import ClassVectors

_CHECKS = ((CAPSULES, "reconstruction", ORANGE), (DRAWING, "reconstruction", BLUE), (STREAMS, "low resolution", GREEN))
_DRAWN_DB = 20.0
_IMAGES = 8


def thresholds(table: pd.DataFrame) -> Figure:
    """Clean accuracy, and the threshold under each attack, a point for each network.

    Parameters
    ----------
    table : DataFrame
        `capsules` of `capsules.run`.
    """
    kinds = list(dict.fromkeys(table.kind))
    drawn = figure(11.5, 0.42 * len(kinds) + 1.2)
    for place, (axes, attack) in enumerate(zip(drawn.subplots(1, 4, sharey=True), ("", ADVERSARY, *NOISES))):
        mine = table[table.attack == (attack or ADVERSARY)]
        names = ("clean", "clean_low", "clean_high") if not attack else ("threshold_db", "low", "high")
        for row, kind in enumerate(kinds):
            members = mine[mine.kind == kind]
            at, low, high = (members[name].to_numpy(dtype=float) for name in names)
            y = row + np.linspace(-0.22, 0.22, len(members))
            known = np.isfinite(at) & np.isfinite(low) & np.isfinite(high)
            colour = ORANGE if kind == CAPSULES else BLUE if kind == CNN else GREY
            spread = np.stack([at[known] - low[known], high[known] - at[known]])
            axes.errorbar(at[known], y[known], xerr=spread, fmt="o", ms=4.5, lw=1, color=colour)
        if attack:
            axes.invert_xaxis()
        axes.set_title(attack or "no noise", fontsize=10)
        dress(axes, "threshold (dB), more robust →" if attack else "clean accuracy", "")
        if place == 0:
            axes.set_yticks(range(len(kinds)), kinds)
            axes.invert_yaxis()
    return drawn


def undetected(table: pd.DataFrame) -> Figure:
    """Undetected error rate against SNR, mean over networks: without a check (dashed), and with each.

    Parameters
    ----------
    table : DataFrame
        `undetected` of `capsules.run`.
    """
    attacks = list(dict.fromkeys(table.attack))
    drawn = figure(11.5, 3.1)
    for place, (axes, attack) in enumerate(zip(drawn.subplots(1, len(attacks), sharey=True), attacks)):
        for kind, check, colour in _CHECKS:
            mine = table[(table.kind == kind) & (table.check == check) & (table.attack == attack)]
            mean = mine.groupby("snr_db")[["error_without_check", "undetected_error"]].mean()
            axes.plot(mean.index, mean.error_without_check, color=colour, lw=1, ls="--")
            axes.plot(mean.index, mean.undetected_error, color=colour, marker="o", ms=3.5, lw=1.4,
                      label=f"{kind}" if kind == STREAMS else f"{kind}, {check}")  # fmt: skip
        axes.set_title(attack, fontsize=10)
        axes.set_ylim(-0.02, 1.02)
        dress(axes, "SNR (dB)", "errors that pass" if place == 0 else "")
    axes.plot([], [], color="black", lw=1, ls="--", label="without a check")
    legend_beside(axes)
    return drawn


def drawings(network: ClassVectors, images: Tensor, labels: Tensor) -> Figure:
    """Some images as they come, clean and attacked, and below each what is drawn of the class that is decided.

    Parameters
    ----------
    network : ClassVectors
        With a decoder.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,)
    """
    known = (predict(network, images) == labels).nonzero().flatten()[:_IMAGES]
    clean, truth = images[known], labels[known]
    columns = {"clean": clean}
    for attack in ("gaussian", ADVERSARY):
        columns[f"{attack}, {_DRAWN_DB:g} dB"] = at_snr(parse(attack), _DRAWN_DB)(network, clean, truth, 0)
    drawn = figure(1.15 * max(len(known), 1) + 1.3, 1.15 * 2 * len(columns))
    if not len(known):
        return drawn
    grid = drawn.subplots(2 * len(columns), len(known), squeeze=False)
    for place, (title, received) in enumerate(columns.items()):
        with torch.inference_mode():
            vectors = network.vectors(received)
            decided = network.logits(vectors).argmax(1)
            picture = network.drawn(vectors, decided)
        for row, shown in ((2 * place, received), (2 * place + 1, picture)):
            for column, (axes, image) in enumerate(zip(grid[row], shown.cpu())):
                axes.imshow(image.permute(1, 2, 0).squeeze().numpy(), cmap="gray", vmin=0, vmax=1)
                axes.set_xticks([])
                axes.set_yticks([])
                wrong = row % 2 == 1 and decided[column] != truth[column]
                for spine in axes.spines.values():
                    spine.set(color=ORANGE if wrong else "black", lw=2.2 if wrong else 0.6)
            grid[row][0].set_ylabel("drawn" if row % 2 else title, fontsize=8)
    return drawn

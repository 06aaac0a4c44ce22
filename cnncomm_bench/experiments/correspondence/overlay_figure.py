"""Accuracy drop and bit error rate of the same alphas on one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...report import COLOURS, MARKERS
from .families import Pair
from .likeness import Overlay, normalised

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(pairs: Sequence[Pair], overlays: Sequence[Overlay]) -> Figure:
    """A column for each ruler: above, both families as they are; below, the link's laid on the model's.

    Parameters
    ----------
    pairs : sequence of Pair
        One model and one system, on several rulers.
    overlays : sequence of Overlay
        Of each pair.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(3.9 * len(pairs) + 1.6, 6.6), layout="constrained")
    grid = figure.subplots(2, len(pairs), sharex=True, sharey=True, squeeze=False)
    for column, (pair, found) in enumerate(zip(pairs, overlays, strict=True)):
        above, below = grid[0, column], grid[1, column]
        drops, rates = normalised(pair.model.values(pair.alphas)), normalised(pair.link.values(pair.alphas))
        grids = (pair.model.snr_db, pair.link.snr_db, found.shift_db + found.stretch * pair.link.snr_db)
        for place, _ in enumerate(pair.alphas):
            colour, marker = COLOURS[place], MARKERS[place]
            for axes, link_db in ((above, grids[1]), (below, grids[2])):
                axes.plot(grids[0], drops[place], color=colour, marker=marker, ms=3.5, lw=1.3)
                axes.plot(link_db, rates[place], color=colour, marker=marker, ms=3.5, lw=1.1, ls="--", mfc="none")
        above.set_title(f"ruler: {pair.model.ruler}\nboth at their own SNR", fontsize=9.5)
        below.set_title(
            f"link's SNR times {found.stretch:.2f}, {found.shift_db:+.1f} dB:\nresidual {found.residual:.3f}",
            fontsize=8.5,
        )
        below.set_xlabel("SNR of the images (dB)")
        low, high = np.min([axis.min() for axis in grids[:2]]), np.max([axis.max() for axis in grids[:2]])
        below.set_xlim(low, high)
    for axes in grid.flat:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("share of the family's range")
    lines = [
        Line2D([], [], color=COLOURS[place], marker=MARKERS[place], ms=3.5, label=f"alpha = {alpha:g}")
        for place, alpha in enumerate(pairs[0].alphas)
    ]
    lines += [
        Line2D([], [], color="0.3", label="accuracy drop"),
        Line2D([], [], color="0.3", ls="--", label="bit error rate"),
    ]
    figure.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(f"{pairs[0].model.name}, and the link: {pairs[0].link.name}", fontsize=11.5, x=0.01, ha="left")
    return figure

"""Draws bit error rate, accuracy drop and image SNR of the same transmissions, a column for each system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...report import COLOURS, MARKERS
from .transmission_folder import SYSTEM, title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOWEST_RATE = 1e-6


def plot(table: pd.DataFrame, heading: str) -> Figure:
    """Draw `transmission.csv`.

    Parameters
    ----------
    table : DataFrame
        See `transmission_table.aggregate`.
    heading : str
    """
    from matplotlib.figure import Figure

    systems = list(table.groupby([*SYSTEM, "ruler"], sort=False))
    figure = Figure(figsize=(3.9 * len(systems) + 1.5, 8.4), layout="constrained")
    grid = figure.subplots(3, len(systems), sharex=True, sharey="row", squeeze=False)
    alphas = sorted(set(table.alpha), reverse=True)
    last = float(table.snr_db.max())
    for (system, part), (rates, drops, images) in zip(systems, grid.T, strict=True):
        for place, alpha in enumerate(alphas):
            curve = part[part.alpha == alpha].sort_values("snr_db")
            if len(curve):
                style = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}
                _curve(rates, drops, images, curve, last, style, f"alpha = {alpha:g}")
        samples = part.samples_per_value.iloc[0]
        rates.set_title(
            f"{title(*map(str, system[:-1]))}\nruler: {system[-1]}, {samples:.3g} samples a pixel value", fontsize=9
        )
        if part.ber.isna().all():
            rates.text(0.5, 0.5, "no bits are sent", transform=rates.transAxes, ha="center", color="0.4")
        images.set_xlabel("SNR of the channel (dB)")
    grid[0, 0].set(ylabel="bit error rate", yscale="log", ylim=(_LOWEST_RATE, 1))
    grid[1, 0].set_ylabel("accuracy drop")
    grid[2, 0].set_ylabel("SNR of the images (dB)")
    for axes in grid.flat:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = grid[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(heading, fontsize=11.5, x=0.01, ha="left", parse_math=False)
    return figure


def _curve(
    rates: Axes, drops: Axes, images: Axes, curve: pd.DataFrame, last: float, style: dict[str, Any], label: str
) -> None:
    colour = style["color"]
    seen, unseen = curve[curve.errors > 0], curve[(curve.errors == 0) & (curve.bits > 0)]
    rates.plot(seen.snr_db, seen.ber, ms=3.5, lw=1.3, **style)
    rates.fill_between(seen.snr_db, seen.ber_low, seen.ber_high, color=colour, alpha=0.2, lw=0)
    # No error was seen: the rate is below the end of its interval.
    rates.plot(unseen.snr_db, unseen.ber_high, color=colour, marker="v", ms=5, mfc="none", ls="none")
    drops.plot(curve.snr_db, curve["drop"], ms=3.5, lw=1.3, label=label, **style)
    drops.fill_between(curve.snr_db, curve.drop_low, curve.drop_high, color=colour, alpha=0.15, lw=0)
    end = curve.iloc[-1]
    if end.snr_db < last:  # above it the images arrive as they are
        drops.plot([end.snr_db, last], [end["drop"]] * 2, color=colour, lw=0.8, ls=":")
    finite = curve[np.isfinite(curve.image_snr_db)]
    images.plot(finite.snr_db, finite.image_snr_db, ms=3.5, lw=1.3, **style)

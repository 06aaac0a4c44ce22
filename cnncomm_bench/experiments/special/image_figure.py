"""Draws the images that the special CNN sends, and its label errors by alpha on each ruler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...report import plots

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(table: pd.DataFrame, books: Mapping[str, npt.NDArray[Any]]) -> Figure:
    """The images above, below a row of panels a training and a column a ruler.

    Parameters
    ----------
    table : DataFrame
        The rates of `image_comparison.compare`.
    books : mapping of str to ndarray, shape-(labels, side, side)
        Noise of the training to the images of its transmitter.
    """
    from matplotlib.figure import Figure

    rulers = list(dict.fromkeys(table.ruler))
    figure = Figure(figsize=(max(9.0, 3.6 * len(rulers)), 2.3 + 3.2 * len(books)), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[2.1, 3.2 * len(books)])
    above, below = halves
    labels = max(map(len, books.values()))
    shown = above.subplots(len(books), labels, squeeze=False)
    panels = below.subplots(len(books), len(rulers), sharex=True, sharey=True, squeeze=False)
    for (name, book), pictures, row in zip(books.items(), shown, panels, strict=True):
        for axes, image in zip(pictures, book, strict=True):
            axes.imshow(image, cmap="gray", vmin=-3, vmax=3)
            axes.set(xticks=[], yticks=[])
        pictures[0].set_ylabel(name, fontsize=8)
        for axes, ruler in zip(row, rulers, strict=True):
            _panel(axes, table[table.ruler == ruler], name)
            axes.set_title(f"trained in {name} noise; tested on {ruler}", fontsize=9)
        row[0].set_ylabel("label error rate")
    above.suptitle("the image of each label, by the noise of the training", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("SNR of a sample (dB)")
    handles, names = panels[0, 0].get_legend_handles_labels()
    below.legend(handles, names, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, name: str) -> None:
    for place, (alpha, part) in enumerate(table.groupby("alpha", sort=False)):
        colour = plots.COLOURS[place % len(plots.COLOURS)]
        cnn, ideal = (
            part[(part.system == system) & (part.errors > 0)]
            for system in (f"CNN trained in {name} noise", f"its images, {name} likelihood")
        )
        axes.plot(cnn.snr_db, cnn.rate, color=colour, marker=plots.MARKERS[place % len(plots.MARKERS)], ms=4, lw=1.3,
                  label=f"alpha = {alpha:g}")  # fmt: skip
        axes.fill_between(cnn.snr_db, cnn.low, cnn.high, color=colour, alpha=0.2, lw=0)
        axes.plot(ideal.snr_db, ideal.rate, color=colour, lw=1, ls="--")
    axes.plot([], [], color="black", lw=1, ls="--", label="its images, received by likelihood")
    theory = table[table.errors.eq(0) & table.labels.eq(0)]
    axes.plot(theory.snr_db, theory.rate, color="black", lw=1, ls=":", label="simplex code, Gaussian noise")
    axes.set(yscale="log", ylim=(5e-4, 1.2))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)

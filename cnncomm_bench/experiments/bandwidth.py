"""Bandwidth: one model at a ladder of input resolutions, the W of C = W log2(1 + S/N).

Images are averaged down to a resolution, disturbed there, and enlarged again to what the model takes: fewer pixel
values reach it at the same SNR of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.nn.functional as F
from tabulate import tabulate
from torch import Tensor

from .._utils.atomic import make_folder, write_text
from .._utils.errors import UsageError
from .._utils.frames import rows as rows_of
from ..data import ArrayLike, chunks
from ..evaluation import evaluate, prepare
from ..report import plots
from ..results import RunConfig
from ..results.statistics import capacity, format_db, in_column, with_signs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _Threshold(NamedTuple):
    threshold_db: float
    low: float
    high: float


def ladder(
    model: str,
    sides: Sequence[int],
    *,
    out: str | Path,
    data: str | None = None,
    arch: str | None = None,
    samples: int | None = None,
    attack: str = "gaussian",
    snr: str = "-10:40:5",
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy curves of a model at several resolutions.

    Parameters
    ----------
    model, data, arch, samples
        As on the command line of a run.
    sides : sequence of int
        Pixels a side.
    out : str or Path
        Folder for `bandwidth.csv`, `bandwidth_curves.csv` and the figure.
    attack : str
        A noise.
    snr : str
        The grid, dB.
    seed : int

    Returns
    -------
    DataFrame
        A row for each side: the pixel values W, clean accuracy, the threshold with its interval, and Shannon's
        capacity of the whole image at the threshold, W / 2 log2(1 + S/N) bits.

    Raises
    ------
    BenchError
        A side that no image has, or what a run refuses.
    """
    opened = prepare(RunConfig.of(models=[model], data=data, arch=arch, samples=samples, attacks=[attack], snr=snr))
    images, largest = opened.data.images, min(opened.data.images.shape[2:])
    if opened.data.labels is None:
        raise UsageError("a ladder of resolutions needs labels: expected a folder with one folder a class", "data")
    wrong = [side for side in sides if not 2 <= side <= largest]
    if wrong or not sides:
        raise UsageError(f"sides {', '.join(map(str, wrong)) or 'none'}: expected 2 to {largest} pixels", "sides")
    folder = make_folder(Path(out))
    rows, curves, grids = [], [], []
    for side in sorted(set(sides), reverse=True):
        small = _averaged(images, side)

        def enlarged(batch: Tensor) -> Tensor:
            return opened.models[0].predict(F.interpolate(batch, images.shape[2:], mode="bilinear", antialias=False))

        run = evaluate(
            enlarged,
            small,
            opened.data.labels,
            attacks=[attack],
            snr_db=opened.info.suite.snr_db,
            seed=seed,
            device=opened.info.device,
            name=f"{side} x {side}",
        )
        values, found = int(np.prod(small.shape[1:])), run.thresholds.iloc[0]
        bits = values * float(capacity(found.threshold_db)) if np.isfinite(found.threshold_db) else np.nan
        clean = float(run.curves.accuracy.iloc[0])
        rows.append({"side": side, "values": values, "clean_accuracy": clean, "threshold_db": found.threshold_db,
                     "low": found.low, "high": found.high, "capacity_bits": bits})  # fmt: skip
        curves.append(run.curves.assign(side=side, values=values))
        grids.append((run.info.snr_db[0], run.info.snr_db[-1]))
    table = pd.DataFrame(rows)
    table.attrs["grids"] = grids
    first, last = zip(*grids, strict=True)
    write_text(folder / "bandwidth.csv", with_signs(table, first, last).to_csv(index=False))
    write_text(folder / "bandwidth_curves.csv", pd.concat(curves).to_csv(index=False))
    plots.save(_figure(pd.concat(curves), f"{model}, {attack}"), folder, "bandwidth")
    return table


def parse_sides(texts: Sequence[str] | None) -> tuple[int, ...]:
    """Sides from text; the default ladder where there is none.

    Raises
    ------
    UsageError
    """
    try:
        return (28, 20, 14, 10, 7) if texts is None else tuple(map(int, texts))
    except ValueError as error:
        raise UsageError(f"sides {','.join(texts or ())!r}: expected pixels, such as 28,14,7", "sides") from error


def as_text(table: pd.DataFrame) -> str:
    """The ladder as a table; thresholds off the grid are bounds."""
    shown = table.assign(
        clean_accuracy=table.clean_accuracy.map("{:.3f}".format),
        threshold_lower_is_better=[
            f"{in_column(format_db(row.threshold_db, grid))} [{format_db(row.low, grid)}, {format_db(row.high, grid)}]"
            for row, grid in zip(rows_of(table, _Threshold), table.attrs["grids"], strict=True)
        ],
        capacity_bits=table.capacity_bits.map("{:.0f}".format),
    )[["side", "values", "clean_accuracy", "threshold_lower_is_better", "capacity_bits"]]
    return str(tabulate(shown.to_dict("list"), headers="keys", showindex=False, disable_numparse=True))


def _averaged(images: ArrayLike, side: int) -> npt.NDArray[Any]:
    parts = [F.interpolate(torch.tensor(part).float(), (side, side), mode="area") for part in chunks(images)]
    small = torch.cat(parts)
    whole = np.issubdtype(images.dtype, np.integer)
    return (small.round() if whole else small).numpy().astype(images.dtype)


def _figure(curves: pd.DataFrame, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    by_snr, by_capacity = figure.subplots(1, 2, sharey=True)
    for place, (side, curve) in enumerate(curves[np.isfinite(curves.snr_db)].groupby("side", sort=False)):
        style = {"color": plots.COLOURS[place % 8], "marker": plots.MARKERS[place % 8], "ms": 4, "lw": 1.3}
        bits = curve["values"] * capacity(curve.snr_db.to_numpy())
        for axes, across in ((by_snr, curve.snr_db), (by_capacity, bits)):
            axes.plot(across, curve.accuracy, label=f"{side} x {side}", **style)
            axes.fill_between(across, curve.accuracy_low, curve.accuracy_high, color=style["color"], alpha=0.15, lw=0)
    by_snr.set(xlabel="SNR (dB)", ylabel="accuracy")
    by_capacity.set(xlabel="capacity of an image, W/2 log2(1 + S/N), bits", xscale="log")
    for axes in (by_snr, by_capacity):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    by_capacity.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11.5, x=0.01, ha="left")
    return figure

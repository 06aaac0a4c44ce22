"""Compares the paper's "special" CNN with the link: its error curve, and that of coded BPSK of the same rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from ..._utils.atomic import make_folder, write_text
from ..._utils.errors import UsageError
from ...report import plots
from ..link import SYSTEM, Rule, Settings, Stable, simulate, system_name
from .autoencoder import SpecialCnn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "special CNN, 8 bits in 4 x 4 samples"
COLUMNS = ["alpha", "system", "ruler", "snr_db", "bits", "errors", "ber", "ber_low", "ber_high", "fer", "fer_low",
           "fer_high"]  # fmt: skip


def compare(
    alphas: Sequence[float | str] = (2.0, 1.0),
    snr_db: str | Sequence[float] = "0:20:2.5",
    rulers: Sequence[str] = ("dispersion",),
    *,
    out: str | Path,
    steps: int = 1500,
    max_bits: int = 400_000,
    seed: int = 0,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train the special CNN in each noise, and count its errors and those of coded and uncoded BPSK.

    Parameters
    ----------
    alphas : sequence of float or str
    snr_db : str or sequence of float
        As for the link.
    rulers : sequence of str
        One of dispersion and geometric.
    out : str or Path
        Folder for `special.csv` and the figure.
    steps : int
        Of the training.
    max_bits : int
        Where a point ends without enough errors, for every system.
    seed : int
    quiet : bool
        Show no progress.

    Returns
    -------
    DataFrame
        A row for each alpha, system and SNR; a frame of the special CNN is a label.

    Raises
    ------
    UsageError
    """
    if steps < 1:
        raise UsageError(f"{steps} steps of training: expected at least 1", "steps")
    settings = Settings.of(alphas=tuple(alphas), snr_db=snr_db, rulers=tuple(rulers), max_bits=max_bits, seed=seed)
    if len(settings.rulers) > 1:
        raise UsageError(f"{len(settings.rulers)} rulers for signals of 4 x 4: expected one; pass dispersion", "rulers")
    (ruler,) = settings.rulers
    if ruler == "realised":
        raise UsageError(
            "the realised ruler needs frames longer than 16 samples: pass dispersion or geometric", "rulers"
        )
    rule, folder = Rule(1000, max_bits), make_folder(Path(out))
    rows: list[dict[str, Any]] = []
    for alpha in settings.alphas:
        trained = SpecialCnn(Stable(alpha), ruler, steps=steps, seed=seed, quiet=quiet)
        for snr in settings.snr_db:
            counted = trained.measure(snr, rule, seed).row()
            rows.append({"alpha": alpha, "system": NAME, "ruler": ruler, "snr_db": snr, **counted})
    linked = simulate(settings, quiet=quiet)
    named = linked.assign(system=[system_name(*row) for row in linked[SYSTEM].itertuples(index=False)])
    table = pd.concat([pd.DataFrame(rows), named], ignore_index=True)[COLUMNS]
    write_text(folder / "special.csv", table.to_csv(index=False))
    plots.save(_figure(table), folder, "special")
    return table


def as_text(table: pd.DataFrame) -> str:
    """Bit error rates by system and SNR."""
    wide = table.pivot(index=["alpha", "system"], columns="snr_db", values="ber")
    written = wide.map(lambda rate: "" if np.isnan(rate) else f"{rate:.1e}")
    return str(tabulate(written.reset_index().to_dict("list"), headers="keys", disable_numparse=True))


def _figure(table: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    alphas = list(dict.fromkeys(table.alpha))
    figure = Figure(figsize=(4.4 * len(alphas) + 2.8, 4.0), layout="constrained")
    grid = figure.subplots(1, len(alphas), sharex=True, sharey=True, squeeze=False)[0]
    for axes, alpha in zip(grid, alphas, strict=True):
        for place, (system, curve) in enumerate(table[table.alpha == alpha].groupby("system", sort=False)):
            seen, colour = curve[curve.errors > 0], plots.COLOURS[place]
            axes.plot(seen.snr_db, seen.ber, color=colour, marker=plots.MARKERS[place], ms=4, lw=1.3, label=system)
            axes.fill_between(seen.snr_db, seen.ber_low, seen.ber_high, color=colour, alpha=0.2, lw=0)
        axes.set(yscale="log", ylim=(1e-6, 1), xlabel="SNR (dB)", title=f"alpha = {alpha:g}")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("bit error rate")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    return figure

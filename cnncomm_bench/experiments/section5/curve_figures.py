"""Draws what adversarial examples teach, the map of carriers, and the gain of more data (Sections 5.1 and 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ..._utils.frames import rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .carrier_noise import Harm
    from .carriers import Study

# Of Okabe and Ito's palette, distinct without colour vision.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
_LOWEST_DENSITY = 0.05


class _Bar(NamedTuple):
    trained_on: str
    snr_db: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    null_low: float
    null_high: float


class _Tone(NamedTuple):
    u: float
    v: float
    drop: float


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def dress(axes: Axes, x: str, y: str) -> None:
    """Name the axes, draw the grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def legend_beside(axes: Axes, title: str | None = None) -> None:
    """The legend to the right of axes."""
    axes.legend(title=title, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8.5)


def features(table: pd.DataFrame, classes: int, examples: Sequence[str]) -> Figure:
    """Accuracy on real images of what was trained on adversarial examples alone, and of the controls.

    Parameters
    ----------
    table : DataFrame
        The table `features` of `features.run`.
    classes : int
    examples : sequence of str
        Which rows are no controls.
    """
    drawn = figure(9.2, 0.55 * len(table) + 1.2)
    axes = drawn.subplots()
    for place, row in enumerate(rows(table, _Bar)):
        colour = ORANGE if row.trained_on in examples else BLUE
        axes.barh(place, row.accuracy, color=colour, height=0.55)
        axes.plot([row.accuracy_low, row.accuracy_high], [place, place], color="black", lw=1.6)
        axes.plot([row.null_low, row.null_high], [place + 0.38] * 2, color=GREY, lw=3, solid_capstyle="butt")
    axes.axvline(1 / classes, color="black", lw=1, ls="--")
    axes.set_yticks(range(len(table)), [f"{row.trained_on}, {row.snr_db:g} dB" for row in rows(table, _Bar)])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    dress(axes, "accuracy on real test images\ndashed: chance; grey: 95 % of random renamings of the classes", "")
    return drawn


def carriers(studies: Sequence[Study]) -> Figure:
    """The map of each model: damage of single tones, power of its adversary, and both over the bands."""
    drawn = figure(11.5, 3.5 * len(studies))
    grid = drawn.subplots(len(studies), 3, squeeze=False)
    for study, (tones, power, bands) in zip(studies, grid):
        _tones(tones, study)
        _plane(power, study)
        _bands(bands, study)
    return drawn


def samples(table: pd.DataFrame, rates: pd.DataFrame) -> Figure:
    """Accuracy and threshold against the number of training images.

    Parameters
    ----------
    table, rates : DataFrame
        The tables `samples` and `exchange` of `samples.run`.
    """
    drawn = figure(10.5, 3.9)
    left, right = drawn.subplots(1, 2)
    growing, copies = (table[table.distinct == sizes] for sizes in (table.images, table.images.min()))
    for (kind, part), colour, rate in zip(growing.groupby("training", sort=False), (BLUE, ORANGE), rates.itertuples()):
        for column, style, what in (("accuracy", "-", "clean"), ("robust_accuracy", "--", "under attack")):
            mean = part.groupby("images")[[column, f"{column}_low", f"{column}_high"]].mean()
            left.plot(mean.index, mean[column], style, marker="o", ms=4, color=colour, label=f"{kind}, {what}")
            left.fill_between(mean.index, mean.iloc[:, 1], mean.iloc[:, 2], color=colour, alpha=0.15, lw=0)
        ends = np.isfinite(part.threshold_db)
        at = part[ends]
        spread = [(at.threshold_db - at.low).clip(0, 50), (at.high - at.threshold_db).clip(0, 50)]
        right.errorbar(at.images, at.threshold_db, spread, fmt="o", ms=4, color=colour, capsize=2)
        doublings = np.log2(at.images.to_numpy(dtype=float))
        line = at.threshold_db.mean() - rate.db_per_doubling * (doublings - doublings.mean())
        label = f"{kind}: {rate.db_per_doubling:z.2f} dB a doubling ({rate.low:z.2f} to {rate.high:z.2f})"
        right.plot(at.images, line, color=colour, lw=1.2, label=label)
        predicted = at.threshold_db.iloc[0] - rate.predicted * (doublings - doublings[0])
        right.plot(at.images, predicted, color=colour, lw=1, ls=":")
    copied = copies[copies.training == "robust"]
    right.plot(copied.images, copied.threshold_db, "x", color=GREY, ms=6, label="robust: copies of the smallest set")
    right.plot([], [], color=GREY, lw=1, ls=":", label="twice the data for twice the power: 3.01 dB")
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        sizes = sorted(set(table.images))
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
    dress(left, "training images", "accuracy")
    dress(right, "training images", "threshold SNR under attack (dB)")
    left.set_ylim(0, 1)
    for axes, columns in ((left, 2), (right, 1)):  # above, clear of the curves
        axes.legend(frameon=False, fontsize=8, ncols=columns, loc="lower center", bbox_to_anchor=(0.5, 1))
    return drawn


def carrier_noise(harms: Sequence[Harm]) -> Figure:
    """Errors beyond those of white noise of the same SNR: a panel a system, its carrier's noise and the control."""
    systems = list(dict.fromkeys(harm.system for harm in harms))
    drawn = figure(3.6 * len(systems), 3.8)
    for axes, system in zip(drawn.subplots(1, len(systems), squeeze=False)[0], systems, strict=True):
        noises = dict.fromkeys(harm.noise for harm in harms if harm.system == system)
        for noise, colour in zip(noises, (ORANGE, BLUE)):
            part = [harm for harm in harms if (harm.system, harm.noise) == (system, noise)]
            snr_db = [harm.snr_db for harm in part]
            at, low, high = np.array([harm.effect.interval for harm in part]).T
            axes.errorbar(snr_db, at, [at - low, high - at], color=colour, marker="o", ms=4, capsize=2, label=noise)
            controls = [harm.control.at for harm in part if harm.control is not None]
            if controls:
                axes.plot(snr_db, controls, color=colour, marker="x", ls=":", label="the same in random order")
            axes.set_xticks(snr_db)
        axes.axhline(0, color="black", lw=1, ls="--")
        dress(axes, "SNR (dB)", "error beyond white noise's" if system == systems[0] else "")
        axes.set_title(system, fontsize=10)
        axes.legend(frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return drawn


def _tones(axes: Axes, study: Study) -> None:
    tones = study.map[study.map.kind == "tone"]
    both = [(sign * row.u, sign * row.v, row.drop) for row in rows(tones, _Tone) for sign in (1, -1)]
    u, v, drop = np.array(both).T
    shown = axes.scatter(u, v, c=drop, cmap="viridis", s=110, marker="s", vmin=0)
    axes.figure.colorbar(shown, ax=axes, label="accuracy drop")
    axes.set_title(f"{study.name}: one tone, {study.snr_db:g} dB", fontsize=10)
    _frequencies(axes)


def _plane(axes: Axes, study: Study) -> None:
    height, width = study.plane.shape
    centred = torch.fft.fftshift(study.plane).numpy()
    left, top = (-(side // 2) / side - 0.5 / side for side in (width, height))
    extent = (left, left + 1, top + 1, top)
    shown = axes.imshow(10 * np.log10(centred.clip(min=_LOWEST_DENSITY)), cmap="magma", extent=extent)
    axes.figure.colorbar(shown, ax=axes, label="against white noise (dB)")
    axes.set_title(f"{study.name}: power of its adversary", fontsize=10)
    _frequencies(axes)


def _bands(axes: Axes, study: Study) -> None:
    bands = study.map[study.map.kind == "band"]
    middle = bands.frequency
    axes.errorbar(middle, bands["drop"], [bands["drop"] - bands.drop_low, bands.drop_high - bands["drop"]],
                  color=BLUE, marker="o", ms=4, capsize=2)  # fmt: skip
    dress(axes, "radial frequency (cycles per pixel)", "accuracy drop under noise of the band")
    axes.yaxis.label.set_color(BLUE)
    axes.set_ylim(bottom=min(0.0, float(bands.drop_low.min())))
    other = axes.twinx()
    other.semilogy(middle, study.spectrum.density, color=ORANGE, marker="s", ms=4, ls="--")
    other.set_ylabel("adversary's power, white noise = 1", color=ORANGE)
    axes.set_title(f"{study.name}: noise of one band, {study.snr_db:g} dB", fontsize=10)


def _frequencies(axes: Axes) -> None:
    axes.set_xlabel("u, to the right (cycles per pixel)")
    axes.set_ylabel("v, downwards")
    axes.set_xlim(-0.57, 0.57)
    axes.set_ylim(0.57, -0.57)
    axes.set_aspect("equal")

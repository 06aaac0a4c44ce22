"""Accuracy-drop curves as pictures, in dB with the L2 radius beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import snr
from .._utils.atomic import write_atomically
from .._utils.errors import RunFolderError
from .._utils.files import shown
from ..results.statistics import CLEAN, WORST

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, distinct without colour vision, and markers besides.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def line_look(place: int) -> tuple[str, str, str]:
    """Colour, marker and line style of the line at a place: another colour each, then another style."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)], ("-", "--", ":")[place // len(COLOURS) % 3]


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with matplotlib's defaults, whatever the user's matplotlibrc, and take names for text, not for formulas."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False
        yield


def plot_curves(
    curves: pd.DataFrame,
    adversaries: set[str],
    *,
    title: str,
    norm: float,
    values: int,
    sign_attacks: Collection[str] = (),
) -> Figure:
    """Accuracy drop against SNR, a column of panels for each model: noise above, adversaries below.

    Parameters
    ----------
    curves : DataFrame
        `Run.curves`.
    adversaries : set of str
        Which attacks are adversaries.
    title : str
    norm : float
        Median L2 norm of the images, for the axis of radii.
    values : int
        How many pixel values an image has.
    sign_attacks : collection of str
        Adversaries that have an L-infinity radius too: where one is drawn, the axis of radii shows it.
    """
    from matplotlib.figure import Figure

    disturbed = curves[curves.attack != "clean"]
    models = list(dict.fromkeys(curves.model))
    signs = bool(disturbed.attack.isin(sign_attacks).any())
    kinds = [
        (kind, part)
        for kind, part in (
            ("random noise", disturbed[~disturbed.attack.isin(adversaries)]),
            ("adversaries", disturbed[disturbed.attack.isin(adversaries)]),
        )
        if len(part)
    ]
    figure = Figure(figsize=(4.6 * len(models) + 2.6, 3.4 * len(kinds) + 1.1), layout="constrained")
    grid = figure.subplots(len(kinds), len(models), sharex=True, sharey=True, squeeze=False)
    for number, (kind, part) in enumerate(kinds):
        row, first, last = grid[number], number == 0, number == len(kinds) - 1
        lines = list(dict.fromkeys(zip(part.attack, part.ruler, strict=True)))
        for axes, model in zip(row, models, strict=True):
            for place, line in enumerate(lines):
                chosen = (part.model == model) & (part.attack == line[0]) & (part.ruler == line[1])
                _curve(axes, part[chosen], place, _label(line, disturbed))
            _dress(axes, norm, values, _tens(disturbed), signs=signs, first_row=first, last_row=last)
            if first:
                axes.set_title(f"{shown(model, 60)} (clean accuracy {_clean(curves, model):.3f})", fontsize=10.5)
        row[0].set_ylabel(f"accuracy drop\n({kind})")
        handles, labels = row[0].get_legend_handles_labels()
        row[-1].legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    return figure


def draw_all(axes: Axes, curves: pd.DataFrame) -> Figure:
    """Draw every curve into axes of the caller's, attacks by colour and marker, models by line style, with a legend."""
    disturbed = curves[curves.attack != CLEAN]
    models = list(dict.fromkeys(disturbed.model))
    lines = list(dict.fromkeys(zip(disturbed.attack, disturbed.ruler, strict=True)))
    for style, model in enumerate(models):
        for place, line in enumerate(lines):
            chosen = (disturbed.model == model) & (disturbed.attack == line[0]) & (disturbed.ruler == line[1])
            curve = disturbed[chosen]
            name = _label(line, disturbed) + (f", {shown(model, 60)}" if len(models) > 1 else "")
            worst = line[0] == WORST  # it coincides with the strongest adversary, which must stay visible
            colour, marker = ("black", "") if worst else line_look(place)[:2]
            axes.plot(curve.snr_db, curve["drop"], color=colour, marker=marker, ms=4, lw=0.8 if worst else 1.4,
                      ls=("-", "--", ":", "-.")[style % 4], label=name)  # fmt: skip
    axes.set_xlabel("SNR (dB)")
    axes.set_ylabel("accuracy drop")
    for text in axes.legend(fontsize="small").get_texts():
        text.set_parse_math(False)
    return axes.figure.figure


def save(figure: Figure, folder: Path, stem: str, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Write a figure as PNG and SVG, or as other `kinds`."""
    import matplotlib

    paths = [folder / f"{stem}.{kind}" for kind in kinds]
    # The same run draws the same bytes; journals refuse fonts of PostScript's type 3.
    with matplotlib.rc_context({"svg.hashsalt": "cnncomm-bench", "pdf.fonttype": 42}):
        for path in paths:
            kind = path.suffix[1:]
            metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
            write_atomically(path, partial(figure.savefig, dpi=150, format=kind, metadata=metadata))
    return paths


def _curve(axes: Axes, curve: pd.DataFrame, place: int, label: str) -> None:
    colour, marker, style = line_look(place)
    if (curve.attack == WORST).all():  # it coincides with the strongest adversary, which must stay visible
        axes.plot(curve.snr_db, curve["drop"], color="black", lw=1, ls=(0, (1, 2)), label=label, zorder=5)
        return
    axes.plot(curve.snr_db, curve["drop"], color=colour, marker=marker, ms=4, lw=1.4, ls=style, label=label)
    axes.fill_between(curve.snr_db, curve.drop_low, curve.drop_high, color=colour, alpha=0.15, lw=0)


def _dress(
    axes: Axes, norm: float, values: int, tens: list[int], *, signs: bool, first_row: bool, last_row: bool
) -> None:
    rounding_db = snr.rounding_db(norm, values)
    axes.grid(alpha=0.25)
    axes.axhline(0, color="0.4", lw=0.8)
    axes.axvline(rounding_db, color="0.5", lw=0.9, ls=(0, (2, 2)))
    axes.spines[["top", "right"]].set_visible(False)
    if last_row:
        axes.set_xlabel("SNR (dB)")
        axes.annotate("8-bit rounding", (rounding_db, 0.98), xycoords=("data", "axes fraction"), rotation=90,
                      ha="right", va="top", fontsize=7.5, color="0.4")  # fmt: skip
    if first_row:
        radii = axes.secondary_xaxis("top")
        also = ", and L∞ radius of attacks along the sign" if signs else ""
        radii.set_xlabel(f"L2 radius at the median norm, {norm:.3g}{also}", fontsize=8)
        radii.set_xticks(tens, [_radii(norm * 10 ** (-db / 20), values, signs) for db in tens], fontsize=8)


def _tens(disturbed: pd.DataFrame) -> list[int]:
    """Multiples of 10 dB on the axis."""
    first, last = disturbed["snr_db"].min(), disturbed["snr_db"].max()
    return list(range(10 * math.ceil(first / 10), math.floor(last) + 1, 10))


def _radii(l2: float, values: int, signs: bool) -> str:
    levels = 255 * l2 / values**0.5
    return f"{l2:.2g}" + (f"\n{levels:.{0 if levels > 10 else 1}f}/255" if signs else "")


def _label(line: tuple[str, str], disturbed: pd.DataFrame) -> str:
    attack, ruler = line
    images = disturbed[disturbed.attack == attack].images
    subset = f"\n({images.max()} images)" if images.max() < disturbed.images.max() else ""
    return shown(attack, 60) + (f", {ruler}" if disturbed.ruler.nunique() > 1 else "") + subset


def _clean(curves: pd.DataFrame, model: str) -> float:
    row = curves[(curves.model == model) & (curves.attack == "clean")]
    if row.empty:
        raise RunFolderError(f"the run has no clean predictions of {model}")
    return float(row.accuracy.iloc[0])

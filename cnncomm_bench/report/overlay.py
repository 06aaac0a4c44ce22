"""Models overlaid: a panel for each attack, in it the accuracy of every model against SNR and what one gains in dB."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._utils.files import shown
from .._utils.frames import groups, rows
from ..results.statistics import CLEAN, GainRow, format_gain
from .plots import line_look

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..results import Run

_COLUMNS = 4


def plot_models(run: Run) -> Figure:
    """Accuracy of all models against SNR, a panel for each attack and ruler: noises first, then adversaries.

    Dotted lines are the models' clean accuracies, the grey one is chance. Of two models a panel says what one gains.
    """
    from matplotlib.figure import Figure

    curves = run.curves[run.curves["attack"] != CLEAN]
    panels = sorted(groups(curves, ["attack", "ruler"]), key=lambda panel: panel[0][0] in run.adversaries)
    models = list(dict.fromkeys(curves["model"]))
    across = min(_COLUMNS, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(2.9 * across + 0.6, 2.5 * down + 1.2), layout="constrained")
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    several = curves["ruler"].nunique() > 1
    for place, (axes, ((attack, ruler), part)) in enumerate(zip(grid.flat, panels, strict=False)):
        _panel(axes, part, models, run)
        named = shown(attack, 40) + (f", {ruler}" if several else "")
        axes.set_title("\n".join(filter(None, (named, _gain(attack, ruler, run.gains)))), fontsize=9)
        axes.tick_params(labelbottom=place + across >= len(panels))
    pair = f"; gain: of {shown(models[1], 40)} over {shown(models[0], 40)}" if len(models) == 2 else ""
    figure.supxlabel(f"SNR (dB)\ndotted: clean; grey line: chance; bands: 95 %{pair}", fontsize=9)
    figure.supylabel(run.info.data.scored_by.replace(" the", "\nthe"), fontsize=9)
    handles, _ = grid.flat[0].get_legend_handles_labels()
    names = [shown(model, 60) for model in models]
    figure.legend(handles, names, loc="outside upper right", ncols=min(len(names), 3), frameon=False, fontsize=9)
    figure.suptitle(f"{shown(run.info.data.name)}: models against SNR", fontsize=12, x=0.01, ha="left")
    return figure


def _panel(axes: Axes, part: pd.DataFrame, models: list[str], run: Run) -> None:
    clean = run.curves[run.curves["attack"] == CLEAN].set_index("model")["accuracy"]
    for place, model in enumerate(models):
        curve = part[part["model"] == model]
        colour, marker, style = line_look(place)
        axes.plot(
            curve["snr_db"], curve["accuracy"], color=colour, marker=marker, ms=3.5, lw=1.4, ls=style, label=model
        )
        axes.fill_between(
            curve["snr_db"], curve["accuracy_low"], curve["accuracy_high"], color=colour, alpha=0.15, lw=0
        )
        axes.axhline(float(clean[model]), color=colour, lw=0.8, ls=(0, (1, 2)))
    axes.axhline(1 / run.info.data.classes, color="0.5", lw=0.8)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _gain(attack: str, ruler: str, gains: pd.DataFrame) -> str:
    """What the second of two models gains over the first, in dB."""
    if len(gains[["model", "reference"]].drop_duplicates()) != 1:
        return ""
    row = next(rows(gains[(gains["attack"] == attack) & (gains["ruler"] == ruler)], GainRow), None)
    if row is None or not (text := format_gain(row.gain_db, row.low, row.high)):
        return ""
    interval = f" [{row.low:.1f}, {row.high:.1f}]" if math.isfinite(row.low) and math.isfinite(row.high) else ""
    return f"gain {text}{interval}"

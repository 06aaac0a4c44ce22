"""What the screen shows: before a run what will be done, after it the table and where the files are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from . import suites
from .attacks import available, parse
from .decibels import format_db, format_gain
from .errors import UsageError
from .harness import Run
from .request import Request

_SHOWN_SNRS = (10.0, 20.0, 30.0)


def before(request: Request) -> str:
    """Models, images, attacks and how much work they are.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str
    """
    data, plan = request.data, request.plan()
    count, channels, height, width = data.images.shape
    lines = [f"model   {model.name}: {model.preprocessing.source} preprocessing" for model in request.models]
    lines += [f"        {note}" for model in request.models for note in model.notes]
    lines.append(f"images  {data.name}: {count} of {channels} x {height} x {width}")
    lines += [f"        {note}" for note in data.notes]
    lines.append(f"attacks {', '.join(entry.spec for entry in request.suite.attacks)}")
    grid = request.suite.snr_db
    lines.append(f"SNR     {grid[0]:g} to {grid[-1]:g} dB in {len(grid)} steps; ruler {', '.join(request.suite.rulers)}")
    predictions = sum(cell.forwards for cell in plan)
    lines.append(f"work    {predictions:,} predictions in {len(plan)} cells on {request.device}")
    lines.append(f"out     {request.folder}")
    return "\n".join(lines)


def after(run: Run, folder: Path) -> str:
    """The table of thresholds, warnings, and where the files are.

    Parameters
    ----------
    run : Run
    folder : Path

    Returns
    -------
    str
    """
    parts = [thresholds_table(run)]
    if len(run.gains):
        parts.append(gains_table(run))
    parts += [f"warning: {warning}" for warning in warnings(run)]
    parts.append(f"curves: {folder / 'curves.png'}")
    return "\n\n".join(parts)


def thresholds_table(run: Run) -> str:
    """Thresholds, jamming gains and some drops of every curve, a table for each model.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
    """
    what = "accuracy" if run.info.data.labelled else "agreement with the clean predictions"
    parts = []
    for model, thresholds in run.thresholds.groupby("model", sort=False, observed=True):
        curves = run.curves[run.curves.model == model]
        clean = curves[curves.attack == "clean"].iloc[0]
        rows = [_row(threshold, curves, run) for threshold in thresholds.itertuples()]
        level = thresholds.level.iloc[0]
        parts.append(
            f"{model}: clean {what} {clean.accuracy:.3f} [{clean.accuracy_low:.3f}, {clean.accuracy_high:.3f}] "
            f"on {clean.images} images; threshold: the SNR at which {what} is {level:.3f}\n\n"
            + tabulate(rows, headers="keys", disable_numparse=True, colalign=("left", "left", "right", "right", "left"))
        )
    values = math.prod(run.info.data.shape)
    yardstick = 10 * math.log10(values)
    parts.append(
        f"Jamming gain: how many dB the attack saves over gaussian. Theory for the best attack: about 10 log10(D) = "
        f"{yardstick:.1f} dB for D = {values} pixel values."
    )
    return "\n\n".join(parts)


def gains_table(run: Run) -> str:
    """Robustness gains between models at their common level, in dB.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
    """
    gains = run.gains[run.gains.attack != "clean"]
    rows = [
        {
            "attack": _named(row.attack, row.ruler, run),
            "model": row.model,
            "over": row.reference,
            "gain": format_gain(row.gain_db, row.low, row.high),
            "95 %": _interval(row.low, row.high),
        }
        for row in gains.itertuples()
    ]
    title = f"robustness gain: dB that a model bears more than another, at accuracy {gains.level.iloc[0]:.3f} of both"
    return f"{title}\n\n{tabulate(rows, headers='keys', disable_numparse=True)}"


def warnings(run: Run) -> list[str]:
    """What in a run should make its reader doubt.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of str
    """
    return [*_near_chance(run), *_left_out(run), *_unreached(run)]


def attacks() -> str:
    """Every attack with its parameters, and every suite.

    Returns
    -------
    str
    """
    rows = []
    for name in available():
        try:
            attack = parse(name)
        except UsageError as error:
            rows.append({"attack": name, "kind": "", "parameters": str(error)})
            continue
        fields = dataclasses.fields(attack) if dataclasses.is_dataclass(attack) else ()
        rows.append(
            {
                "attack": name,
                "kind": "adversary" if attack.needs_model else "noise",
                "parameters": ", ".join(f"{f.name}={_plain(getattr(attack, f.name))}" for f in fields),
            }
        )
    known = [{"suite": name, "": suites.load(name).title} for name in suites.names()]
    return f"{tabulate(rows, headers='keys')}\n\n{tabulate(known, headers='keys')}"


def _row(threshold: Any, curves: pd.DataFrame, run: Run) -> dict[str, str]:
    curve = curves[(curves.attack == threshold.attack) & (curves.ruler == threshold.ruler)]
    grid = (float(curve.snr_db.min()), float(curve.snr_db.max()))
    drops = {
        f"drop at {db:g} dB": f"{value:.3f}"
        for db in _SHOWN_SNRS
        for value in curve.loc[curve.snr_db == db, "drop"]
    }
    return {
        "attack": _named(threshold.attack, threshold.ruler, run),
        "images": str(int(curve.images.max())),
        "threshold": format_db(threshold.threshold_db, grid),
        "jamming gain": format_gain(threshold.jamming_gain_db, threshold.gain_low, threshold.gain_high),
        "95 %": _interval(threshold.gain_low, threshold.gain_high),
        **drops,
    }


def _named(attack: str, ruler: str, run: Run) -> str:
    return attack if run.info.suite.rulers == ("realised",) else f"{attack} ({ruler})"


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high) or not (math.isfinite(low) or math.isfinite(high)):
        return ""
    return f"[{low:.1f}, {high:.1f}]"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "auto" if value is None else str(value)


def _near_chance(run: Run) -> Iterator[str]:
    chance = 1 / run.info.data.classes
    for row in run.curves[run.curves.attack == "clean"].itertuples():
        if row.accuracy_low <= 1.5 * chance:
            yield (
                f"{row.model}: clean accuracy {row.accuracy:.3f} is near chance ({chance:.3f}). Usual causes: another "
                "normalisation than in training (--mean, --std), labels in another order than the model's (--classes), "
                "another resizing (--size)"
            )


def _left_out(run: Run) -> Iterator[str]:
    for reason, images in run.info.data.left_out.items():
        yield f"{len(images)} of {run.info.data.images} images were left out: {reason}"


def _unreached(run: Run) -> Iterator[str]:
    curves = run.curves[run.curves.unreached > 0]
    if len(curves):
        worst = curves.loc[curves.unreached.idxmax()]
        where = ", ".join(f"{db:g}" for db in np.sort(curves.snr_db.unique()))
        yield (
            f"some images saturate before their noise has the power asked for, at {where} dB; most under "
            f"{worst.attack} at {worst.snr_db:g} dB: {worst.unreached} of {worst.images} (column unreached of curves.csv)"
        )

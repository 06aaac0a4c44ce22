"""Tables for the screen: before a run its plan, after it thresholds, gains, claims and where the files are."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from .._utils.files import shown
from ..evaluation import Request
from ..results import Run
from ..results.claims import table
from ..results.statistics import format_db, format_gain, in_column

_SHOWN_SNRS = (10.0, 20.0, 30.0)
_PAGES = {"curves": "curves.png", "models": "models.png", "report": "report.html"}


def before(request: Request) -> str:
    """The plan of a run: models, images, attacks and the number of predictions."""
    data, info, cells = request.data, request.info, request.cells
    count, channels, height, width = data.images.shape
    lines = [f"model   {shown(model.name)}: {model.preprocessing.source} preprocessing" for model in request.models]
    lines += [f"        {shown(note, 1000)}" for model in request.models for note in model.notes]
    lines += [f"        {model.name}: {shown(note, 1000)}" for model in request.models for note in model.remarks]
    lines.append(f"images  {shown(data.name)}: {count} of {channels} x {height} x {width}")
    lines += [f"        {shown(note, 1000)}" for note in data.notes]
    lines.append(f"attacks {', '.join(shown(entry.spec) for entry in info.suite.attacks)}")
    lines.append(f"SNR     {_grid(request)}; ruler {', '.join(info.suite.rulers)}")
    lines.append(f"sample  {_samples(request)}")
    predictions = sum(cell.num_forwards for cell in cells)
    about = "about " if isinstance(info.suite.snr_db, str) else ""
    lines.append(f"work    {about}{predictions:,} predictions in {about}{len(cells)} cells on {info.device}")
    lines.append(f"out     {shown(request.folder, 1000)}")
    return "\n".join(lines)


def _grid(request: Request) -> str:
    grid, precision = request.info.suite.snr_db, request.config.precision
    if precision is not None:
        return f"around each threshold, until it is known to +-{precision:g} dB"
    if isinstance(grid, str):
        return "auto: laid by a pilot on 64 images, in steps of 2.5 dB where a curve rises"
    return f"{grid[0]:g} dB" if len(grid) == 1 else f"{grid[0]:g} to {grid[-1]:g} dB, {len(grid)} values"


def _samples(request: Request) -> str:
    """How many images each attack is run on."""
    info, config = request.info, request.config
    if config.minutes is not None:
        return f"as many images as fit into {config.minutes:g} minutes"
    if config.precision is not None:
        return "as many images as that takes"
    most = len(request.dataset.keep)
    counts: dict[int, list[str]] = {}
    for entry in info.suite.attacks:
        counts.setdefault(min(entry.samples or info.suite.samples or most, most), []).append(entry.spec)
    if len(counts) == 1:
        return f"{next(iter(counts)):,} images"
    return "; ".join(f"{count:,} images under {', '.join(specs)}" for count, specs in counts.items())


def estimated(request: Request) -> str:
    """Forecast of a run: passes, time, memory and disk, and what they were measured on."""
    from ..evaluation import estimate

    forecast = estimate(request)
    among = f" on {forecast.workers} workers" if forecast.workers > 1 else ""
    return "\n".join(
        (
            f"passes  about {forecast.forward_passes:,.0f} forward, {forecast.backward_passes:,.0f} backward",
            f"time    about {_duration(forecast.seconds)}{among}",
            f"memory  about {forecast.memory_bytes / 2**30:.1f} GiB, disk about {forecast.disk_bytes / 1e6:,.0f} MB",
            f"        measured on {forecast.images} images a noise, and on a short attack for adversaries",
        )
    )


def after(run: Run, folder: Path) -> str:
    """The tables of thresholds, gains and claims, warnings, and where the files are."""
    parts = [thresholds_table(run)]
    if _at_radius(run):
        parts.append(radii_table(run))
    if len(run.gains):
        parts.append(gains_table(run))
    if run.claims:
        parts.append(claims_table(run))
    parts += [f"warning: {shown(warning, 1000)}" for warning in run.warnings]
    pages = {name: file for name, file in _PAGES.items() if name != "models" or len(run.info.models) > 1}
    parts.append("\n".join(f"{what}: {shown(folder / file, 1000)}" for what, file in pages.items()))
    return "\n\n".join(parts)


def thresholds_table(run: Run) -> str:
    """Thresholds, jamming gains and some drops of every curve, a table for each model."""
    what = run.info.data.scored_by
    parts, radii = [], _at_radius(run)
    for model, thresholds in run.thresholds.groupby("model", sort=False, observed=True):
        curves = run.curves[run.curves.model == model]
        clean = curves[curves.attack == "clean"].iloc[0]
        rows = [_row(row, curves, run) for row in thresholds.to_dict("records") if row["attack"] not in radii]
        level = thresholds.level.iloc[0]
        parts.append(
            f"{shown(str(model))}: clean {what} {clean.accuracy:.3f} "
            f"[{clean.accuracy_low:.3f}, {clean.accuracy_high:.3f}] on {clean.images} images; "
            f"threshold: the SNR at which {what} is {level:.3f}; the lower it is, the more robust the model\n\n"
            + in_columns(rows, colalign=("left", "left", "right", "left", "right"))
        )
    values = math.prod(run.info.data.shape)
    yardstick = 10 * math.log10(values)
    parts.append(
        f"Jamming gain: how many dB the attack saves over gaussian. Theory for the best attack: about 10 log10(D) = "
        f"{yardstick:.1f} dB for D = {values} pixel values."
    )
    return "\n\n".join(parts)


def radii_table(run: Run) -> str:
    """Robust accuracies at the radii of the literature, with the realised SNRs of the images."""
    curves = run.curves[run.curves.attack.isin(_at_radius(run))]
    rows = [
        {
            "attack": row["attack"],
            "model": row["model"],
            "images": str(row["images"]),
            "robust accuracy": f"{row['accuracy']:.3f}",
            "95 %": f"[{row['accuracy_low']:.3f}, {row['accuracy_high']:.3f}]",
            "SNR of the images": _range(run.predictions, row["model"], row["attack"]),
        }
        for row in curves.to_dict("records")
    ]
    return f"at fixed radii\n\n{in_columns(rows)}"


def gains_table(run: Run) -> str:
    """Robustness gains between models at their common level, in dB."""
    gains = run.gains[(run.gains.attack != "clean") & ~run.gains.attack.isin(_at_radius(run))]
    rows = [
        {
            "attack": _named(row["attack"], row["ruler"], run),
            "model": row["model"],
            "over": row["reference"],
            "gain": in_column(format_gain(row["gain_db"], row["low"], row["high"])),
            "95 %": _interval(row["low"], row["high"]),
        }
        for row in gains.to_dict("records")
    ]
    level = f"at accuracy {gains.level.iloc[0]:.3f} of both"
    title = f"robustness gain: dB that a model withstands more than another (higher is better), {level}"
    return f"{title}\n\n{in_columns(rows)}"


def claims_table(run: Run) -> str:
    """The paper's claims with their verdicts."""
    title = (
        "claims of the paper (effects speak for the claim where positive; verdicts are adjusted for all claims by "
        "Holm's method,\nintervals are each claim's own; why a claim is undecided: claims.json)"
    )
    return f"{title}\n\n{in_columns(table(run.claims))}"


def _at_radius(run: Run) -> set[str]:
    """Spec strings of the attacks at a fixed radius."""
    return {entry.spec for entry in run.info.suite.attacks if entry.at_radius}


def in_columns(rows: list[dict[str, str]], **layout: Any) -> str:
    """Rows under their keys; a name in a cell stays on one line."""
    cells = [{head: shown(text, 1000) for head, text in row.items()} for row in rows]
    return tabulate(cells, headers="keys", disable_numparse=True, **layout)


def _row(threshold: dict[Hashable, Any], curves: pd.DataFrame, run: Run) -> dict[str, str]:
    model, attack, ruler = (threshold[key] for key in ("model", "attack", "ruler"))
    curve = curves[(curves.attack == attack) & (curves.ruler == ruler)]
    grid = (float(curve.snr_db.min()), float(curve.snr_db.max()))
    drops = {
        f"drop at {db:g} dB": f"{value:.3f}" for db in _SHOWN_SNRS for value in curve.loc[curve.snr_db == db, "drop"]
    }
    return {
        "attack": _named(attack, ruler, run),
        "images": str(int(curve.images.max())),
        "threshold (lower is better)": in_column(format_db(threshold["threshold_db"], grid)),
        "as radius": run.radius(threshold["threshold_db"], attack),
        "jamming gain": in_column(
            format_gain(threshold["jamming_gain_db"], threshold["gain_low"], threshold["gain_high"])
        ),
        "95 %": _interval(threshold["gain_low"], threshold["gain_high"]),
        **drops,
        "passes": _passes(model, attack, run),
    }


def _named(attack: str, ruler: str, run: Run) -> str:
    notes = [entry.note for entry in run.info.suite.attacks if entry.spec == attack and entry.note]
    if run.info.suite.rulers != ("realised",):
        notes.append(ruler)
    return f"{attack} ({', '.join(notes)})" if notes else attack


def _range(predictions: pd.DataFrame, model: str, attack: str) -> str:
    """Smallest and largest realised SNR of the disturbed images; those misclassified when clean are not disturbed."""
    own = predictions[(predictions.model == model) & (predictions.attack == attack)].realised_snr_db
    disturbed = own[own < math.inf]
    return f"{disturbed.min():.1f} to {disturbed.max():.1f} dB" if len(disturbed) else ""


def _passes(model: str, attack: str, run: Run) -> str:
    """Mean forward and backward passes of an image over the whole grid; noise takes one forward pass an SNR."""
    facts = run.info.facts.get(model, {}).get(attack, {})
    if "forward_passes" not in facts:
        return ""
    forward, backward = (sum(facts[name].values()) for name in ("forward_passes", "backward_passes"))
    return f"{forward:.0f} + {backward:.0f}"


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high) or not (math.isfinite(low) or math.isfinite(high)):
        return ""
    return f"[{low:.1f}, {high:.1f}]"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"

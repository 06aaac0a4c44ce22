"""What the screen shows: before a run what will be done, after it the table and where the files are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from .._utils.errors import UsageError
from ..attacks import LIBRARIES, available, parameters, parse
from ..evaluation import Request
from ..results import Run, suites
from ..results.claims import table
from ..results.statistics import format_db, format_gain

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
    data, info, cells = request.data, request.info, request.cells
    count, channels, height, width = data.images.shape
    lines = [f"model   {model.name}: {model.preprocessing.source} preprocessing" for model in request.models]
    lines += [f"        {note}" for model in request.models for note in model.notes]
    lines.append(f"images  {data.name}: {count} of {channels} x {height} x {width}")
    lines += [f"        {note}" for note in data.notes]
    lines.append(f"attacks {', '.join(entry.spec for entry in info.suite.attacks)}")
    lines.append(f"SNR     {_grid(request)}; ruler {', '.join(info.suite.rulers)}")
    lines.append(f"sample  {_samples(request)}")
    predictions = sum(cell.num_forwards for cell in cells)
    about = "about " if isinstance(info.suite.snr_db, str) else ""
    lines.append(f"work    {about}{predictions:,} predictions in {about}{len(cells)} cells on {info.device}")
    lines.append(f"out     {request.folder}")
    return "\n".join(lines)


def _grid(request: Request) -> str:
    grid, precision = request.info.suite.snr_db, request.config.precision
    if precision is not None:
        return f"around each threshold, until it is known to +-{precision:g} dB"
    if isinstance(grid, str):
        return "auto: laid by a pilot on 64 images, in steps of 2.5 dB where a curve rises"
    return f"{grid[0]:g} to {grid[-1]:g} dB in {len(grid)} steps"


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
    """Passes, time, memory and disk that a run will take, and what that rests on.

    Parameters
    ----------
    request : Request

    Returns
    -------
    str
    """
    from ..evaluation import estimate

    told = estimate(request)
    among = f" on {told.workers} workers" if told.workers > 1 else ""
    return "\n".join(
        (
            f"passes  about {told.forward_passes:,.0f} forward, {told.backward_passes:,.0f} backward",
            f"time    about {_duration(told.seconds)}{among}",
            f"memory  about {told.memory_bytes / 2**30:.1f} GiB, disk about {told.disk_bytes / 1e6:,.0f} MB",
            f"        measured on {told.images} images a noise, and a short attack (pgd of 3 steps) for adversaries",
        )
    )


def after(run: Run, folder: Path) -> str:
    """The tables of thresholds, gains and claims, warnings, and where the files are.

    Parameters
    ----------
    run : Run
    folder : Path

    Returns
    -------
    str
    """
    parts = [thresholds_table(run)]
    if any(entry.at_radius for entry in run.info.suite.attacks):
        parts.append(radii_table(run))
    if len(run.gains):
        parts.append(gains_table(run))
    if run.claims:
        parts.append(claims_table(run))
    parts += [f"warning: {warning}" for warning in run.warnings]
    parts.append(f"curves: {folder / 'curves.png'}\nreport: {folder / 'report.html'}")
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
        rows = [_row(threshold, curves, run) for threshold in thresholds.itertuples() if "@" not in threshold.attack]
        level = thresholds.level.iloc[0]
        parts.append(
            f"{model}: clean {what} {clean.accuracy:.3f} [{clean.accuracy_low:.3f}, {clean.accuracy_high:.3f}] "
            f"on {clean.images} images; threshold: the SNR at which {what} is {level:.3f}\n\n"
            + tabulate(rows, headers="keys", disable_numparse=True, colalign=("left", "left", "right", "left", "right"))
        )
    values = math.prod(run.info.data.shape)
    yardstick = 10 * math.log10(values)
    parts.append(
        f"Jamming gain: how many dB the attack saves over gaussian. Theory for the best attack: about 10 log10(D) = "
        f"{yardstick:.1f} dB for D = {values} pixel values."
    )
    return "\n\n".join(parts)


def radii_table(run: Run) -> str:
    """Robust accuracies at the radii of the literature, with the SNRs that images had there.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
    """
    curves = run.curves[run.curves.attack.astype(str).str.contains("@")]
    rows = [
        {
            "attack": row.attack,
            "model": row.model,
            "images": str(row.images),
            "robust accuracy": f"{row.accuracy:.3f}",
            "95 %": f"[{row.accuracy_low:.3f}, {row.accuracy_high:.3f}]",
            "SNR of the images": _range(run.predictions, row.model, row.attack),
        }
        for row in curves.itertuples()
    ]
    return f"at fixed radii\n\n{tabulate(rows, headers='keys', disable_numparse=True)}"


def gains_table(run: Run) -> str:
    """Robustness gains between models at their common level, in dB.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
    """
    gains = run.gains[(run.gains.attack != "clean") & ~run.gains.attack.astype(str).str.contains("@")]
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


def claims_table(run: Run) -> str:
    """The paper's claims with their verdicts.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
    """
    title = "claims of the paper (effects speak for the claim where positive; why a claim is undecided: claims.json)"
    return f"{title}\n\n{tabulate(table(run.claims), headers='keys', disable_numparse=True)}"


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
        values = {field.name: getattr(attack, field.name) for field in parameters(attack)}
        rows.append(
            {
                "attack": name,
                "kind": "adversary" if attack.needs_model else "noise",
                "parameters": ", ".join(f"{key}={_plain(value)}" for key, value in values.items()),
            }
        )
    for library in LIBRARIES:
        rows.append(
            {"attack": f"{library}.NAME", "kind": "adversary", "parameters": f"any attack of {library}, its own"}
        )
    known = [{"suite": name, "": suites.load(name).title} for name in suites.names()]
    return f"{tabulate(rows, headers='keys')}\n\n{tabulate(known, headers='keys')}"


def _row(threshold: Any, curves: pd.DataFrame, run: Run) -> dict[str, str]:
    curve = curves[(curves.attack == threshold.attack) & (curves.ruler == threshold.ruler)]
    grid = (float(curve.snr_db.min()), float(curve.snr_db.max()))
    drops = {
        f"drop at {db:g} dB": f"{value:.3f}" for db in _SHOWN_SNRS for value in curve.loc[curve.snr_db == db, "drop"]
    }
    return {
        "attack": _named(threshold.attack, threshold.ruler, run),
        "images": str(int(curve.images.max())),
        "threshold": format_db(threshold.threshold_db, grid),
        "as radius": run.radius(threshold.threshold_db, threshold.attack),
        "jamming gain": format_gain(threshold.jamming_gain_db, threshold.gain_low, threshold.gain_high),
        "95 %": _interval(threshold.gain_low, threshold.gain_high),
        **drops,
        "passes": _passes(threshold.model, threshold.attack, run),
    }


def _named(attack: str, ruler: str, run: Run) -> str:
    notes = [entry.note for entry in run.info.suite.attacks if entry.spec == attack and entry.note]
    if run.info.suite.rulers != ("realised",):
        notes.append(ruler)
    return f"{attack} ({', '.join(notes)})" if notes else attack


def _range(predictions: pd.DataFrame, model: str, attack: str) -> str:
    """Smallest and largest realised SNR of the images that were disturbed; those wrong unharmed were not."""
    own = predictions[(predictions.model == model) & (predictions.attack == attack)].realised_snr_db
    disturbed = own[own < math.inf]
    return f"{disturbed.min():.1f} to {disturbed.max():.1f} dB" if len(disturbed) else ""


def _passes(model: str, attack: str, run: Run) -> str:
    """Forward and backward passes an image took over the whole grid, on average; noise takes one forward an SNR."""
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


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "auto" if value is None else str(value)

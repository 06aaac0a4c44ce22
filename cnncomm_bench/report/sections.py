"""Sections of the report: every number of a run as text, with its interval beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from .._utils.frames import groups, rows
from ..results import flat_boundary as projection
from ..results.claims import BASELINES, Claim, caveat_of, table
from ..results.statistics import (
    CLEAN,
    WORST,
    CurveRow,
    GainRow,
    InformationRow,
    ThresholdRow,
    capacity,
    format_db,
    format_gain,
    in_column,
    mean_drop,
    strongest,
)
from .classwise import AttackRow, ClassRow, Classwise

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Run

Row = dict[str, Any]

_CLASSES_SHOWN = 6  # at either end, where there are too many classes to show


def models(run: Run) -> list[Row]:
    """Each model with its clean accuracy, thresholds and strongest adversary."""
    sections = []
    for model, frame in run.thresholds.groupby("model", sort=False, observed=True):
        curves = run.curves[run.curves["model"] == model]
        clean = next(rows(curves[curves["attack"] == CLEAN], CurveRow))
        found = [_threshold(row, curves, run) for row in rows(frame, ThresholdRow)]
        white = next((row for row in found if (row["attack"], row["ruler"]) == ("gaussian", "realised")), None)
        hostile = [row for row in found if row["kind"] == "adversary" and not math.isnan(row["at"])]
        best = _strongest(hostile, run, str(model))
        sections.append(
            {
                "name": model,
                "clean": f"{clean.accuracy:.3f}",
                "clean_interval": f"{clean.accuracy_low:.3f} to {clean.accuracy_high:.3f}",
                "images": clean.images,
                "level": f"{frame['level'].iloc[0]:.3f}",
                "white": white,
                "best": best,
                "yardstick": _yardstick(best, math.prod(run.info.data.shape)),
                "projection": projection.sentence(run, str(model)),
                "thresholds": found,
                "accuracies": [_accuracies(key, curve, run) for key, curve in _by_curve(curves)],
                "information": _information(run, str(model)),
            }
        )
    return sections


def comparison(run: Run) -> list[Row]:
    """Robustness gains and paired tests of every two models; none for a single model."""
    return [
        {
            "attack": row.attack,
            "ruler": row.ruler,
            "model": row.model,
            "reference": row.reference,
            "gain": in_column(format_gain(row.gain_db, row.low, row.high)) or "unknown",
            "interval": _interval(row.low, row.high, 1),
            "at": "clean" if row.attack == CLEAN else f"{row.snr_db:g} dB" if math.isfinite(row.snr_db) else "",
            "difference": _number(row.difference, 3, sign=True),
            "difference_interval": _interval(row.difference_low, row.difference_high, 3),
            "p": "" if math.isnan(row.p) else "< 0.0001" if row.p < 1e-4 else f"{row.p:.4f}",
            "decided": not math.isnan(row.p) and row.p < 0.05,
        }
        for row in rows(run.gains, GainRow)
    ]


def claims(found: Collection[Claim]) -> list[list[Row]]:
    """Claims with their effect and interval as text, those of one id together."""
    by_id: dict[str, list[Row]] = {}
    for claim, row in zip(found, table(found), strict=True):
        texts = {"effect": row["effect"], "interval": row["95 % interval"], "unit": row["unit"]}
        texts |= {"shown": row["verdict"], "p": row["p"], "p_adjusted": row["p adjusted"]}
        by_id.setdefault(claim.id, []).append({**claim.model_dump(), **texts})
    return list(by_id.values())


def shapes(run: Run) -> list[Row]:
    """Noise of each shape against every baseline; none where no such noise was run."""
    by_attack: dict[tuple[str, str], Row] = {}
    for found in run.shape_comparisons:
        row = by_attack.setdefault(
            (found.model, found.attack),
            {"model": found.model, "attack": found.attack, "cells": dict.fromkeys(BASELINES)},
        )
        same = [other for other in run.shape_comparisons if (other.model, other.shape) == (found.model, found.shape)]
        row["caveat"] = caveat_of(same) or ""
        row["cells"][found.baseline] = {
            "effect": _number(found.effect[0], 3, sign=True),
            "interval": " to ".join(f"{end:+.3f}" for end in found.effect[1:3]) if found.snr_db else "",
            "note": found.reason or f"{', '.join(f'{db:g}' for db in found.snr_db)} dB, {found.images} images",
        }
    return list(by_attack.values())


def classes(run: Run, found: Classwise) -> list[Row]:
    """Each model's classes from the worst to the best, and its attacks."""
    sections = []
    for model in dict.fromkeys(found.classes["model"]):
        own = found.classes[found.classes["model"] == model]
        by = "noise" if own["noise"].notna().any() else "adversary"
        own = own.sort_values([by, "label"], kind="stable")
        hidden = max(0, len(own) - 2 * _CLASSES_SHOWN)
        every = [_class(row, run) for row in rows(own, ClassRow)]
        shown = every if not hidden else every[:_CLASSES_SHOWN] + every[-_CLASSES_SHOWN:]
        attacks = [
            {
                "attack": row.attack,
                "ruler": row.ruler,
                "worst": class_name(run, row.worst),
                "worst_accuracy": _number(row.worst_accuracy, 3),
                "best": class_name(run, row.best),
                "best_accuracy": _number(row.best_accuracy, 3),
                "favourite": class_name(run, row.favourite),
                "favourite_share": "" if math.isnan(row.favourite_share) else f"{row.favourite_share:.0%}",
            }
            for row in rows(found.attacks[found.attacks["model"] == model], AttackRow)
        ]
        sections.append({"name": model, "rows": shown, "hidden": hidden, "by": by, "attacks": attacks})
    return sections


def class_name(run: Run, number: int) -> str:
    """Name of a class, or its number."""
    names = run.info.data.class_names
    return names[number] if 0 <= number < len(names) else f"class {number}" if number >= 0 else ""


def _threshold(row: ThresholdRow, curves: pd.DataFrame, run: Run) -> Row:
    curve = curves[(curves["attack"] == row.attack) & (curves["ruler"] == row.ruler)]
    first, last = float(curve["snr_db"].min()), float(curve["snr_db"].max())
    axis, length = run.info.snr_db[0], max(run.info.snr_db[-1] - run.info.snr_db[0], 1e-9)
    at, low, high = row.threshold_db, row.low, row.high
    ends = [format_db(end, (first, last)).removesuffix(" dB") for end in (low, high)]
    notes = {entry.spec: entry.note for entry in run.info.suite.attacks}
    notes[WORST] = "the worst of all adversaries, image by image"
    places = [100 * (min(max(end, first), last) - axis) / length for end in (low, at, high) if not math.isnan(end)]
    return {
        "attack": row.attack,
        "ruler": row.ruler,
        "kind": "adversary" if row.attack in run.adversaries else "noise",
        "note": notes.get(row.attack, ""),
        "images": int(curve["images"].max()),
        "at": at,
        "threshold": in_column(format_db(at, (first, last))) or "none",
        "interval": f"{ends[0]} to {ends[1]}" if all(ends) else "",
        "places": [round(place, 1) for place in places] if len(places) == 3 else None,
        "radius": run.radius(at, row.attack),
        "gain": in_column(format_gain(row.jamming_gain_db, row.gain_low, row.gain_high)) or "unknown",
        "gain_interval": _interval(row.gain_low, row.gain_high, 1),
        "gain_db": (row.jamming_gain_db, row.gain_low, row.gain_high),
    }


def _strongest(hostile: list[Row], run: Run, model: str) -> Row | None:
    """The row of the strongest adversary."""
    by_attack, counts = {row["attack"]: row for row in hostile}, run.scores.counts
    curves = {attack: counts.curve(model, attack, row["ruler"]) for attack, row in by_attack.items()}
    drops = {attack: mean_drop(counts, curve) for attack, curve in curves.items() if curve is not None}
    return by_attack[strongest({name: row["at"] for name, row in by_attack.items()}, drops)] if hostile else None


def _yardstick(best: Row | None, values: int) -> str:
    """The sentence that holds the best adversary against 10 log10(D)."""
    if best is None:
        return "No adversary of this run has a threshold, so there is nothing to hold against the yardstick."
    at, low, high = best["gain_db"]
    one = f"Its best adversary, {best['attack']},"
    who = "The worst case of all its adversaries" if best["attack"] == WORST else one
    if math.isnan(at) and not (math.isfinite(low) or math.isfinite(high)):
        return f"{who} has an unknown jamming gain: gaussian has no threshold here."
    yard = 10 * math.log10(values)
    gain = f"{who} has a jamming gain of {best['gain']}"
    gain += f" ({best['gain_interval']})" if best["gain_interval"] and math.isfinite(at) else ""
    if low > yard:
        return f"{gain} and is above the yardstick of {yard:.1f} dB."
    if high < yard:
        return f"{gain} and is below the yardstick of {yard:.1f} dB."
    return f"{gain}; whether it is above or below the yardstick of {yard:.1f} dB is undecided."


def _by_curve(curves: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    return groups(curves[curves["attack"] != CLEAN], ["attack", "ruler"])


def _accuracies(key: tuple[str, ...], curve: pd.DataFrame, run: Run) -> Row:
    cells = {
        row.snr_db: (f"{row.accuracy:.3f}", f"{row.accuracy_low:.3f} to {row.accuracy_high:.3f}")
        for row in rows(curve, CurveRow)
    }
    return {"attack": key[0], "ruler": key[1], "cells": [cells.get(db) for db in run.info.snr_db]}


def _information(run: Run, model: str) -> Row:
    """Bits at some SNRs of the grid, beside what the pixels' channel could carry."""
    grid = run.info.common_snr_db
    shown = grid[:: max(1, len(grid) // 6)]
    frame = run.scores.information[run.scores.information["model"] == model]
    found = []
    for (attack, ruler), curve in _by_curve(frame):
        bits = {row.snr_db: _bits(row) for row in rows(curve, InformationRow)}
        found.append({"attack": attack, "ruler": ruler, "cells": [bits.get(db, "") for db in shown]})
    clean = next(rows(frame[frame["attack"] == CLEAN], InformationRow))
    return {
        "snr_db": shown,
        "clean": _bits(clean),
        "clean_interval": f"{clean.low:.2f} to {clean.high:.2f}",
        "capacity": [f"{float(capacity(db)):.2f}" for db in shown],
        "rows": found,
    }


def _bits(row: InformationRow) -> str:
    """Bits, or the range that holds them where the estimate is withheld."""
    return f"{row.low:.2f} to {row.high:.2f} (bounds)" if math.isnan(row.bits) else f"{row.bits:.2f}"


def _class(row: ClassRow, run: Run) -> Row:
    return {
        "name": class_name(run, row.label),
        "images": row.images,
        "clean": _number(row.clean, 3),
        **{
            kind: {
                "mean": _number(getattr(row, kind), 3),
                "interval": _interval(getattr(row, f"{kind}_low"), getattr(row, f"{kind}_high"), 3),
                "share": 0 if math.isnan(getattr(row, kind)) else round(100 * getattr(row, kind), 1),
            }
            for kind in ("noise", "adversary")
        },
    }


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    return "" if not math.isfinite(value) else f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _interval(low: float, high: float, digits: int) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{low:.{digits}f} to {high:.{digits}f}"

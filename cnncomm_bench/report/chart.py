"""Data of the report's interactive chart: curves as numbers, and a style for each that needs no colour vision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import snr
from .._utils.frames import groups
from ..results.statistics import CLEAN

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Run

# Attacks differ by colour and marker at once, models by dash, rulers by filled or open markers.
COLOURS = 7
SYMBOLS = (
    "circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "pentagon", "hourglass",
)  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
FILLS = ("", "-open", "-dot")

_DIGITS = 4


def looks(names: list[str]) -> list[dict[str, Any]]:
    """Colour and marker of each attack; seventy pairs before one repeats.

    Returns
    -------
    list of dict
        `name, colour, symbol`.
    """
    return [
        {"name": name, "colour": place % COLOURS, "symbol": SYMBOLS[place % len(SYMBOLS)]}
        for place, name in enumerate(names)
    ]


def payload(run: Run) -> dict[str, Any]:
    """All that the chart's script needs, ready for JSON."""
    disturbed = run.curves[run.curves["attack"] != CLEAN]
    models, attacks, rulers = (list(dict.fromkeys(disturbed[name])) for name in ("model", "attack", "ruler"))
    disturbed = disturbed.merge(run.scores.information, how="left", on=["model", "attack", "ruler", "snr_db"])
    data = run.info.data
    curves = []
    for (model, attack, ruler), curve in groups(disturbed, ["model", "attack", "ruler"]):
        curves.append(
            {
                "model": models.index(model),
                "attack": attacks.index(attack),
                "ruler": rulers.index(ruler),
                "images": int(curve["images"].max()),
                "radius": [run.radius(db, attack) for db in curve["snr_db"]],
                "snr": curve["snr_db"].tolist(),
                "drop": _band(curve, "drop", "drop_low", "drop_high"),
                "accuracy": _band(curve, "accuracy", "accuracy_low", "accuracy_high"),
                "bits": _band(curve, "bits", "low", "high"),
            }
        )
    kinds = ["adversary" if attack in run.adversaries else "noise" for attack in attacks]
    return {
        "models": [{"name": name, "dash": DASHES[place % len(DASHES)]} for place, name in enumerate(models)],
        "attacks": [{**look, "kind": kind} for look, kind in zip(looks(attacks), kinds, strict=True)],
        "rulers": [{"name": name, "fill": FILLS[place % len(FILLS)]} for place, name in enumerate(rulers)],
        "curves": curves,
        "norm": data.median_norm,
        "rounding": round(snr.rounding_db(data.median_norm, math.prod(data.shape)), 2),
        "chance": round(1 / data.classes, _DIGITS),
        "ceiling": round(math.log2(data.classes), _DIGITS),
        "labelled": data.labelled,
    }


def _band(frame: pd.DataFrame, *names: str) -> list[list[float | None]]:
    """Value and interval as three lists; JSON has no NaN."""
    return [
        [round(value, _DIGITS) if math.isfinite(value) else None for value in frame[name].tolist()] for name in names
    ]

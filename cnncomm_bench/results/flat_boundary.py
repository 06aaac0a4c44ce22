"""White noise projected on the adversarial direction: what a flat decision boundary would predict for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .statistics.counts import CLEAN
from .statistics.decibels import format_db
from .statistics.intervals import wilson
from .statistics.thresholds import crossing

if TYPE_CHECKING:
    import pandas as pd

    from .run import Run


_FACTS = ("nearest_found", "white_along", "flat_right")  # by SNR


def sentence(run: Run, model: str) -> str:
    """Share of white noise along the nearest adversarial examples, and the threshold that it alone would give.

    Returns
    -------
    str
        Empty where no attack of the run looked for nearest adversarial examples, or white noise did not run.
    """
    table = run.thresholds
    white = table[(table.model == model) & (table.attack == "gaussian") & (table.ruler == "realised")]
    for attack, facts in run.info.facts.get(model, {}).items():
        complete = all(facts.get(name, {}).keys() == facts.get(_FACTS[0], {}).keys() for name in _FACTS)
        if complete and len(white) and any(facts.get("nearest_found", {}).values()):
            return _sentence(run, model, attack, facts, white.iloc[0])
    return ""


def _sentence(run: Run, model: str, attack: str, facts: Mapping[str, Mapping[str, float]], white: pd.Series) -> str:
    order = sorted((db for db, share in facts["nearest_found"].items() if share > 0), key=float)
    snr_db = np.array([float(key) for key in order])
    found, along, flat = (np.array([facts[name][key] for key in order]) for name in _FACTS)
    curves = run.curves[run.curves.model == model]
    images = int(curves[curves.attack == attack].images.max())
    clean = float(curves[curves.attack == CLEAN].accuracy.iloc[0])
    grid, measured = (float(snr_db[0]), float(snr_db[-1])), float(white.threshold_db)
    near = int(np.abs(snr_db - (measured if math.isfinite(measured) else snr_db[0])).argmin())
    excess_db = 10 * math.log10(max(float(along[near] / found[near]), 1e-30) * math.prod(run.info.data.shape))
    low, high = wilson(flat, np.full(len(flat), float(images)))
    crossed = partial(
        crossing,
        snr_db=snr_db,
        level=np.array(white.level),
        ceiling=np.array(clean),
        chance=1 / run.info.data.classes,
        images=images,
    )
    # A higher accuracy crosses the level at a lower SNR.
    at, first, last = (float(crossed(curve).at) for curve in (flat, high, low))
    more = "more" if excess_db > 0 else "less"
    return (
        f"White noise seen along the way to each image's nearest adversarial example ({attack}, {images} images): at "
        f"{snr_db[near]:g} dB, {abs(excess_db):.1f} dB {more} of its power is there than the 1/D of isotropic noise. "
        f"Were every boundary a plane across that way, white noise would reach its threshold at {format_db(at, grid)} "
        f"({_ends(first, last, grid)}); it does at {format_db(measured, grid)}: {_verdict(white, first, last)}."
    )


def _ends(first: float, last: float, grid: tuple[float, float]) -> str:
    return f"{format_db(first, grid)} to {format_db(last, grid)}"


def _verdict(white: pd.Series, first: float, last: float) -> str:
    if float(white.high) < first:
        return "the boundaries bend away from noise, or clipping bends it off them"
    if float(white.low) > last:
        return "other boundaries, or their bends, come nearer than that plane"
    return "the plane is not contradicted"

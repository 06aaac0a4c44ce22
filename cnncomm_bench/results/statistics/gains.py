"""Decibels between curves: jamming gains of attacks over white noise, robustness gains of models over each other."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd

from .counts import CLEAN, Counts, Curve, Mask
from .intervals import Floats, holm, mcnemar, paired_difference
from .rows import GainRow, ThresholdRow
from .thresholds import Crossing, crossing, difference, estimate

GAUSSIAN = "gaussian"


def thresholds(counts: Counts) -> pd.DataFrame:
    """Threshold and jamming gain of every curve, see `Scores.thresholds`."""
    return pd.DataFrame([_threshold(counts, curve) for curve in counts.curves], columns=ThresholdRow._fields)


def gains(counts: Counts) -> pd.DataFrame:
    """Compare every two models under every attack, see `Scores.gains`."""
    rows = []
    for reference, model in combinations(counts.models, 2):
        rows.append(_clean_difference(counts, model, reference))
        for curve in counts.curves:
            other = counts.curve(reference, curve.attack, curve.ruler)
            if curve.model == model and other is not None:
                rows.append(_gain(counts, curve, other))
    frame = pd.DataFrame(rows, columns=GainRow._fields)
    if len(frame):
        frame["p"] = holm(frame["p"].to_numpy(dtype=float))
    return frame


def threshold(counts: Counts, curve: Curve, images: Mask, level: Floats) -> Crossing:
    """Threshold of a curve on a set of images, in the sample and in every bootstrap sample.

    Parameters
    ----------
    counts : Counts
    curve : Curve
    images : ndarray, shape-(N,), bool
    level : ndarray, shape-(1 + resamples,)

    Returns
    -------
    Crossing
        Of arrays of shape-(1 + resamples,).
    """
    accuracies = counts.accuracies(images)
    return crossing(
        accuracies[:, curve.cells],
        curve.snr_db,
        level,
        ceiling=accuracies[:, curve.clean],
        chance=counts.chance,
        images=counts.ran[np.ix_(curve.cells, images)].sum(1),
    )


def common_level(counts: Counts, images: Mask) -> Floats:
    """Level common to all models that ran on these images: halfway from chance to the lowest clean accuracy.

    Parameters
    ----------
    counts : Counts
    images : ndarray, shape-(N,), bool

    Returns
    -------
    ndarray, shape-(1 + resamples,)
    """
    accuracies = counts.accuracies(images)
    ran = [counts.clean(model) for model in counts.models if counts.ran[counts.clean(model)][images].all()]
    level: Floats = (accuracies[:, ran].min(1) + counts.chance) / 2
    return level


def gain(counts: Counts, curve: Curve, reference: Curve) -> tuple[Mask, Floats, Crossing, Crossing]:
    """Thresholds of two models under one attack, at the common level on their common images.

    Returns
    -------
    images : ndarray, shape-(N,), bool
    level : ndarray, shape-(1 + resamples,)
    of_model, of_reference : Crossing
        The robustness gain is `difference(of_reference, of_model)`.

    Raises
    ------
    ValueError
        The models share no image.
    """
    images = curve.images & reference.images
    if not images.any():
        raise ValueError(
            f"{curve.model} and {reference.model} share no image under {curve.attack}: compare runs on the same images"
        )
    level = common_level(counts, images)
    return images, level, threshold(counts, curve, images, level), threshold(counts, reference, images, level)


def jamming_gain(counts: Counts, curve: Curve) -> Crossing | None:
    """Threshold of a curve above that of white noise, on the images that both ran and at their level.

    Returns
    -------
    Crossing or None
        Of arrays of shape-(1 + resamples,); None where they share no image.
    """
    white = counts.curve(curve.model, GAUSSIAN, curve.ruler)
    if white is None or not (images := curve.images & white.images).any():
        return None
    level = _own_level(counts, curve, images)
    return difference(*(threshold(counts, of, images, level) for of in (curve, white)))


def _own_level(counts: Counts, curve: Curve, images: Mask) -> Floats:
    level: Floats = (counts.accuracies(images)[:, curve.clean] + counts.chance) / 2
    return level


def _threshold(counts: Counts, curve: Curve) -> ThresholdRow:
    name = (curve.model, curve.attack, curve.ruler)
    if not curve.images.any():
        return ThresholdRow(*name, *[math.nan] * 7)
    level = _own_level(counts, curve, curve.images)
    own = estimate(threshold(counts, curve, curve.images, level))
    if curve.attack == GAUSSIAN:
        return ThresholdRow(*name, float(level[0]), *own, 0.0, 0.0, 0.0)
    gained = jamming_gain(counts, curve)
    return ThresholdRow(*name, float(level[0]), *own, *((math.nan,) * 3 if gained is None else estimate(gained)))


def _clean_difference(counts: Counts, model: str, reference: str) -> GainRow:
    cells = counts.clean(model), counts.clean(reference)
    images = counts.ran[cells[0]] & counts.ran[cells[1]]
    if not images.any():
        raise ValueError(f"{model} and {reference} share no image: compare runs on the same images")
    unknown = (math.nan, math.nan, math.nan)
    return GainRow(
        CLEAN, "realised", math.nan, model, reference, *unknown, math.inf, *_compared(counts, *cells, images)
    )


def _gain(counts: Counts, curve: Curve, reference: Curve) -> GainRow:
    images, level, of_model, of_reference = gain(counts, curve, reference)
    shared = np.intersect1d(curve.snr_db, reference.snr_db)
    names = (curve.attack, curve.ruler, float(level[0]), curve.model, reference.model)
    gained = estimate(difference(of_reference, of_model))
    if not len(shared):
        return GainRow(*names, *gained, math.nan, math.nan, math.nan, math.nan, 1.0)
    ends = [np.clip(t.at[0], t.first, t.last) for t in (of_model, of_reference)]
    middle = float(np.nan_to_num(np.mean(ends), nan=shared[0]))
    snr_db = float(shared[np.abs(shared - middle).argmin()])
    cells = [int(c.cells[np.flatnonzero(c.snr_db == snr_db)[0]]) for c in (curve, reference)]
    return GainRow(*names, *gained, snr_db, *_compared(counts, cells[0], cells[1], images))


def _compared(counts: Counts, cell: int, reference: int, images: Mask) -> tuple[float, float, float, float]:
    differences = counts.hits[cell][images] - counts.hits[reference][images]
    return (float(differences.mean(dtype=float)), *paired_difference(differences), mcnemar(differences))

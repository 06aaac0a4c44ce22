"""Accuracy by class: which classes fall first, under which attack."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from .._utils.frames import groups
from ..results.statistics import CLEAN, WORST, Counts, Curve, Floats, Z


class ClassRow(NamedTuple):
    """One class of one model: its images, and mean accuracies with their intervals."""

    model: str
    label: int
    images: int
    clean: float
    noise: float
    noise_low: float
    noise_high: float
    adversary: float
    adversary_low: float
    adversary_high: float


class AttackRow(NamedTuple):
    """One curve: its least and most accurate classes, and the most frequent prediction at the lowest SNR."""

    model: str
    attack: str
    ruler: str
    worst: int
    worst_accuracy: float
    best: int
    best_accuracy: float
    favourite: int
    favourite_share: float


@dataclass(frozen=True)
class Classwise:
    """Accuracies by class.

    Attributes
    ----------
    classes : DataFrame
        Columns as in `ClassRow`: clean accuracy, then mean accuracy over the grid and all attacks of a kind with its
        95 % interval from the spread over images; NaN where no image of a class ran. Of several adversaries, their
        worst case.
    attacks : DataFrame
        Columns as in `AttackRow`: the classes of the least and the greatest mean accuracy over the grid; and the most
        frequent prediction at the lowest SNR, with its share of the images (-1 and NaN for the worst case over
        adversaries).
    """

    classes: pd.DataFrame
    attacks: pd.DataFrame


def by_class(predictions: pd.DataFrame, counts: Counts, adversaries: Collection[str]) -> Classwise:
    """Accuracies of every model by class.

    Parameters
    ----------
    predictions : DataFrame
        Those that `counts` counted; the worst case over adversaries may be missing.
    counts : Counts
    adversaries : collection of str
        Which attacks are adversaries.
    """
    favourites = _favourites(predictions, counts)
    classes, attacks = [], []
    for model in counts.models:
        label = _labels(predictions, counts, model)
        curves = [curve for curve in counts.curves if curve.model == model]
        hostile = [curve for curve in curves if curve.attack in adversaries]
        worst = [curve for curve in hostile if curve.attack == WORST]
        clean = counts.clean(model)
        count = np.bincount(label[counts.ran[clean]], minlength=counts.classes)
        accuracy = _mean(counts.hits[clean], label, counts.ran[clean], counts.classes)[0]
        noise = _of_kind(counts, [curve for curve in curves if curve not in hostile], label)
        adversary = _of_kind(counts, worst or hostile, label)
        for number in np.flatnonzero(count):
            row = (accuracy[number], *noise[:, number], *adversary[:, number])
            classes.append(ClassRow(model, int(number), int(count[number]), *map(float, row)))
        for curve in curves:
            favourite = favourites.get((model, curve.attack, curve.ruler), (-1, np.nan))
            attacks.append(AttackRow(model, curve.attack, curve.ruler, *_extremes(counts, curve, label), *favourite))
    return Classwise(pd.DataFrame(classes, columns=ClassRow._fields), pd.DataFrame(attacks, columns=AttackRow._fields))


def _favourites(predictions: pd.DataFrame, counts: Counts) -> dict[tuple[str, str, str], tuple[int, float]]:
    """Most frequent prediction at the lowest SNR of each curve, and its share."""
    lowest = {(curve.model, curve.attack, curve.ruler): curve.snr_db[0] for curve in counts.curves}
    rows = predictions[predictions["snr_db"].isin(set(lowest.values()))]
    found = {}
    for (model, attack, ruler), part in groups(rows, ["model", "attack", "ruler"]):
        curve = (model, attack, ruler)
        chosen = part["prediction"][part["snr_db"] == lowest.get(curve)]
        if len(chosen):
            predicted, count = np.unique(chosen, return_counts=True)
            found[curve] = (int(predicted[count.argmax()]), float(count.max() / len(chosen)))
    return found


def _labels(predictions: pd.DataFrame, counts: Counts, model: str) -> npt.NDArray[np.int64]:
    """Label of every image of the counts; without labels, it is the model's own clean prediction."""
    rows = predictions[(predictions["attack"] == CLEAN) & (predictions["model"] == model)]
    labels = np.zeros(len(counts.images), dtype=np.int64)
    labels[counts.images.get_indexer(pd.Index(rows["image"]))] = rows["label"].to_numpy()
    return labels


def _of_kind(counts: Counts, curves: list[Curve], label: npt.NDArray[np.int64]) -> Floats:
    """Mean accuracy over all attacks of a kind, and its interval, of shape-(3, classes)."""
    if not curves:
        return np.full((3, counts.classes), np.nan)
    images = np.logical_and.reduce([curve.images for curve in curves])
    each = np.mean([counts.hits[curve.cells].mean(0) for curve in curves], axis=0)
    mean, half = _mean(each, label, images, counts.classes)
    return np.stack([mean, np.maximum(mean - half, 0), np.minimum(mean + half, 1)])


def _mean(
    values: Floats, label: npt.NDArray[np.int64], images: npt.NDArray[np.bool_], classes: int
) -> tuple[Floats, Floats]:
    """Mean by class, and half its interval from the spread over images."""
    chosen, numbers = values[images].astype(float), label[images]
    count = np.bincount(numbers, minlength=classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(numbers, chosen, classes) / count
        spread = np.bincount(numbers, np.square(chosen - mean[numbers]), classes) / (count - 1)
        return mean, Z * np.sqrt(np.where(count > 1, spread, np.nan) / count)


def _extremes(counts: Counts, curve: Curve, label: npt.NDArray[np.int64]) -> tuple[int, float, int, float]:
    """Classes of the least and the greatest mean accuracy, each with it."""
    mean = _mean(counts.hits[curve.cells].mean(0), label, curve.images, counts.classes)[0]
    if np.isnan(mean).all():
        return (-1, np.nan, -1, np.nan)
    worst, best = int(np.nanargmin(mean)), int(np.nanargmax(mean))
    return (worst, float(mean[worst]), best, float(mean[best]))

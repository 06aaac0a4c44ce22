"""Warnings on a run: frequent mistakes, gradients that mislead, images that are missing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from .._utils.frames import rows
from ..data import permutation_warning
from .gradient_warnings import gradient_warnings
from .rounding_warnings import rounding_warnings
from .schema import Failure, RunInfo
from .statistics.counts import CLEAN
from .statistics.rows import CurveRow, ThresholdRow
from .statistics.worst import WORST

_ROUNDED = 1e-3  # dB
_UNPERTURBED = 0.02  # share of images that an attack may leave alone at the largest budget without remark


def run_warnings(info: RunInfo, predictions: pd.DataFrame, curves: pd.DataFrame, thresholds: pd.DataFrame) -> list[str]:
    """Warnings on a run, one line each.

    Parameters
    ----------
    info : RunInfo
    predictions : DataFrame
        One row for every image, attack, ruler, seed and SNR.
    curves : DataFrame
        See `Scores.curves`.
    thresholds : DataFrame
        See `Scores.thresholds`.
    """
    return [
        *_failed(info),
        *info.notes,
        *_near_chance(info, curves),
        *_off_grid(info, thresholds),
        *_imprecise(info, thresholds),
        *_permuted(info, predictions),
        *(f"{model.name}: {finding}" for model in info.models for finding in model.findings),
        *gradient_warnings(predictions, info.suite.attacks),
        *_unperturbed(info),
        *rounding_warnings(predictions, info.suite.attacks, bits=info.bits),
        *_left_out(info),
        *_unreached(curves),
    ]


def _failed(info: RunInfo) -> Iterator[str]:
    """One line for each attack on each model, with the first reason, however many of its cells failed."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in info.failures:
        groups.setdefault((failure.model, failure.attack), []).append(failure)
    for (model, attack), failures in groups.items():
        images = sum(failure.images for failure in failures)
        cells = f"{len(failures)} cells, " if len(failures) > 1 else ""
        yield f"{model}: {attack} failed and is scored without ({cells}{images} images): {failures[0].reason}"


def near_chance(model: str, accuracy: float, accuracy_low: float, classes: int) -> str | None:
    """A line on a clean accuracy whose interval reaches down to chance; None where it does not."""
    chance = 1 / classes
    if accuracy_low > 1.5 * chance:
        return None
    return (
        f"{model}: clean accuracy {accuracy:.3f} is near chance ({chance:.3f}). Usual causes: another "
        "normalisation than in training (mean, std), labels in another order than the model's (classes), "
        "another resizing (size)"
    )


def _near_chance(info: RunInfo, curves: pd.DataFrame) -> Iterator[str]:
    for row in rows(curves[curves.attack == CLEAN], CurveRow):
        line = near_chance(row.model, row.accuracy, row.accuracy_low, info.data.classes)
        if line is not None:
            yield line


def _off_grid(info: RunInfo, thresholds: pd.DataFrame) -> Iterator[str]:
    """One line for the thresholds that a grid misses, with a grid that may have them."""
    grid, radii = info.suite.snr_db, {entry.spec for entry in info.suite.attacks if entry.at_radius}
    own = thresholds[~thresholds["attack"].isin(radii | {WORST})]
    missed = own[np.isinf(own["threshold_db"].to_numpy(dtype=float))]
    if missed.empty:
        return
    names = ", ".join(f"{row.attack} on {row.model}" for row in rows(missed, ThresholdRow))
    if isinstance(grid, str):
        yield f"no threshold was found from {info.snr_db[0]:g} to {info.snr_db[-1]:g} dB: {names}"
        return
    above = (missed["threshold_db"] > 0).any()
    below = (missed["threshold_db"] < 0).any()
    first, last = grid[0] - 20 * below, max(grid[-1], min(100.0, grid[-1] + 50)) if above else grid[-1]
    wider = f"{first:g}:{last:g}:5"
    yield f"thresholds off the grid {grid[0]:g} to {grid[-1]:g} dB: {names}; rerun with snr auto, or {wider}"


def _imprecise(info: RunInfo, thresholds: pd.DataFrame) -> Iterator[str]:
    """A line for each threshold that all images did not make as precise as was asked for."""
    asked = None if info.config is None else info.config.precision
    if asked is None:
        return
    for row in rows(thresholds[thresholds["attack"] != WORST], ThresholdRow):
        reached = max(row.high - row.threshold_db, row.threshold_db - row.low)
        if math.isfinite(row.threshold_db) and reached > asked + _ROUNDED:
            yield (
                f"{row.model}: {row.attack}: threshold known to +-{reached:.2g} dB, not to +-{asked:g}: "
                "there are no more images"
            )


def _permuted(info: RunInfo, predictions: pd.DataFrame) -> Iterator[str]:
    clean = predictions[predictions.attack == CLEAN]
    for model, part in clean.groupby("model", sort=False, observed=True):
        names = info.data.class_names
        warning = permutation_warning(part.label.to_numpy(), part.prediction.to_numpy(), names)
        if warning and info.data.labelled:
            yield f"{model}: {warning}"


def _unperturbed(info: RunInfo) -> Iterator[str]:
    for model, by_attack in info.facts.items():
        for attack, facts in by_attack.items():
            shares = {float(db): share for db, share in facts.get("unperturbed", {}).items()}
            if shares and (share := shares[min(shares)]) > _UNPERTURBED:
                yield f"{model}: {attack} left {share:.0%} of the images as they were even at {min(shares):g} dB"


def _left_out(info: RunInfo) -> Iterator[str]:
    for reason, images in info.data.left_out.items():
        yield f"{len(images)} of {info.data.images} images were left out: {reason}"


def _unreached(curves: pd.DataFrame) -> Iterator[str]:
    short = curves[curves.unreached > 0]
    if len(short):
        worst = max(rows(short, CurveRow), key=lambda row: row.unreached)
        where = ", ".join(f"{db:g}" for db in np.sort(short.snr_db.unique()))
        yield (
            f"some images saturate before their noise has the power asked for, at {where} dB; most under "
            f"{worst.attack} at {worst.snr_db:g} dB: {worst.unreached} of {worst.images} (see curves.csv)"
        )

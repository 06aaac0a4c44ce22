"""Warnings on a run: frequent mistakes, gradients that mislead, images that are missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .._utils.frames import rows
from ..data import permutation_warning
from .gradient_warnings import gradient_warnings
from .schema import Failure, RunInfo
from .statistics.counts import CLEAN
from .statistics.rows import CurveRow

_UNPERTURBED = 0.02  # share of images that an attack may leave alone at the largest budget without remark


def run_warnings(info: RunInfo, predictions: pd.DataFrame, curves: pd.DataFrame) -> list[str]:
    """Warnings on a run, one line each.

    Parameters
    ----------
    info : RunInfo
    predictions : DataFrame
        One row for every image, attack, ruler, seed and SNR.
    curves : DataFrame
        See `Scores.curves`.
    """
    rivals = [entry.spec for entry in info.suite.attacks if entry.adversary and not entry.at_radius]
    at_radius = [entry.spec for entry in info.suite.attacks if entry.at_radius]
    over_grid = predictions[~predictions["attack"].isin(at_radius)] if at_radius else predictions
    return [
        *_failed(info),
        *info.notes,
        *_near_chance(info, curves),
        *_permuted(info, predictions),
        *(f"{model.name}: {finding}" for model in info.models for finding in model.findings),
        *gradient_warnings(over_grid, adversaries=rivals),
        *_unperturbed(info),
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


def _near_chance(info: RunInfo, curves: pd.DataFrame) -> Iterator[str]:
    chance = 1 / info.data.classes
    for row in rows(curves[curves.attack == CLEAN], CurveRow):
        if row.accuracy_low <= 1.5 * chance:
            yield (
                f"{row.model}: clean accuracy {row.accuracy:.3f} is near chance ({chance:.3f}). Usual causes: another "
                "normalisation than in training (mean, std), labels in another order than the model's (classes), "
                "another resizing (size)"
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

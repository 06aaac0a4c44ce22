"""What in a run should make its reader doubt: usual mistakes, gradients that lie, images that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from . import diagnostics
from .pictures.classmap import permutation_warning

if TYPE_CHECKING:
    from .run import Run
    from .schema import Failure

_UNPERTURBED = 0.02  # share of images that an attack may leave alone at the largest budget without remark


def doubts(run: Run) -> list[str]:
    """Warnings on a run, one line each.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of str
    """
    rivals = [entry.spec for entry in run.info.suite.attacks if entry.adversary and not entry.at_radius]
    at_radius = [entry.spec for entry in run.info.suite.attacks if entry.at_radius]
    over_grid = run.predictions[~run.predictions["attack"].isin(at_radius)] if at_radius else run.predictions
    return [
        *_failed(run),
        *run.info.notes,
        *_near_chance(run),
        *_permuted(run),
        *(f"{model.name}: {finding}" for model in run.info.models for finding in model.findings),
        *diagnostics.warnings(over_grid, adversaries=rivals),
        *_unperturbed(run),
        *_left_out(run),
        *_unreached(run),
    ]


def _failed(run: Run) -> Iterator[str]:
    """One line for each attack on each model, with the first reason, however many of its cells failed."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in run.info.failures:
        groups.setdefault((failure.model, failure.attack), []).append(failure)
    for (model, attack), failures in groups.items():
        images = sum(failure.images for failure in failures)
        cells = f"{len(failures)} cells, " if len(failures) > 1 else ""
        yield f"{model}: {attack} failed and is scored without ({cells}{images} images): {failures[0].reason}"


def _near_chance(run: Run) -> Iterator[str]:
    chance = 1 / run.info.data.classes
    for row in run.curves[run.curves.attack == "clean"].itertuples():
        if row.accuracy_low <= 1.5 * chance:
            yield (
                f"{row.model}: clean accuracy {row.accuracy:.3f} is near chance ({chance:.3f}). Usual causes: another "
                "normalisation than in training (--mean, --std), labels in another order than the model's (--classes), "
                "another resizing (--size)"
            )


def _permuted(run: Run) -> Iterator[str]:
    clean = run.predictions[run.predictions.attack == "clean"]
    for model, part in clean.groupby("model", sort=False, observed=True):
        names = run.info.data.class_names
        warning = permutation_warning(part.label.to_numpy(), part.prediction.to_numpy(), names)
        if warning and run.info.data.labelled:
            yield f"{model}: {warning}"


def _unperturbed(run: Run) -> Iterator[str]:
    for model, by_attack in run.info.facts.items():
        for attack, facts in by_attack.items():
            shares = {float(db): share for db, share in facts.get("unperturbed", {}).items()}
            if shares and (share := shares[min(shares)]) > _UNPERTURBED:
                yield f"{model}: {attack} left {share:.0%} of the images as they were even at {min(shares):g} dB"


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
            f"{worst.attack} at {worst.snr_db:g} dB: {worst.unreached} of {worst.images} (see curves.csv)"
        )

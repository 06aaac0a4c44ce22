"""The numbers of an entry, derived from the correctness of each image that it carries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..._utils.frames import groups, rows
from ...results import Scores, leaderboard_score, score
from ...results.statistics import CLEAN, CurveRow, Floats, ScoreRow, ThresholdRow, quantiles
from .correctness import unpack_hits, unpack_indices
from .entry import CellRecord, CleanRecord, CurveRecord, Kind, ScoreRecord, SuiteRecord, ThresholdRecord


class Derived(NamedTuple):
    """Every number that tables and pages show, but for places, which depend on the other entries."""

    clean: CleanRecord
    scores: list[ScoreRecord]
    thresholds: list[ThresholdRecord]
    curves: list[CurveRecord]


def derive(suite: SuiteRecord, classes: int, cells: Sequence[CellRecord]) -> Derived:
    """Derive an entry's numbers from its cells; `add` writes them, and `verify` compares them.

    Parameters
    ----------
    suite : SuiteRecord
    classes : int
    cells : sequence of CellRecord
        Of schema version 2.

    Raises
    ------
    ValueError
        Cells that cannot be read, or that contradict each other.
    """
    scores = score(_outcomes(suite, cells), classes=classes)
    curves = scores.curves
    clean = next(rows(curves[curves["attack"] == CLEAN], CurveRow))
    return Derived(
        clean=CleanRecord(
            accuracy=round(clean.accuracy, 6),
            low=round(clean.accuracy_low, 6),
            high=round(clean.accuracy_high, 6),
            images=clean.images,
        ),
        scores=list(_scores(suite, scores)),
        thresholds=[_threshold(row) for row in rows(scores.thresholds, ThresholdRow)],
        curves=list(_curves(curves[curves["attack"] != CLEAN])),
    )


def _outcomes(suite: SuiteRecord, cells: Sequence[CellRecord]) -> pd.DataFrame:
    """Cells as predictions: label 0, and prediction 0 where an image was right."""
    parts = []
    # The clean cells first, as in a run: the bootstrap draws images in order of appearance.
    for cell in sorted(cells, key=lambda cell: cell.attack != CLEAN):
        grid = np.array([math.inf] if cell.attack == CLEAN else suite.snr_db)
        images = unpack_indices(cell.which)
        hits = unpack_hits(cell.right, len(grid), len(images))
        if [len(images), hits.sum(1).tolist()] != [cell.images, cell.correct]:
            raise ValueError(f"the counts of a cell under {cell.attack} do not follow from its images")
        parts.append(
            pd.DataFrame(
                {
                    "model": "",
                    "attack": cell.attack,
                    "ruler": cell.ruler,
                    "seed": cell.seed,
                    "snr_db": np.repeat(grid, len(images)),
                    "image": np.tile(images, len(grid)),
                    "label": 0,
                    "prediction": (~hits).ravel().astype(int),
                    "realised_snr_db": np.repeat(grid, len(images)),
                    "reached": True,
                }
            )
        )
    if not parts:
        raise ValueError("there are no cells")
    return pd.concat(parts, ignore_index=True)


def _scores(suite: SuiteRecord, scores: Scores) -> Iterator[ScoreRecord]:
    """Score by kind and ruler, in the images and in every bootstrap sample of them."""
    attacks = {attack.spec: attack for attack in suite.attacks}
    kinds: dict[str, Kind] = {"noise": "noise", "adversary": "adversary"}
    table = leaderboard_score(
        scores.means,
        family={spec: attack.family for spec, attack in attacks.items()},
        kind={spec: attack.kind for spec, attack in attacks.items()},
    )
    for row in rows(table, ScoreRow):
        families: dict[str, list[Floats]] = {}
        for curve in scores.counts.curves:
            attack = attacks.get(curve.attack)
            if attack and (curve.ruler, attack.kind) == (row.ruler, row.kind):
                values = scores.counts.accuracies(curve.images)[1:, curve.cells].mean(1)
                families.setdefault(attack.family, []).append(values)
        replicates = np.mean([np.mean(values, axis=0) for values in families.values()], axis=0).round(5)
        low, high = quantiles(replicates, replicates)
        yield ScoreRecord(
            kind=kinds[row.kind],
            ruler=row.ruler,
            score=round(row.score, 6),
            low=low,
            high=high,
            replicates=replicates.tolist(),
        )


def _curves(curves: pd.DataFrame) -> Iterator[CurveRecord]:
    for (attack, ruler), curve in groups(curves, ["attack", "ruler"]):
        rising = curve.sort_values("snr_db").round(6)
        yield CurveRecord(
            attack=attack,
            ruler=ruler,
            images=rising["images"].tolist(),
            accuracy=rising["accuracy"].tolist(),
            low=rising["accuracy_low"].tolist(),
            high=rising["accuracy_high"].tolist(),
        )


def _threshold(row: ThresholdRow) -> ThresholdRecord:
    def number(value: float) -> float | None:
        return round(float(value), 3) if math.isfinite(value) else None

    value = row.threshold_db
    return ThresholdRecord(
        attack=row.attack,
        ruler=row.ruler,
        level=number(row.level),
        threshold_db=number(value),
        low=number(row.low),
        high=number(row.high),
        side="none" if math.isnan(value) else "on" if math.isfinite(value) else "below" if value < 0 else "above",
    )

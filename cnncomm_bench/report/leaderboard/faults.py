"""What in an entry does not follow from what it carries itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ..._utils.files import shown
from ..._utils.frames import rows
from ...results import leaderboard_score
from ...results.statistics import CLEAN, ScoreRow
from .derived import derive
from .entry import CellRecord, CurveRecord, Entry, ScoreRecord, SuiteRecord, ThresholdRecord

# One unit of the last digit that an entry keeps: other processors sum in another order.
_THRESHOLD_DB, _SHARE = 2e-3, 2e-5

_MOST_PREDICTIONS, _MOST_POINTS = 20_000_000, 20_000
"""What is recomputed in a minute and a few gigabytes; an entry of 200 kB may claim more."""


def faults(entry: Entry) -> list[str]:
    """Report what does not follow from an entry's own cells; empty where everything does.

    Of schema version 2 every number is recomputed from the correctness of each image; of version 1, which has counts
    alone, accuracies and scores are.
    """
    found = list(_coverage_faults(entry))
    if found:
        return found
    return list(_number_faults(entry) if entry.recomputable else [*_curve_faults(entry), *_score_faults(entry)])


def size_faults(suite: SuiteRecord, cells: Sequence[CellRecord]) -> Iterator[str]:
    """Whether an entry of these cells is too large to recompute: none such is accepted, and none is written."""
    predictions = sum(cell.images * len(cell.correct) for cell in cells)
    if predictions > _MOST_PREDICTIONS:
        yield f"its cells have {predictions:,} predictions, and at most {_MOST_PREDICTIONS:,} are recomputed"
    points = len(suite.snr_db) * len({(cell.attack, cell.ruler) for cell in cells if cell.attack != CLEAN})
    if points > _MOST_POINTS:
        yield f"its curves have {points:,} points, and at most {_MOST_POINTS:,} are recomputed"


def _coverage_faults(entry: Entry) -> Iterator[str]:
    """An entry that left hard attacks out would look better than the others of its board."""
    grid = len(entry.suite.snr_db)
    specs = {attack.spec for attack in entry.suite.attacks}
    run = {curve.attack for curve in entry.curves}
    yield from (f"no curve under {shown(spec)}" for spec in sorted(specs - run))
    yield from (f"a curve under {shown(spec)}, which is not in the suite" for spec in sorted(run - specs))
    for curve in entry.curves:
        if {len(values) for values in (curve.images, curve.accuracy, curve.low, curve.high)} != {grid}:
            yield f"the curve under {shown(curve.attack)} has not {grid} SNRs, as the suite has"
    for cell in entry.cells:
        if len(cell.correct) != (1 if cell.attack == CLEAN else grid) or max(cell.correct, default=0) > cell.images:
            yield f"a cell of {shown(cell.attack)} has not one count of its {cell.images} images for every SNR"
        if cell.images > entry.data.images:
            yield f"a cell of {shown(cell.attack)} has {cell.images} of {entry.data.images} images"
    yield from size_faults(entry.suite, entry.cells)
    kinds = {attack.kind for attack in entry.suite.attacks}
    yield from (f"no score against the kind {kind}" for kind in sorted(kinds - {s.kind for s in entry.scores}))


def _number_faults(entry: Entry) -> Iterator[str]:
    try:
        expected = derive(entry.suite, entry.data.classes, entry.cells)
    except ValueError as error:
        yield f"its cells contradict each other: {shown(str(error))}"
        return
    if not _agree(entry.clean, expected.clean, _SHARE):
        yield f"the clean accuracy {entry.clean.accuracy:g} does not follow from its cells"
    yield from _list_faults("curve", _by_curve(entry.curves), _by_curve(expected.curves), _SHARE)
    yield from _list_faults("threshold", _by_curve(entry.thresholds), _by_curve(expected.thresholds), _THRESHOLD_DB)
    yield from _list_faults("score", _by_kind(entry.scores), _by_kind(expected.scores), _SHARE)


def _by_curve(records: Sequence[CurveRecord] | Sequence[ThresholdRecord]) -> list[tuple[str, object]]:
    return [(f"{shown(one.attack)} (ruler {shown(one.ruler)})", one) for one in records]


def _by_kind(records: Sequence[ScoreRecord]) -> list[tuple[str, object]]:
    return [(f"{one.kind} (ruler {shown(one.ruler)})", one) for one in records]


def _list_faults(
    name: str, stated: list[tuple[str, object]], expected: list[tuple[str, object]], tolerance: float
) -> Iterator[str]:
    if [key for key, _ in stated] != [key for key, _ in expected]:
        yield f"its {name}s are not those of its cells"
        return
    for (key, one), (_, other) in zip(stated, expected, strict=True):
        if not _agree(one, other, tolerance):
            yield f"the {name} under {key} does not follow from its cells"


def _agree(stated: Any, derived: Any, tolerance: float) -> bool:
    """Whether two records are the same but for the last digit of their numbers."""
    if hasattr(stated, "model_dump"):
        return _agree(stated.model_dump(), derived.model_dump(), tolerance)
    if isinstance(stated, dict):
        return all(_agree(value, derived[key], tolerance) for key, value in stated.items())
    if isinstance(stated, list):
        return len(stated) == len(derived) and all(map(_agree, stated, derived, [tolerance] * len(stated)))
    if isinstance(stated, float) and isinstance(derived, float):
        return abs(stated - derived) <= tolerance
    return bool(stated == derived)


def _curve_faults(entry: Entry) -> Iterator[str]:
    claimed = {(curve.attack, curve.ruler): curve.accuracy for curve in entry.curves}
    claimed[CLEAN, "realised"] = [entry.clean.accuracy]
    for (attack, ruler), accuracies in claimed.items():
        cells = [cell for cell in entry.cells if (cell.attack, cell.ruler) == (attack, ruler)]
        total = sum(cell.images for cell in cells)
        counts = [sum(correct) for correct in zip(*(cell.correct for cell in cells), strict=False)]
        if len(counts) != len(accuracies) or any(
            abs(count / total - accuracy) > 1e-4 for count, accuracy in zip(counts, accuracies, strict=True)
        ):
            yield f"the accuracies under {shown(attack)} do not follow from its cells"


def _score_faults(entry: Entry) -> Iterator[str]:
    points = [
        {"model": "", "attack": curve.attack, "ruler": curve.ruler, "accuracy": accuracy}
        for curve in entry.curves
        for accuracy in curve.accuracy
    ]
    attacks = entry.suite.attacks
    scores = leaderboard_score(
        pd.DataFrame(points, columns=["model", "attack", "ruler", "accuracy"]),
        family={attack.spec: attack.family for attack in attacks},
        kind={attack.spec: attack.kind for attack in attacks},
    )
    follows = {(row.kind, row.ruler): row.score for row in rows(scores, ScoreRow)}
    for score in entry.scores:
        expected = follows.get((score.kind, score.ruler))
        spread = max(score.high - score.low, 1e-3)
        centre = sum(score.replicates) / len(score.replicates)
        if expected is None or abs(expected - score.score) > 1e-4:
            yield f"the score {score.score:g} against {score.kind} does not follow from the curves"
        elif abs(centre - score.score) > spread or not score.low - spread <= score.score <= score.high + spread:
            yield f"the interval of the score against {score.kind} does not follow from its replicates"

"""A leaderboard's entry: what one model scored, with all that is needed to check it, as one JSON file.

An entry is data from strangers: reading one executes nothing, takes no string for a number and says where a
corrupt one is at fault. Its schema is independent, so that files of an old version load whatever becomes of
a run's folder.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..._utils.errors import RunFolderError
from ..._utils.files import shown
from ..._utils.frames import rows
from ...results import leaderboard_score
from ...results.statistics import CLEAN, ScoreRow

_MOST_BYTES = 8 << 20  # an honest entry has some 60 kB

Kind = Literal["noise", "adversary"]
Text = Annotated[str, Field(max_length=300)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ModelRecord(_Part):
    """The model: its name, the SHA-256 of its file, and how images are prepared for it."""

    name: Annotated[Text, Field(min_length=1)]
    sha256: Digest
    mean: list[float]
    std: list[float]
    size: Count | None = None
    resize: Count | None = None
    interpolation: Text = ""


class DataRecord(_Part):
    """The images: SHA-256 of pixels and labels; `commonest` is the share of the commonest label."""

    name: Annotated[Text, Field(min_length=1)]
    sha256: Digest
    images: Annotated[Count, Field(ge=1)]
    shape: Annotated[list[Count], Field(min_length=3, max_length=3)]
    classes: Annotated[Count, Field(ge=2)]
    commonest: Share


class AttackRecord(_Part):
    """An attack of the suite; `samples` where it ran on fewer images than the others.

    `parameters` are all that are set, by default too: a default that a later version changes makes another board.
    """

    spec: Text
    kind: Kind
    family: Text
    samples: Count | None = None
    parameters: dict[Text, bool | int | float | Text] = Field(default_factory=dict)


class SuiteRecord(_Part):
    """What was run; entries are compared where all of it but the title agrees."""

    title: Text = ""
    snr_db: Annotated[list[float], Field(min_length=1, max_length=1000)]
    rulers: Annotated[list[Text], Field(min_length=1)]
    samples: Count | None = None
    attacks: Annotated[list[AttackRecord], Field(min_length=1)]


class CleanRecord(_Part):
    """Accuracy on undisturbed images, with its 95 % interval."""

    accuracy: Share
    low: Share
    high: Share
    images: Count


class CurveRecord(_Part):
    """Accuracy under one attack by SNR, with its 95 % intervals; one number for every SNR of the grid."""

    attack: Text
    ruler: Text
    images: list[Count]
    accuracy: list[Share]
    low: list[Share]
    high: list[Share]


class ScoreRecord(_Part):
    """Mean accuracy over the grid under one kind of attack, with its 95 % interval.

    `replicates` are its values in bootstrap samples of the images. Entries of one board draw the same samples, so that
    the difference of two of them, replicate by replicate, is the paired bootstrap of their difference.
    """

    kind: Kind
    ruler: Text
    score: Share
    low: Share
    high: Share
    replicates: Annotated[list[Share], Field(min_length=100, max_length=10_000)]


class ThresholdRecord(_Part):
    """SNR at which accuracy crosses `level`, dB; null with `side` where it is off the grid, or nowhere."""

    attack: Text
    ruler: Text
    level: float | None
    threshold_db: float | None
    low: float | None
    high: float | None
    side: Literal["below", "on", "above", "none"]


class CellRecord(_Part):
    """How many of some images were right at each SNR: the unit that is rerun to verify an entry."""

    attack: Text
    ruler: Text
    seed: Count
    images: Annotated[Count, Field(ge=1)]
    correct: list[Count]


class Entry(_Part):
    """What a leaderboard's JSON file holds; `findings` are what speaks against the model's gradients, if anything."""

    schema_version: Literal[1] = 1
    model: ModelRecord
    data: DataRecord
    suite: SuiteRecord
    seeds: Annotated[list[Count], Field(min_length=1)]
    bits: Count | None = None
    batch_size: Annotated[Count, Field(ge=1)]
    device: Text
    command: Annotated[str, Field(max_length=4000)]
    versions: dict[Text, Text]
    findings: list[Annotated[str, Field(max_length=2000)]] = Field(default_factory=list)
    clean: CleanRecord
    scores: Annotated[list[ScoreRecord], Field(min_length=1)]
    thresholds: list[ThresholdRecord]
    curves: list[CurveRecord]
    cells: list[CellRecord]

    @property
    def board(self) -> str:
        """Digest of what must agree for entries to be compared: data, suite and rounding."""
        suite = self.suite.model_dump(mode="json", exclude={"title"})
        return _digest([self.data.sha256, self.data.classes, suite, self.bits])

    @property
    def identity(self) -> str:
        """Digest of the model as it was prepared and of its board: a later entry with the same takes its place."""
        return _digest([self.model.model_dump(mode="json"), self.board])

    @property
    def chance(self) -> float:
        """What a constant classifier may score: the share of the commonest label."""
        return max(1 / self.data.classes, self.data.commonest)

    def faults(self) -> list[str]:
        """What in the entry does not follow from its own cells; empty where all of it does."""
        return [*_coverage_faults(self), *_curve_faults(self), *_score_faults(self)]


def read(path: Path) -> Entry:
    """Read an entry.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Entry

    Raises
    ------
    RunFolderError
        No entry, one of a newer version, or a corrupt one: where is named.
    """
    name = shown(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RunFolderError(f"{name} is no entry: it is larger than {_MOST_BYTES >> 20} MiB")
        return Entry.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"there is no entry {name}") from None
    except OSError as error:
        raise RunFolderError(f"{name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["loc"] == ("schema_version",):
            raise RunFolderError(
                f"{name} has schema version {shown(str(first['input']), 20)}, and this cnncomm-bench knows 1 "
                "alone: install a newer one"
            ) from None
        where = shown(".".join(str(part) for part in first["loc"]), 80) or "the file"
        raise RunFolderError(f"{name} is corrupt at {where}: {shown(first['msg'])}") from None


def text(entry: Entry) -> str:
    """The entry as its file holds it: JSON, a curve or a cell on one line, so that changes can be read.

    Parameters
    ----------
    entry : Entry

    Returns
    -------
    str
    """
    lines = [f" {json.dumps(key)}: {_value(value)}" for key, value in entry.model_dump(mode="json").items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _coverage_faults(entry: Entry) -> list[str]:
    """An entry that left hard attacks out would look better than the others of its board."""
    grid = len(entry.suite.snr_db)
    specs = {attack.spec for attack in entry.suite.attacks}
    run = {curve.attack for curve in entry.curves}
    found = [f"no curve under {shown(spec)}" for spec in sorted(specs - run)]
    found += [f"a curve under {shown(spec)}, which is not in the suite" for spec in sorted(run - specs)]
    for curve in entry.curves:
        if {len(values) for values in (curve.images, curve.accuracy, curve.low, curve.high)} != {grid}:
            found.append(f"the curve under {shown(curve.attack)} has not {grid} SNRs, as the suite has")
    for cell in entry.cells:
        if len(cell.correct) != (1 if cell.attack == CLEAN else grid) or max(cell.correct, default=0) > cell.images:
            found.append(f"a cell of {shown(cell.attack)} has not one count of its {cell.images} images for every SNR")
    kinds = {attack.kind for attack in entry.suite.attacks}
    found += [f"no score against the kind {kind}" for kind in sorted(kinds - {score.kind for score in entry.scores})]
    return found


def _curve_faults(entry: Entry) -> list[str]:
    found = []
    claimed = {(curve.attack, curve.ruler): curve.accuracy for curve in entry.curves}
    claimed[CLEAN, "realised"] = [entry.clean.accuracy]
    for (attack, ruler), accuracies in claimed.items():
        cells = [cell for cell in entry.cells if (cell.attack, cell.ruler) == (attack, ruler)]
        total = sum(cell.images for cell in cells)
        counts = [sum(correct) for correct in zip(*(cell.correct for cell in cells), strict=False)]
        if len(counts) != len(accuracies) or any(
            abs(count / total - accuracy) > 1e-4 for count, accuracy in zip(counts, accuracies, strict=True)
        ):
            found.append(f"the accuracies under {shown(attack)} do not follow from its cells")
    return found


def _score_faults(entry: Entry) -> list[str]:
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
    found = []
    for score in entry.scores:
        expected = follows.get((score.kind, score.ruler))
        spread = max(score.high - score.low, 1e-3)
        centre = sum(score.replicates) / len(score.replicates)
        if expected is None or abs(expected - score.score) > 1e-4:
            found.append(f"the score {score.score:g} against {score.kind} does not follow from the curves")
        elif abs(centre - score.score) > spread or not score.low - spread <= score.score <= score.high + spread:
            found.append(f"the interval of the score against {score.kind} does not follow from its replicates")
    return found

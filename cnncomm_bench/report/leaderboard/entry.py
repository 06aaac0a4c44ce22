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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..._utils.atomic import refuse_unless_file
from ..._utils.errors import RunFolderError
from ..._utils.files import shown
from ..._utils.untrusted import check_json, fault_of, read_bytes

_MOST_BYTES = 8 << 20  # an honest entry has some 100 kB

MOST_COMMAND = 4000

Kind = Literal["noise", "adversary"]
Text = Annotated[str, Field(max_length=300)]
Finding = Annotated[str, Field(max_length=2000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**8)]
"""Images: of a data set, of a cell, or those of them that were right."""
Side = Annotated[int, Field(ge=1, le=1 << 16)]
Decibels = Annotated[float, Field(ge=-1000, le=1000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ModelRecord(_Part):
    """The model: its name, the SHA-256 of its file, and how images are prepared for it."""

    name: Annotated[Text, Field(min_length=1)]
    sha256: Digest
    mean: Annotated[list[Number], Field(max_length=1 << 16)]
    std: Annotated[list[Number], Field(max_length=1 << 16)]
    size: Side | None = None
    resize: Side | None = None
    interpolation: Text = ""


class DataRecord(_Part):
    """The images: SHA-256 of pixels and labels; `commonest` is the share of the commonest label."""

    name: Annotated[Text, Field(min_length=1)]
    sha256: Digest
    images: Annotated[Count, Field(ge=1)]
    shape: Annotated[list[Side], Field(min_length=3, max_length=3)]
    classes: Annotated[int, Field(ge=2, le=10**6)]
    commonest: Share


class AttackRecord(_Part):
    """An attack of the suite; `samples` where it ran on fewer images than the others.

    `parameters` are all that are set, by default too: a default that a later version changes makes another board.
    """

    spec: Text
    kind: Kind
    family: Text
    samples: Annotated[Count, Field(ge=1)] | None = None
    parameters: Annotated[dict[Text, bool | Whole | float | Text], Field(max_length=100)] = Field(default_factory=dict)


class SuiteRecord(_Part):
    """What was run; entries are compared where all of it but the title agrees."""

    title: Text = ""
    snr_db: Annotated[list[Decibels], Field(min_length=1, max_length=1000)]
    rulers: Annotated[list[Text], Field(min_length=1, max_length=10)]
    samples: Annotated[Count, Field(ge=1)] | None = None
    attacks: Annotated[list[AttackRecord], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _distinct(self) -> SuiteRecord:
        if self.snr_db != sorted(set(self.snr_db)):
            raise ValueError("expected SNRs in rising order")
        specs = [attack.spec for attack in self.attacks]
        if len(set(specs)) < len(specs) or len(set(self.rulers)) < len(self.rulers):
            raise ValueError("expected each attack and each ruler once")
        return self


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
    level: Share | None
    threshold_db: Decibels | None
    low: Decibels | None
    high: Decibels | None
    side: Literal["below", "on", "above", "none"]


class CellRecord(_Part):
    """How many of some images were right at each SNR: the unit that is rerun to verify an entry.

    Since schema version 2 it has which images they are, as ranges, and which of them were right, see `correctness`.
    """

    attack: Text
    ruler: Text
    seed: Seed
    images: Annotated[Count, Field(ge=1)]
    correct: Annotated[list[Count], Field(max_length=1000)]
    which: Annotated[str, Field(max_length=4000)] = ""
    right: Annotated[str, Field(max_length=200_000)] = ""


class Entry(_Part):
    """What a leaderboard's JSON file holds; `findings` are warnings on the model's gradients.

    Version 2 added the correctness of each image, from which every number is recomputed.
    """

    schema_version: Annotated[int, Field(ge=1, le=2)]
    model: ModelRecord
    data: DataRecord
    suite: SuiteRecord
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=1000)]
    bits: Annotated[int, Field(ge=1, le=16)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=1 << 20)]
    device: Text
    command: Annotated[str, Field(max_length=MOST_COMMAND)]
    versions: Annotated[dict[Text, Text], Field(max_length=100)]
    findings: Annotated[list[Finding], Field(max_length=100)] = Field(default_factory=list)
    clean: CleanRecord
    scores: Annotated[list[ScoreRecord], Field(min_length=1, max_length=20)]
    thresholds: Annotated[list[ThresholdRecord], Field(max_length=10_000)]
    curves: Annotated[list[CurveRecord], Field(max_length=10_000)]
    cells: Annotated[list[CellRecord], Field(max_length=100_000)]

    @property
    def recomputable(self) -> bool:
        """Whether every number can be recomputed from what the entry carries."""
        return self.schema_version > 1

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


def read(path: Path) -> Entry:
    """Read an entry.

    Raises
    ------
    RunFolderError
        No entry, one of a newer version, or a corrupt one: where is named.
    """
    name = shown(path)
    refuse_unless_file(path)
    try:
        content = read_bytes(path, _MOST_BYTES)
    except FileNotFoundError:
        raise RunFolderError(f"there is no entry {name}") from None
    try:
        check_json(content)
        return Entry.model_validate_json(content)
    except ValueError as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        if first is not None and first["loc"] == ("schema_version",) and first["type"] != "missing":
            raise RunFolderError(
                f"{name} has schema version {shown(str(first['input']), 20)}, and this cnncomm-bench knows 1 "
                "and 2: install a newer one"
            ) from None
        raise RunFolderError(f"{name} is corrupt{fault_of(error)}") from None


def text(entry: Entry) -> str:
    """The entry as its file holds it: JSON, a curve or a cell on one line, so that changes can be read."""
    content = entry.model_dump(mode="json")
    if not entry.recomputable:
        content["cells"] = [{k: v for k, v in cell.items() if k not in ("which", "right")} for cell in content["cells"]]
    lines = [f" {json.dumps(key)}: {_value(value)}" for key, value in content.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

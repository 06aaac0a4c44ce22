"""What `run.json` holds: a versioned schema, whose old versions load for ever."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .configuration import RunConfig
from .plan import Block, Grid, Plan
from .suites import Entry, Suite

SCHEMA_VERSION: Literal[4] = 4
"""2 added `failures` and `notes`; 3 added `config` and `weights_sha256`; 4 added `plan` and suites
whose SNRs are `auto`. Older files are read as they are."""


class ModelInfo(BaseModel):
    """A model of a run: its file's SHA-256, how images are prepared for it, what speaks against its gradients.

    A torch module that was given without a file has the SHA-256 of its weights instead.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str = ""
    weights_sha256: str = ""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _without_source(cls, content: Any) -> Any:
        """Runs of version 2 were written with a field `source`, always empty."""
        return {k: v for k, v in content.items() if k != "source"} if isinstance(content, dict) else content


class DataInfo(BaseModel):
    """The images of a run: name, SHA-256 of shape, pixels and labels, and what was left out."""

    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str
    images: int = Field(ge=1)
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=3, max_length=3)]
    classes: int = Field(ge=2)
    class_names: list[str] = Field(default_factory=list)
    labelled: bool = True
    median_norm: float = 1.0
    left_out: dict[str, list[int]] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    @property
    def scored_by(self) -> str:
        """What the share of right predictions is, in words."""
        return "accuracy" if self.labelled else "agreement with the clean predictions"


class Failure(BaseModel):
    """A cell that could not be computed: which, on how many images from which on, and why."""

    model_config = ConfigDict(extra="forbid")

    model: str
    attack: str
    ruler: str
    seed: int
    images: int
    first_image: int
    reason: str

    def __str__(self) -> str:
        return f"{self.model}: {self.attack} failed on {self.images} images from {self.first_image} on: {self.reason}"


class RunInfo(BaseModel):
    """What `run.json` holds; `facts` are means over images, by model, attack, fact and SNR.

    `config` is what was asked for. There is none for a comparison of runs, and in versions 1 and 2.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1, 2, 3, 4] = SCHEMA_VERSION
    config: RunConfig | None = None
    models: list[ModelInfo]
    data: DataInfo
    suite: Suite
    plan: Plan | None = None
    seeds: list[int]
    bits: int | None = None
    batch_size: int = 0
    device: str = "cpu"
    command: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    finished: bool = False
    seconds: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, dict[str, dict[str, dict[str, float]]]] = Field(default_factory=dict)
    failures: list[Failure] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    @property
    def snr_db(self) -> tuple[float, ...]:
        """Every SNR of the run's grids, rising."""
        grid = self.suite.snr_db
        if not isinstance(grid, str):
            return grid
        return tuple(sorted(set().union(*self._laid().values())))

    @property
    def common_snr_db(self) -> tuple[float, ...]:
        """SNRs that the grids of all attacks share, rising."""
        grid, laid = self.suite.snr_db, self._laid()
        if not isinstance(grid, str):
            return grid
        return tuple(sorted(set.intersection(*laid.values()))) if laid else ()

    def grid(self, attack: str, ruler: str) -> tuple[float, ...]:
        """SNRs of an attack under a ruler, rising."""
        grid = self.suite.snr_db
        return grid if not isinstance(grid, str) else tuple(sorted(self._laid().get((attack, ruler), ())))

    def _laid(self) -> dict[tuple[str, str], set[float]]:
        """SNRs by attack and ruler, as far as they were laid."""
        laid: dict[tuple[str, str], set[float]] = {}
        planned: tuple[Grid | Block, ...] = () if self.plan is None else (*self.plan.grids, *self.plan.blocks)
        for each in planned:
            laid.setdefault((each.attack, each.ruler), set()).update(each.snr_db)
        return laid

    def identity(self) -> dict[str, Any]:
        """What decides the predictions: a folder is resumed only where all of it agrees, and is named after it.

        Attacks are compared by spec string and samples alone: what else a suite holds on them is found from the spec
        string, and another version may find more. Of the preprocessing, where it is known from decides nothing.
        """
        return {
            "models": [
                {
                    "name": model.name,
                    "sha256": model.sha256,
                    "weights_sha256": model.weights_sha256,
                    "preprocessing": {k: v for k, v in model.preprocessing.items() if k != "source"},
                }
                for model in self.models
            ],
            "data": self.data.model_dump(mode="json", include={"sha256", "images", "classes"}),
            "snr_db": self.suite.snr_db if isinstance(self.suite.snr_db, str) else list(self.suite.snr_db),
            "rulers": list(self.suite.rulers),
            "attacks": [
                {"spec": attack.spec, "samples": attack.samples, **self._seeds_of(attack)}
                for attack in self.suite.attacks
            ],
            "samples": self.suite.samples,
            "seeds": self.seeds,
            "bits": self.bits,
            **self._asked_for(),
        }

    def _seeds_of(self, attack: Entry) -> dict[str, Any]:
        """The seeds of an attack, where they are not all of the run's."""
        return {} if attack.stochastic or len(self.seeds) == 1 else {"seeds": self.seeds[:1]}

    def _asked_for(self) -> dict[str, Any]:
        """Precision and minutes, where they were asked for."""
        asked = {} if self.config is None else {"precision": self.config.precision, "minutes": self.config.minutes}
        return {name: value for name, value in asked.items() if value is not None}

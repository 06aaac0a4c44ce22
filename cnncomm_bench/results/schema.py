"""What `run.json` holds: a versioned schema, whose old versions load for ever."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .suites import Suite

SCHEMA_VERSION: Literal[2] = 2
"""2 added `failures` and `notes`; what version 1 holds is read as it is."""


class ModelInfo(BaseModel):
    """A model of a run: its file's SHA-256, how images are prepared for it, what speaks against its gradients."""

    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str = ""
    source: str = ""
    preprocessing: dict[str, Any] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)
    findings: list[str] = Field(default_factory=list)


class DataInfo(BaseModel):
    """The images of a run: name, SHA-256 of pixels and labels, and what was left out."""

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

    Everything up to `bits` decides the predictions: a folder is resumed only where all of it agrees.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    models: list[ModelInfo]
    data: DataInfo
    suite: Suite
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

    def identity(self) -> dict[str, Any]:
        """The parts that decide the predictions."""
        data = self.data.model_dump(mode="json", include={"sha256", "images", "classes"})
        models = [model.model_dump(mode="json", include={"name", "sha256", "preprocessing"}) for model in self.models]
        suite = self.suite.model_dump(mode="json", exclude={"title", "attacks"})
        several = len(self.seeds) > 1
        suite["attacks"] = [
            {"spec": entry.spec, "samples": entry.samples, "once": several and not entry.stochastic}
            for entry in self.suite.attacks
        ]
        return {"models": models, "data": data, **suite, "seeds": self.seeds, "bits": self.bits}

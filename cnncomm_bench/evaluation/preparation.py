"""From a configuration to a request: models and images opened, the suite chosen, everything checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .._utils.devices import pick_device
from .._utils.errors import UsageError
from .._utils.files import listed
from ..attacks import parse
from ..data import ArrayLike, Dataset, Images
from ..models import Model
from ..results import Block, Plan, RunConfig, RunInfo, Suite, suites
from . import executors
from .cells import Cell, block_cells, plan
from .metadata import collect_metadata
from .models_and_data import distinct_names, open_data, open_models
from .worker import Worker


@dataclass(frozen=True)
class Request:
    """A run that is ready to be executed: what was asked for, and what that opened.

    Attributes
    ----------
    config : RunConfig
        What was asked for.
    models : tuple of Model
    data : Images
    dataset : Dataset
        The images that have power, with their labels.
    info : RunInfo
        What the run's folder will hold: the suite, the device and the batch size are settled there.
    """

    config: RunConfig
    models: tuple[Model, ...]
    data: Images
    dataset: Dataset
    info: RunInfo

    @classmethod
    def of(
        cls, config: RunConfig, models: Sequence[Model], data: Images, suite: Suite, views: Sequence[ArrayLike] = ()
    ) -> Request:
        """Check that models, images and suite fit each other, and describe the run.

        `views` are the images as each model takes them, where the models take different ones.

        Raises
        ------
        BenchError
            See `collect_metadata`; or no image has power.
        """
        dataset = Dataset.of(data.images, data.labels, views)
        suite, left_out = with_gradients_only(suite, config, models)
        models = [
            replace(model, remarks=(*model.remarks, *([left_out] if left_out and not model.differentiable else [])))
            for model in models
        ]
        return cls(config, tuple(models), data, dataset, collect_metadata(config, models, data, dataset, suite))

    @property
    def shown_models(self) -> tuple[Model, ...]:
        """The models that take the run's images as they are."""
        return tuple(
            model for place, model in enumerate(self.models) if self.dataset.view(place) is self.dataset.images
        )

    @cached_property
    def cells(self) -> list[Cell]:
        """The plan of the run, as far as it is known before it begins."""
        return self.planned(None, in_blocks=False)

    def planned(self, laid: Plan | None, *, in_blocks: bool) -> list[Cell]:
        """The plan of the run, with what it decided; `in_blocks` without the attacks that a sequential design runs."""
        return plan(len(self.models), self.info.suite, self.dataset, self.info.seeds, laid, blocks_alone=in_blocks)

    def worker(self) -> Worker:
        """A worker for its cells."""
        return Worker(
            [model.predict for model in self.models],
            [model.name for model in self.models],
            self.dataset,
            batch_size=self.info.batch_size,
            device=self.info.device,
            bits=self.info.bits,
        )

    def cells_of(self, laid: Plan, blocks: Sequence[Block]) -> list[Cell]:
        """The cells of blocks of a sequential design."""
        how = self.info.suite, self.dataset, self.info.seeds
        return [cell for block in blocks for cell in block_cells(block, *how, laid)]

    @property
    def folder(self) -> Path:
        """Where the run is stored."""
        return self.config.out or default_folder(self.info)


def prepare(config: RunConfig) -> Request:
    """Open and check what a configuration names.

    Raises
    ------
    BenchError
        What is wrong, and what to pass instead.
    """
    suite = choose_suite(config)  # first: a typing error there is found before anything large is opened
    executors.check(config.executor)
    device = pick_device(config.device)
    opened = distinct_names(open_models(config, device))
    data = open_data(config, opened)
    views = [one.images for one in data] if any(one is not data[0] for one in data) else []
    if views:
        opened = [replace(model, remarks=(_gets(view),)) for model, view in zip(opened, views, strict=True)]
    if config.samples is None and config.precision is None and config.minutes is None:
        suite = suites.with_samples(suite)
    return Request.of(config, opened, data[0], suite, views)


def _gets(images: ArrayLike) -> str:
    shape = " x ".join(map(str, images.shape[1:]))
    return f"the models get images of their own sizes, this one of {shape}; its SNR is measured on these"


def choose_suite(config: RunConfig) -> Suite:
    """The suite that a configuration names, with its attacks added; or one of its attacks alone.

    A grid and rulers take the place of the suite's. At radii such as `l2=0.5` those adversaries of the suite are run
    too that have such a radius.

    Raises
    ------
    UsageError
        An unknown suite, attack or ruler; a radius that no attack has.
    """
    base = suites.load("default" if config.suite is None else config.suite)
    entries = (
        [entry.model_dump(include={"spec", "samples"}) for entry in base.attacks]
        if config.suite is not None or not config.attacks
        else []
    )
    if config.samples is not None:  # the images that were asked for, for every attack
        entries = [entry | {"samples": None} for entry in entries]
    present = {entry["spec"] for entry in entries}
    for given in config.attacks:
        attack = parse(given)
        if not isinstance(given, str) or attack.spec not in present:  # two objects may differ behind one spec string
            entries.append({"spec": attack.spec, "given": attack})
        present.add(attack.spec)
    radii = [f"l2={eps}" for eps in config.eps_l2] + [f"linf={eps}" for eps in config.eps_linf]
    for radius in radii:
        entries += _at(radius, entries)
    return suites.build(
        "the run",
        title=base.title if not config.attacks else "",
        snr_db=base.snr_db if config.snr is None else config.snr,
        rulers=config.rulers or base.rulers,
        attacks=entries,
        samples=base.samples if config.samples is None else None,
    )


def with_gradients_only(suite: Suite, config: RunConfig, models: Sequence[Model]) -> tuple[Suite, str]:
    """The suite without the attacks that need a gradient, where a model has none; and a remark that names them.

    Raises
    ------
    UsageError
        One of them was asked for by name, or no attack is left.
    """
    without = next((model.name for model in models if not model.differentiable), None)
    left_out = [entry.spec for entry in suite.attacks if entry.uses_gradient]
    if without is None or not left_out:
        return suite, ""
    named = {parse(given).spec for given in config.attacks}
    asked = [spec for spec in left_out if spec in named] or (left_out if len(left_out) == len(suite.attacks) else [])
    if asked:
        raise UsageError(
            f"{listed(asked)}: needs a gradient, and {without} has none: use noise, square-attack, or a decision-based "
            "attack such as art.HopSkipJump",
            "attacks",
        )
    kept = tuple(entry for entry in suite.attacks if not entry.uses_gradient)
    return suite.model_copy(update={"attacks": kept}), f"it has no gradient: left out {', '.join(left_out)}"


def default_folder(info: RunInfo) -> Path:
    """A folder under `runs/` that the same run names again, so that it is resumed."""
    names = "+".join(model.name for model in info.models)
    text = f"{names}-{info.data.name}".replace("bundled:", "")
    readable = "".join(c if c.isalnum() or c in "+-_." else "-" for c in text)
    digest = hashlib.sha256(json.dumps(info.identity()).encode()).hexdigest()
    return Path("runs") / f"{readable[:80]}-{digest[:8]}"


def _at(radius: str, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The adversaries among a suite's attacks, at a fixed radius."""
    found = []
    for entry in entries:
        attack = parse(entry.get("given") or entry["spec"])
        signs = attack.norm == "linf"
        if attack.needs_model and not attack.at_radius and signs == radius.startswith("linf"):
            found.append({"spec": parse(f"{attack.spec}@{radius}").spec, "samples": entry.get("samples")})
    if not found:
        norm = radius.partition("=")[0]
        needed = "pgd-linf" if norm == "linf" else "pgd"
        raise UsageError(f"no attack of the suite has a radius {radius}: add the attack {needed}", "attacks")
    return found

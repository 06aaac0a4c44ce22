"""From what was typed to what is run: models and images opened, the suite chosen, everything checked first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._utils.devices import pick_device
from .._utils.errors import UsageError
from ..attacks import parse
from ..data import Dataset, Images, check_labels, open_images
from ..models import Model, open_model
from ..results import Run, Suite, suites
from . import executors
from .cells import Cell, plan
from .execution import default_folder, execute


@dataclass(frozen=True)
class Request:
    """Everything that a run needs, opened and checked.

    Attributes
    ----------
    models : tuple of Model
    data : Images
    suite : Suite
    seeds : tuple of int
    bits : int or None
    batch_size : int or "auto"
    device : str
    folder : Path
    executor : str
    """

    models: tuple[Model, ...]
    data: Images
    suite: Suite
    seeds: tuple[int, ...]
    bits: int | None
    batch_size: int | str
    device: str
    folder: Path
    executor: str = "serial"

    def plan(self) -> list[Cell]:
        """The cells that the run consists of."""
        return plan(len(self.models), self.suite, Dataset.of(self.data.images, self.data.labels), self.seeds)

    def execute(self, command: str) -> Run:
        """Run it; `command` is kept in the run's folder for the record."""
        return execute(
            self.models,
            self.data,
            self.suite,
            self.folder,
            seeds=self.seeds,
            bits=self.bits,
            batch_size=self.batch_size,
            device=self.device,
            executor=self.executor,
            command=command,
        )


def prepare(
    models: Sequence[str],
    *,
    arch: str | None = None,
    data: str | None = None,
    classes: str | None = None,
    size: int | None = None,
    mean: str | None = None,
    std: str | None = None,
    trust: bool = False,
    suite: str | None = None,
    attacks: Sequence[str] = (),
    snr: str | None = None,
    eps_l2: Sequence[str] = (),
    eps_linf: Sequence[str] = (),
    rulers: Sequence[str] = (),
    bits: int | None = None,
    samples: int | None = None,
    seeds: Sequence[int] = (),
    batch_size: str = "auto",
    device: str = "auto",
    executor: str = "serial",
    out: Path | None = None,
) -> Request:
    """Open and check what the command line names; the parameters are its options.

    Returns
    -------
    Request

    Raises
    ------
    BenchError
        What is wrong, and what to type instead.
    """
    radii = [f"l2={eps}" for eps in eps_l2] + [f"linf={eps}" for eps in eps_linf]
    chosen_suite = choose_suite(
        suite, attacks, snr, rulers, radii
    )  # first, since a typing error there is cheapest to tell
    executors.check(executor)
    where = pick_device(device)
    if batch_size != "auto" and not batch_size.isdigit():
        raise UsageError(f"--batch-size {batch_size!r}: expected a number, or auto")
    opened = [open_model(spec, arch=arch, mean=mean, std=std, size=size, trust=trust, device=where) for spec in models]
    first = opened[0]
    for other in opened[1:]:
        if (other.classes, other.channels, other.size) != (first.classes, first.channels, first.size):
            raise UsageError(
                f"models must take the same images to be compared: {_takes(first)}; {_takes(other)}; run them apart"
            )
    images = open_images(
        data,
        channels=first.channels,
        size=size or first.size,
        preprocessing=first.preprocessing,
        classes=classes,
        model_classes=first.classes,
        samples=samples,
    )
    check_labels(first, images)
    named = tuple(_distinct(opened))
    seeds = tuple(dict.fromkeys(seeds)) or (0,)
    batch: int | str = batch_size if batch_size == "auto" else int(batch_size)
    folder = out or default_folder(named, images, chosen_suite, seeds=seeds, bits=bits)
    return Request(named, images, chosen_suite, seeds, bits, batch, where, folder, executor)


def choose_suite(
    name: str | None, attacks: Sequence[str], snr: str | None, rulers: Sequence[str], radii: Sequence[str] = ()
) -> Suite:
    """The suite named, or one of the attacks given; attacks are added to a suite that is named too.

    Parameters
    ----------
    name : str or None
    attacks : sequence of str
        Spec strings.
    snr : str or None
        A grid that takes the place of the suite's.
    rulers : sequence of str
        Rulers that take the place of the suite's.
    radii : sequence of str
        `l2=0.5`, `linf=8/255`: at these the suite's adversaries are run as well, those that have such a radius.

    Returns
    -------
    Suite

    Raises
    ------
    UsageError
    """
    base = suites.load("default" if name is None else name)
    entries = [entry.model_dump() for entry in base.attacks] if name is not None or not attacks else []
    present = {entry["spec"] for entry in entries}
    added = [spec for spec in dict.fromkeys(parse(text).spec for text in attacks) if spec not in present]
    entries += [{"spec": spec} for spec in added]
    for radius in radii:
        entries += _at(radius, entries)
    return suites.build(
        "the command line",
        title=base.title if not attacks else "",
        snr_db=base.snr_db if snr is None else snr,
        rulers=tuple(rulers) or base.rulers,
        attacks=entries,
        samples=base.samples,
    )


def _at(radius: str, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The adversaries among a suite's attacks, at a fixed radius."""
    found = []
    for entry in entries:
        attack = parse(entry["spec"])
        signs = attack.family in ("fgsm", "pgd-linf")
        if attack.needs_model and "@" not in attack.spec and signs == radius.startswith("linf"):
            found.append({"spec": parse(f"{attack.spec}@{radius}").spec, "samples": entry.get("samples")})
    if not found:
        needed = "pgd-linf" if radius.startswith("linf") else "pgd"
        raise UsageError(f"no attack of the suite has a radius {radius}: add --attack {needed}")
    return found


def _distinct(models: Sequence[Model]) -> list[Model]:
    """Models under names that differ: the same file stem in two folders gets its number."""
    names = [model.name for model in models]
    return [
        replace(model, name=f"{model.name}#{names[: place + 1].count(model.name)}")
        if names.count(model.name) > 1
        else model
        for place, model in enumerate(models)
    ]


def _takes(model: Model) -> str:
    side = f"{model.size} x {model.size} " if model.size else ""
    return f"{model.name} takes {side}images of {model.channels or 'any'} channels and knows {model.classes} classes"

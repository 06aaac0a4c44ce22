"""Verifying an entry: its numbers are recomputed, and a seeded share of its cells is rerun and compared."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from .._utils.devices import pick_device
from .._utils.errors import ModelError, UsageError
from .._utils.files import shown
from ..attacks import checked
from ..data import Dataset, Images, open_images
from ..models import Model, open_model
from ..report.leaderboard import CellRecord, Entry, faults, pack_indices, settings, unpack_hits
from ..results import suites
from ..results.statistics import CLEAN
from .cells import Cell, plan
from .progress import Progress
from .worker import Failed, Job, Worker

# Other hardware, threads or batches move logits in the last bits: a few images on the border between two classes
# fall on the other side, and a gradient attack that is sent another way finds a few others.
_TOLERANCE = {"noise": 0.01, "adversary": 0.02}
_FEWEST = 2  # images, in a small cell
_BIAS = 0.002  # such ties fall to both sides: over everything that was run they nearly cancel


@dataclass(frozen=True)
class Check:
    """What verifying an entry found.

    Attributes
    ----------
    cells, of : int
        Cells that were rerun, and cells of the entry.
    predictions : int
        Predictions in them.
    differing : int
        How many of them are right in the entry and wrong in the rerun, or the reverse. Entries of schema version 1 have
        counts of right predictions alone: then it is the sum of their differences.
    faults : tuple of str
        What differs by more than float ties can explain; empty for an entry that is accepted.
    """

    cells: int
    of: int
    predictions: int
    differing: int
    faults: tuple[str, ...]


def verify(
    entry: Entry,
    *,
    share: float = 0.1,
    seed: int | None = None,
    model: str | None = None,
    arch: str | None = None,
    data: str | None = None,
    classes: str | None = None,
    trust: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Check:
    """Recompute an entry's numbers from what it carries, and rerun a seeded share of its cells.

    The clean cells are always among them. A model or data set that comes with the package is found by its name;
    nothing else that an entry names is opened.

    Parameters
    ----------
    entry : Entry
    share : float
        In (0, 1].
    seed : int, optional
        Which cells are drawn. By default at random: whoever knows the cells beforehand can forge the others.
    model, arch, data, classes : str, optional
        As on the command line of a run.
    trust : bool
        Open a model file that executes code when it is read.
    device : str
    quiet : bool
        Show no progress.

    Raises
    ------
    UsageError
        The model or the data set must be named, or the share is none.
    BenchError
        They cannot be opened.
    """
    if not 0 < share <= 1:
        raise UsageError(f"share {share:g}: expected a number above 0 and up to 1, such as 0.1", "share")
    seed = secrets.randbelow(2**32) if seed is None else seed
    if own_faults := faults(entry):  # an entry that contradicts itself need not be run
        return Check(0, len(entry.cells), 0, 0, tuple(own_faults))
    where = pick_device(device)
    opened = _model(entry, _named(entry.model.name, model, "model"), arch, trust, where)
    images = _images(entry, _named(entry.data.name, data, "data"), classes, opened)
    for what, record, found in (
        ("model", entry.model.sha256, opened.sha256),
        ("data", entry.data.sha256, images.sha256),
    ):
        if record != found:
            fault = f"another {what}: SHA-256 {found or 'unknown'}, and the entry has {record}"
            return Check(0, len(entry.cells), 0, 0, (fault,))
    if stated_faults := list(_stated_faults(entry, opened, images, where)):
        return Check(0, len(entry.cells), 0, 0, tuple(stated_faults))
    try:
        pairs = _draw(entry, list(_paired(entry, images)), share, seed)
    except _UnlikePlanError as error:
        return Check(0, len(entry.cells), 0, 0, (str(error),))
    hits = _rerun([cell for _, cell in pairs], entry, opened, images, where, quiet)
    return _compare(entry, [record for record, _ in pairs], hits)


def _stated_faults(entry: Entry, model: Model, images: Images, device: str) -> Iterator[str]:
    """What an entry says of its model and images, and cannot follow from its cells."""
    dataset, stated, how = Dataset.of(images.images, images.labels), entry.data, model.preprocessing
    for what, said, found in (
        ("images", stated.images, len(images.images)),
        ("shape", stated.shape, list(images.images.shape[1:])),
        ("resize", entry.model.resize, how.resize),
        ("interpolation", entry.model.interpolation, how.interpolation),
    ):
        if said != found:
            yield f"another {what}: {found}, and the entry has {said}"
    if images.labels is None:
        yield "the images have no labels"
        return
    one = dataset.floats(dataset.keep[:1]).to(device)
    with torch.inference_mode():
        classes = int(checked(model.predict(one), 1).shape[1])
    if classes != stated.classes:
        yield f"another number of classes: {classes}, and the entry has {stated.classes}"
    share = float(np.bincount(images.labels[dataset.keep]).max() / len(dataset.keep))
    if abs(share - stated.commonest) > 1e-5:
        yield f"the commonest label has a share of {share:.6f}, and the entry has {stated.commonest:.6f}"


class _UnlikePlanError(Exception):
    """The entry's cells are not those that its suite has on these images."""


def _named(name: str, given: str | None, argument: str) -> str:
    if given is None and not name.startswith("bundled:"):
        raise UsageError(f"{shown(name)} does not come with cnncomm-bench: pass its place", argument)
    return given or name


def _model(entry: Entry, spec: str, arch: str | None, trust: bool, device: str) -> Model:
    """The model, prepared as the entry says where it says something else than the file."""
    opened = open_model(spec, arch=arch, trust=trust, device=device)
    how, record = opened.preprocessing, entry.model
    mean = None if list(how.mean) == record.mean else record.mean
    std = None if list(how.std) == record.std else record.std
    size = None if how.size == record.size else record.size
    if (mean, std, size) == (None, None, None):
        return opened
    return open_model(spec, arch=arch, mean=mean, std=std, size=size, trust=trust, device=device)


def _images(entry: Entry, spec: str, classes: str | None, model: Model) -> Images:
    record = entry.data
    size = model.size or (record.shape[1] if record.shape[1] == record.shape[2] else None)
    for samples in (record.images, None):  # a subset; or all of them, of which some were left out
        images = open_images(
            spec,
            channels=record.shape[0],
            size=size,
            preprocessing=model.preprocessing,
            classes=classes,
            model_classes=model.classes,
            samples=samples,
        )
        if images.sha256 == record.sha256:
            break
    return images


def _paired(entry: Entry, images: Images) -> Iterator[tuple[CellRecord, Cell]]:
    """Each of the entry's cells with the images and attack that it must have had."""
    suite = _suite(entry)
    for attack, listed in zip(suite.attacks, entry.suite.attacks, strict=True):
        if (attack.adversary, attack.family) != (listed.kind == "adversary", listed.family):
            raise _UnlikePlanError(
                f"{shown(listed.spec)} is another kind of attack or family than {listed.kind}, {shown(listed.family)}"
            )
        if settings(attack) != listed.parameters:
            raise _UnlikePlanError(
                f"{shown(listed.spec)} is {settings(attack)} here, and {listed.parameters} in the entry"
            )
    planned: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in plan(1, suite, Dataset.of(images.images, images.labels), entry.seeds):
        planned.setdefault((cell.attack.spec, cell.ruler, cell.seed), []).append(cell)
    records: dict[tuple[str, str, int], list[CellRecord]] = {}
    for record in entry.cells:
        records.setdefault((record.attack, record.ruler, record.seed), []).append(record)
    for key in dict.fromkeys([*planned, *records]):
        place = np.sort(np.concatenate([cell.images for cell in planned.get(key, [])] or [np.arange(0)]))
        counts = [record.images for record in records.get(key, [])]
        if sum(counts) != len(place):
            raise _UnlikePlanError(
                f"{shown(key[0])} (ruler {shown(key[1])}, seed {key[2]}) runs on {len(place)} images, and the entry's "
                f"cells have {sum(counts)}"
            )
        for record, block in zip(records[key], np.split(place, np.cumsum(counts)[:-1]), strict=True):
            if entry.recomputable and record.which != pack_indices(block):
                raise _UnlikePlanError(f"a cell of {shown(key[0])} is not of the images that the suite has for it")
            yield record, replace(planned[key][0], images=block)


def _suite(entry: Entry) -> suites.Suite:
    record = entry.suite
    return suites.build(
        "the entry's suite",
        snr_db=record.snr_db,
        rulers=record.rulers,
        samples=record.samples,
        attacks=[{"spec": attack.spec, "samples": attack.samples} for attack in record.attacks],
    )


def _draw(
    entry: Entry, pairs: Sequence[tuple[CellRecord, Cell]], share: float, seed: int
) -> list[tuple[CellRecord, Cell]]:
    """The clean cells and a share of the others, of noises and of adversaries alike."""
    kind = {attack.spec: attack.kind for attack in entry.suite.attacks}
    generator = np.random.default_rng(seed)
    chosen = [place for place, (record, _) in enumerate(pairs) if record.attack == CLEAN]
    for one in ("noise", "adversary"):
        of_kind = [place for place, (record, _) in enumerate(pairs) if kind.get(record.attack) == one]
        count = min(len(of_kind), max(1, round(share * len(of_kind))))
        chosen += generator.permutation(of_kind)[:count].tolist()
    return [pairs[place] for place in sorted(chosen)]


def _rerun(
    cells: Sequence[Cell], entry: Entry, model: Model, images: Images, device: str, quiet: bool
) -> list[npt.NDArray[np.bool_]]:
    """Which images of every cell are right, shape-(K, N) each."""
    dataset = Dataset.of(images.images, images.labels)
    worker = Worker([model.predict], [model.name], dataset, batch_size=entry.batch_size, device=device, bits=entry.bits)
    labels = images.labels
    jobs = (Job(index, cell, None if labels is None else labels[cell.images]) for index, cell in enumerate(cells))
    hits = []

    def weigh(cell: Cell) -> float:
        return cell.num_forwards * cell.attack.passes(model.classes or 1).weight

    with Progress([model.name], cells, weigh, quiet=quiet) as progress:
        for cell, result in zip(cells, worker.compute(jobs, progress.advance), strict=True):
            if isinstance(result, Failed):
                raise ModelError(f"{cell.attack.spec}: {result.reason}")
            right = np.asarray(result.columns["prediction"] == result.columns["label"])
            hits.append(right.reshape(len(cell.snr_db), -1))
    return hits


def _compare(entry: Entry, records: Sequence[CellRecord], hits: Sequence[npt.NDArray[np.bool_]]) -> Check:
    kind = {attack.spec: attack.kind for attack in entry.suite.attacks}
    found, bias = [], 0
    differing, predictions = Counter[str](), Counter[str]()  # by kind: small cells allow more than their share
    for record, rerun in zip(records, hits, strict=True):
        grid = [float("inf")] if record.attack == CLEAN else entry.suite.snr_db
        of_kind = kind.get(record.attack, "noise")
        allowed = max(_FEWEST, _TOLERANCE[of_kind] * record.images)
        predictions[of_kind] += record.images * len(grid)
        now = rerun.sum(1)
        others = np.abs(np.array(record.correct) - now)
        if entry.recomputable:
            others = (unpack_hits(record.right, *rerun.shape) != rerun).sum(1)
        differing[of_kind] += int(others.sum())
        bias += int(sum(record.correct) - now.sum())
        for snr_db, was, is_now, other in zip(grid, record.correct, now, others, strict=True):
            if other > allowed:
                found.append(
                    f"{shown(record.attack)} at {snr_db:g} dB (ruler {shown(record.ruler)}, seed {record.seed}): "
                    f"accuracy {was / record.images:.4f} in the entry, {is_now / record.images:.4f} in the rerun, "
                    f"{other} of its {record.images} images differ"
                )
    ties, all_of = "more than ties explain", predictions.total()
    for one, count in differing.items():
        if count > max(_FEWEST, _TOLERANCE[one] * predictions[one]):
            found.append(f"over all cells rerun of the kind {one} {count} of {predictions[one]} differ: {ties}")
    if abs(bias) > max(_FEWEST, _BIAS * all_of):
        found.append(f"over all cells rerun the entry counts {bias:+d} right predictions in {all_of}: {ties}")
    return Check(len(records), len(entry.cells), all_of, differing.total(), tuple(found))

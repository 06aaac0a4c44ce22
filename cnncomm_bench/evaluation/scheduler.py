"""The scheduler: computes and stores the cells that a run's folder lacks; nothing else writes cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from .._utils.errors import ModelError, RunFolderError
from ..data import Indices
from ..results import Block, CorruptCellError, Failure, Store, near_chance
from ..results.statistics import wilson
from . import executors
from .cells import Cell
from .progress import Progress
from .sequential import Design
from .worker import Failed, Job, Worker

_UNKNOWN = -1  # the label of an image whose clean prediction is missing


Extend = Callable[[Sequence[Block]], list[Cell]]
"""Turns blocks into cells."""


def complete(
    cells: list[Cell],
    worker: Worker,
    store: Store,
    *,
    executor: str,
    weigh: Callable[[Cell], float],
    quiet: bool,
    design: Design | None = None,
    extend: Extend | None = None,
) -> None:
    """Compute the cells of a plan that are missing and merge all of them; damaged cells are recomputed.

    Parameters
    ----------
    cells : list of Cell
        The plan; the cells of a sequential design's blocks are appended.
    worker : Worker
    store : Store
    executor : str
    weigh : callable
        Passes of a cell, for the progress bar.
    quiet : bool
        Show no progress.
    design : Design, optional
        Adds blocks of images until it is complete.
    extend : callable, optional
        The cells of a design's blocks.

    Raises
    ------
    ModelError
        Every clean cell of a model failed, or every cell that is not clean: the first reason.
    RunFolderError
        A cell cannot be written; or stored cells are not those of the plan.
    """
    while True:
        try:
            if not store.complete:
                _check_stored(cells, worker, store)
            store.merge(_compute(cells, worker, store, executor, weigh, quiet, design, extend))
            return
        except CorruptCellError:
            continue


def _compute(
    cells: list[Cell],
    worker: Worker,
    store: Store,
    executor: str,
    weigh: Callable[[Cell], float],
    quiet: bool,
    design: Design | None,
    extend: Extend | None,
) -> dict[int, Failure]:
    failures: dict[int, Failure] = {}
    if store.complete:
        return failures
    missing = store.missing()
    labels = _labels(cells, worker, store, failures)

    def jobs(indices: Iterable[int]) -> Iterator[Job]:
        for index in indices:
            cell = cells[index]
            target = labels(cell)
            if target is not None and (target == _UNKNOWN).any():
                fail(index, "the clean predictions that are its labels failed")
            else:
                yield Job(index, cell, target)

    def fail(index: int, reason: str) -> None:
        failures[index] = _failure(cells[index], worker, reason)
        if design:
            design.fail(cells[index])

    def run(indices: Sequence[int]) -> None:
        for result in compute(jobs(indices), progress.advance):
            if isinstance(result, Failed):
                fail(result.index, result.reason)
                continue
            store.write_cell(result.index, result.columns, result.facts, result.seconds, result.batch_size)
            if design:
                design.add(cells[result.index], result.columns)

    if design:
        for index in sorted(set(range(len(cells))) - set(missing)):
            design.add(cells[index], _columns(store, index))
    progress = Progress(worker.names, [cells[index] for index in missing], weigh, quiet=quiet)
    with progress, executors.opened(executor, worker) as compute:
        for clean in (True, False):  # clean cells first: images without labels get theirs from them
            run([index for index in missing if cells[index].clean == clean])
            _check(cells, failures, clean)
            if clean and worker.dataset.labels is not None:  # before hours of what cannot be used
                for line in _near_chance(cells, failures, worker, store):
                    progress.report(line)
        while design and extend and (blocks := design.next_blocks()):
            added = extend(blocks)
            store.extend(blocks, len(cells) + len(added))
            cells.extend(added)
            progress.extend(added)
            run(range(len(cells) - len(added), len(cells)))
        _check(cells, failures, False)
    return dict(sorted(failures.items()))


def _near_chance(cells: Sequence[Cell], failures: Mapping[int, Failure], worker: Worker, store: Store) -> Iterator[str]:
    """A line for each model whose clean accuracy is near chance."""
    right: dict[int, list[np.ndarray]] = {}
    for index, cell in enumerate(cells):
        if cell.clean and index not in failures:
            columns = _columns(store, index)
            right.setdefault(cell.model, []).append(columns["prediction"] == columns["label"])
    for model, parts in right.items():
        hits = np.concatenate(parts)
        low, _ = wilson(np.array([hits.mean()]), np.array([float(len(hits))]))
        line = near_chance(worker.names[model], float(hits.mean()), float(low[0]), store.info.data.classes)
        if line is not None:
            yield line


def _columns(store: Store, index: int) -> dict[str, np.ndarray]:
    table = store.read_cell(index)
    return {name: table[name].to_numpy() for name in ("prediction", "label")}


def _labels(
    cells: Sequence[Cell], worker: Worker, store: Store, failures: Mapping[int, Failure]
) -> Callable[[Cell], Indices | None]:
    """A function from a cell to its labels; without labels, its model's clean predictions take their place."""
    known = worker.dataset.labels

    @cache
    def clean_predictions(model: int) -> Indices:
        predictions = np.full(len(worker.dataset.images), _UNKNOWN)
        for index, cell in enumerate(cells):
            if cell.model == model and cell.clean and index not in failures:
                predictions[cell.images] = store.read_cell(index)["prediction"].to_numpy()
        return predictions

    def labels(cell: Cell) -> Indices | None:
        if known is not None:
            return known[cell.images]
        return None if cell.clean else clean_predictions(cell.model)[cell.images]

    return labels


def _check(cells: Sequence[Cell], failures: Mapping[int, Failure], clean: bool) -> None:
    """Refuse a model whose clean cells all failed, or a run in which all others did."""
    groups: dict[int | None, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell.clean == clean:
            groups.setdefault(cell.model if clean else None, []).append(index)
    for group in groups.values():
        if all(index in failures for index in group):
            first = failures[group[0]]
            raise ModelError(f"{first.model}, {first.attack}: {first.reason}")


def _check_stored(cells: Sequence[Cell], worker: Worker, store: Store) -> None:
    """Refuse cells that another plan stored under the same indices: another version may have planned them."""
    missing = set(store.missing())
    for index, cell in enumerate(cells):
        if index in missing:
            continue
        table = store.read_cell(index)
        row = table.slice(0, 1).to_pylist()[0]
        planned = {
            "model": worker.names[cell.model],
            "attack": cell.attack.spec,
            "ruler": cell.ruler,
            "seed": cell.seed,
            "snr_db": cell.snr_db[0],
            "image": int(cell.images[0]),
        }
        counts = (table.num_rows, len(cell.images) * len(cell.snr_db))
        if counts[0] != counts[1] or any(row[name] != value for name, value in planned.items()):
            raise RunFolderError(
                f"{store.folder} holds cells of another plan, by another version of cnncomm-bench: "
                "finish it with that version, or name another folder",
                "out",
            )


def _failure(cell: Cell, worker: Worker, reason: str) -> Failure:
    return Failure(
        model=worker.names[cell.model],
        attack=cell.attack.spec,
        ruler=cell.ruler,
        seed=cell.seed,
        images=len(cell.images),
        first_image=int(cell.images[0]),
        reason=reason,
    )

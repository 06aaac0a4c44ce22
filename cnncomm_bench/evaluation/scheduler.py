"""The scheduler: computes and stores the cells that a run's folder lacks; nothing else writes cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from .._utils.errors import ModelError, RunFolderError
from ..data import Indices
from ..results import CorruptCellError, Failure, Store
from . import executors
from .cells import Cell
from .progress import Progress
from .worker import Failed, Job, Worker

_UNKNOWN = -1  # the label of an image whose clean prediction is missing


def complete(cells: Sequence[Cell], worker: Worker, store: Store, *, executor: str, quiet: bool) -> None:
    """Compute the cells of a plan that are missing and merge all of them; damaged cells are recomputed.

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
            store.merge(_compute(cells, worker, store, executor, quiet))
            return
        except CorruptCellError:
            continue


def _compute(cells: Sequence[Cell], worker: Worker, store: Store, executor: str, quiet: bool) -> dict[int, Failure]:
    missing = store.missing()
    failures: dict[int, Failure] = {}
    if not missing:
        return failures
    labels = _labels(cells, worker, store, failures)

    def jobs(clean: bool) -> Iterator[Job]:
        for index in missing:
            cell = cells[index]
            if cell.clean != clean:
                continue
            target = labels(cell)
            if target is not None and (target == _UNKNOWN).any():
                failures[index] = _failure(cell, worker, "the clean predictions that are its labels failed")
            else:
                yield Job(index, cell, target)

    progress = Progress(worker.names, [cells[index] for index in missing], quiet=quiet)
    with progress, executors.opened(executor, worker) as compute:
        for clean in (True, False):  # clean cells first: images without labels get theirs from them
            for result in compute(jobs(clean), progress.advance):
                if isinstance(result, Failed):
                    failures[result.index] = _failure(cells[result.index], worker, result.reason)
                else:
                    store.write_cell(result.index, result.columns, result.facts, result.seconds, result.batch_size)
            _check(cells, failures, clean)
    return dict(sorted(failures.items()))


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
        row = store.read_cell(index).slice(0, 1).to_pylist()[0]
        planned = {
            "model": worker.names[cell.model],
            "attack": cell.attack.spec,
            "ruler": cell.ruler,
            "seed": cell.seed,
            "snr_db": cell.snr_db[0],
            "image": int(cell.images[0]),
        }
        if any(row[name] != value for name, value in planned.items()):
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

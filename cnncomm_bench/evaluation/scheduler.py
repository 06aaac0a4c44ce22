"""What a run's folder lacks, computed and stored: the one place where cells are handed out and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from .._utils.errors import ModelError
from ..data import Indices
from ..results import CorruptCellError, Failure, Store
from . import executors
from .cells import Cell
from .progress import Progress
from .worker import Failed, Job, Worker

_UNKNOWN = -1  # the label of an image whose clean prediction is missing


def complete(cells: Sequence[Cell], worker: Worker, store: Store, *, executor: str, quiet: bool) -> None:
    """Compute the cells that are missing and merge all of them; those found damaged are computed again.

    Parameters
    ----------
    cells : sequence of Cell
        The plan.
    worker : Worker
    store : Store
    executor : str
        One of `executors.NAMES`.
    quiet : bool
        Show no progress.

    Raises
    ------
    ModelError
        Nothing of a model, or nothing but clean predictions, could be computed: the first reason.
    RunFolderError
        A cell cannot be written.
    """
    while True:
        try:
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

    progress = Progress(worker.names, [cells[index] for index in missing], store.info.data.classes, quiet=quiet)
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
    """What gives a cell's labels; without any, they are what its model answers to the clean images."""
    known = worker.dataset.labels

    @cache
    def answers(model: int) -> Indices:
        agreed = np.full(len(worker.dataset.images), _UNKNOWN)
        for index, cell in enumerate(cells):
            if cell.model == model and cell.clean and index not in failures:
                agreed[cell.images] = store.read_cell(index)["prediction"].to_numpy()
        return agreed

    def labels(cell: Cell) -> Indices | None:
        if known is not None:
            return known[cell.images]
        return None if cell.clean else answers(cell.model)[cell.images]

    return labels


def _check(cells: Sequence[Cell], failures: Mapping[int, Failure], clean: bool) -> None:
    """Refuse to go on with a model that gave no clean predictions, or to score a run that has nothing else."""
    groups: dict[int | None, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell.clean == clean:
            groups.setdefault(cell.model if clean else None, []).append(index)
    for group in groups.values():
        if all(index in failures for index in group):
            first = failures[group[0]]
            raise ModelError(f"{first.model}, {first.attack}: {first.reason}")


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

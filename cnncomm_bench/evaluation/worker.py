"""The worker: cells to predictions.

While the model runs on a batch, the next batch's noise is drawn on the host in a thread. A batch for which memory
does not suffice is halved, and so are those after it. A cell that fails for good does not keep the others from
being computed.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import snr
from .._utils import memory
from .._utils.devices import noise_threads
from .._utils.errors import BenchError
from .._utils.files import one_line
from ..attacks import Batch, Logits, predict
from ..data import Dataset, Indices
from ..snr import Digests, digests
from .accumulator import Accumulator
from .cells import Cell

_AHEAD = 2  # batches prepared by each thread while the model runs

Prepared = tuple[Tensor, Digests, Any]
Progress = Callable[[Cell, int], None]
"""Told after each batch and SNR: (cell, images done)."""


@dataclass(frozen=True, eq=False)
class Job:
    """A cell to compute.

    Attributes
    ----------
    index : int
        Its place in the plan.
    cell : Cell
    labels : ndarray of int64, or None
        Of its images; None for a clean cell of images without labels, whose predictions take their place.
    """

    index: int
    cell: Cell
    labels: Indices | None


@dataclass(frozen=True, eq=False)
class Done:
    """A cell that was computed.

    Attributes
    ----------
    index : int
    columns : dict
        Of `folder.PREDICTIONS`.
    facts : dict
        Fact to SNR to its mean over the cell's images.
    seconds : float
    batch_size : int
        Images that fitted into memory at once; smaller than what was asked for where batches had to be halved.
    """

    index: int
    columns: dict[str, Any]
    facts: dict[str, dict[str, float]]
    seconds: float
    batch_size: int


@dataclass(frozen=True)
class Failed:
    """A cell that cannot be computed.

    Attributes
    ----------
    index : int
    reason : str
        One line.
    """

    index: int
    reason: str


class Worker:
    """Computes cells.

    Parameters
    ----------
    models : sequence of callable
        Float images in [0, 1] to logits.
    names : sequence of str
    dataset : Dataset
    batch_size : int
    device : str
    bits : int, optional
        Round disturbed images as a file of that many bits would.
    """

    def __init__(
        self,
        models: Sequence[Logits],
        names: Sequence[str],
        dataset: Dataset,
        *,
        batch_size: int,
        device: str = "cpu",
        bits: int | None = None,
    ) -> None:
        self.models, self.names, self.dataset = models, names, dataset
        self.batch_size, self.device, self.bits = batch_size, device, bits
        self._keys: dict[int, int] = {}

    def compute(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done | Failed]:
        """Compute cells, one after another.

        Parameters
        ----------
        jobs : iterable of Job
            Asked for shortly before they are computed.
        progress : callable

        Yields
        ------
        Done or Failed
            In the order of the jobs.
        """
        threads = noise_threads(self.device)
        with ThreadPoolExecutor(threads, thread_name_prefix="noise") as pool:
            batches = ((job, rows) for job in jobs for rows in self._batches(job.cell))
            prepared = _ahead(pool, lambda batch: self._prepare(batch[0].cell, batch[1]), batches, threads * _AHEAD)
            for job, group in itertools.groupby(prepared, key=lambda ready: ready[0][0]):
                yield self._cell(job, ((rows, future.result) for (_, rows), future in group), progress)

    def _batches(self, cell: Cell) -> Iterator[slice]:
        count, size = len(cell.images), self.batch_size
        return (slice(start, min(start + size, count)) for start in range(0, count, size))

    def _prepare(self, cell: Cell, rows: slice) -> Prepared:
        """What the host does for a batch, in the thread: dataset to floats, and the noise of all SNRs."""
        images = cell.images[rows]
        clean = self.dataset.floats(images)
        unknown = [row for row, image in enumerate(images.tolist()) if image not in self._keys]
        if unknown:
            self._keys.update(zip(images[unknown].tolist(), digests(clean[unknown]).tolist(), strict=True))
        keys = np.array([self._keys[image] for image in images.tolist()], dtype=np.uint64)
        return clean, keys, cell.attack.draw(keys, tuple(clean.shape[1:]), seed=cell.seed)

    def _cell(
        self, job: Job, batches: Iterator[tuple[slice, Callable[[], Prepared]]], progress: Progress
    ) -> Done | Failed:
        accumulator, started, size = Accumulator(job.cell), time.perf_counter(), self.batch_size
        try:
            for rows, prepared in batches:
                self._batch(job, rows, prepared, accumulator, progress)
        except Exception as error:  # attacks and models are other people's code too: they raise what they like
            self.batch_size = size  # what even one image was too much for says nothing about other cells
            return Failed(job.index, _reason(error))
        seconds = time.perf_counter() - started
        columns = accumulator.columns(self.names[job.cell.model], job.labels)
        return Done(job.index, columns, accumulator.mean_facts(), seconds, self.batch_size)

    def _batch(
        self, job: Job, rows: slice, prepared: Callable[[], Prepared], accumulator: Accumulator, progress: Progress
    ) -> None:
        """Compute a batch; where memory does not suffice, its halves."""
        count = rows.stop - rows.start
        if count <= self.batch_size:
            try:
                self._disturb(job, rows, prepared(), accumulator, progress)
                return
            except Exception as error:
                if count == 1 or not memory.ran_out(error):
                    raise
            memory.release()  # after the except clause, since the error holds what the model was busy with
            self.batch_size = count // 2
        middle = rows.start + count // 2
        for half in (slice(rows.start, middle), slice(middle, rows.stop)):
            self._batch(job, half, partial(self._prepare, job.cell, half), accumulator, progress)

    def _disturb(self, job: Job, rows: slice, prepared: Prepared, accumulator: Accumulator, progress: Progress) -> None:
        cell, (host, keys, draws) = job.cell, prepared
        clean = host.to(self.device, non_blocking=True)
        target = None if job.labels is None else torch.from_numpy(job.labels[rows]).to(self.device)
        model = self.models[cell.model]
        batch = Batch(clean, target, model=model, ruler=cell.ruler, seed=cell.seed, keys=keys, draws=draws)
        for disturbed in cell.attack.over(batch, torch.tensor(cell.snr_db, dtype=torch.float64, device=self.device)):
            # An adversary's SNR is a budget, which rounding must not exceed.
            images = snr.quantise(disturbed.images, self.bits, within=clean if cell.attack.needs_model else None)
            predictions = disturbed.predictions
            if predictions is None or self.bits is not None:
                predictions = predict(model, images)
            accumulator.put(disturbed, rows, predictions, snr.measure(clean, images))
            progress(cell, len(clean))


def _reason(error: Exception) -> str:
    """Why a cell failed, on one line; with the place, where it is no error that was foreseen."""
    if isinstance(error, BenchError):
        return " ".join(str(error).split())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})" if trace else ""
    return one_line(error) + where


_Batch = tuple[Job, slice]


def _ahead(
    pool: ThreadPoolExecutor, prepare: Callable[[_Batch], Prepared], batches: Iterator[_Batch], ahead: int
) -> Iterator[tuple[_Batch, Future[Prepared]]]:
    """Batches in order, a few of them being prepared while the caller is busy with an earlier one."""

    def started(count: int) -> Iterator[tuple[_Batch, Future[Prepared]]]:
        return ((batch, pool.submit(prepare, batch)) for batch in itertools.islice(batches, count))

    waiting = deque(started(ahead))
    while waiting:
        ready = waiting.popleft()
        ready[1].exception()  # waits, so that no more than a few are prepared ahead
        waiting.extend(started(1))
        yield ready

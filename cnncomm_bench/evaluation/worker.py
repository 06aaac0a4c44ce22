"""The worker: cells to predictions.

While the model runs on a batch, a thread draws the noise of the next one on the host. A batch that does not fit into
memory is halved, and so are those after it. A cell that fails does not stop the others.
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
from .._utils.devices import noise_threads, single_threaded
from .._utils.errors import BenchError
from .._utils.files import one_line
from ..attacks import ImageBatch, Logits, predict
from ..data import Dataset, Indices
from ..snr import Digests, digests
from .accumulator import Accumulator
from .cells import Cell

_AHEAD = 2  # batches prepared by each thread while the model runs

Prepared = tuple[Tensor, Digests, Tensor]
Progress = Callable[[Cell, int], None]
"""Called after each batch and SNR: (cell, images done)."""


@dataclass(frozen=True, eq=False)
class Job:
    """A cell to compute.

    Attributes
    ----------
    index : int
        Of the cell in the plan.
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
        Of the cell in the plan.
    columns : dict
        The columns of `results.reader.PREDICTIONS`.
    facts : dict
        Fact to SNR to its mean over the cell's images.
    seconds : float
    batch_size : int
        Images that fitted into memory at once: less than the run's where batches were halved.
    """

    index: int
    columns: dict[str, Any]
    facts: dict[str, dict[str, float]]
    seconds: float
    batch_size: int


@dataclass(frozen=True)
class Failed:
    """A cell that could not be computed, by its index in the plan, with the reason on one line."""

    index: int
    reason: str


class Worker:
    """Computes cells.

    Parameters
    ----------
    models : sequence of callable
        Float images in [0, 1] to logits.
    names : sequence of str
        Of the models.
    dataset : Dataset
    batch_size : int
        Images in a forward pass.
    device : str
    bits : int, optional
        Round perturbed images as a file of that many bits would.
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
        self._keys: dict[int, dict[int, int]] = {}

    def compute(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done | Failed]:
        """Compute cells in the order of the jobs, each of which is read shortly before it is computed."""
        threads = noise_threads(self.device)
        with ThreadPoolExecutor(threads, thread_name_prefix="noise", initializer=single_threaded) as pool:
            batches = ((job, rows) for job in jobs for rows in self._batches(job.cell))
            prepared = _ahead(pool, lambda batch: self._prepare(batch[0].cell, batch[1]), batches, threads * _AHEAD)
            for job, group in itertools.groupby(prepared, key=lambda ready: ready[0][0]):
                yield self._cell(job, ((rows, future.result) for (_, rows), future in group), progress)

    def _batches(self, cell: Cell) -> Iterator[slice]:
        count, size = len(cell.images), self.batch_size
        return (slice(start, min(start + size, count)) for start in range(0, count, size))

    def _prepare(self, cell: Cell, rows: slice) -> Prepared:
        """The host's part of a batch, computed in a thread: images as floats, and the noise of all SNRs."""
        images = cell.images[rows]
        clean = self.dataset.floats(images, cell.model)
        known = self._keys.setdefault(id(self.dataset.view(cell.model)), {})  # models that share a view share digests
        unknown = [row for row, image in enumerate(images.tolist()) if image not in known]
        if unknown:
            known.update(zip(images[unknown].tolist(), digests(clean[unknown]).tolist(), strict=True))
        keys = np.array([known[image] for image in images.tolist()], dtype=np.uint64)
        return clean, keys, cell.attack.draw(keys, tuple(clean.shape[1:]), seed=cell.seed)

    def _cell(
        self, job: Job, batches: Iterator[tuple[slice, Callable[[], Prepared]]], progress: Progress
    ) -> Done | Failed:
        accumulator, started, size = Accumulator(job.cell), time.perf_counter(), self.batch_size
        try:
            for rows, prepared in batches:
                self._batch(job, rows, prepared, accumulator, progress)
        except Exception as error:  # attacks and models are other people's code too, and raise anything
            self.batch_size = size  # a cell in which one image did not fit says nothing about the others
            return Failed(job.index, _reason(error))
        seconds = time.perf_counter() - started
        columns = accumulator.columns(self.names[job.cell.model], job.labels)
        return Done(job.index, columns, accumulator.mean_facts(), seconds, self.batch_size)

    def _batch(
        self, job: Job, rows: slice, prepared: Callable[[], Prepared], accumulator: Accumulator, progress: Progress
    ) -> None:
        """Compute a batch, or its halves where it does not fit into memory."""
        count = rows.stop - rows.start
        if count <= self.batch_size:
            try:
                self._perturb(job, rows, prepared(), accumulator, progress)
                return
            except Exception as error:
                if count == 1 or not memory.ran_out(error):
                    raise
            memory.release()  # after the except clause, since the error holds the model's tensors
            self.batch_size = count // 2
        middle = rows.start + count // 2
        for half in (slice(rows.start, middle), slice(middle, rows.stop)):
            self._batch(job, half, partial(self._prepare, job.cell, half), accumulator, progress)

    def _perturb(self, job: Job, rows: slice, prepared: Prepared, accumulator: Accumulator, progress: Progress) -> None:
        cell, (host, keys, draws) = job.cell, prepared
        clean = host.to(self.device, non_blocking=True)
        target = None if job.labels is None else torch.from_numpy(job.labels[rows]).to(self.device)
        model = self.models[cell.model]
        batch = ImageBatch(clean, seed=cell.seed, keys=keys, draws=draws)
        grid = torch.tensor(cell.snr_db, dtype=torch.float64, device=self.device)
        for perturbed in cell.attack.sweep(batch, grid, ruler=cell.ruler, labels=target, model=model):
            # An adversary's SNR is a budget, which rounding must not exceed.
            within = clean if cell.attack.needs_model else None
            images = snr.quantise(perturbed.images, self.bits, within=within)
            predictions = perturbed.predictions
            if predictions is None or self.bits is not None:
                predictions = predict(model, images)
            accumulator.put(perturbed, rows, predictions, snr.measure(clean, images))
            progress(cell, len(clean))


def _reason(error: Exception) -> str:
    """Why a cell failed, on one line, with file and line where the error is not one of ours."""
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
    """Yield batches in order, a few of them prepared while the caller works on an earlier one."""

    def started(count: int) -> Iterator[tuple[_Batch, Future[Prepared]]]:
        return ((batch, pool.submit(prepare, batch)) for batch in itertools.islice(batches, count))

    waiting = deque(started(ahead))
    while waiting:
        ready = waiting.popleft()
        ready[1].exception()  # waits, so that no more than a few are prepared ahead
        waiting.extend(started(1))
        yield ready

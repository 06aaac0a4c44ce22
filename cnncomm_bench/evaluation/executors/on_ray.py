"""Ray: cells computed by the workers of a cluster, each with a replica of the models on a GPU or a share of the CPUs.

An idle worker takes the next cell. The images of a cell are sent with it: workers need not see the files. A worker that
is lost, with its node or alone, is replaced where resources are free, and its cell is recomputed. Results come back to
the one process that writes.
"""

from __future__ import annotations

import copy
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..._utils.errors import BenchError, UsageError
from ..._utils.files import one_line, shown
from ...data import Dataset, Indices
from ...models import modules_from_files
from ..worker import Done, Failed, Job, Progress, Worker

CPUS = 4
"""A replica's share of a node's CPUs; all of them, where a node has fewer."""

_TRIES = 3  # workers that may be lost at one cell before it fails
_LOOK = 5.0  # seconds between two looks for free resources


@contextmanager
def cluster(name: str, worker: Worker) -> Iterator[_Cluster]:
    """Connect to a cluster, "ray" or "ray://ADDRESS", and let its workers go afterwards.

    Raises
    ------
    UsageError
        Ray is not installed, there is no cluster, or a model cannot be sent.
    """
    with _connected(name) as ray:
        workers = _Cluster(ray, worker)
        try:
            yield workers
        finally:
            workers.close()


def slots_of(name: str, device: str) -> int:
    """How many replicas the resources of a cluster suffice for, see `executors.workers`."""
    with _connected(name) as ray:
        return len(_slots(ray, device)[0])


@contextmanager
def _connected(name: str) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage statistics unless the user wants them
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            f"executor {name}: Ray cannot be imported ({one_line(error)}): pip install 'cnncomm-bench[ray]'", "executor"
        ) from error
    if ray.is_initialized():  # the caller's own, left as it is
        yield ray
        return
    try:
        elsewhere = name.startswith("ray://")
        options = {} if elsewhere else {"include_dashboard": False}
        ray.init(name if elsewhere else None, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # Ray has an error of its own for everything that may be wrong with an address
        raise UsageError(
            f"executor {shown(name)}: there is no cluster to connect to ({one_line(error)}): "
            "expected ray://HOST:PORT of a Ray client server, usually at port 10001",
            "executor",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _slots(ray: Any, device: str) -> tuple[list[str], dict[str, float]]:
    """The node of each replica that resources suffice for, and what a replica takes."""
    nodes = [(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    if device != "cpu":
        return [node for node, has in nodes for _ in range(int(has.get("GPU", 0)))], {"num_gpus": 1, "num_cpus": 1}
    counts = [(node, int(has.get("CPU", 0))) for node, has in nodes if has.get("CPU", 0) >= 1]
    share = min([CPUS, *(count for _, count in counts)])
    return [node for node, count in counts for _ in range(count // share)], {"num_cpus": share}


class _Block:
    """Some images of a data set, under their indices in it."""

    def __init__(self, images: np.ndarray, indices: Indices) -> None:
        self._images, self._indices = images, indices
        self.shape, self.dtype = images.shape, images.dtype

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, indices: Indices) -> np.ndarray:
        return self._images[np.searchsorted(self._indices, indices)]


class _Replica:
    """What a worker process holds: a `Worker` with the models."""

    def __init__(self, worker: Worker, threads: int) -> None:
        torch.set_num_threads(threads)
        self._worker = worker
        for model in worker.models:
            if isinstance(model, torch.nn.Module):
                model.to(worker.device)

    def ready(self) -> None:
        """Return once the models are loaded."""

    def compute(self, job: Job, images: np.ndarray) -> Done | Failed:
        """Compute one cell, from its own images."""
        self._worker.dataset = Dataset(_Block(images, job.cell.images), None, job.cell.images)
        (result,) = self._worker.compute([job], lambda cell, count: None)
        return result


@dataclass
class _Task:
    job: Job
    lost: int = 0


class _Cluster:
    """Hands out cells and collects their results."""

    def __init__(self, ray: Any, worker: Worker) -> None:
        self._ray, self._dataset, self._device = ray, worker.dataset, worker.device
        self._worker = ray.put(_sendable(ray, worker))
        self._busy: dict[Any, tuple[Any, _Task | None]] = {}
        self._idle: list[Any] = []
        self._failed_starts = 0  # in a row

    def __call__(self, jobs: Iterable[Job], progress: Progress) -> Iterator[Done | Failed]:
        """Compute cells, see `executors.Compute`; progress is reported by whole cells."""
        coming = (_Task(job) for job in jobs)
        again: deque[_Task] = deque()
        while True:
            self._grow()
            while self._idle and (task := again.popleft() if again else next(coming, None)) is not None:
                self._start(task)
            if self._idle and not any(task for _, task in self._busy.values()):
                return
            finished, _ = self._ray.wait(list(self._busy), timeout=_LOOK)
            for reference in finished:
                worker, task = self._busy.pop(reference)
                try:
                    result = self._ray.get(reference)
                except self._ray.exceptions.RayError as error:
                    self._ray.kill(worker)
                    if failed := self._lost(task, error, again):
                        yield failed
                    continue
                self._idle.append(worker)
                if task is None:
                    self._failed_starts = 0
                else:
                    progress(task.job.cell, task.job.cell.num_forwards)
                    yield result

    def _lost(self, task: _Task | None, error: Exception, again: deque[_Task]) -> Failed | None:
        """Put the cell of a lost worker back in the queue, unless it is the cell that loses workers."""
        if task is None:
            self._failed_starts += 1
            if self._failed_starts == _TRIES:
                raise BenchError(f"no worker can be started on the Ray cluster: {_cause(error)}") from error
            return None
        task.lost += 1
        if task.lost == _TRIES:
            return Failed(task.job.index, f"{_TRIES} workers were lost at it: {_cause(error)}")
        again.append(task)
        return None

    def _start(self, task: _Task) -> None:
        """Give an idle worker a cell and the images it needs."""
        worker, cell = self._idle.pop(), task.job.cell
        images = self._ray.put(np.ascontiguousarray(self._dataset.view(cell.model)[cell.images]))
        self._busy[worker.compute.remote(task.job, images)] = worker, task

    def _grow(self) -> None:
        """Have as many workers as resources suffice for; nodes may join, and lost ones may come back."""
        nodes, takes = _slots(self._ray, self._device)
        if not nodes and not self._busy:
            kind = "CPUs" if self._device == "cpu" else "GPUs"
            raise BenchError(
                f"the Ray cluster has no free {kind}: run the same command to resume once it has", "executor"
            )
        for _ in range(len(nodes) - len(self._busy) - len(self._idle)):
            made = self._ray.remote(_Replica).options(**takes)
            worker = made.remote(self._worker, int(takes["num_cpus"]))
            self._busy[worker.ready.remote()] = worker, None

    def close(self) -> None:
        """Let the workers go."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            self._ray.kill(worker)


def _sendable(ray: Any, worker: Worker) -> Worker:
    """The worker as it is sent: without images, its models on the CPU.

    Raises
    ------
    UsageError
        A model cannot be pickled.
    """
    for module in modules_from_files():  # code that a worker could not import is sent too
        ray.cloudpickle.register_pickle_by_value(module)
    models = []
    for name, model in zip(worker.names, worker.models, strict=True):
        try:
            here = copy.deepcopy(model).cpu() if isinstance(model, torch.nn.Module) else model
            ray.cloudpickle.dumps(here)
        except Exception as error:  # each kind of model raises its own
            raise UsageError(
                f"{name} cannot be sent to Ray's workers ({one_line(error)}): use the executor serial, or a state dict",
                "executor",
            ) from error
        models.append(here)
    device = torch.device(worker.device).type  # a worker sees one GPU, its own
    nothing = Dataset(np.empty((0, *worker.dataset.images.shape[1:]), np.uint8), None, np.arange(0))
    return Worker(models, worker.names, nothing, batch_size=worker.batch_size, device=device, bits=worker.bits)


def _cause(error: Exception) -> str:
    """The last line that is not empty: Ray puts the cause behind a long text that is always the same."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shown(lines[-1] if lines else type(error).__name__)

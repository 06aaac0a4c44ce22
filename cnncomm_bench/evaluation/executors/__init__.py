"""Executors: cells computed by this process, or by the workers of a Ray cluster, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from ..._utils.errors import UsageError, suggest
from ..._utils.files import shown
from ..worker import Done, Failed, Job, Progress, Worker

__all__ = ["NAMES", "Compute", "check", "opened", "workers"]

NAMES = ("serial", "ray", "ray://ADDRESS")

Compute = Callable[[Iterable[Job], Progress], Iterator[Done | Failed]]
"""Computes cells in any order; reads the next job when a worker is free for it."""


def opened(name: str, worker: Worker) -> AbstractContextManager[Compute]:
    """Open one of `NAMES`, to compute what `worker` would.

    Raises
    ------
    UsageError
        No executor has that name; or Ray is not installed, there is no cluster, or a model cannot be sent.
    """
    check(name)
    if name == "serial":
        return nullcontext(worker.compute)
    from .on_ray import cluster  # Ray takes a second to import

    return cluster(name, worker)


def check(name: str) -> None:
    """Refuse an executor that does not exist."""
    if name not in ("serial", "ray") and not (name.startswith("ray://") and len(name) > len("ray://")):
        raise UsageError(f"no executor is called {shown(name)!r}; {suggest(name, NAMES)}", "executor")


def workers(name: str, device: str) -> int:
    """How many cells one of `NAMES` computes at the same time on a kind of device.

    Raises
    ------
    UsageError
        As for `opened`.
    """
    check(name)
    if name == "serial":
        return 1
    from .on_ray import slots_of

    return slots_of(name, device)

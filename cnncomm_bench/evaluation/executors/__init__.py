"""Who computes the cells: this process, or the workers of a Ray cluster. The numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from ..._utils.errors import UsageError, suggest
from ..worker import Done, Failed, Job, Progress, Worker

NAMES = ("serial", "ray", "ray://ADDRESS")

Compute = Callable[[Iterable[Job], Progress], Iterator[Done | Failed]]
"""Computes cells, in any order; asks for the next job when a worker is free for it."""


def opened(name: str, worker: Worker) -> AbstractContextManager[Compute]:
    """Workers that compute a worker's cells.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    worker : Worker

    Returns
    -------
    context manager
        Gives a `Compute`.

    Raises
    ------
    UsageError
        No executor is called that; or Ray is not installed, its cluster is not there, or a model cannot be sent.
    """
    check(name)
    if name == "serial":
        return nullcontext(worker.compute)
    from .on_ray import cluster  # Ray takes a second to import

    return cluster(name, worker)


def check(name: str) -> None:
    """Refuse an executor that does not exist.

    Parameters
    ----------
    name : str

    Raises
    ------
    UsageError
    """
    if name not in ("serial", "ray") and not (name.startswith("ray://") and len(name) > len("ray://")):
        raise UsageError(f"no executor is called {name!r}; {suggest(name, NAMES)}")


def workers(name: str, device: str) -> int:
    """How many cells an executor computes at the same time.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    device : str

    Returns
    -------
    int

    Raises
    ------
    UsageError
    """
    check(name)
    if name == "serial":
        return 1
    from .on_ray import slots_of

    return slots_of(name, device)

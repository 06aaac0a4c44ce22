"""What a run will take: passes, time, memory and disk, before anything is run.

Time = images x SNRs x time of a pass, over all cells, divided by the workers. The times are measured: each noise and a
short gradient attack run on a few images, on the way that the run itself will take. How often an adversary still has
something to do as the SNR falls is counted in that short attack.
"""

from __future__ import annotations

import math
import resource
import sys
from dataclasses import dataclass, replace

import numpy as np

from .._utils.errors import ModelError
from ..attacks import parse
from ..data import Dataset, Indices
from . import executors
from .cells import Cell, Clean
from .preparation import Request
from .worker import Done, Job, Worker

PILOT = parse("pgd:steps=3")
"""The short attack."""

_SECONDS = 0.5  # that a measurement may take, where a few images allow it
_FEWEST, _MOST = 4, 64  # images
_UNTIL_FOOLED = 0.15  # part of its passes that an attack which stops when it fools takes until then, measured
_ROW_BYTES = 12  # of a prediction on disk
_PAGE_BYTES = 6_000_000  # of report.html, with its drawing library, and the pictures
_SCORING_BYTES = 330  # of memory a prediction takes while scores are computed
_REPORT_BYTES = 200_000_000  # of memory that drawing curves and report takes


@dataclass(frozen=True)
class Estimate:
    """What a run takes.

    Attributes
    ----------
    forward_passes, backward_passes : float
        Images through the models.
    seconds : float
    memory_bytes, disk_bytes : int
        At their largest: of the process that writes, and of the run's folder.
    workers : int
    images : int
        How many the measurements rest on.
    """

    forward_passes: float
    backward_passes: float
    seconds: float
    memory_bytes: int
    disk_bytes: int
    workers: int
    images: int


def estimate(request: Request) -> Estimate:
    """Measure on a few images what a run of all of them takes.

    Parameters
    ----------
    request : Request

    Returns
    -------
    Estimate

    Raises
    ------
    ModelError
        A model cannot be run at all.
    """
    info, cells = request.info, request.cells
    names = [model.name for model in request.models]
    worker = Worker([model.predict for model in request.models], names, request.dataset,
                    batch_size=info.batch_size, device=info.device, bits=info.bits)  # fmt: skip
    grid = info.suite.snr_db
    pilots = [_Pilot(worker, index, grid, model.classes) for index, model in enumerate(request.models)]
    forward = backward = seconds = 0.0
    for cell in cells:
        cost = pilots[cell.model].cost(cell)
        forward, backward, seconds = forward + cost.forward, backward + cost.backward, seconds + cost.seconds
    workers = executors.workers(request.config.executor, info.device)
    rows = sum(cell.num_forwards for cell in cells)
    return Estimate(
        forward,
        backward,
        seconds / workers,
        _peak_bytes() + rows * _SCORING_BYTES + _REPORT_BYTES,
        2 * rows * _ROW_BYTES + _PAGE_BYTES,  # cells and the file they are merged into exist at the same time
        workers,
        max(pilot.images for pilot in pilots),
    )


@dataclass(frozen=True)
class _Cost:
    forward: float
    backward: float
    seconds: float


class _Pilot:
    """What one model's cells cost, measured where it is asked for first."""

    def __init__(self, worker: Worker, model: int, grid: tuple[float, ...], classes: int) -> None:
        self._worker, self._model, self._grid, self._classes = worker, model, grid, classes
        self._noise: dict[tuple[str, str], float] = {}
        self._gradient: tuple[float, float, float, float] | None = None
        clean = Cell(model, Clean(), "realised", 0, _some(worker.dataset, _FEWEST), (math.inf,))
        self._pass = self._timed(clean).seconds / len(clean.images)
        self.images = len(self._affordable(len(grid)))

    def cost(self, cell: Cell) -> _Cost:
        """Passes and seconds of a cell."""
        images, steps = len(cell.images), len(cell.snr_db)
        if not cell.attack.needs_model:
            return _Cost(images * steps, 0, images * steps * self._noise_seconds(cell))
        attempts, right, fooled, second = self._gradients()
        attack = cell.attack
        if attack.minimum_norm or attack.at_radius:
            attempts = right
        elif attack.stops_when_fooled:
            attempts -= fooled * (1 - _UNTIL_FOOLED)
        forward, backward = (attempts * count for count in attack.passes(self._classes))
        return _Cost(images * (1 + forward), images * backward, images * (1 + forward + 2 * backward) * second)

    def _noise_seconds(self, cell: Cell) -> float:
        """Seconds of an image at an SNR under a noise, drawing and scaling included."""
        key = cell.attack.spec, cell.ruler
        if key not in self._noise:
            some = self._affordable(len(cell.snr_db))
            done = self._timed(replace(cell, images=some))
            self._noise[key] = done.seconds / (len(some) * len(cell.snr_db))
        return self._noise[key]

    def _gradients(self) -> tuple[float, float, float, float]:
        """SNRs at which an image is attacked, shares attacked and fooled at all, seconds of a forward pass there."""
        if self._gradient is None:
            some = self._affordable(len(self._grid) * int(PILOT.passes(self._classes).weight))
            done = self._timed(Cell(self._model, PILOT, "realised", 0, some, self._grid))
            forward, backward = (sum(done.facts[f"{way}_passes"].values()) for way in ("forward", "backward"))
            still = (done.columns["prediction"] == done.columns["label"]).reshape(len(self._grid), -1)
            attempts = backward / PILOT.passes(self._classes).backward
            right = attempts - still[1:].sum() / len(some)  # at the largest SNR, all that are right unharmed
            fooled = right - still[0].mean()
            second = done.seconds / len(some) / (forward + 2 * backward)
            self._gradient = attempts, float(right), float(fooled), second
        return self._gradient

    def _affordable(self, forwards: int) -> Indices:
        return _some(self._worker.dataset, int(np.clip(_SECONDS / (forwards * self._pass), _FEWEST, _MOST)))

    def _timed(self, cell: Cell) -> Done:
        """The faster of two runs: the first may be slow for being the first, either for what else the machine does."""
        return min(self._run(cell), self._run(cell), key=lambda done: done.seconds)

    def _run(self, cell: Cell) -> Done:
        labels = self._worker.dataset.labels
        target = None if labels is None or cell.clean else labels[cell.images]
        if target is None and not cell.clean:
            target = self._run(replace(cell, attack=Clean(), snr_db=(math.inf,))).columns["prediction"]
        (result,) = self._worker.compute([Job(0, cell, target)], lambda cell, count: None)
        if not isinstance(result, Done):
            raise ModelError(f"{self._worker.names[cell.model]}, {cell.attack.spec}: {result.reason}")
        return result


def _some(dataset: Dataset, count: int) -> Indices:
    """Images from all over the data set, which may be sorted by class."""
    chosen: Indices = dataset.keep[np.unique(np.linspace(0, len(dataset.keep) - 1, count).round().astype(int))]
    return chosen


def _peak_bytes() -> int:
    """The most memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

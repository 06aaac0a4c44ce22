"""What a run will take: passes, time, memory and disk, before anything is run.

Time = images x SNRs x time of a pass, over all cells, divided by the workers. The times are measured: each noise and a
short gradient attack run on a few images, on the way that the run itself will take. How often an adversary still has
something to do as the SNR falls is counted in that short attack.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from .._utils.errors import ModelError
from ..attacks import parse
from ..data import Dataset, Indices
from ..results import Plan
from ..results.statistics import PILOT_IMAGES
from . import executors
from .cells import NOMINAL_GRID, Cell, Clean
from .preparation import Request
from .worker import Done, Job, Worker

PILOT = parse("pgd:steps=3")
"""The short attack."""

_PILOT_GRID = (0.0, 10.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)  # about that of a pilot
_LOCAL_POINTS = 3  # SNRs around a threshold
_IMAGES_AT_1_DB = 200  # that a threshold takes to +-1 dB, for curves of some 4 dB's spread
_USED = 0.9  # part of the time that was given, for cells; the rest is for scores and pictures
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


@dataclass(frozen=True)
class Cost:
    """Passes and seconds of a cell."""

    forward: float
    backward: float
    seconds: float


class Costs:
    """What cells cost, measured on a few images where it is asked for first."""

    def __init__(self, worker: Worker, grid: tuple[float, ...], classes: int) -> None:
        self._of = cache(lambda model: _Model(worker, model, grid, classes))
        self._measured: set[int] = set()

    @property
    def images(self) -> int:
        """How many images the measurements rest on."""
        return max(self._of(model).images for model in self._measured)

    def of(self, cell: Cell) -> Cost:
        """Passes and seconds of a cell."""
        model = self._model(cell)
        forward, backward = model.passes(cell)
        return Cost(forward, backward, model.seconds(cell))

    def weight(self, cell: Cell) -> float:
        """Passes of a cell, backward ones counted twice; what a progress bar counts."""
        forward, backward = self._model(cell).passes(cell)
        return forward + 2 * backward

    def _model(self, cell: Cell) -> _Model:
        self._measured.add(cell.model)
        return self._of(cell.model)


def costs_of(request: Request, worker: Worker, plan: Plan | None = None) -> Costs:
    """Costs on the grid of a run; on a nominal one, where its pilot has yet to lay it."""
    grid, classes = request.info.suite.snr_db, request.info.data.classes
    if not isinstance(grid, str):
        return Costs(worker, grid, classes)
    adversaries = {entry.spec for entry in request.info.suite.attacks if entry.adversary}
    laid = [each.snr_db for each in (plan.grids if plan else ()) if each.attack in adversaries]
    return Costs(worker, max(laid, key=lambda each: each[-1], default=NOMINAL_GRID), classes)


def estimate(request: Request) -> Estimate:
    """Measure on a few images what a run of all of them takes.

    Raises
    ------
    ModelError
        A model cannot be run at all.
    """
    worker = request.worker()
    costs, workers = costs_of(request, worker), executors.workers(request.config.executor, request.info.device)
    started = time.perf_counter()
    cells = [*pilot_cells(request), *expected_cells(request, costs)]
    spent = time.perf_counter() - started
    each = [costs.of(cell) for cell in cells]
    rows = sum(cell.num_forwards for cell in cells)
    return Estimate(
        sum(cost.forward for cost in each),
        sum(cost.backward for cost in each),
        sum(cost.seconds for cost in each) / workers + (spent if request.config.minutes else 0),
        _peak_bytes() + rows * _SCORING_BYTES + _REPORT_BYTES,
        2 * rows * _ROW_BYTES + _PAGE_BYTES,  # cells and the file they are merged into exist at the same time
        workers,
        costs.images,
    )


def pilot_cells(request: Request) -> list[Cell]:
    """About what a pilot runs; nothing, where the grid is given."""
    if not request.config.precision and not isinstance(request.info.suite.snr_db, str):
        return []
    images = request.dataset.subset(PILOT_IMAGES)
    first: dict[tuple[int, str, str], Cell] = {}
    for cell in request.cells:
        if not cell.clean and not cell.attack.at_radius:
            first.setdefault((cell.model, cell.attack.spec, cell.ruler), cell)
    return [replace(cell, images=images, snr_db=_PILOT_GRID) for cell in first.values()]


def expected_cells(request: Request, costs: Costs) -> list[Cell]:
    """The cells of a run as far as they are known before it begins; about those of a sequential design."""
    precision, minutes = request.config.precision, request.config.minutes
    cells = request.cells
    if minutes is not None:
        cells = request.planned(Plan(samples=fit(request, costs, minutes * 60)), in_blocks=False)
    if precision is None:
        return cells
    most = len(request.dataset.subset(math.ceil(_IMAGES_AT_1_DB / precision**2)))
    local = []
    for cell in cells:
        over_grid = not cell.clean and not cell.attack.at_radius
        whole = cell.attack.minimum_norm  # one run serves all SNRs
        points = cell.snr_db if whole else cell.snr_db[:_LOCAL_POINTS]
        local.append(replace(cell, images=cell.images[:most], snr_db=points) if over_grid else cell)
    return local


def fit(request: Request, costs: Costs, seconds: float) -> dict[str, int]:
    """Images of each attack with which a run fits into a time.

    Attacks get the same time each; what a fast one leaves, the slow ones share. Each gets 64 images at least.
    """
    workers = executors.workers(request.config.executor, request.info.device)
    left = seconds * workers * _USED
    each: dict[str, float] = {}
    for cell in [*pilot_cells(request), *request.planned(None, in_blocks=False)]:
        cost = costs.of(cell).seconds
        if cell.clean or cell.snr_db == _PILOT_GRID:
            left -= cost
        else:
            each[cell.attack.spec] = each.get(cell.attack.spec, 0.0) + cost
    suite, total = request.info.suite, len(request.dataset.keep)
    most = {entry.spec: min(entry.samples or suite.samples or total, total) for entry in suite.attacks}
    image = {spec: max(cost, 1e-9) / most[spec] for spec, cost in each.items()}

    def counts(share: float) -> dict[str, int]:
        return {spec: int(np.clip(share / image[spec], min(PILOT_IMAGES, most[spec]), most[spec])) for spec in image}

    low, high = 0.0, max(seconds * workers, 1.0)
    for _ in range(50):
        share = (low + high) / 2
        fits = sum(count * image[spec] for spec, count in counts(share).items()) <= left
        low, high = (share, high) if fits else (low, share)
    return counts(low)


class _Model:
    """What one model's cells cost, measured where it is asked for first."""

    def __init__(self, worker: Worker, model: int, grid: tuple[float, ...], classes: int) -> None:
        self._worker, self._model, self._grid, self._classes = worker, model, grid, classes
        self._noise: dict[tuple[str, str], float] = {}
        self._gradient: tuple[float, float, float, float] | None = None
        clean = Cell(model, Clean(), "realised", 0, _some(worker.dataset, _FEWEST), (math.inf,))
        self._pass = self._timed(clean).seconds / len(clean.images)
        self.images = len(self._affordable(len(grid)))

    def seconds(self, cell: Cell) -> float:
        """Seconds that a cell takes."""
        if not cell.attack.needs_model:
            return cell.num_forwards * self._noise_seconds(cell)
        forward, backward = self.passes(cell)
        return (forward + 2 * backward) * self._gradients()[-1]

    def passes(self, cell: Cell) -> tuple[float, float]:
        """Forward and backward passes of a cell."""
        images, steps = len(cell.images), len(cell.snr_db)
        if not cell.attack.needs_model:
            return images * steps, 0
        attempts, right, fooled, _ = self._gradients()
        attempts, attack = attempts * min(1, steps / len(self._grid)), cell.attack
        if attack.minimum_norm or attack.at_radius:
            attempts = right
        elif attack.stops_when_fooled:
            attempts -= fooled * (1 - _UNTIL_FOOLED)
        forward, backward = (attempts * count for count in attack.passes(self._classes))
        return images * (1 + forward), images * backward

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

    def _affordable(self, num_forwards: int) -> Indices:
        return _some(self._worker.dataset, int(np.clip(_SECONDS / (num_forwards * self._pass), _FEWEST, _MOST)))

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

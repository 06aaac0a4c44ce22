"""What a run will take: passes, time, memory and disk, before anything is run.

Time = images x SNRs x time of a pass, over all cells, divided by the workers. The times are measured: each noise and a
short gradient attack run on a few images, on the way that the run itself will take, its pilot included (`miniature`).
How often an adversary still has something to do as the SNR falls follows from where the short attack fooled them.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from ..results.statistics import PILOT_IMAGES
from . import executors
from .cells import Cell
from .miniature import Miniature
from .preparation import Request
from .worker import Worker

_LOCAL_POINTS = 3  # SNRs around a threshold
_IMAGES_AT_1_DB = 200  # that a threshold takes to +-1 dB, for curves of some 4 dB's spread
_USED = 0.9  # part of the time that was given, for cells; the rest is for scores and pictures
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
    """What cells cost, by what a few images show where it is asked for first."""

    def __init__(self, miniature: Miniature, classes: int) -> None:
        self.miniature, self._classes = miniature, classes

    def of(self, cell: Cell) -> Cost:
        """Passes and seconds of a cell."""
        forward, backward = self._passes(cell)
        if cell.clean:
            return Cost(forward, backward, forward * self.miniature.clean_seconds[cell.model])
        if not cell.attack.needs_model:
            return Cost(forward, backward, forward * self.miniature.noise_seconds(cell))
        return Cost(forward, backward, (forward + 2 * backward) * self.miniature.resistance(cell.model).seconds)

    def weight(self, cell: Cell) -> float:
        """Passes of a cell, backward ones counted twice; what a progress bar counts."""
        forward, backward = self._passes(cell)
        return forward + 2 * backward

    def _passes(self, cell: Cell) -> tuple[float, float]:
        """Forward and backward passes of a cell."""
        images, attack, grid = len(cell.images), cell.attack, np.array(cell.snr_db)
        if not attack.needs_model:
            return cell.num_forwards, 0
        found = self.miniature.resistance(cell.model)
        resisted = (grid >= found.tolerance_db[:, None]).sum(1)
        # From the smallest budget on: those that an image resists, and the one that fools it.
        attempts = found.right * np.minimum(resisted + 1, len(grid))
        if attack.minimum_norm or attack.at_radius:
            attempts = found.right
        elif attack.stops_when_fooled:
            attempts = attempts - (1 - _UNTIL_FOOLED) * found.right * (resisted < len(grid))
        forward, backward = (float(attempts.mean()) * count for count in attack.passes(self._classes))
        return images * (1 + forward), images * backward


def costs_of(request: Request, worker: Worker) -> Costs:
    """Costs of a run's cells."""
    return Costs(Miniature(worker, request.info, piloted=_piloted(request)), request.info.data.classes)


def _piloted(request: Request) -> bool:
    return request.config.precision is not None or isinstance(request.info.suite.snr_db, str)


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
    cells = [*pilot_cells(request, costs), *expected_cells(request, costs)]
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
        costs.miniature.images,
    )


def pilot_cells(request: Request, costs: Costs) -> list[Cell]:
    """What a pilot runs, round by round, as far as a few images show; nothing, where the grid is given."""
    if not _piloted(request):
        return []
    images = request.dataset.subset(PILOT_IMAGES)
    first: dict[tuple[int, str, str], Cell] = {}
    for cell in request.cells:
        if not cell.clean and not cell.attack.at_radius:
            first.setdefault((cell.model, cell.attack.spec, cell.ruler), cell)
    return [
        replace(cell, images=images, snr_db=each.snr_db)
        for cell in first.values()
        for each in costs.miniature.rounds(cell)
    ]


def expected_cells(request: Request, costs: Costs) -> list[Cell]:
    """The cells of a run as far as they are known before it begins; about those of a sequential design."""
    precision, minutes = request.config.precision, request.config.minutes
    plan = costs.miniature.plan()
    if minutes is not None:
        plan = plan.model_copy(update={"samples": fit(request, costs, minutes * 60)})
    cells = request.planned(plan, in_blocks=False)
    if precision is None:
        return cells
    most = len(request.dataset.subset(math.ceil(_IMAGES_AT_1_DB / precision**2)))
    local = []
    for cell in cells:
        over_grid = not cell.clean and not cell.attack.at_radius
        whole = cell.attack.minimum_norm  # one run serves all SNRs
        points = cell.snr_db if whole else costs.miniature.around(cell, _LOCAL_POINTS)
        local.append(replace(cell, images=cell.images[:most], snr_db=points) if over_grid else cell)
    return local


def fit(request: Request, costs: Costs, seconds: float) -> dict[str, int]:
    """Images of each attack with which a run fits into a time.

    Attacks get the same time each; what a fast one leaves, the slow ones share. Each gets 64 images at least.
    """
    workers = executors.workers(request.config.executor, request.info.device)
    left = seconds * workers * _USED
    each: dict[str, float] = {}
    left -= sum(costs.of(cell).seconds for cell in pilot_cells(request, costs))
    for cell in request.planned(costs.miniature.plan(), in_blocks=False):
        cost = costs.of(cell).seconds
        if cell.clean:
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


def _peak_bytes() -> int:
    """The most memory that this process has had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak

"""What a run decides before its cells: the grids that a pilot lays, and how many images a cell holds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from ..data import Indices
from ..results import AUTO, Plan, RunInfo
from ..results.statistics import PILOT_IMAGES
from . import executors
from .cells import BLOCK, NOMINAL_GRID, Cell, Clean, block_cells
from .forecast import Costs, fit
from .preparation import Request
from .progress import Progress
from .sequential import Design
from .worker import Failed, Job, Worker

_CELL_SECONDS = 60.0
_FEWEST_IN_A_CELL = 16
_TIMED = 4  # images


def design_of(request: Request, precision: float | None, samples: dict[str, int | None]) -> Design:
    """The sequential design of a run's attacks over the grid."""
    info = request.info
    return Design(
        [entry for entry in info.suite.attacks if not entry.at_radius],
        info.suite.rulers,
        len(request.models),
        request.dataset,
        classes=info.data.classes,
        precision=precision,
        samples=samples,
    )


def make_plan(request: Request, worker: Worker, costs: Costs, *, quiet: bool) -> Plan:
    """Choose the images, where minutes are given; lay the grids, where they are `auto`; size the cells by time.

    Raises
    ------
    ModelError
        A model cannot be run at all.
    """
    info = request.info
    plan = Plan(cell_images=_cell_images(request, worker))
    if request.config.minutes is not None:
        plan = plan.model_copy(update={"samples": fit(request, costs, request.config.minutes * 60)})
    if info.suite.snr_db == AUTO and request.config.precision is None:
        plan = plan.model_copy(update={"grids": _pilot(request, worker, costs, plan, quiet=quiet).grids()})
    return plan


def samples_of(info: RunInfo, plan: Plan) -> dict[str, int | None]:
    """Images of each attack; None for all."""
    suite = info.suite
    return {entry.spec: plan.samples.get(entry.spec, entry.samples or suite.samples) for entry in suite.attacks}


def _pilot(request: Request, worker: Worker, costs: Costs, plan: Plan, *, quiet: bool) -> Design:
    """Run the pilot; its answers are used for the design alone."""
    info, labels = request.info, request.dataset.labels
    design = design_of(request, None, samples_of(info, plan))
    images = request.dataset.subset(PILOT_IMAGES)
    clean = [
        Cell(model, Clean(), "realised", info.seeds[0], images, (math.inf,)) for model in range(len(request.models))
    ]
    agreed: dict[int, Indices] = {}

    def jobs(cells: Sequence[Cell]) -> Iterator[Job]:
        for index, cell in enumerate(cells):
            target = None if cell.clean else agreed[cell.model][np.searchsorted(images, cell.images)]
            yield Job(index, cell, target if labels is None else labels[cell.images])

    with executors.opened(request.config.executor, worker) as compute:
        cells = clean
        while cells:
            with Progress(worker.names, cells, costs.weight, quiet=quiet, what="pilot") as progress:
                for result in compute(jobs(cells), progress.advance):
                    cell = cells[result.index]
                    if isinstance(result, Failed):
                        design.fail(cell)
                        continue
                    design.add(cell, result.columns)
                    if cell.clean:
                        agreed[cell.model] = np.asarray(result.columns["prediction"])
            blocks = [block for block in design.next_blocks() if labels is not None or block.model in agreed]
            cells = [
                cell
                for block in blocks
                for cell in block_cells(block, info.suite, request.dataset, info.seeds[:1], plan)
            ]
    return design


def _cell_images(request: Request, worker: Worker) -> dict[str, int]:
    """Images that an attack's cell holds: a power of two, about a minute's worth by the time of a clean pass."""
    info = request.info
    images = request.dataset.keep[:_TIMED]
    seconds, size = 0.0, worker.batch_size
    for model in range(len(request.models)):
        job = Job(0, Cell(model, Clean(), "realised", 0, images, (math.inf,)), None)
        for _ in range(2):  # the first pass may be slow for being the first
            started = time.perf_counter()
            list(worker.compute([job], lambda cell, count: None))
            last = time.perf_counter() - started
        seconds = max(seconds, last / len(images))
    worker.batch_size = size  # a few images are too few to tell what fits
    grid = NOMINAL_GRID if info.suite.snr_db == AUTO else info.suite.snr_db
    sizes = {}
    for entry in info.suite.attacks:
        each = seconds * entry.attack.passes(info.data.classes).weight * (1 if entry.at_radius else len(grid))
        fitting = 2 ** int(math.log2(max(1.0, _CELL_SECONDS / max(each, 1e-9))))
        sizes[entry.spec] = int(np.clip(fitting, _FEWEST_IN_A_CELL, BLOCK))
    return sizes

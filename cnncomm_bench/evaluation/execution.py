"""A run from end to end: a request in, a run's folder out."""

from __future__ import annotations

from functools import partial

from .._utils.errors import Interrupted
from ..report import Run, write_outputs
from ..results import Plan, Store
from .cells import Cell
from .forecast import costs_of
from .planning import design_of, make_plan, samples_of
from .preparation import Request
from .scheduler import complete


def execute(request: Request, *, command: str = "", quiet: bool = False, outputs: bool = True) -> Run:
    """Run a request, and leave a run's folder behind; a folder that holds the same run is resumed.

    Parameters
    ----------
    request : Request
    command : str
        What was typed; kept in `run.json`.
    quiet : bool
        Show no progress.
    outputs : bool
        Write tables, pictures and report, not only the predictions.

    Raises
    ------
    BenchError
        See `evaluate`; and `RunFolderError` for a folder that holds something else.
    Interrupted
        Ctrl-C: says what is stored.
    """
    info, folder, config = request.info, request.folder, request.config
    worker, precision = request.worker(), config.precision is not None
    costs = costs_of(request, worker)
    with Store(folder, info.model_copy(update={"command": command}), 0).writing() as store:
        cells: list[Cell] = []
        try:
            if store.info.finished and store.info.plan is None:  # by a version that stored no plan
                plan = Plan()
            else:
                plan = store.info.plan or make_plan(request, worker, costs, quiet=quiet)
            cells = request.planned(plan, in_blocks=precision)
            store.keep_plan(plan, len(cells))
            design = design_of(request, config.precision, samples_of(info, plan)) if precision else None
            complete(cells, worker, store, executor=config.executor, weigh=costs.weight, quiet=quiet, design=design,
                     extend=partial(request.cells_of, plan))  # fmt: skip
            run = Run.open(folder)
            if outputs:
                write_outputs(run, folder, data=request.data, models=request.shown_models)
        except KeyboardInterrupt as error:
            stored = len(cells) - len(store.missing())
            raise Interrupted(f"{stored} of {len(cells)} cells are stored in {folder}") from error
    return run

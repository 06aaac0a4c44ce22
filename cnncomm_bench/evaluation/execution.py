"""A run from end to end: models and images in, a run's folder out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from .._utils.devices import auto_batch_size
from .._utils.errors import Interrupted, UsageError
from ..data import Dataset, Images
from ..models import Model
from ..report import write_outputs
from ..results import Run, Store, Suite
from . import executors
from .cells import plan
from .metadata import collect_metadata
from .scheduler import complete
from .worker import Worker


def execute(
    models: Sequence[Model],
    data: Images,
    suite: Suite,
    folder: Path,
    *,
    seeds: Sequence[int] = (0,),
    bits: int | None = None,
    batch_size: int | str = "auto",
    device: str = "cpu",
    executor: str = "serial",
    command: str = "",
    quiet: bool = False,
    derived: bool = True,
) -> Run:
    """Run a suite on models and images and leave a run's folder behind.

    Parameters
    ----------
    models : sequence of Model
    data : Images
    suite : Suite
    folder : Path
        New, or one that holds the same run: that is gone on with.
    seeds : sequence of int
    bits : int, optional
        Round disturbed images as a file of that many bits would.
    batch_size : int or "auto"
    device : str
    executor : str
        Who computes: one of `executors.NAMES`.
    command : str
        What was typed, for the collect_metadata.
    quiet : bool
        Show no progress.
    derived : bool
        Write tables, pictures and report, not only the predictions.

    Returns
    -------
    Run

    Raises
    ------
    BenchError
        See `evaluate`; and `RunFolderError` for a folder that holds something else.
    Interrupted
        Ctrl-C: says what is stored.
    """
    executors.check(executor)
    dataset = Dataset.of(data.images, data.labels)
    size = auto_batch_size(data.images.shape[1:], device) if batch_size == "auto" else int(batch_size)
    if size < 1:
        raise UsageError(f"batch size {size}: expected at least 1, or auto")
    cells = plan(len(models), suite, dataset, seeds)
    info = collect_metadata(
        models, data, dataset, suite, seeds=seeds, bits=bits, batch_size=size, device=device, command=command
    )
    names = [model.name for model in models]
    worker = Worker([model.predict for model in models], names, dataset, batch_size=size, device=device, bits=bits)
    with Store(folder, info, len(cells)).writing() as store:
        try:
            complete(cells, worker, store, executor=executor, quiet=quiet)
            run = Run.open(folder)
            if derived:
                write_outputs(run, folder, data=data, models=models)
        except KeyboardInterrupt as error:
            stored = len(cells) - len(store.missing())
            raise Interrupted(f"{stored} of {len(cells)} cells are stored in {folder}") from error
    return run


def default_folder(models: Sequence[Model], data: Images, suite: Suite, **rest: object) -> Path:
    """A folder under `runs/` that the same arguments name again, so that a broken run is gone on with.

    Parameters
    ----------
    models : sequence of Model
    data : Images
    suite : Suite
    **rest
        What else decides the predictions.

    Returns
    -------
    Path
    """
    names = "+".join(model.name for model in models)
    readable = "".join(c if c.isalnum() or c in "+-_." else "-" for c in f"{names}-{data.name}".replace("bundled:", ""))
    about = [[m.sha256, m.name, str(m.preprocessing)] for m in models], data.sha256, suite.model_dump(mode="json"), rest
    return Path("runs") / f"{readable[:80]}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]}"

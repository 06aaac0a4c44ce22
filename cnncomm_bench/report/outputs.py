"""The files that follow from a run's predictions: tables, claims, pictures, report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from .._utils.atomic import write_text
from .._utils.errors import BenchError
from .._utils.files import one_line, shown
from ..data import Images
from ..models import Model
from ..results import Run
from ..results.claims import write as write_claims
from ..results.statistics import as_numbers
from . import document as report
from . import plots


def write_outputs(run: Run, folder: Path, *, data: Images | None = None, models: Sequence[Model] = ()) -> None:
    """Write what follows from a run's predictions: tables as CSV, claims, the curves as pictures, the report.

    Pictures that cannot be drawn become a warning of the run.

    Parameters
    ----------
    run : Run
    folder : Path
    data : Images, optional
        The run's images, for the report's gallery; without them an earlier report's gallery is kept.
    models : sequence of Model, optional
        The run's models, for the adversaries in the gallery.
    """
    tables = {
        "curves": run.curves.round(6),
        "thresholds": as_numbers(run.thresholds, run.curves),
        "gains": as_numbers(run.gains, run.curves),
    }
    for name, frame in tables.items():
        if len(frame):
            write_text(folder / f"{name}.csv", frame.to_csv(index=False))
    write_claims(run.claims, folder / "claims.json")
    try:
        _write_pictures(run, folder)
    except BenchError:
        raise
    except Exception as error:  # a picture is not worth the tables of hours of work
        run.output_failures.append(f"curves.png and curves.svg could not be drawn: {one_line(error)}")
    report.write(run, folder, data=data, models=models)


def _write_pictures(run: Run, folder: Path) -> None:
    about = run.info.data
    with plots.drawing():
        figure = plots.plot_curves(
            run.curves,
            run.adversaries,
            title=f"{shown(about.name)}: accuracy drop against SNR",
            norm=about.median_norm,
            values=math.prod(about.shape),
            sign_attacks=run.sign_attacks,
        )
        plots.save(figure, folder, "curves")

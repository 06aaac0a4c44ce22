"""The files that follow from a run's predictions: tables, claims, pictures, report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
from .overlay import plot_models

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
        draw(run, folder)
    except BenchError:
        raise
    except Exception as error:  # a picture is not worth the tables of hours of work
        run.output_failures.append(f"curves.png and curves.svg could not be drawn: {one_line(error)}")
    report.write(run, folder, data=data, models=models)


def draw(run: Run, folder: Path, kinds: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw the run's pictures into a folder: `curves` and, of several models, `models`.

    Returns
    -------
    list of Path
        What was written.
    """
    with plots.drawing():
        paths = plots.save(curves_figure(run), folder, "curves", kinds)
        if len(run.info.models) > 1:
            paths += plots.save(plot_models(run), folder, "models", kinds)
    return paths


def curves_figure(run: Run) -> Figure:
    """The accuracy-drop curves, a column of panels for each model; see `plots.plot_curves`."""
    about = run.info.data
    return plots.plot_curves(
        run.curves,
        run.adversaries,
        title=f"{shown(about.name)}: accuracy drop against SNR",
        norm=about.median_norm,
        values=math.prod(about.shape),
        sign_attacks=run.sign_attacks,
    )

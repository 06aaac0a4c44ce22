"""The public `Run`: what a stored run is, with its card in a notebook, its figure, its files and its comparisons."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .._utils.errors import UsageError
from ..results import Run as StoredRun
from ..results import write_run
from . import comparison, plots, sections
from .document import environment
from .outputs import curves_figure, write_outputs
from .overlay import plot_models

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Run(StoredRun):
    """A finished run: predictions, and everything that is derived from them without the model.

    In a notebook it shows its card. Frames: `curves`, `thresholds`, `gains`, `predictions`; `claims` and `warnings` are
    lists.

    Attributes
    ----------
    info : RunInfo
        What was run, on what, with every version and hash.
    predictions : DataFrame
        One row for every image, attack, ruler, seed and SNR.

    Examples
    --------
    >>> from cnncomm_bench import bundled, evaluate
    >>> images, labels, _ = bundled.images()
    >>> models = {name: bundled.load(name) for name in ("standard", "adversarial")}
    >>> runs = [
    ...     evaluate(model, images[:64], labels[:64], attacks=["gaussian"], snr_db=[0, 10, 20], name=name)
    ...     for name, model in models.items()
    ... ]
    >>> runs[0].compare(runs[1]).gains[["attack", "model", "reference"]].values.tolist()
    [['clean', 'adversarial', 'standard'], ['gaussian', 'adversarial', 'standard']]
    """

    def plot(self, axes: Axes | None = None, *, by: Literal["model", "attack"] = "model") -> Figure:
        """Draw the accuracy-drop curves.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            Where all curves are drawn, with a legend: attacks by colour and marker, models by line style.
        by : {"model", "attack"}
            Without `axes`: a column of panels for each model; or a panel for each attack, in which models are overlaid.

        Returns
        -------
        Figure
            The one of `axes`, or a new one.
        """
        if axes is not None:
            if not hasattr(axes, "plot"):  # such as the array that plt.subplots(1, 2) gives
                raise UsageError(f"axes is a {type(axes).__name__}: expected one Axes of matplotlib", "axes")
            return plots.draw_all(axes, self.curves)
        if by not in ("model", "attack"):
            raise UsageError(f"no panels are laid by {by!r}: expected 'model' or 'attack'", "by")
        with plots.drawing():
            figure = plot_models(self) if by == "attack" else curves_figure(self)
        # A notebook shows it even where pyplot, which would tell it how, was never imported.
        figure._repr_png_ = partial(_png, figure)  # type: ignore[attr-defined]
        return figure

    def save(self, folder: str | Path) -> Path:
        """Store the run with its tables, pictures and report; `Run.open` reads it.

        Raises
        ------
        RunFolderError
            The folder holds another run, or something else.
        """
        path = Path(folder)
        write_run(path, self.info, self.predictions)
        write_outputs(self, path)
        return path

    def compare(self, *others: StoredRun | str | Path) -> Run:
        """Join runs on the same images into one, whose `gains` hold every two models against each other.

        Parameters
        ----------
        *others : Run, str or Path
            Runs, or folders of runs.

        Raises
        ------
        UsageError
            Other images, bits or SNRs, or a name of a model in two runs.
        """
        runs = (self, *(other if isinstance(other, StoredRun) else Run.open(other) for other in others))
        return Run(*comparison.join(runs, [f"run {number}" for number, _ in enumerate(runs, 1)]))

    def _repr_html_(self) -> str:
        what = self.info.data.scored_by
        return (
            environment()
            .get_template("notebook.html")
            .render(info=self.info, models=sections.models(self), warnings=self.warnings, what=what)
        )


def _png(figure: Figure) -> bytes:
    figure.savefig(buffer := io.BytesIO(), format="png", dpi=100)
    return buffer.getvalue()

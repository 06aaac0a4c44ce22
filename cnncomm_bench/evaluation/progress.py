"""A progress bar that says what runs and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm

from .._utils.files import shown
from .cells import Cell


class Progress:
    """Bar over the predictions of all cells, adversaries weighed by their steps.

    Parameters
    ----------
    names : sequence of str
        The models'.
    cells : sequence of Cell
        Those to compute.
    classes : int
        Of the models.
    quiet : bool
    what : str
        Stands before the model and attack, such as `pilot`.
    """

    def __init__(
        self, names: Sequence[str], cells: Sequence[Cell], classes: int, *, quiet: bool = False, what: str = ""
    ) -> None:
        self._names, self._classes, self._what = names, classes, f"{what} " if what else ""
        self._bar = tqdm(total=0, unit="pass", unit_scale=True, disable=quiet, smoothing=0.05, mininterval=0.5)
        self.extend(cells)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def extend(self, cells: Sequence[Cell]) -> None:
        """Count further cells."""
        self._bar.total += sum(self._weight(cell) * cell.num_forwards for cell in cells)

    def advance(self, cell: Cell, images: int) -> None:
        """Images of a cell were predicted at one SNR."""
        self._bar.set_description(shown(f"{self._what}{self._names[cell.model]}: {cell.attack.spec}"), refresh=False)
        self._bar.update(images * self._weight(cell))

    def _weight(self, cell: Cell) -> float:
        return cell.attack.passes(self._classes).weight

"""A progress bar that says what runs and how long it will take."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType

from tqdm.auto import tqdm

from .._utils.files import shown
from .cells import Cell

_CALLER = 6
"""Frames from a report to who called `evaluate`, whose line a warning shows."""


class Progress:
    """Bar over the predictions of all cells, adversaries weighed by their steps.

    Parameters
    ----------
    names : sequence of str
        The models'.
    cells : sequence of Cell
        Those to compute.
    weigh : callable
        Passes that a cell is expected to take, see `forecast.Costs.weight`; not called where there is no bar.
    quiet : bool
    what : str
        Shown before the model and attack, such as `pilot`.
    """

    def __init__(
        self,
        names: Sequence[str],
        cells: Sequence[Cell],
        weigh: Callable[[Cell], float],
        *,
        quiet: bool = False,
        what: str = "",
    ) -> None:
        self._names, self._weigh, self._what = names, weigh, f"{what} " if what else ""
        self._total = 0.0
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
        if not self._bar.disable:
            self._total += sum(map(self._weigh, cells))
            self._bar.total = self._total

    def report(self, line: str) -> None:
        """Write a line above the bar; warn where there is none, as a library does."""
        if self._bar.disable:
            warnings.warn(shown(line, 1000), RuntimeWarning, stacklevel=_CALLER)
        else:
            self._bar.write(shown(f"warning: {line}", 1000), file=sys.stderr)

    def advance(self, cell: Cell, images: int) -> None:
        """Images of a cell were predicted at one SNR."""
        self._bar.set_description(shown(f"{self._what}{self._names[cell.model]}: {cell.attack.spec}"), refresh=False)
        if not self._bar.disable:
            step = self._weigh(cell) * images / cell.num_forwards
            self._bar.update(min(step, max(self._total - self._bar.n, 0)))  # sums of floats may end above

"""What a few images show of a run: seconds of a pass, how far adversaries get, and the grids that a pilot will lay.

Every noise, and one short gradient attack in place of all adversaries, run on a few images. Where the grid is `auto`
they do so as the pilot will: upwards until accuracy is back, finer where a curve is steep, then a grid is laid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from .._utils.errors import ModelError
from ..attacks import parse
from ..data import Indices
from ..results import Entry, Grid, Plan, RunInfo
from ..results.statistics import Floats, isotonic
from .cells import Cell, Clean, rulers_of
from .sequential import Design
from .worker import Done, Job, Worker

SHORT = parse("pgd:steps=3")
SHORT_BLIND = parse("square-attack:queries=3")
"""The short attack; and the one of suites that use no gradient, since a model may have none."""

_POINTS = 8  # SNRs of a pilot, about
_SECONDS = 0.5  # that a measurement may take, where a few images allow it
_LONGER = 4  # times as long: the short attack stands for all adversaries
_FEWEST, _FEWEST_ATTACKED, _MOST = 4, 16, 64  # images

Bools = npt.NDArray[np.bool_]
_Curve = tuple[int, str, str]  # model, attack, ruler


@dataclass(frozen=True)
class Part:
    """Attacks that ran on a few images.

    Attributes
    ----------
    images : ndarray of int64
    clean : list of Done
        The images without noise, by model.
    rounds : dict
        By model, attack and ruler: cells of the pilot's rounds with their results, or one on the grid that is given.
    grids : tuple of Grid
        Those that the pilot laid.
    """

    images: Indices
    clean: list[Done]
    rounds: dict[_Curve, list[tuple[Cell, Done]]]
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Resistance:
    """What the short attack did to a model's images.

    Attributes
    ----------
    right : ndarray, shape-(N,), bool
        Without noise.
    tolerance_db : ndarray, shape-(N,)
        From which SNR on an image resists, halfway between those that were run; -inf where at all of them, inf where
        at none.
    seconds : float
        Of a forward pass; a backward pass counts as two.
    """

    right: Bools
    tolerance_db: Floats
    seconds: float


class Miniature:
    """A run on a few images, of which each part is run where it is asked for first.

    Parameters
    ----------
    worker : Worker
    info : RunInfo
    piloted : bool
        Whether the run has a pilot: its grid is `auto`, or a precision is asked for.
    """

    def __init__(self, worker: Worker, info: RunInfo, *, piloted: bool) -> None:
        self._worker, self._info, self._piloted = worker, info, piloted
        gradient = any(entry.adversary and entry.uses_gradient for entry in info.suite.attacks)
        self._short = SHORT if gradient else SHORT_BLIND
        self.resistance = cache(self._resistance)

    @property
    def images(self) -> int:
        """How many images the measurements rest on, at least."""
        return min(len(part.images) for part in (self.noises, self.short) if part.rounds)

    def plan(self) -> Plan:
        """A plan with the grids that the run's pilot will lay, as far as these images show."""
        grids = []
        for entry in self._info.suite.attacks if isinstance(self._info.suite.snr_db, str) else ():
            part, spec = (self.short, self._short.spec) if entry.adversary else (self.noises, entry.spec)
            laid = {grid.ruler: grid for grid in part.grids if grid.attack == spec}
            rulers = [] if entry.at_radius else rulers_of(self._info.suite.rulers, entry.attack)
            grids += [laid[ruler].model_copy(update={"attack": entry.spec}) for ruler in rulers]
        return Plan(grids=tuple(grids))

    def rounds(self, cell: Cell) -> list[Cell]:
        """The rounds of the pilot of a cell's curve."""
        return [each for each, _ in self._results(cell)]

    def around(self, cell: Cell, points: int) -> tuple[float, ...]:
        """SNRs of a cell's grid around its threshold."""
        results = self._results(cell)
        known = {
            db: float(row.mean()) for each, done in results for db, row in zip(each.snr_db, right_of(done), strict=True)
        }
        clean = float(right_of(self._part(cell).clean[cell.model]).mean())
        dbs = sorted(known)
        middle = np.interp(
            (clean + 1 / self._info.data.classes) / 2, isotonic(np.array([known[db] for db in dbs])), dbs
        )
        return tuple(sorted(sorted(cell.snr_db, key=lambda db: abs(db - middle))[:points]))

    @cached_property
    def clean_seconds(self) -> list[float]:
        """Seconds of an image without noise, by model."""
        some = self._worker.dataset.subset(_FEWEST)
        return [self._timed(clean_cell(model, some)).seconds / len(some) for model in self._models]

    def noise_seconds(self, cell: Cell) -> float:
        """Seconds of an image at an SNR under a noise, drawing and scaling included."""
        first, done = self._results(cell)[0]
        return done.seconds / first.num_forwards

    @cached_property
    def noises(self) -> Part:
        """Every noise of the suite."""
        return self._run_all(
            [entry for entry in self._info.suite.attacks if not entry.adversary], self._some(_SECONDS, 1, _FEWEST)
        )

    @cached_property
    def short(self) -> Part:
        """The short attack, in place of the adversaries."""
        entries = [Entry(spec=self._short.spec, adversary=True, family=self._short.family)]
        present = any(entry.adversary for entry in self._info.suite.attacks)
        weight = int(self._short.passes(self._info.data.classes).weight)
        return self._run_all(entries if present else [], self._some(_LONGER * _SECONDS, weight, _FEWEST_ATTACKED))

    @property
    def _models(self) -> range:
        return range(len(self._worker.models))

    def _part(self, cell: Cell) -> Part:
        return self.short if cell.attack.needs_model else self.noises

    def _results(self, cell: Cell) -> list[tuple[Cell, Done]]:
        """What stands for a cell's curve."""
        name = (self._short.spec, "realised") if cell.attack.needs_model else (cell.attack.spec, cell.ruler)
        return self._part(cell).rounds[cell.model, *name]

    def _resistance(self, model: int) -> Resistance:
        """What the short attack did to a model's images."""
        results = self.short.rounds[model, self._short.spec, "realised"]
        grid = np.array([db for cell, _ in results for db in cell.snr_db])
        order = np.argsort(grid)
        still = np.concatenate([right_of(done) for _, done in results])[order]
        ends = np.concatenate([[-math.inf], grid[order], [math.inf]])
        # Who is fooled is fooled with more power too: an image resists from the last SNR that fooled it on.
        last = np.where(still.all(0), 0, len(still) - np.argmin(still[::-1], 0))
        passes = sum(
            sum(done.facts["forward_passes"].values()) + 2 * sum(done.facts["backward_passes"].values())
            for _, done in results
        )
        seconds = sum(done.seconds for _, done in results) / (len(self.short.images) * passes)
        return Resistance(right_of(self.short.clean[model])[0], (ends[last] + ends[last + 1]) / 2, seconds)

    def _run_all(self, entries: Sequence[Entry], images: Indices) -> Part:
        info, few = self._info, replace(self._worker.dataset, keep=images)
        part = Part(images, [self._run(clean_cell(model, images)) for model in self._models], {})
        attacks = {entry.spec: entry.attack for entry in entries}

        def run(model: int, spec: str, ruler: str, snr_db: tuple[float, ...]) -> tuple[Cell, Done]:
            cell = Cell(model, attacks[spec], ruler, info.seeds[0], images, snr_db)
            done = self._timed(cell)
            part.rounds.setdefault((model, spec, ruler), []).append((cell, done))
            return cell, done

        if not self._piloted:
            for spec, attack in attacks.items():
                for ruler in rulers_of(info.suite.rulers, attack):
                    for model in self._models:
                        run(model, spec, ruler, tuple(map(float, info.suite.snr_db)))
            return part
        design = Design(entries, info.suite.rulers, len(self._models), few, classes=info.data.classes)
        for model, done in enumerate(part.clean):
            design.add(clean_cell(model, images), done.columns)
        while blocks := design.next_blocks():
            for block in blocks:
                cell, done = run(block.model, block.attack, block.ruler, block.snr_db)
                design.add(cell, done.columns)
        return replace(part, grids=design.grids())

    def _some(self, seconds: float, weight: int, fewest: int) -> Indices:
        """A few images, balanced over the classes, by the time of the slowest model's pass."""
        affordable = seconds / (_POINTS * weight * max(self.clean_seconds))
        return self._worker.dataset.subset(int(np.clip(affordable, fewest, _MOST)))

    def _timed(self, cell: Cell) -> Done:
        """The faster of two runs: the first may be slow for being the first, or for what else the machine does."""
        first = self._run(cell)
        return first if first.seconds > _SECONDS else min(first, self._run(cell), key=lambda done: done.seconds)

    def _run(self, cell: Cell) -> Done:
        labels = self._worker.dataset.labels
        target = None if labels is None else labels[cell.images]
        if target is None and not cell.clean:
            target = self._run(clean_cell(cell.model, cell.images)).columns["prediction"]
        (result,) = self._worker.compute([Job(0, cell, target)], lambda cell, count: None)
        if not isinstance(result, Done):
            raise ModelError(f"{self._worker.names[cell.model]}, {cell.attack.spec}: {result.reason}")
        return result


def clean_cell(model: int, images: Indices) -> Cell:
    """Images without noise."""
    return Cell(model, Clean(), "realised", 0, images, (math.inf,))


def right_of(done: Done) -> Bools:
    """Which images are right, shape-(SNRs, images)."""
    right = np.asarray(done.columns["prediction"] == done.columns["label"])
    return right.reshape(-1, len(np.unique(done.columns["image"])))

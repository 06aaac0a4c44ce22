"""Which blocks of images to run next, from the answers so far: the pilot of an auto grid, and runs to a precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..attacks import EnlargedStableNoise, StableNoise
from ..data import Dataset
from ..results import Block, Entry, Grid
from ..results.statistics import (
    PILOT_IMAGES,
    RESAMPLES,
    Answers,
    block_ends,
    lay_grid,
    next_points,
    pilot_points,
    resample,
)
from .cells import Cell, rulers_of

_Curve = tuple[str, str]  # attack, ruler


class Design:
    """The sequential design of a run: takes the answers of cells, gives the blocks to run next.

    Parameters
    ----------
    entries : sequence of Entry
        The attacks, without those at a radius.
    rulers : sequence of str
    models, classes : int
    dataset : Dataset
    precision : float, optional
        Half the width of each threshold's 95 % interval, dB; without one, the pilot is all.
    samples : mapping of str to int
        Images of an attack at most; those that are missing run on all.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        rulers: Sequence[str],
        models: int,
        dataset: Dataset,
        *,
        classes: int,
        precision: float | None = None,
        samples: Mapping[str, int | None] | None = None,
    ) -> None:
        self._entries = {entry.spec: entry for entry in entries}
        self._attacks = {entry.spec: entry.attack for entry in entries}
        self._rulers = {spec: rulers_of(rulers, attack) for spec, attack in self._attacks.items()}
        self._models, self._dataset, self._chance, self._precision = models, dataset, 1 / classes, precision
        self._samples = samples or {}
        count = len(dataset.keep)
        self._ends = block_ends(count)
        self._place = np.full(len(dataset.images), -1)
        taken = np.zeros(0, dtype=np.int64)
        for end in self._ends:
            block = np.setdiff1d(dataset.subset(end), taken)
            self._place[block] = len(taken) + np.arange(len(block))
            taken = dataset.subset(end)
        # A score's own bootstrap samples: what the design takes for precise, the score finds precise.
        self._weights = resample(count, RESAMPLES, 0)[:, np.argsort(self._place[dataset.keep])]
        self._clean = np.zeros((models, count))
        self._sums: dict[tuple[int, str, str], dict[float, tuple[Any, Any]]] = {}
        self._failed: set[tuple[int, str, str]] = set()
        self._grids: dict[_Curve, tuple[float, ...]] = {}

    def add(self, cell: Cell, columns: Mapping[str, Any]) -> None:
        """Take the answers of a finished cell; those of several seeds are averaged."""
        right = np.asarray(columns["prediction"]) == np.asarray(columns["label"])
        hits, place = right.reshape(len(cell.snr_db), -1), self._place[cell.images]
        if cell.clean:
            self._clean[cell.model, place] = hits[0]
            return
        seen = self._sums.setdefault((cell.model, cell.attack.spec, cell.ruler), {})
        for db, row in zip(cell.snr_db, hits, strict=True):
            sums, counts = seen.setdefault(db, (np.zeros(self._clean.shape[1]), np.zeros(self._clean.shape[1], int)))
            sums[place] += row
            counts[place] += 1

    def fail(self, cell: Cell) -> None:
        """Leave out a curve of which a cell failed."""
        self._failed.add((cell.model, cell.attack.spec, cell.ruler))

    def next_blocks(self) -> list[Block]:
        """Blocks to run next; none when the design is complete."""
        return [block for curve in self._curves() for block in self._blocks(*curve)]

    def grids(self) -> tuple[Grid, ...]:
        """The pilot's grids: attacks on which claims are judged together share theirs."""
        laid = {curve: set(lay_grid(models)) for curve in self._curves() if (models := self._pilots(*curve))}
        shared: dict[tuple[str, str], set[float]] = {}
        for (spec, ruler), points in laid.items():
            shared.setdefault((self._judged_with(spec), ruler), set()).update(points)
        return tuple(
            Grid(attack=spec, ruler=ruler, snr_db=tuple(sorted(shared[self._judged_with(spec), ruler])))
            for spec, ruler in laid
        )

    def _judged_with(self, spec: str) -> str:
        """The family on whose grid an attack is judged: enlarged noise on that of the noise it enlarges."""
        family = self._entries[spec].family
        return StableNoise.family if family == EnlargedStableNoise.family else family

    def _curves(self) -> Iterator[_Curve]:
        return ((spec, ruler) for spec in self._attacks for ruler in self._rulers[spec])

    def _running(self, spec: str, ruler: str) -> list[int]:
        return [model for model in range(self._models) if (model, spec, ruler) not in self._failed]

    def _blocks(self, spec: str, ruler: str) -> Iterator[Block]:
        running = self._running(spec, ruler)
        pilots = self._pilots(spec, ruler)
        if running and (points := pilot_points(pilots, adversary=self._entries[spec].adversary)):
            last = min(PILOT_IMAGES, self._most(spec))
            for model in running:
                yield Block(model=model, attack=spec, ruler=ruler, first=0, last=last, snr_db=points)
        elif self._precision is not None:
            for model in running:
                yield from self._local(model, spec, ruler, pilots)

    def _local(self, model: int, spec: str, ruler: str, pilots: Sequence[Answers]) -> Iterator[Block]:
        """The next block of a curve whose threshold is not known well enough."""
        assert self._precision is not None
        seen = self._answers(model, spec, ruler)
        first = len(seen.clean)
        last = min(self._most(spec), next((end for end in self._ends if end > first), first))
        if last <= first:
            return
        # The models are compared at the level halfway from chance to the lowest clean accuracy.
        common = (float(self._clean[:, :first].mean(1).min()) + self._chance) / 2
        points = next_points(seen, self._precision, (common,) if self._models > 1 else ())
        if points and self._attacks[spec].minimum_norm:
            points = self._grids.setdefault((spec, ruler), lay_grid(pilots))  # one run serves all SNRs
        if points:
            yield Block(model=model, attack=spec, ruler=ruler, first=first, last=last, snr_db=points)

    def _most(self, spec: str) -> int:
        return min(self._samples.get(spec) or len(self._dataset.keep), len(self._dataset.keep))

    def _pilots(self, spec: str, ruler: str) -> list[Answers]:
        running = self._running(spec, ruler)
        found = [self._answers(model, spec, ruler, PILOT_IMAGES) for model in running]
        return found if all(len(seen.snr_db) for seen in found) else []

    def _answers(self, model: int, spec: str, ruler: str, most: int | None = None) -> Answers:
        """What a model answered under an attack, on the first images or on all that were run."""
        seen = self._sums.get((model, spec, ruler), {})
        counts = {db: each[1][:most] for db, each in sorted(seen.items()) if each[1][:most].any()}
        ran = np.array(list(counts.values())) if counts else np.zeros((0, 0), int)
        images = int(np.flatnonzero(ran.any(0)).max(initial=-1)) + 1
        ran = ran[:, :images]
        sums = np.array([seen[db][0][:images] for db in counts]).reshape(ran.shape)
        hits = np.divide(sums, ran, out=np.zeros(sums.shape), where=ran > 0)
        clean, weights = self._clean[model, :images], self._weights[:, :images]
        return Answers(np.array(list(counts)), hits, ran > 0, clean, self._chance, weights)

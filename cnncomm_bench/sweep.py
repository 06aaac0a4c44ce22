"""The sweep: the grid of cells to predictions.

A cell is one (model, attack, ruler, seed, block of images) with all its SNRs: the unit that is computed, stored
whole and resumed. While the model runs on a batch, the next batch's noise is drawn on the host in a thread.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from . import snr
from .attacks.answers import Logits, predict
from .attacks.base import Attack, Batch, Disturbed, Noise
from .attacks.radius import AtRadius
from .data import balanced_subset
from .errors import DataError
from .store import Store
from .streams import Digests, digests
from .suites import Suite

Indices = npt.NDArray[np.int64]
_S = TypeVar("_S")
_T = TypeVar("_T")

BLOCK = 1024
"""Images a cell holds: small enough to lose little, large enough to fill batches."""

_AHEAD = 2  # batches prepared while the model runs


class Clean(Noise):
    """No disturbance: the images as they are, at an SNR of inf."""

    family: ClassVar[str] = "clean"
    spec = "clean"

    def over(self, batch: Batch, snr_db: Tensor) -> Iterator[Disturbed]:
        """The images themselves, see `Attack.over`."""
        yield Disturbed(0, batch.images, torch.ones(len(batch.images), dtype=torch.bool))


@dataclass(frozen=True, eq=False)
class Cell:
    """What is computed at once and stored whole.

    Attributes
    ----------
    model : int
        Index of the model.
    attack : Attack
    ruler : str
    seed : int
    images : ndarray of int64
        Indices into the data set.
    snr_db : tuple of float
    """

    model: int
    attack: Attack
    ruler: str
    seed: int
    images: Indices
    snr_db: tuple[float, ...]

    @property
    def forwards(self) -> int:
        """Image-SNR pairs the cell predicts."""
        return len(self.images) * len(self.snr_db)


@dataclass(frozen=True, eq=False)
class Pixels:
    """The images of a run that have an SNR, with their labels.

    Attributes
    ----------
    images : ndarray, shape-(N, C, H, W)
        uint8, or float32 in [0, 1].
    labels : ndarray, shape-(N,), int64, or None
        None: each model's clean predictions take their place.
    keep : ndarray of int64
        Indices of the images that have power; the others are left out.
    """

    images: npt.NDArray[Any]
    labels: Indices | None
    keep: Indices

    @classmethod
    def of(cls, images: npt.NDArray[Any], labels: Indices | None) -> Pixels:
        """Leave out the images of zero power, which have no SNR.

        Raises
        ------
        DataError
            No image is left.
        """
        lit = np.fromiter((bool(image.any()) for image in images), dtype=bool, count=len(images))
        if not lit.any():
            raise DataError("every image has zero power (all pixels black): no SNR is defined")
        return cls(images, labels, np.flatnonzero(lit))

    def floats(self, indices: Indices) -> Tensor:
        """Some of the images, float32 in [0, 1]."""
        chosen = torch.from_numpy(self.images[indices])
        return chosen.float().div_(255) if chosen.dtype == torch.uint8 else chosen


def plan(models: int, suite: Suite, pixels: Pixels, seeds: Sequence[int]) -> list[Cell]:
    """Cells of a run, in the order in which they are computed and stored.

    Parameters
    ----------
    models : int
        How many models.
    suite : Suite
    pixels : Pixels
    seeds : sequence of int

    Returns
    -------
    list of Cell
        Each model's clean cells come before its others.
    """
    cells = []
    for model in range(models):
        for block in _blocks(pixels.keep):
            cells.append(Cell(model, Clean(), "realised", seeds[0], block, (float("inf"),)))
        for entry in suite.attacks:
            attack = entry.attack
            subset = _subset(pixels, entry.samples or suite.samples)
            known = [ruler for ruler in suite.rulers if ruler in attack.rulers] or ["realised"]
            random = type(attack).draw is not Attack.draw
            grid = suite.snr_db
            if isinstance(attack, AtRadius):
                grid = (round(attack.nominal_db(median_norm(pixels), pixels.images[0].size), 2),)
            for ruler in known:
                for seed in seeds if random else seeds[:1]:
                    for block in _blocks(subset):
                        cells.append(Cell(model, attack, ruler, seed, block, grid))
    return cells


class Sweep:
    """Computes the cells of a plan that a store lacks.

    Parameters
    ----------
    models : sequence of callable
        Float images in [0, 1] to logits.
    names : sequence of str
    pixels : Pixels
    batch_size : int
    device : str
    bits : int, optional
        Round disturbed images as a file of that many bits would.
    """

    def __init__(
        self,
        models: Sequence[Logits],
        names: Sequence[str],
        pixels: Pixels,
        *,
        batch_size: int,
        device: str = "cpu",
        bits: int | None = None,
    ) -> None:
        self.models, self.names, self.pixels = models, names, pixels
        self.batch_size, self.device, self.bits = batch_size, device, bits
        self._keys: dict[int, int] = {}

    def run(self, cells: Sequence[Cell], store: Store, progress: Callable[[Cell, int], None]) -> None:
        """Compute and store what is missing, cell by cell.

        Parameters
        ----------
        cells : sequence of Cell
        store : Store
        progress : callable
            Told after each batch and SNR: (cell, images done).
        """
        missing = store.missing()
        with ThreadPoolExecutor(1, thread_name_prefix="noise") as pool:
            batches = ((cells[index], rows) for index in missing for rows in self._batches(cells[index]))
            prepared = _ahead(pool, self._prepare, batches)
            for index in missing:
                cell, outcome, started = cells[index], Outcome(cells[index]), time.perf_counter()
                labels = self._labels(cells, cell, store)
                for rows in self._batches(cell):
                    self._disturb(cell, rows, labels, next(prepared), outcome, progress)
                columns = outcome.columns(self.names[cell.model], labels)
                store.write_cell(index, columns, outcome.mean_facts(), time.perf_counter() - started)

    def _batches(self, cell: Cell) -> list[slice]:
        return [slice(i, i + self.batch_size) for i in range(0, len(cell.images), self.batch_size)]

    def _prepare(self, job: tuple[Cell, slice]) -> tuple[Tensor, Digests, Any]:
        """What the host does for a batch, in the thread: pixels to floats, and the noise of all SNRs."""
        cell, rows = job
        images = cell.images[rows]
        clean = self.pixels.floats(images)
        unknown = [row for row, image in enumerate(images.tolist()) if image not in self._keys]
        if unknown:
            self._keys.update(zip(images[unknown].tolist(), digests(clean[unknown]).tolist(), strict=True))
        keys = np.array([self._keys[image] for image in images.tolist()], dtype=np.uint64)
        return clean, keys, cell.attack.draw(keys, tuple(clean.shape[1:]), seed=cell.seed)

    def _labels(self, cells: Sequence[Cell], cell: Cell, store: Store) -> Indices | None:
        """Labels of a cell's images; without any, what its model answers to the clean images."""
        if self.pixels.labels is not None:
            return self.pixels.labels[cell.images]
        if isinstance(cell.attack, Clean):
            return None
        agreed = np.empty(len(self.pixels.images), dtype=np.int64)
        for index, other in enumerate(cells):
            if other.model == cell.model and isinstance(other.attack, Clean):
                agreed[other.images] = store.read_cell(index)["prediction"].to_numpy()
        return agreed[cell.images]

    def _disturb(
        self,
        cell: Cell,
        rows: slice,
        labels: Indices | None,
        prepared: tuple[Tensor, Digests, Any],
        outcome: Outcome,
        progress: Callable[[Cell, int], None],
    ) -> None:
        host, keys, draws = prepared
        clean = host.to(self.device, non_blocking=True)
        target = None if labels is None else torch.from_numpy(labels[rows]).to(self.device)
        model = self.models[cell.model]
        batch = Batch(clean, target, model=model, ruler=cell.ruler, seed=cell.seed, keys=keys, draws=draws)
        for disturbed in cell.attack.over(batch, torch.tensor(cell.snr_db, dtype=torch.float64, device=self.device)):
            images = snr.quantise(disturbed.images, self.bits)
            predictions = disturbed.predictions
            if predictions is None or self.bits is not None:
                predictions = predict(model, images)
            outcome.put(disturbed, rows, predictions, snr.measure(clean, images))
            progress(cell, len(clean))


class Outcome:
    """What the models answered in a cell, gathered batch by batch.

    Parameters
    ----------
    cell : Cell
    """

    def __init__(self, cell: Cell) -> None:
        shape = (len(cell.snr_db), len(cell.images))
        self._cell = cell
        self._predictions = np.empty(shape, dtype=np.int64)
        self._realised = np.empty(shape, dtype=np.float64)
        self._reached = np.empty(shape, dtype=np.bool_)
        self._facts: dict[str, dict[int, list[float]]] = {}

    def put(self, disturbed: Disturbed, rows: slice, predictions: Tensor, realised_snr_db: Tensor) -> None:
        """Record one batch at one SNR."""
        place = disturbed.step, rows
        self._predictions[place] = predictions.cpu().numpy()
        self._realised[place] = realised_snr_db.cpu().numpy()
        self._reached[place] = disturbed.reached.cpu().numpy()
        for fact, values in disturbed.facts.items():
            self._facts.setdefault(fact, {}).setdefault(disturbed.step, []).extend(values.double().tolist())

    def columns(self, model: str, labels: Indices | None) -> dict[str, Any]:
        """The cell as columns of `store.PREDICTIONS`, SNR by SNR."""
        steps, count = self._predictions.shape
        rows = steps * count
        constant = {"model": model, "attack": self._cell.attack.spec, "ruler": self._cell.ruler}
        return {
            **{name: pa.repeat(value, rows).dictionary_encode() for name, value in constant.items()},
            "seed": np.full(rows, self._cell.seed),
            "snr_db": np.repeat(self._cell.snr_db, count),
            "image": np.tile(self._cell.images, steps),
            "label": np.tile(self._predictions[0] if labels is None else labels, steps),
            "prediction": self._predictions.ravel(),
            "realised_snr_db": self._realised.ravel(),
            "reached": self._reached.ravel(),
        }

    def mean_facts(self) -> dict[str, dict[str, float]]:
        """Each recorded fact's mean over the cell's images, by SNR."""
        return {
            fact: {f"{self._cell.snr_db[step]:g}": float(np.mean(values)) for step, values in by_step.items()}
            for fact, by_step in self._facts.items()
        }


def median_norm(pixels: Pixels) -> float:
    """Median L2 norm of the images, by at most 2,000 of them."""
    sample = pixels.floats(pixels.keep[:: max(1, len(pixels.keep) // 2000)])
    return round(float(snr.power(sample).sqrt().median()), 4)


def auto_batch_size(shape: Sequence[int], device: str) -> int:
    """Images a forward pass takes, by the size of an image.

    Parameters
    ----------
    shape : (C, H, W)
    device : str

    Returns
    -------
    int
    """
    values = max(1, int(np.prod(shape)))
    # On a processor, activations that leave the cache and the allocator's pool cost more than small batches do.
    most, budget = (64, 2**19) if device == "cpu" else (2048, 2**24)
    return max(8, min(budget // values, most))


def _blocks(images: Indices) -> list[Indices]:
    return np.split(images, range(BLOCK, len(images), BLOCK))


def _subset(pixels: Pixels, samples: int | None) -> Indices:
    """The first images of a seeded order balanced over the classes, so that smaller subsets lie in larger ones."""
    if samples is None or samples >= len(pixels.keep):
        return pixels.keep
    labels = np.zeros(len(pixels.keep), dtype=np.int64) if pixels.labels is None else pixels.labels[pixels.keep]
    chosen: Indices = pixels.keep[np.sort(balanced_subset(labels, samples, seed=0))]
    return chosen


def _ahead(pool: ThreadPoolExecutor, prepare: Callable[[_S], _T], jobs: Iterator[_S]) -> Iterator[_T]:
    """Results in order, a few of them prepared while the caller is busy with an earlier one."""
    waiting: deque[Future[_T]] = deque(pool.submit(prepare, job) for job in itertools.islice(jobs, _AHEAD))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(prepare, job) for job in itertools.islice(jobs, 1))
        yield result

"""The plan of a run: its cells, each one (model, attack, ruler, seed, block of images) with all its SNRs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..attacks import AtRadius, Attack, Noise, NoiseBatch, Perturbed
from ..data import Dataset, Indices
from ..results import AUTO, Block, Plan, Suite

BLOCK = 1024
"""Images a cell holds at most: small enough to lose little, large enough to fill batches."""

NOMINAL_GRID = (0.0, 10.0, *(20 + 2.5 * step for step in range(9)), 50.0)
"""In place of a grid that a pilot will lay, as long as it has not."""


class Clean(Noise):
    """No disturbance: the images as they are, at an SNR of inf."""

    family: ClassVar[str] = "clean"
    stochastic: ClassVar[bool] = False
    spec: ClassVar[str] = "clean"

    def over(self, batch: NoiseBatch, snr_db: Tensor) -> Iterator[Perturbed]:
        """The images themselves, see `Noise.over`."""
        yield Perturbed(0, batch.images, torch.ones(len(batch.images), dtype=torch.bool))


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
    def num_forwards(self) -> int:
        """Image-SNR pairs the cell predicts."""
        return len(self.images) * len(self.snr_db)

    @property
    def clean(self) -> bool:
        """Whether its images are left as they are."""
        return isinstance(self.attack, Clean)


def plan(
    models: int,
    suite: Suite,
    dataset: Dataset,
    seeds: Sequence[int],
    laid: Plan | None = None,
    *,
    blocks_alone: bool = False,
) -> list[Cell]:
    """Cells of a run, in the order in which they are stored.

    Parameters
    ----------
    models : int
        How many models.
    suite : Suite
    dataset : Dataset
    seeds : sequence of int
    laid : Plan, optional
        What the run decided: grids, images, and blocks, which come last.
    blocks_alone : bool
        Attacks are run in blocks, but for those at a radius.

    Returns
    -------
    list of Cell
        Each model's clean cells come before its others.
    """
    laid = laid or Plan()
    norm, values = dataset.median_norm(), math.prod(dataset.images.shape[1:])
    cells = []
    for model in range(models):
        for block in _blocks(dataset.keep, BLOCK):
            cells.append(Cell(model, Clean(), "realised", seeds[0], block, (float("inf"),)))
        for entry in suite.attacks:
            attack = entry.attack
            if blocks_alone and not attack.at_radius:
                continue
            subset = dataset.subset(laid.samples.get(entry.spec, entry.samples or suite.samples))
            size = min(BLOCK, laid.cell_images.get(entry.spec, BLOCK))
            for ruler in rulers_of(suite.rulers, attack):
                grid = laid.grid(entry.spec, ruler) or (NOMINAL_GRID if suite.snr_db == AUTO else suite.snr_db)
                if isinstance(attack, AtRadius):
                    grid = (round(attack.nominal_db(norm, values), 2),)
                for seed in seeds_of(attack, seeds):
                    for block in _blocks(subset, size):
                        cells.append(Cell(model, attack, ruler, seed, block, grid))
    for each in laid.blocks:
        cells += block_cells(each, suite, dataset, seeds, laid)
    return cells


def block_cells(block: Block, suite: Suite, dataset: Dataset, seeds: Sequence[int], laid: Plan) -> list[Cell]:
    """The cells of a block of a sequential design, of the size that is planned for its attack."""
    attack = next(entry.attack for entry in suite.attacks if entry.spec == block.attack)
    images = dataset.subset(block.last)
    if block.first:
        images = np.setdiff1d(images, dataset.subset(block.first))
    return [
        Cell(block.model, attack, block.ruler, seed, part, block.snr_db)
        for seed in seeds_of(attack, seeds)
        for part in _blocks(images, min(BLOCK, laid.cell_images.get(block.attack, BLOCK)))
    ]


def seeds_of(attack: Attack, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that an attack is run with: the first alone, where it has no randomness."""
    return seeds if attack.stochastic else seeds[:1]


def rulers_of(rulers: Sequence[str], attack: Attack) -> list[str]:
    """The rulers of a suite that an attack knows; `realised`, where it knows none of them."""
    return [ruler for ruler in rulers if ruler in attack.rulers] or ["realised"]


def _blocks(images: Indices, size: int) -> list[Indices]:
    return np.split(images, range(size, len(images), size))

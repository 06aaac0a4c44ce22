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
from ..results import Suite

BLOCK = 1024
"""Images a cell holds: small enough to lose little, large enough to fill batches."""


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


def plan(models: int, suite: Suite, dataset: Dataset, seeds: Sequence[int]) -> list[Cell]:
    """Cells of a run, in the order in which they are stored.

    Parameters
    ----------
    models : int
        How many models.
    suite : Suite
    dataset : Dataset
    seeds : sequence of int

    Returns
    -------
    list of Cell
        Each model's clean cells come before its others.
    """
    norm, values = dataset.median_norm(), math.prod(dataset.images.shape[1:])
    cells = []
    for model in range(models):
        for block in _blocks(dataset.keep):
            cells.append(Cell(model, Clean(), "realised", seeds[0], block, (float("inf"),)))
        for entry in suite.attacks:
            attack = entry.attack
            subset = dataset.subset(entry.samples or suite.samples)
            known = [ruler for ruler in suite.rulers if ruler in attack.rulers] or ["realised"]
            grid = suite.snr_db
            if isinstance(attack, AtRadius):
                grid = (round(attack.nominal_db(norm, values), 2),)
            for ruler in known:
                for seed in seeds if attack.stochastic else seeds[:1]:
                    for block in _blocks(subset):
                        cells.append(Cell(model, attack, ruler, seed, block, grid))
    return cells


def _blocks(images: Indices) -> list[Indices]:
    return np.split(images, range(BLOCK, len(images), BLOCK))

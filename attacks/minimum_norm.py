"""Minimum-norm adversaries: the smallest noise of each image, found once, serves every budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import snr
from .base import Adversary, smallest_first
from .batch import AdversaryBatch, Perturbed
from .boundary import seen_along
from .query import predict

_ROUNDING = 1e-6  # relative; float32 images on a budget's boundary may exceed it by that


class MinimumNorm(Adversary):
    """An adversary that looks for each image's smallest adversarial noise in one run.

    Within a budget that allows that noise the image is fooled; within a smaller one it stays clean. A family
    writes `minimise`.
    """

    minimum_norm: ClassVar[bool] = True

    @abstractmethod
    def minimise(self, batch: AdversaryBatch, start: Tensor) -> Tensor:
        """Adversarial images as close as could be found; the clean one where none was found.

        Parameters
        ----------
        batch : AdversaryBatch
            The images that the model gets right.
        start : Tensor, shape-(N, ...)
            These images' rows of what `draw` gave.

        Returns
        -------
        Tensor, shape-(N, C, H, W)
        """

    @final
    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Smallest adversarial images where the budget allows them, see `Adversary.perturb`."""
        found = self.minimise(batch, start)
        return torch.where(_allowed(batch.images, found, budget_db)[:, None, None, None], found, batch.images)

    @final
    def walk(self, batch: AdversaryBatch, budgets_db: Tensor, start: Tensor) -> Iterator[Perturbed]:
        """Answer every budget from one run, see `Adversary.walk`; its facts are those of `boundary.seen_along`."""
        model, labels, clean = batch.model, batch.labels, batch.images
        unharmed = predict(model, clean)
        smallest, predictions = clean, unharmed
        right = unharmed == labels
        rows = right.nonzero().flatten()
        if len(rows):
            found = self.minimise(batch.rows(rows), start[rows])
            smallest = clean.index_copy(0, rows, found)
            predictions = unharmed.index_copy(0, rows, predict(model, found))
        seen = list(seen_along(batch, smallest, right, budgets_db))
        for step in smallest_first(budgets_db):
            allowed = _allowed(clean, smallest, budgets_db[step])
            images = torch.where(allowed[:, None, None, None], smallest, clean)
            answers = torch.where(allowed, predictions, unharmed)
            yield Perturbed(step, images, torch.ones_like(allowed), answers, seen[step])


def _allowed(clean: Tensor, disturbed: Tensor, budget_db: Tensor) -> Tensor:
    noise = snr.power(disturbed.double() - clean.double())
    return noise <= snr.noise_power(clean, budget_db[None])[0] * (1 + _ROUNDING)

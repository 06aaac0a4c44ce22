"""The two kinds of attack: a `Noise` meets its SNR and needs no model, an `Adversary` has the SNR as budget."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from .attack import Attack, Norm, Passes
from .batch import AdversaryBatch, ImageBatch, NoiseBatch, Perturbed
from .query import Counted, Logits, predict


class Noise(Attack):
    """Random noise: needs no model, and meets its SNR exactly unless the image saturates before."""

    needs_model: ClassVar[bool] = False
    iterative: ClassVar[bool] = False
    uses_gradient: ClassVar[bool] = False

    def passes(self, classes: int) -> Passes:
        """One forward pass, for the answer; see `Attack.passes`."""
        return Passes(1, 0)

    @abstractmethod
    def over(self, batch: NoiseBatch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid.

        Parameters
        ----------
        batch : NoiseBatch
        snr_db : Tensor, shape-(K,) or (K, N)
            The grid, dB; with a second dimension, each image has its own.

        Yields
        ------
        Perturbed
            One for each SNR, in an order of the noise's choice.
        """

    @final
    def sweep(
        self,
        batch: ImageBatch,
        snr_db: Tensor,
        *,
        ruler: str = "realised",
        labels: Tensor | None = None,
        model: Logits | None = None,
    ) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, without labels and model; see `Attack.sweep`."""
        return self.over(batch.for_noise(ruler), snr_db)


class DirectionNoise(Noise):
    """Noise on the path clip(clean + s * direction), its direction one draw for all SNRs.

    A family writes `draw`, which gives the directions, and `geometric_power` if it knows other rulers.
    """

    def geometric_power(self) -> float:
        """Geometric power exp(E log|X|) of the law at scale one."""
        raise UsageError(f"{self.spec} knows only the realised ruler", "rulers")

    @final
    def over(self, batch: NoiseBatch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, see `Noise.over`."""
        clean, direction = batch.images, self.drawn(batch).to(batch.images.dtype).expand_as(batch.images)
        if batch.mask is not None:
            direction = direction * batch.mask
        if batch.ruler == "realised" or batch.ruler not in self.rulers:
            scale, reached = snr.scales(clean, direction, snr_db, batch.bounds)
        else:
            scale = snr.law_scale(clean, snr_db, batch.ruler, self.geometric_power())
            reached = torch.ones_like(scale, dtype=torch.bool)
        for step, row in enumerate(scale):
            yield Perturbed(step, snr.apply(clean, direction, row, batch.bounds), reached[step])


class Adversary(Attack):
    """An attack on a model, with the SNR as budget: noise power at most that.

    The grid is walked from the smallest budget to the largest, and an image that is fooled keeps its
    adversarial example from then on, since it is within every larger budget; so the accuracy curve can only
    rise with SNR, and later budgets cost only the images that are not fooled yet. An image that the model gets wrong
    unharmed needs no noise at all. A family writes `perturb`, and declares what differs from the defaults here.
    """

    needs_model: ClassVar[bool] = True

    @property
    def norm(self) -> Norm | None:
        """An SNR is an L2 ball; see `Attack.norm`."""
        return "l2"

    @property
    def iterative(self) -> bool:
        """Many steps, see `Attack.iterative`."""
        return True

    @property
    def uses_gradient(self) -> bool:
        """Not a black box, see `Attack.uses_gradient`."""
        return True

    def passes(self, classes: int) -> Passes:
        """A gradient and the answer to it, where a family does not count; see `Attack.passes`."""
        return Passes(2, 1)

    def at_linf(self, eps: float) -> Adversary:
        """The same attack with an L-infinity radius, in pixels of [0, 1], as its budget; for one of that `norm`."""
        raise UsageError(f"{self.spec} has no linf radius")

    @abstractmethod
    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Adversarial images within the budget, for each the best that was found.

        Parameters
        ----------
        batch : AdversaryBatch
            The images that are not fooled yet.
        budget_db : Tensor, shape-(N,)
            SNR of the largest noise allowed, dB.
        start : Tensor, shape-(N, ...)
            These images' rows of what `draw` gave.

        Returns
        -------
        Tensor, shape-(N, C, H, W)
        """

    @final
    def sweep(
        self,
        batch: ImageBatch,
        snr_db: Tensor,
        *,
        ruler: str = "realised",
        labels: Tensor | None = None,
        model: Logits | None = None,
    ) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, see `Attack.sweep`."""
        if model is None or labels is None:
            raise UsageError(f"{self.spec} is an attack on a model: it needs model= and labels=")
        return self.over(batch.for_adversary(labels, model), snr_db)

    @final
    def over(self, batch: AdversaryBatch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, from the smallest budget on.

        The facts `forward_passes` and `backward_passes` are the batch's mean number of passes through the model
        that an image took since the SNR before, so that their sums over images and SNRs are the attack's totals;
        `unperturbed` marks images that the attack left as they were, though the model gets them right.

        Parameters
        ----------
        batch : AdversaryBatch
        snr_db : Tensor, shape-(K,) or (K, N)
            The grid, dB; with a second dimension, each image has its own.

        Yields
        ------
        Perturbed
            With predictions, one for each SNR.
        """
        images, labels = batch.images, batch.labels
        start = self.drawn(batch)
        budgets = snr_db.to(images.device, torch.float64).reshape(len(snr_db), -1).expand(-1, len(images))
        snr.noise_power(images, budgets)  # refuses images without an SNR before any work is done
        model = Counted(batch.model)
        forward = backward = 0
        for found in self.walk(replace(batch, model=model), budgets, start):
            passes = {"forward_passes": model.forward - forward, "backward_passes": model.backward - backward}
            forward, backward = model.forward, model.backward
            shares = {
                name: torch.full(labels.shape, count / len(labels), dtype=torch.float64)
                for name, count in passes.items()
            }
            untouched = (found.images == images).flatten(1).all(1) & (found.predictions == labels)
            yield replace(found, facts={**found.facts, **shares, "unperturbed": untouched})

    def walk(self, batch: AdversaryBatch, budgets_db: Tensor, start: Tensor) -> Iterator[Perturbed]:
        """Answer every budget; `over` has checked the images.

        Parameters
        ----------
        batch : AdversaryBatch
        budgets_db : Tensor, shape-(K, N)
        start : Tensor, shape-(N, ...)
            What `draw` gave.

        Yields
        ------
        Perturbed
            With predictions.
        """
        model, labels = batch.model, batch.labels
        best, predictions = batch.images, predict(model, batch.images)
        for step in smallest_first(budgets_db):
            rest = (predictions == labels).nonzero().flatten()
            if len(rest):
                subset = replace(batch, warm_start=best).rows(rest)
                found = self.perturb(subset, budgets_db[step, rest], start[rest])
                best = best.index_copy(0, rest, found)
                predictions = predictions.index_copy(0, rest, predict(model, found))
            yield Perturbed(step, best, torch.ones_like(labels, dtype=torch.bool), predictions)


def smallest_first(budgets_db: Tensor) -> list[int]:
    """Steps of a grid from the smallest budget, the highest SNR, on.

    Parameters
    ----------
    budgets_db : Tensor, shape-(K, N)
    """
    order: list[int] = budgets_db.mean(1).argsort(descending=True).tolist()
    return order

"""The contract: an attack disturbs a batch of images at every SNR of a grid.

A `Noise` needs no model and *meets* its SNR; an `Adversary` needs one and gets the SNR as a budget. Both
answer `over(batch, snr_db)` with one `Perturbed` batch per SNR, so that the sweep, the adapters and a
caller who wants a single SNR (`attack(images, snr_db=20)`) all take the same way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from ..snr import Digests, digests
from .query import Counted, Logits, predict


@dataclass(frozen=True)
class Batch:
    """Clean images and all that an attack may ask about them.

    Attributes
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), int64, optional
        An adversary needs them.
    model : callable, optional
        Images to logits; an adversary needs it.
    ruler : {"realised", "dispersion", "geometric"}
    seed, call : int
        `call` is a counter for fresh noise, see `streams.generators`.
    bounds : (float, float)
        Smallest and largest valid pixel; infinite where nothing is clipped.
    keys : ndarray, shape-(N,), uint64, optional
        The images' digests, where they are known already.
    draws : optional
        What the attack's `draw` gave for these images, where it was drawn ahead.
    warm_start : Tensor, shape-(N, C, H, W), optional
        Where an adversary got within the next smaller budget of its grid; there it may start from.
    mask : Tensor, shape-(N, C, H, W), optional
        Noise leaves pixels where it is 0 alone, and meets its SNR with the others.
    """

    images: Tensor
    labels: Tensor | None = None
    model: Logits | None = None
    ruler: str = "realised"
    seed: int = 0
    call: int = 0
    bounds: snr.Bounds = (0.0, 1.0)
    keys: Digests | None = None
    draws: Any = None
    warm_start: Tensor | None = None
    mask: Tensor | None = None

    def rows(self, index: Tensor) -> Batch:
        """Some of the images, with all that goes with them but `draws`.

        Parameters
        ----------
        index : Tensor, shape-(n,), int64

        Returns
        -------
        Batch
        """
        return replace(
            self,
            images=self.images[index],
            labels=None if self.labels is None else self.labels[index],
            keys=None if self.keys is None else self.keys[index.cpu().numpy()],
            draws=None,
            warm_start=None if self.warm_start is None else self.warm_start[index],
            mask=None if self.mask is None else self.mask[index],
        )


@dataclass(frozen=True)
class Perturbed:
    """A batch of images, disturbed at one SNR of the grid.

    Attributes
    ----------
    step : int
        Which SNR of the grid.
    images : Tensor, shape-(N, C, H, W)
    reached : Tensor, shape-(N,), bool
        False for an image whose noise saturates before it has the power asked for.
    predictions : Tensor, shape-(N,), int64, optional
        What the model answers, where the attack had to ask it anyway.
    facts : dict
        What else is worth recording, one number an image, such as how many whole impulses fitted.
    """

    step: int
    images: Tensor
    reached: Tensor
    predictions: Tensor | None = None
    facts: dict[str, Tensor] = field(default_factory=dict)


class Attack(ABC):
    """Anything that turns clean images into disturbed ones at stated SNRs.

    Attributes
    ----------
    family : str
        Keys the random streams: attacks of one family share their draws.
    rulers : tuple of str
        Rulers it knows; under another one it keeps `realised`.
    needs_model : bool
        An adversary, which has the SNR as budget; otherwise noise, which meets it.
    note : str
        What a table should say beside its name; empty where nothing is out of the ordinary.
    """

    family: ClassVar[str]
    rulers: ClassVar[tuple[str, ...]] = ("realised",)
    needs_model: ClassVar[bool]
    note: ClassVar[str] = ""

    @property
    def spec(self) -> str:
        """Shortest spec string that `registry.parse` turns into this attack; its name in files and tables."""
        from .registry import shortest

        return shortest(self)

    @final
    def __call__(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        *,
        snr_db: float,
        model: Logits | None = None,
        ruler: str = "realised",
        seed: int = 0,
    ) -> Tensor:
        """Perturbed images at one SNR.

        Parameters
        ----------
        images, labels, model, ruler, seed
            See `Batch`.
        snr_db : float
            What noise meets, and an adversary has as budget.

        Returns
        -------
        Tensor, shape-(N, C, H, W)

        Raises
        ------
        ValueError
            An image is of zero power or holds NaN; its index is named.
        UsageError
            An adversary without model or labels.
        """
        batch = Batch(images, labels, model=model, ruler=ruler, seed=seed)
        (disturbed,) = self.over(batch, torch.tensor([float(snr_db)], dtype=torch.float64))
        return disturbed.images

    @abstractmethod
    def over(self, batch: Batch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid.

        Parameters
        ----------
        batch : Batch
        snr_db : Tensor, shape-(K,) or (K, N)
            The grid, dB; with a second dimension, each image has its own.

        Yields
        ------
        Perturbed
            One for each SNR, in an order of the attack's choice.
        """

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Any:
        """The attack's randomness for a batch, made on the host from the images' own streams.

        Parameters
        ----------
        keys : ndarray, shape-(N,), uint64
        shape : (C, H, W)
        seed, call : int

        Returns
        -------
        Tensor, tuple of Tensor, or None
            First dimension N; None for an attack without randomness.
        """
        return None

    @final
    def drawn(self, batch: Batch) -> Any:
        """What was drawn ahead for a batch, else what `draw` gives now; on the images' device."""
        draws = batch.draws
        if draws is None:
            keys = digests(batch.images) if batch.keys is None else batch.keys
            draws = self.draw(keys, tuple(batch.images.shape[1:]), seed=batch.seed, call=batch.call)
        device = batch.images.device
        if isinstance(draws, tuple):
            return tuple(part.to(device, non_blocking=True) for part in draws)
        return None if draws is None else draws.to(device, non_blocking=True)


class Noise(Attack):
    """Random noise: needs no model, and meets its SNR exactly unless the image saturates before."""

    needs_model: ClassVar[bool] = False


class DirectionNoise(Noise):
    """Noise on the path clip(clean + s * direction), its direction one draw for all SNRs.

    A family writes `draw`, which gives the directions, and `geometric_power` if it knows other rulers.
    """

    def geometric_power(self) -> float:
        """Geometric power exp(E log|X|) of the law at scale one."""
        raise UsageError(f"{self.spec} knows only the realised ruler")

    @final
    def over(self, batch: Batch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, see `Attack.over`."""
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
    adversarial example from then on, since it lies within every larger budget; so the accuracy curve can only
    rise with SNR, and later budgets cost only the images that are left. An image that the model gets wrong
    unharmed needs no noise at all. A family writes `perturb`.
    """

    needs_model: ClassVar[bool] = True

    @abstractmethod
    def perturb(self, batch: Batch, budget_db: Tensor, start: Any) -> Tensor:
        """Adversarial images within the budget, for each the best that was found.

        Parameters
        ----------
        batch : Batch
            The images that are not fooled yet.
        budget_db : Tensor, shape-(N,)
            SNR of the largest noise allowed, dB.
        start : Tensor or None, shape-(N, ...)
            These images' rows of what `draw` gave.

        Returns
        -------
        Tensor, shape-(N, C, H, W)
        """

    @final
    def over(self, batch: Batch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, from the smallest budget on, see `Attack.over`.

        The facts `forward_passes` and `backward_passes` are the batch's mean number of passes through the model
        that an image took since the SNR before, so that their sums over images and SNRs are the attack's totals;
        `unperturbed` marks images that the attack left as they were, though the model gets them right.
        """
        images, labels = batch.images, batch.labels
        if batch.model is None or labels is None:
            raise UsageError(f"{self.spec} is an attack on a model: it needs model= and labels=")
        start = self.drawn(batch)
        budgets = snr_db.to(images.device).reshape(len(snr_db), -1).expand(-1, len(images))
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

    def walk(self, batch: Batch, budgets_db: Tensor, start: Any) -> Iterator[Perturbed]:
        """Answer every budget; `over` has checked what comes here.

        Parameters
        ----------
        batch : Batch
            With model and labels.
        budgets_db : Tensor, shape-(K, N)
        start : Tensor or None, shape-(N, ...)
            What `draw` gave.

        Yields
        ------
        Perturbed
            With predictions.
        """
        model, labels = batch.model, batch.labels
        assert model is not None
        assert labels is not None
        best, predictions = batch.images, predict(model, batch.images)
        for step in smallest_first(budgets_db):
            left = (predictions == labels).nonzero().flatten()
            if len(left):
                subset = replace(batch, warm_start=best).rows(left)
                found = self.perturb(subset, budgets_db[step, left], None if start is None else start[left])
                best = best.index_copy(0, left, found)
                predictions = predictions.index_copy(0, left, predict(model, found))
            yield Perturbed(step, best, torch.ones_like(labels, dtype=torch.bool), predictions)


def smallest_first(budgets_db: Tensor) -> list[int]:
    """Steps of a grid from the smallest budget, the highest SNR, on.

    Parameters
    ----------
    budgets_db : Tensor, shape-(K, N)

    Returns
    -------
    list of int
    """
    order: list[int] = budgets_db.mean(1).argsort(descending=True).tolist()
    return order

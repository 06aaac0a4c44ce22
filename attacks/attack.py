"""The contract of every attack: it says what it is, and disturbs a batch of images at every SNR of a grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal, NamedTuple, final

import torch
from torch import Tensor

from ..snr import Digests, digests
from .batch import ImageBatch, Perturbed
from .query import Logits
from .spec import shortest

Norm = Literal["l2", "linf"]


class Passes(NamedTuple):
    """Forward and backward passes of one image through the model."""

    forward: float
    backward: float

    @property
    def weight(self) -> float:
        """In forward passes: a backward pass costs about two."""
        return self.forward + 2 * self.backward


class Attack(ABC):
    """Anything that turns clean images into disturbed ones at stated SNRs.

    An attack declares what it is in the properties below, as class attributes where they do not depend on its
    parameters. Scheduling, cost, warnings and tables read them, and nothing else.
    """

    @property
    @abstractmethod
    def family(self) -> str:
        """Keys the random streams: attacks of one family share their draws."""

    @property
    @abstractmethod
    def needs_model(self) -> bool:
        """Whether it is an adversary, with the SNR as budget; otherwise it is noise, which meets its SNR."""

    @property
    def rulers(self) -> tuple[str, ...]:
        """Rulers it knows; under another one it keeps `realised`."""
        return ("realised",)

    @property
    def norm(self) -> Norm | None:
        """Norm of the ball that it searches; None for noise, and where an adversary searches no ball."""
        return None

    @property
    def stochastic(self) -> bool:
        """Whether another seed may give other images: it is then run once for each seed."""
        return True

    @property
    @abstractmethod
    def iterative(self) -> bool:
        """Whether it queries the model more than once on its way."""

    @property
    @abstractmethod
    def uses_gradient(self) -> bool:
        """Whether it uses the model's gradient; a black box uses predictions or logits alone."""

    @property
    def minimum_norm(self) -> bool:
        """Whether it looks for the smallest noise: one run then serves all SNRs."""
        return False

    @property
    def stops_when_fooled(self) -> bool:
        """Whether it leaves an image alone from the first iterate on that fools the model."""
        return False

    @property
    def at_radius(self) -> bool:
        """Whether it is run at one radius of the literature instead of over the grid."""
        return False

    @property
    def note(self) -> str:
        """What a table says beside its name; empty where nothing is out of the ordinary."""
        return ""

    @abstractmethod
    def passes(self, classes: int) -> Passes:
        """Passes through the model that an image costs at an SNR where it resists, the answer to its noise included.

        Parameters
        ----------
        classes : int
            Of the model.

        Returns
        -------
        Passes
            At all SNRs together, where `minimum_norm`.
        """

    @property
    def spec(self) -> str:
        """Shortest spec string that `registry.parse` turns into this attack; its name in files and tables."""
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
        images : Tensor, shape-(N, C, H, W)
            In [0, 1].
        labels, model, ruler, seed
            See `sweep` and `ImageBatch`.
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
        grid = torch.tensor([float(snr_db)], dtype=torch.float64)
        batch = ImageBatch(images, seed=seed)
        (perturbed,) = self.sweep(batch, grid, ruler=ruler, labels=labels, model=model)
        return perturbed.images

    @abstractmethod
    def sweep(
        self,
        batch: ImageBatch,
        snr_db: Tensor,
        *,
        ruler: str = "realised",
        labels: Tensor | None = None,
        model: Logits | None = None,
    ) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, whether this is a noise or an adversary.

        Parameters
        ----------
        batch : ImageBatch
        snr_db : Tensor, shape-(K,) or (K, N)
            The grid, dB; with a second dimension, each image has its own.
        ruler : {"realised", "dispersion", "geometric"}
            For noise; an adversary knows `realised` alone.
        labels : Tensor, shape-(N,), int64, optional
            An adversary needs them.
        model : callable, optional
            Images to logits; an adversary needs it.

        Yields
        ------
        Perturbed
            One for each SNR, in an order of the attack's choice.

        Raises
        ------
        UsageError
            An adversary without model or labels.
        """

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """Random numbers for a batch, made on the host from the images' own streams.

        Parameters
        ----------
        keys : ndarray, shape-(N,), uint64
        shape : (C, H, W)
        seed, call : int

        Returns
        -------
        Tensor, shape-(N, ...)
            Of shape-(N, 0) for an attack without randomness.
        """
        return torch.empty(len(keys), 0)

    @final
    def drawn(self, batch: ImageBatch) -> Tensor:
        """What was drawn ahead for a batch, else what `draw` gives now; on the images' device."""
        draws = batch.draws
        if draws is None:
            keys = digests(batch.images) if batch.keys is None else batch.keys
            draws = self.draw(keys, tuple(batch.images.shape[1:]), seed=batch.seed, call=batch.call)
        return draws.to(batch.images.device, non_blocking=True)

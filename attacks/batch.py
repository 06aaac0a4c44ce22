"""Batches of images: what a noise gets, what an adversary gets, and what both give back."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from .. import snr
from ..snr import Digests
from .query import Logits


@dataclass(frozen=True)
class ImageBatch:
    """Clean images and the streams of their random numbers.

    Attributes
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    seed, call : int
        `call` is a counter for fresh noise, see `snr.generators`.
    bounds : (float, float)
        Smallest and largest valid pixel; infinite where nothing is clipped.
    keys : ndarray, shape-(N,), uint64, optional
        The images' digests, where they are known already.
    draws : Tensor, shape-(N, ...), optional
        What the attack's `draw` gave for these images, where it was drawn ahead.
    """

    images: Tensor
    _: KW_ONLY
    seed: int = 0
    call: int = 0
    bounds: snr.Bounds = (0.0, 1.0)
    keys: Digests | None = None
    draws: Tensor | None = None

    def for_noise(self, ruler: str = "realised") -> NoiseBatch:
        """The same images for a noise."""
        return NoiseBatch(**self._values(), ruler=ruler)

    def for_adversary(self, labels: Tensor, model: Logits) -> AdversaryBatch:
        """The same images for an adversary."""
        return AdversaryBatch(**self._values(), labels=labels, model=model)

    def _values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(ImageBatch)}


@dataclass(frozen=True)
class NoiseBatch(ImageBatch):
    """What a noise gets.

    Attributes
    ----------
    ruler : {"realised", "dispersion", "geometric"}
    mask : Tensor, shape-(N, C, H, W), optional
        Noise leaves pixels where it is 0 alone, and meets its SNR with the others.
    """

    _: KW_ONLY
    ruler: str = "realised"
    mask: Tensor | None = None


@dataclass(frozen=True)
class AdversaryBatch(ImageBatch):
    """What an adversary gets.

    Attributes
    ----------
    labels : Tensor, shape-(N,), int64
    model : callable
        Images to logits.
    warm_start : Tensor, shape-(N, C, H, W), optional
        Where the adversary got within the next smaller budget of its grid; there it may start from.
    """

    labels: Tensor
    model: Logits
    _: KW_ONLY
    warm_start: Tensor | None = None

    def rows(self, index: Tensor) -> AdversaryBatch:
        """Some of the images, with all that goes with them but `draws`.

        Parameters
        ----------
        index : Tensor, shape-(n,), int64
        """
        return replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            keys=None if self.keys is None else self.keys[index.cpu().numpy()],
            draws=None,
            warm_start=None if self.warm_start is None else self.warm_start[index],
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

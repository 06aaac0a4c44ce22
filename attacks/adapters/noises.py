"""The noises that each adapter offers in its library's shape: which of ours has their parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import get_args

from ..._utils.errors import UsageError
from ..base import Noise
from ..impulse import ImpulseNoise, Shape
from ..stable import StableNoise


class OwnNoise(ABC):
    """A noise of ours inside an attack of another library.

    Attributes
    ----------
    ruler : str
        `realised`, where the noise has no choice.
    seed : int
    fresh : bool
        New noise at every call.
    """

    ruler: str = "realised"
    seed: int
    fresh: bool

    @abstractmethod
    def _noise(self) -> Noise:
        """Our own noise of these parameters."""


class OwnStable(OwnNoise):
    """Alpha-stable noise, by `alpha` and `beta`."""

    alpha: float
    beta: float

    def _noise(self) -> Noise:
        return StableNoise(alpha=self.alpha, beta=self.beta)


class OwnImpulse(OwnNoise):
    """Shaped impulses, by `shape` and `size`."""

    shape: Shape
    size: int | None

    def _noise(self) -> Noise:
        if self.shape not in get_args(Shape):
            raise UsageError(f"shape={self.shape!r}: expected one of {', '.join(get_args(Shape))}")
        return ImpulseNoise(shape=self.shape, size=self.size)

"""Noises of a link: alpha-stable noise, a jammer's tone, a burst of impulses.

Each draws a noise of a scale of its own; `channel` brings it to an SNR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from ..._utils.errors import UsageError, suggest
from ...attacks import StableNoise, stable


class Noise(Protocol):
    """A noise of any scale.

    Attributes
    ----------
    rulers : tuple of str
        By which its SNR can be defined.
    memoryless : bool
        Whether samples are independent on the rulers that fix the law.
    """

    rulers: ClassVar[tuple[str, ...]]
    memoryless: ClassVar[bool]

    @property
    def spec(self) -> str:
        """Its name and parameters, as in tables."""

    def draw(self, shape: tuple[int, int], arms: int, generator: np.random.Generator) -> Tensor:
        """Noise of shape-(F, m): m real samples a frame, of one arm or of I and Q in turn."""


@dataclass(frozen=True)
class Stable:
    """Symmetric alpha-stable noise, independent from sample to sample and between I and Q.

    Parameters
    ----------
    alpha : float
        In (0, 2].
    """

    rulers: ClassVar[tuple[str, ...]] = StableNoise.rulers
    memoryless: ClassVar[bool] = True

    alpha: float

    def __post_init__(self) -> None:
        stable.check(self.alpha, beta=0.0)

    @property
    def spec(self) -> str:
        """Its name and parameters, as in tables."""
        return f"stable:alpha={self.alpha:g}"

    def draw(self, shape: tuple[int, int], arms: int, generator: np.random.Generator) -> Tensor:
        """Values of scale one, shape-(F, m); all alphas turn one draw of uniforms into theirs."""
        turn, exponential = stable.ingredients([generator], shape)
        return stable.transform(turn[0], exponential[0], self.alpha)


@dataclass(frozen=True)
class Tone:
    """A sine on the carrier or beside it, as a receiver's matched filter passes it.

    Symbols are rectangular, so that the filter averages over a symbol and passes a tone `offset` symbol
    rates beside the carrier with the gain sinc(offset): whole offsets are cancelled (Proakis and Salehi 2008,
    Section 4.2). Its SNR is measured before that filter, and its phase is random in every frame.

    Parameters
    ----------
    offset : float
        Distance from the carrier in symbol rates; 0 is on it.
    """

    rulers: ClassVar[tuple[str, ...]] = ("realised",)
    memoryless: ClassVar[bool] = False

    offset: float = 0.0

    @property
    def spec(self) -> str:
        """Its name and parameters, as in tables."""
        return f"tone:offset={self.offset:g}" if self.offset else "tone"

    def draw(self, shape: tuple[int, int], arms: int, generator: np.random.Generator) -> Tensor:
        """A tone of power one a real sample before the filter, shape-(F, m)."""
        symbol = torch.arange(shape[1], dtype=torch.float64) // arms
        arm = torch.arange(shape[1]) % arms
        phase = torch.from_numpy(generator.random((shape[0], 1))) * 2 * math.pi
        turn = phase + 2 * math.pi * self.offset * (symbol + 0.5) - arm * math.pi / 2
        return (math.sqrt(2) * float(np.sinc(self.offset)) * torch.cos(turn)).float()


@dataclass(frozen=True)
class Burst:
    """Gaussian impulses in one window of a frame at a random place, and nothing outside it.

    The shorter the window, the larger the impulses: the energy in a frame is the same.

    Parameters
    ----------
    length : int
        Of the window in real samples; longer ones fill the frame.
    """

    rulers: ClassVar[tuple[str, ...]] = ("realised",)
    memoryless: ClassVar[bool] = False

    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise UsageError(f"a burst of {self.length} samples: expected at least 1, such as 8", "bursts")

    @property
    def spec(self) -> str:
        """Its name and parameters, as in tables."""
        return f"burst:length={self.length}"

    def draw(self, shape: tuple[int, int], arms: int, generator: np.random.Generator) -> Tensor:
        """Gaussian values in the window, zeros elsewhere, shape-(F, m)."""
        frames, samples = shape
        length = min(self.length, samples)
        start = generator.integers(0, samples - length + 1, (frames, 1))
        place = start + np.arange(length)
        noise = np.zeros(shape, dtype=np.float32)
        np.put_along_axis(noise, place, generator.standard_normal((frames, length), dtype=np.float32), axis=1)
        return torch.from_numpy(noise)


def jammer(spec: str) -> Stable | Tone:
    """A jammer by its name: `white`, `tone`, or `tone:offset=0.5` beside the carrier.

    Raises
    ------
    UsageError
    """
    name, _, rest = spec.partition(":")
    if name not in ("white", "tone"):
        raise UsageError(
            f"no jammer is called {name!r}; " + suggest(name, ("white", "tone", "tone:offset=0.5")), "jammers"
        )
    if name == "white" and not rest:
        return Stable(2.0)
    key, _, value = rest.partition("=")
    try:
        offset = float(value) if rest else 0.0
    except ValueError:
        offset = math.nan
    if name == "white" or (rest and key != "offset") or not math.isfinite(offset):
        raise UsageError(f"jammer {spec!r}: expected white, tone, or tone:offset=0.5 in symbol rates", "jammers")
    return Tone(offset)

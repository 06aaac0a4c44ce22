"""Noise with a place in the spectrum: a single tone, and Gaussian noise of a band of spatial frequencies.

Frequencies are in cycles per pixel: 0 is a change of brightness, 1/2 along an axis the finest wave that the grid
holds (Nyquist's limit), and 0.707 the corner of the spectrum. Before clipping the noise is at its frequencies
alone; clipping to valid pixels adds harmonics, as it does in a link whose amplifier saturates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from .._utils.errors import UsageError
from ..snr import Digests, generators
from .base import DirectionNoise

NYQUIST = 0.5
"""Highest frequency along an axis, cycles per pixel."""


def radial_frequencies(height: int, width: int) -> Tensor:
    """Distance of each coefficient of `torch.fft.fft2` from the spectrum's origin.

    Parameters
    ----------
    height, width : int
        Of the image.

    Returns
    -------
    Tensor, shape-(height, width), float64
        In cycles per pixel.
    """
    down, right = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    return torch.hypot(down[:, None], right[None])


@dataclass(frozen=True)
class ToneNoise(DirectionNoise):
    """A plane wave, the same in all channels, its phase random for each image: a jammer on one carrier.

    Parameters
    ----------
    u, v : float
        Frequency to the right and downwards, cycles per pixel.
    """

    family: ClassVar[str] = "tone"

    u: float = 0.25
    v: float = 0.0

    def __post_init__(self) -> None:
        if not max(abs(self.u), abs(self.v)) <= NYQUIST:
            raise UsageError(f"tone:u={self.u:g},v={self.v:g}: u and v are in cycles per pixel, from -0.5 to 0.5")

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """A wave for each image, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, 1, H, W)
        """
        streams = generators(keys, seed=seed, family=self.family, call=call)
        phase = torch.tensor([stream.random() for stream in streams], dtype=torch.float64).reshape(-1, 1, 1, 1)
        down, right = (torch.arange(side, dtype=torch.float64) for side in shape[1:])
        cycles = self.v * down[:, None] + self.u * right[None]
        return torch.cos(2 * math.pi * (cycles + phase)).float()


@dataclass(frozen=True)
class BandNoise(DirectionNoise):
    """White Gaussian noise through an ideal band-pass filter. All bands share one draw of white noise.

    Parameters
    ----------
    low, high : float
        Radial spatial frequency, cycles per pixel: `low` is in the band, `high` is not.
    """

    family: ClassVar[str] = "band"

    low: float = 0.0
    high: float = 0.125

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise UsageError(
                f"band:low={self.low:g},high={self.high:g} is no band: 0 <= low < high, in cycles per pixel"
            )

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """Band-limited noise for each image, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, C, H, W)

        Raises
        ------
        UsageError
            No frequency of an image of this size is in the band.
        """
        radius = radial_frequencies(*shape[1:])[:, : shape[2] // 2 + 1]  # a real spectrum's other half mirrors it
        inside = (radius >= self.low) & (radius < self.high)
        if not inside.any():
            raise UsageError(
                f"{self.spec}: no spatial frequency of an image of {shape[1]} x {shape[2]} pixels is in the band; "
                f"they are 1/{max(shape[1:])} = {1 / max(shape[1:]):.3f} cycles per pixel apart"
            )
        return filtered_noise(keys, shape, inside, seed=seed, call=call)


def filtered_noise(keys: Digests, shape: tuple[int, ...], gain: Tensor, *, seed: int, call: int = 0) -> Tensor:
    """White Gaussian noise through a filter, see `Attack.draw`. All filters share one draw of white noise.

    Parameters
    ----------
    keys : Digests
    shape : tuple of int
        C, H, W of an image.
    gain : Tensor, shape-(H, W // 2 + 1)
        Of each amplitude, as laid out by `torch.fft.rfft2`.
    seed, call : int

    Returns
    -------
    Tensor, shape-(N, C, H, W)
    """
    white = np.empty((len(keys), *shape), dtype=np.float32)
    for row, stream in enumerate(generators(keys, seed=seed, family=BandNoise.family, call=call)):
        stream.standard_normal(dtype=np.float32, out=white[row])
    spectrum = torch.fft.rfft2(torch.from_numpy(white).double())
    noise: Tensor = torch.fft.irfft2(spectrum * gain, s=shape[1:])
    return noise.float()

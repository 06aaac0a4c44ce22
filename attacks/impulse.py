"""Shaped impulses: salt and pepper enlarged to squares, triangles and rhombi (Fig. 4 of Ge et al.).

Impulses arrive one after another at random centres, each driving all channels of its footprint to the largest
or the smallest value. Every pixel of the image is the centre of one arrival, in random order, so the image is
covered at the end. Where footprints overlap the first arrival keeps the pixel: power only grows, the images of
all SNRs are nested, and the last impulse is scaled so that the SNR is met exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from ..snr import Digests, generators
from .base import Noise
from .batch import NoiseBatch, Perturbed

Shape = Literal["point", "square", "triangle", "rhombus"]
SHAPES: tuple[str, ...] = ("point", "square", "triangle", "rhombus")


def footprint(shape: str, size: int) -> list[tuple[int, int, int]]:
    """Rows of a footprint around its centre.

    Parameters
    ----------
    shape : {"point", "square", "triangle", "rhombus"}
        square: size x size; triangle: `size` rows that widen downwards, size^2 pixels; rhombus: about size^2.
    size : int
        In pixels.

    Returns
    -------
    list of (int, int, int)
        Row, first column and last column, all relative to the centre and inclusive.

    Examples
    --------
    >>> footprint("triangle", 2)
    [(-1, 0, 0), (0, -1, 1)]
    """
    if shape == "point":
        return [(0, 0, 0)]
    if shape == "square":
        first = -((size - 1) // 2)
        return [(row, first, first + size - 1) for row in range(first, first + size)]
    if shape == "triangle":
        first = -(size // 2)
        return [(first + row, -row, row) for row in range(size)]
    half = max(1, round(size / 2**0.5 - 0.5))  # 2 half (half + 1) + 1 pixels, the closest to size^2
    return [(row, abs(row) - half, half - abs(row)) for row in range(-half, half + 1)]


def default_size(height: int, width: int) -> int:
    """Size in pixels for an image: max(3, round(0.04 min(height, width)))."""
    return max(3, round(0.04 * min(height, width)))


@dataclass(frozen=True)
class ImpulseNoise(Noise):
    """Impulses of one shape, as many as the SNR allows.

    Parameters
    ----------
    shape : {"point", "square", "triangle", "rhombus"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default. A point has none.
    """

    family: ClassVar[str] = "impulse"

    shape: Shape = "point"
    size: int | None = None

    def __post_init__(self) -> None:
        if self.shape == "point" and self.size is not None:
            raise UsageError("an impulse of shape point is one pixel: leave size out, or take shape=square")
        if self.size is not None and self.size < 1:
            raise UsageError(f"size={self.size} is no footprint: size is in pixels, at least 1")

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """When each pixel is first hit, and by which sign; see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, 1, H, W), int64
            2 * (rank of the first arrival whose footprint covers the pixel) + (1 if that impulse is salt).
        """
        height, width = shape[1:]
        arrivals = np.empty((len(keys), 1, height, width), dtype=np.float64)
        for row, generator in enumerate(generators(keys, seed=seed, family=self.family, call=call)):
            rank = generator.permutation(height * width)
            arrivals[row] = (2 * rank + generator.integers(0, 2, height * width)).reshape(1, height, width)
        size = self.size or default_size(height, width)
        return _first_arrival(torch.from_numpy(arrivals), footprint(self.shape, size)).to(torch.int64)

    def over(self, batch: NoiseBatch, snr_db: Tensor) -> Iterator[Perturbed]:
        """Disturb a batch at every SNR of a grid, see `Noise.over`."""
        clean = batch.images
        first = self.drawn(batch)
        low, high = (bound if abs(bound) < float("inf") else fallback for bound, fallback in zip(batch.bounds, (0, 1)))
        noise = torch.where(first % 2 == 1, high, low) - clean
        if batch.mask is not None:
            noise = noise * batch.mask
        rank = first.squeeze(1).flatten(1) // 2
        per_pixel = noise.double().square().sum(1).flatten(1)
        # Power after each arrival, from 0: shape-(N, H*W + 1).
        power = F.pad(torch.zeros_like(per_pixel).scatter_add_(1, rank, per_pixel).cumsum_(1), (1, 0))
        whole_at = torch.zeros_like(rank).scatter_(1, rank, 1).cumsum_(1)  # footprints that cover a pixel first

        wanted = snr.noise_power(clean, snr_db)
        rank = rank.reshape(len(clean), 1, *clean.shape[2:])
        for step, target in enumerate(wanted):
            reached = target <= power[:, -1] * (1 + 1e-12)
            after = torch.searchsorted(power, target[:, None]).clamp_(1, power.shape[1] - 1)
            last = after - 1  # the arrival that is scaled
            below, above = power.gather(1, last), power.gather(1, after)
            part = ((target[:, None] - below) / (above - below)).clamp_(0, 1).nan_to_num_(0.0).sqrt_()
            last, part = last.reshape(-1, 1, 1, 1), part.to(clean.dtype).reshape(-1, 1, 1, 1)
            weight = (rank < last) + part * (rank == last)
            whole = F.pad(whole_at, (1, 0)).gather(1, last.reshape(-1, 1)).flatten()
            yield Perturbed(step, clean + weight * noise, reached, facts={"impulses": whole})


def _first_arrival(arrivals: Tensor, rows: list[tuple[int, int, int]]) -> Tensor:
    """Smallest arrival over the centres whose footprint covers each pixel, shape-(N, 1, H, W)."""
    reach = max(max(abs(row), abs(first), abs(last)) for row, first, last in rows)
    height, width = arrivals.shape[2:]
    padded = F.pad(-arrivals, (reach, reach, reach, reach), value=-torch.inf)
    best = torch.full_like(arrivals, -torch.inf)
    for row, first, last in rows:
        # A centre covers the pixel `row` below and `first`..`last` right of it: look the other way.
        top, left = reach - row, reach - last
        strip = padded[:, :, top : top + height, left : left + width + last - first]
        best = torch.maximum(best, F.max_pool2d(strip, (1, last - first + 1), stride=1))
    return -best

"""Separates local from global features: images whose patches are out of place, and images without fine detail.

Shuffling keeps what is inside a patch and destroys the arrangement of the patches: a model that stays right uses local
features (Zhang and Zhu 2019, "Interpreting adversarially trained convolutional neural networks"). A low-pass filter
keeps the coarse arrangement and destroys fine detail: a model that stays right uses global ones. The two are
compared at equal strength, of which there are two:

- equal scale: patches of p pixels are shuffled, and half waves shorter than p pixels are removed. What the one keeps
  the other destroys.
- equal SNR: as many patches are exchanged as bring each image to the SNR of its low-passed version, by formula (1)
  of Ge et al.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..._utils.errors import DataError, UsageError
from ...attacks import radial_frequencies
from ...snr import digests, generators, power

GRIDS = (2, 4, 7, 14)
"""Patches along a side. At 28 pixels a side they have 14 to 2: the largest is as far from the image as the smallest is
from the pixel, so that neither scale is favoured."""

WHOLE = "whole"
SHUFFLED, EXCHANGED, PASSED = "shuffled", "exchanged", "low-passed"


def grids(height: int, width: int) -> tuple[int, ...]:
    """Those of `GRIDS` whose patches have at least two pixels a side.

    Raises
    ------
    DataError
        None has.
    """
    found = tuple(grid for grid in GRIDS if 2 * grid <= min(height, width))
    if not found:
        raise DataError(f"images of {height} x {width} pixels cannot be cut into patches: expected at least "
                        f"{2 * GRIDS[0]} pixels a side", "size")  # fmt: skip
    return found


def shuffle_patches(images: Tensor, grid: int, *, seed: int = 0) -> Tensor:
    """Cut each image into grid x grid patches and lay them out in an order of its own.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    grid : int
        Patches along a side. Rows and columns that are left over at the bottom and on the right stay in place.
    seed : int

    Returns
    -------
    Tensor, shape-(N, C, H, W)

    Raises
    ------
    UsageError
        Fewer pixels along a side than patches, or no patch.
    """
    patches = _cut(images, grid)
    return _laid(_taken(patches, _orders(images, grid, seed)), images, grid)


def exchange_patches(images: Tensor, grid: int, noise: Tensor, *, seed: int = 0) -> Tensor:
    """Let pairs of patches change places, one pair after the other, until that has made a given noise.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    grid : int
        As of `shuffle_patches`, whose order gives the pairs.
    noise : Tensor, shape-(N,)
        Sum of squares. The last pair is mixed to meet it; where all pairs together make less, all are exchanged.
    seed : int

    Returns
    -------
    Tensor, shape-(N, C, H, W)

    Raises
    ------
    UsageError
        See `shuffle_patches`.
    """
    patches, order = _cut(images, grid), _orders(images, grid, seed)
    pairs = order.shape[1] // 2
    first, second = order[:, :pairs], order[:, pairs : 2 * pairs]
    apart = _taken(patches, second) - _taken(patches, first)
    made = 2 * apart.double().square().flatten(2).sum(2)
    missing = noise.to(made)[:, None] - (made.cumsum(1) - made)
    # Between patches that are alike nothing is exchanged: 0 / 0.
    share = (missing / made.clamp(min=torch.finfo(torch.float64).tiny)).clamp(0, 1).sqrt().to(apart)
    moved = share[:, :, None, None, None] * apart
    rows = torch.arange(len(images), device=images.device)[:, None]
    exchanged = patches.clone()
    exchanged[rows, first] += moved
    exchanged[rows, second] -= moved
    return _laid(exchanged, images, grid)


def low_pass(images: Tensor, cutoff: float) -> Tensor:
    """Keep the spatial frequencies up to a cutoff: an ideal filter, its ripples clipped to valid pixels.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    cutoff : float
        Radial, cycles per pixel.

    Returns
    -------
    Tensor, shape-(N, C, H, W)

    Raises
    ------
    UsageError
        The cutoff is not above 0.
    """
    if not cutoff > 0:
        raise UsageError(f"a low-pass filter with a cutoff of {cutoff:g} cycles per pixel: expected more than 0")
    kept = (radial_frequencies(*images.shape[2:]) <= cutoff).to(images.device)
    passed: Tensor = torch.fft.ifft2(torch.fft.fft2(images) * kept).real
    return passed.clamp(0, 1)


def cutoff(grid: int, height: int, width: int) -> float:
    """Frequency whose half wave is a patch's mean side, cycles per pixel."""
    return grid / (height + width)


def views(images: Tensor, *, seed: int = 0) -> Iterator[tuple[str, int, Tensor]]:
    """The images as they are, then at each scale shuffled, low-passed, and exchanged at the SNR of the filter.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1].
    seed : int
        Of the order of the patches.

    Yields
    ------
    view : str
    grid : int
        Patches along a side; 1 of the whole images.
    images : Tensor, shape-(N, C, H, W)
    """
    yield WHOLE, 1, images
    sides = images.shape[2], images.shape[3]
    for grid in grids(*sides):
        passed = low_pass(images, cutoff(grid, *sides))
        yield SHUFFLED, grid, shuffle_patches(images, grid, seed=seed)
        yield EXCHANGED, grid, exchange_patches(images, grid, power(passed - images), seed=seed)
        yield PASSED, grid, passed


def _orders(images: Tensor, grid: int, seed: int) -> Tensor:
    """An order of the patches of each image from its own stream, shape-(N, grid * grid)."""
    streams = generators(digests(images), seed=seed, family="patches")
    orders = np.stack([stream.permutation(grid * grid) for stream in streams])
    return torch.from_numpy(orders).to(images.device)


def _cut(images: Tensor, grid: int) -> Tensor:
    """Patches, shape-(N, grid * grid, C, h, w), row by row."""
    count, channels, height, width = images.shape
    if not 1 <= grid <= min(height, width):
        raise UsageError(f"{grid} x {grid} patches of an image of {height} x {width} pixels: expected 1 to "
                         f"{min(height, width)} along a side")  # fmt: skip
    tall, wide = height // grid, width // grid
    whole = images[:, :, : grid * tall, : grid * wide]
    return whole.reshape(count, channels, grid, tall, grid, wide).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def _laid(patches: Tensor, images: Tensor, grid: int) -> Tensor:
    """Images with these patches, shape-(N, C, H, W)."""
    count, _, channels, tall, wide = patches.shape
    laid = patches.reshape(count, grid, grid, channels, tall, wide).permute(0, 3, 1, 4, 2, 5)
    made = images.clone()
    made[:, :, : grid * tall, : grid * wide] = laid.reshape(count, channels, grid * tall, grid * wide)
    return made


def _taken(patches: Tensor, places: Tensor) -> Tensor:
    """Each image's patches at its places, shape-(N, places, C, h, w)."""
    return patches[torch.arange(len(patches), device=patches.device)[:, None], places]

"""Separates local from global features: images with shuffled patches, and images without fine detail.

Shuffling keeps what is inside a patch and destroys the arrangement of the patches: a model that stays right uses local
features (Zhang and Zhu 2019, "Interpreting adversarially trained convolutional neural networks"). A low-pass filter
keeps the coarse arrangement and destroys fine detail: a model that stays right uses global ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..._utils.errors import UsageError
from ...attacks import Logits, predict, radial_frequencies
from ...results.statistics import paired_difference, wilson
from ...snr import digests, generators

GRIDS = (2, 4)
"""Patches along a side, of the shuffled images."""

CUTOFFS = (0.2, 0.1)
"""Of the low-pass filters, cycles per pixel; Nyquist's limit is 0.5."""

_BATCH = 250


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
    count, channels, height, width = images.shape
    if not 1 <= grid <= min(height, width):
        raise UsageError(f"{grid} x {grid} patches of an image of {height} x {width} pixels: expected 1 to "
                         f"{min(height, width)} along a side")  # fmt: skip
    tall, wide = height // grid, width // grid
    streams = generators(digests(images), seed=seed, family="patches")
    orders = torch.from_numpy(np.stack([stream.permutation(grid * grid) for stream in streams])).to(images.device)
    whole = images[:, :, : grid * tall, : grid * wide]
    patches = whole.reshape(count, channels, grid, tall, grid, wide).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    moved = patches[torch.arange(count, device=images.device)[:, None], orders]
    laid = moved.reshape(count, grid, grid, channels, tall, wide).permute(0, 3, 1, 4, 2, 5).reshape(whole.shape)
    shuffled = images.clone()
    shuffled[:, :, : grid * tall, : grid * wide] = laid
    return shuffled


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


def views(seed: int = 0) -> dict[str, Callable[[Tensor], Tensor]]:
    """What is done to the images, by name; `whole` is nothing."""
    shuffled = {f"shuffled {grid} x {grid}": lambda x, g=grid: shuffle_patches(x, g, seed=seed) for grid in GRIDS}
    passed = {f"low-passed {cutoff:g}": lambda x, c=cutoff: low_pass(x, c) for cutoff in CUTOFFS}
    return {"whole": lambda x: x, **shuffled, **passed}


def accuracies(model: Logits, images: Tensor, labels: Tensor, *, seed: int = 0) -> pd.DataFrame:
    """Accuracy on shuffled and on low-passed images.

    Parameters
    ----------
    model : callable
    images : Tensor, shape-(N, C, H, W)
        In [0, 1], on the model's device.
    labels : Tensor, shape-(N,), int64
    seed : int
        Of the order of the patches.

    Returns
    -------
    DataFrame
        `view, images, accuracy, accuracy_low, accuracy_high, drop, drop_low, drop_high`; the drop is from `whole`,
        paired.
    """
    rows = []
    whole = np.zeros(0)
    for name, view in views(seed).items():
        right = torch.cat([
            predict(model, view(batch)) == target
            for batch, target in zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
        ]).cpu().double().numpy()  # fmt: skip
        if name == "whole":
            whole = right
        accuracy, lost = float(right.mean()), whole - right
        low, high = wilson(np.array(accuracy), np.array(len(right)))
        drop = (0.0, 0.0, 0.0) if name == "whole" else (float(lost.mean()), *paired_difference(lost))
        rows.append((name, len(right), accuracy, float(low), float(high), *drop))
    names = ["view", "images", "accuracy", "accuracy_low", "accuracy_high", "drop", "drop_low", "drop_high"]
    return pd.DataFrame(rows, columns=names)

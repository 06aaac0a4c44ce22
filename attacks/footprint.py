"""Footprints: the pixels around a centre that an enlarged noise point covers (Fig. 4 of Ge et al.)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

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


def largest_covering(values: Tensor, rows: list[tuple[int, int, int]]) -> Tensor:
    """Largest value over the centres whose footprint covers each pixel: a dilation by the footprint.

    Parameters
    ----------
    values : Tensor, shape-(N, C, H, W)
        One at each centre.
    rows : list of (int, int, int)
        See `footprint`.

    Returns
    -------
    Tensor, shape-(N, C, H, W)
    """
    reach = max(max(abs(row), abs(first), abs(last)) for row, first, last in rows)
    height, width = values.shape[2:]
    padded = F.pad(values, (reach, reach, reach, reach), value=-torch.inf)
    best = torch.full_like(values, -torch.inf)
    for row, first, last in rows:
        # A centre covers the pixel `row` below and `first`..`last` right of it: look the other way.
        top, left = reach - row, reach - last
        strip = padded[:, :, top : top + height, left : left + width + last - first]
        best = torch.maximum(best, F.max_pool2d(strip, (1, last - first + 1), stride=1))
    return best

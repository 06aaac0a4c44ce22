"""Images that are held somewhere, and asked for a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

CHUNK = 256
"""Images looked at together."""


class ArrayLike(Protocol):
    """Images that are held somewhere: an array, one mapped from a file, or anything that answers alike.

    Attributes
    ----------
    shape : (N, C, H, W)
    dtype : numpy.dtype
        uint8, or float32 in [0, 1].
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or float32."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Any, /) -> npt.NDArray[Any]: ...


def chunks(frames: ArrayLike) -> Iterator[npt.NDArray[Any]]:
    """All images in order, a few at a time.

    Parameters
    ----------
    frames : ArrayLike

    Yields
    ------
    ndarray, shape-(n, C, H, W)
    """
    for start in range(0, len(frames), CHUNK):
        yield frames[start : start + CHUNK]

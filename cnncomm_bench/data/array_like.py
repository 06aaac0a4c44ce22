"""Lazily indexed images: an array, or anything that is indexed like one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

MOST_IMAGES = 10_000_000
"""More than any data set of classification holds in one split; a small file may claim any number."""
CHUNK = 256
"""Images read together."""


class ArrayLike(Protocol):
    """Images of shape-(N, C, H, W), read when they are indexed: an array, one mapped from a file, or a reader."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or float32 in [0, 1]."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Any, /) -> npt.NDArray[Any]: ...


def chunks(images: ArrayLike) -> Iterator[npt.NDArray[Any]]:
    """Yield all images in order, at most `CHUNK` at a time: shape-(n, C, H, W)."""
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]

"""Buffers for images: in memory where they are few, else in a mapped file, so that they need not fit into memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from .._utils.errors import DataError
from .._utils.files import cache_folder, shown
from .array_like import Pixels

IN_MEMORY = 2**28
"""Bytes of images that are held in memory; a larger buffer is a mapped file."""


def allocate(shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """Allocate an array to be filled; larger than `IN_MEMORY`, it is a nameless file in the cache folder.

    Raises
    ------
    DataError
        The disk of the cache folder is full.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.empty(shape, dtype)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a signal on writing
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=shape)
    except OSError as error:
        raise DataError(
            f"the images take {size / 1e9:.1f} GB, which {shown(folder)} cannot hold ({error.strerror}): free some "
            "space, set CNNCOMM_BENCH_CACHE to a folder on another disk, or use fewer images",
            "samples",
        ) from error


def read_into(file: Any, content: npt.NDArray[np.uint8]) -> int:
    """Fill `content`, shape-(n,), from an open file, a mebibyte at a time; return how many bytes there were."""
    done = 0
    while done < len(content):
        read = file.readinto(content[done : done + 2**20])
        if not read:
            break
        done += read
    return done


def filled(images: Iterable[npt.NDArray[Any]], shape: tuple[int, ...]) -> Pixels:
    """Copy images of shape-(C, H, W), one by one, into one buffer of `shape`, (N, C, H, W)."""
    result: Pixels = allocate(shape)
    for index, image in enumerate(images):
        result[index] = image
    return result

"""Room for images: in memory where they are few, else in a file that is mapped, so that they need not fit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from .._utils.errors import DataError
from .._utils.files import cache_folder, shown

IN_MEMORY = 2**28
"""Bytes of images that are held in memory; what is larger is kept in a file."""


def room(shape: tuple[int, ...], dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """An array to be filled.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype

    Returns
    -------
    ndarray
        Where it is larger than `IN_MEMORY`, mapped from a file in the cache folder that goes with it.

    Raises
    ------
    DataError
        There is no room on that disk.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.empty(shape, dtype)
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # so that a full disk is told now, and not by a signal on writing
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=shape)
    except OSError as error:
        raise DataError(
            f"the images take {size / 1e9:.1f} GB, and {shown(folder)} has no room for them ({error.strerror}): make "
            "some, point CNNCOMM_BENCH_CACHE to another disk, or use --samples"
        ) from error


def read_into(file: Any, content: np.ndarray) -> int:
    """Fill bytes from a file, a mebibyte at a time.

    Parameters
    ----------
    file : file
        Open for reading.
    content : ndarray of uint8, shape-(n,)

    Returns
    -------
    int
        How many there were.
    """
    done = 0
    while done < len(content):
        read = file.readinto(content[done : done + 2**20])
        if not read:
            break
        done += read
    return done


def filled(images: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Images, one by one, into room for all of them.

    Parameters
    ----------
    images : iterable of ndarray of uint8, shape-(C, H, W)
    shape : (N, C, H, W)

    Returns
    -------
    ndarray of uint8, shape-(N, C, H, W)
    """
    result = room(shape)
    for index, image in enumerate(images):
        result[index] = image
    return result

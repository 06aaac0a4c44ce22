"""Reads images in MNIST's IDX format, gzipped or not."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

from .._utils.errors import DataError
from .._utils.files import one_line, shown
from .array_like import MOST_IMAGES, Pixels
from .arrays import BOMB, Arrays, as_labels, as_pixels
from .buffer import allocate, read_into


def read_idx(path: Path) -> Arrays:
    """Read images in MNIST's IDX format, and the labels beside them.

    Parameters
    ----------
    path : Path
        The file of images, gzip or not, or a folder that holds one; of several the test images (``t10k``).

    Raises
    ------
    DataError
        A file is damaged, or holds something else.
    """
    if path.is_dir():
        path = next(iter(idx_files(path)))
    images = _idx(path)
    if images.ndim < 3:
        raise DataError(
            f"{shown(path.name)} holds labels (shape {images.shape}): pass the file of images, or the folder"
        )
    pixels = as_pixels(images, shown(path.name))
    beside = _labels_beside(path)
    return Arrays(pixels, None if beside is None else as_labels(_idx(beside), len(pixels), shown(beside.name)))


def idx_files(folder: Path) -> list[Path]:
    """List the IDX files of images in a folder, test images first."""
    found = [p for p in folder.iterdir() if "idx3-ubyte" in p.name and p.is_file()]
    return sorted(found, key=lambda p: (not p.name.startswith(("t10k", "test", "emnist-test")), p.name))


def is_idx(path: Path) -> bool:
    """Return whether a regular file is IDX, by its first bytes; gzip or not."""
    try:
        with path.open("rb") as raw, gzip.open(raw) if _gzipped(path) else raw as file:
            head = file.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(head) == 4 and head[:3] == b"\0\0\x08" and 1 <= head[3] <= 4


def _gzipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _labels_beside(path: Path) -> Path | None:
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    stem = name.removesuffix(".gz")
    near = [path.with_name(candidate) for candidate in (name, stem, f"{stem}.gz")]
    return next((p for p in near if p.name != path.name and p.is_file()), None)


def _idx(path: Path) -> Pixels:
    name = shown(path.name)
    try:
        with path.open("rb") as raw, gzip.open(raw) if _gzipped(path) else raw as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
                raise DataError(f"{name} is no IDX file of bytes (it starts with {head!r}): expected MNIST's format")
            shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
            claimed = prod(shape)
            # gzip shrinks by a factor of 1032 at most: a larger claim cannot be true.
            if claimed > 1100 * path.stat().st_size or (
                _gzipped(path) and claimed > max(BOMB, 200 * path.stat().st_size)
            ):
                raise DataError(f"{name} claims {' x '.join(map(str, shape))} bytes in {path.stat().st_size}: refused")
            if not claimed:
                raise DataError(f"{name} holds nothing: its header says {' x '.join(map(str, shape))}")
            if shape[0] > MOST_IMAGES:
                raise DataError(f"{name} claims {shape[0]} images, expected at most {MOST_IMAGES}: refused")
            content = allocate((claimed,))
            done = read_into(file, content)
            more = bool(file.read(1))
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{name} is cut off or damaged ({one_line(error)}): fetch it again") from error
    if more or done < claimed:
        held = "more than" if more else f"{done} of"
        raise DataError(f"{name} holds {held} the {claimed} bytes that its header says: fetch it again")
    return content.reshape(shape)

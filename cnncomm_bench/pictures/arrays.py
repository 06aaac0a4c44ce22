"""Images that come as arrays: .npz and IDX files, opened without unpickling and with bombs refused."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import listed, one_line, shown

_IMAGE_KEYS = ("x", "images", "x_test", "test_images", "data", "image", "arr_0")
_LABEL_KEYS = ("y", "labels", "y_test", "test_labels", "targets", "label", "arr_1")
_BOMB = 2**30


@dataclass(frozen=True)
class Arrays:
    """Images in memory.

    Attributes
    ----------
    images : ndarray of uint8, shape-(N, C, H, W)
    labels : ndarray of int64, shape-(N,), or None
    """

    images: np.ndarray
    labels: np.ndarray | None


def read_npz(path: Path) -> Arrays:
    """Read images ``x`` and labels ``y`` (other usual names are found too) from an .npz file.

    Parameters
    ----------
    path : Path
        ``x`` uint8, or float in [0, 1]; shape-(N, H, W), (N, H, W, C) or (N, C, H, W). ``y`` may be missing.

    Returns
    -------
    Arrays

    Raises
    ------
    DataError
        It is damaged, pickled, a zip bomb, or holds something else than images.
    """
    name = shown(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(_BOMB, 200 * path.stat().st_size):
            raise DataError(
                f"{name} would unpack {path.stat().st_size} bytes to {unpacked}: that is a zip bomb; it was not opened"
            )
        with np.load(path, allow_pickle=False) as content:
            lower = {key.lower(): key for key in content.files}
            images_key = next((lower[key] for key in _IMAGE_KEYS if key in lower), None)
            labels_key = next((lower[key] for key in _LABEL_KEYS if key in lower), None)
            if images_key is None:
                raise DataError(
                    f"{name} holds {listed(list(content.files), 8) or 'nothing'}, no array x of images: "
                    "save it as np.savez(FILE, x=images, y=labels)"
                )
            images = content[images_key]
            labels = None if labels_key is None else content[labels_key]
    except DataError:
        raise
    except Exception as error:  # zip, zlib and numpy each raise their own on damage
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            raise DataError(
                f"{name} holds pickled objects, which can run code: refused. Save plain numeric arrays "
                "(np.savez(FILE, x=images, y=labels))"
            ) from error
        raise DataError(f"{name} is no intact .npz file ({one_line(error)}): fetch or save it again") from error
    pixels = as_pixels(images, name)
    return Arrays(pixels, None if labels is None else as_labels(labels, len(pixels), name))


def as_pixels(images: np.ndarray, name: str) -> np.ndarray:
    """Bring images to uint8, shape-(N, C, H, W).

    Parameters
    ----------
    images : ndarray
        Integers in 0..255 or floats in [0, 1]; grey without a channel axis, or channels first or last.
    name : str
        Of the data set, for messages.

    Returns
    -------
    ndarray of uint8, shape-(N, C, H, W), contiguous

    Raises
    ------
    DataError
        The shape or the values are no images.
    """
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"{name}: x has shape {images.shape}, expected (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if images.ndim == 3:
        images = images[:, None]
    elif images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.shape[1] not in (1, 3) or images.shape[3] in (1, 3):
        raise DataError(
            f"{name}: x has shape {images.shape}, in which 1 or 3 channels cannot be told: use (N, H, W, 3)"
        )
    if max(images.shape[2:]) > 4096:
        raise DataError(f"{name}: images of {images.shape[2]} x {images.shape[3]} pixels, expected at most 4096 x 4096")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if images.dtype.kind not in "iuf":
        raise DataError(f"{name}: x is {images.dtype}, expected uint8, or floats in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if images.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise DataError(f"{name}: x has values from {low:g} to {high:g}, expected 0 to 255")
        return np.ascontiguousarray(images, dtype=np.uint8)
    if not (low >= 0 and high <= 1):  # false for NaN too
        raise DataError(
            f"{name}: x has values from {low:g} to {high:g}, expected floats in [0, 1] before any "
            "normalisation (divide by 255, or save uint8)"
        )
    result = np.empty(images.shape, np.uint8)
    for index, image in enumerate(images):  # one at a time: the float copy of all may not fit into memory
        result[index] = np.round(image * 255)
    return result


def as_labels(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    """Bring labels to int64, shape-(N,).

    Parameters
    ----------
    labels : ndarray
        Whole numbers from 0, shape-(N,) or (N, 1), or one-hot rows.
    count : int
        Number of images.
    name : str
        Of the data set, for messages.

    Returns
    -------
    ndarray of int64, shape-(N,)

    Raises
    ------
    DataError
        Their number, shape or values are wrong.
    """
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "iufb" and (labels.sum(1) == 1).all():
        labels = labels.argmax(1)
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "iufb":
        raise DataError(f"{name}: y is {labels.dtype} of shape {labels.shape}, expected whole numbers of shape (N,)")
    if len(labels) != count:
        raise DataError(f"{name}: {count} images and {len(labels)} labels; there must be one label an image")
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
        raise DataError(f"{name}: y has labels that are no whole numbers")
    if len(labels) and (int(labels.min()) < 0 or int(labels.max()) > 10**6):
        raise DataError(f"{name}: y has labels from {labels.min()} to {labels.max()}, expected 0 to classes - 1")
    return labels.astype(np.int64)


def read_idx(path: Path) -> Arrays:
    """Read images in MNIST's IDX format, and the labels that lie beside them.

    Parameters
    ----------
    path : Path
        The file of images, gzip or not, or a folder that holds one; of several the test images (``t10k``).

    Returns
    -------
    Arrays

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
    """List the IDX files of images in a folder, test images first.

    Parameters
    ----------
    folder : Path
        Any folder.

    Returns
    -------
    list of Path
    """
    found = [p for p in folder.iterdir() if "idx3-ubyte" in p.name and p.is_file()]
    return sorted(found, key=lambda p: (not p.name.startswith(("t10k", "test", "emnist-test")), p.name))


def is_idx(path: Path) -> bool:
    """Tell whether a file is IDX by its first bytes, gzip or not.

    Parameters
    ----------
    path : Path
        A regular file.

    Returns
    -------
    bool
    """
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


def _idx(path: Path) -> np.ndarray:
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
                _gzipped(path) and claimed > max(_BOMB, 200 * path.stat().st_size)
            ):
                raise DataError(f"{name} claims {' x '.join(map(str, shape))} bytes in {path.stat().st_size}: refused")
            content = file.read(claimed + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{name} is cut off or damaged ({one_line(error)}): fetch it again") from error
    if len(content) != claimed:
        more = "more than" if len(content) > claimed else f"{len(content)} of"
        raise DataError(f"{name} holds {more} the {claimed} bytes that its header says: fetch it again")
    return np.frombuffer(content, np.uint8).reshape(shape)

"""Reads .npz and .npy files, never unpickling, and brings arrays to uint8 images and int64 labels; refuses bombs."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._utils.errors import DataError, UsageError
from .._utils.files import listed, one_line, shown
from .array_like import MOST_IMAGES, Labels, Pixels
from .buffer import allocate, filled, read_into

_IMAGE_KEYS = ("x", "images", "x_test", "test_images", "data", "image", "arr_0")
_LABEL_KEYS = ("y", "labels", "y_test", "test_labels", "targets", "label", "target", "arr_1")
_LONGEST_HEADER = 2**14
BOMB = 2**30
"""Bytes; a file that unpacks to more than that, and to more than 200 times its size, is a bomb."""


@dataclass(frozen=True)
class Arrays:
    """Images of shape-(N, C, H, W) and labels of shape-(N,); None: there are no labels."""

    images: Pixels
    labels: Labels | None


def read_npz(path: Path) -> Arrays:
    """Read images ``x`` and labels ``y`` (other usual names are found too) from an .npz file.

    Parameters
    ----------
    path : Path
        With ``x`` uint8, or float in [0, 1]; shape-(N, H, W), (N, H, W, C) or (N, C, H, W). ``y`` may be missing.

    Raises
    ------
    DataError
        It is damaged, pickled, a zip bomb, or holds something else than images.
    """
    name = shown(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max(BOMB, 200 * path.stat().st_size):
                raise DataError(
                    f"{name} would unpack {path.stat().st_size} bytes to {unpacked}: a zip bomb, not opened"
                )
            members = {one.removesuffix(".npy").lower(): one for one in archive.namelist()}
            if len(members) < len(archive.namelist()):
                raise DataError(f"{name} holds an array twice: expected one x and one y")
            images_member = next((members[key] for key in _IMAGE_KEYS if key in members), None)
            labels_member = next((members[key] for key in _LABEL_KEYS if key in members), None)
            if images_member is None:
                raise DataError(
                    f"{name} holds {listed([one.removesuffix('.npy') for one in members.values()], 8) or 'nothing'}, "
                    "no array x of images: save it as np.savez(FILE, x=images, y=labels)"
                )
            others = {key for key in members if key not in (*_IMAGE_KEYS, *_LABEL_KEYS)}
            if labels_member is None and others:
                raise DataError(
                    f"{name} holds {listed(sorted(others), 8)} beside its images, none of which is called as labels "
                    "are: save them as y, or leave them out to score agreement with the clean predictions"
                )
            images = _read_member(archive, images_member, name)
            labels = None if labels_member is None else _read_member(archive, labels_member, name)
    except DataError:
        raise
    except Exception as error:  # zip, zlib and numpy each raise their own on damage
        raise DataError(f"{name} is no intact .npz file ({one_line(error)}): fetch or save it again") from error
    pixels = as_pixels(images, name)
    return Arrays(pixels, None if labels is None else as_labels(labels, len(pixels), name))


def read_npy(path: Path) -> Arrays:
    """Read images from an .npy file and their labels from the one beside it, as CIFAR-10-C has them.

    Parameters
    ----------
    path : Path
        Images as in `read_npz`. The labels are `labels.npy` beside them, or the file whose name has `labels` for `data`
        or `images`, or `y` for `x`.

    Raises
    ------
    DataError
        Either is damaged, pickled or something else.
    UsageError
        There are no labels.
    """
    stem = path.name
    candidates = [stem.replace("data", "labels"), stem.replace("images", "labels"), stem.replace("x", "y", 1)]
    beside = [path.with_name(one) for one in (*candidates, "labels.npy", "y.npy") if one != stem]
    labels = next((one for one in beside if one.is_file()), None)
    if labels is None:
        raise UsageError(
            f"{shown(stem)}: it has no labels beside it; put them there as labels.npy, or save both with "
            "np.savez(FILE, x=images, y=labels)",
            "data",
        )
    pixels = as_pixels(_mapped(path), shown(stem))
    return Arrays(pixels, as_labels(_mapped(labels), len(pixels), shown(labels.name)))


def _mapped(path: Path) -> npt.NDArray[Any]:
    try:
        held = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(held, np.ndarray):
            raise ValueError("an archive of arrays, whose name should end in .npz")
        return held
    except Exception as error:  # numpy raises several of its own on damage
        raise DataError(
            f"{shown(path.name)} is no intact array of numbers ({one_line(error)}): save it again with np.save"
        ) from error


def _read_member(archive: zipfile.ZipFile, member: str, name: str) -> npt.NDArray[Any]:
    """Read an array of an .npz file as numpy does, but into a buffer that may be a mapped file."""
    with archive.open(member) as file:
        head = io.BytesIO(file.read(_LONGEST_HEADER))  # numpy would read a header of gigabytes
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran_order, dtype = header[np.lib.format.read_magic(head)](head)
    if dtype.hasobject:
        raise DataError(
            f"{name} holds pickled objects, which can run code: refused. Save plain numeric arrays "
            "(np.savez(FILE, x=images, y=labels))"
        )
    if prod(shape) * dtype.itemsize > archive.getinfo(member).file_size:
        raise ValueError("an array claims to be larger than its file")
    flat = allocate((prod(shape),), dtype)
    with archive.open(member) as file:
        file.read(head.tell())
        if read_into(file, flat.view(np.uint8)) < flat.nbytes:
            raise EOFError("an array is cut off")
    return flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)


def as_pixels(images: npt.NDArray[Any], name: str) -> Pixels:
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
            f"{name}: x has shape {images.shape}, in which no axis is 1 or 3 channels: save it as (N, H, W, 3)"
        )
    if len(images) > MOST_IMAGES:
        raise DataError(f"{name} holds {len(images)} images, expected at most {MOST_IMAGES}")
    if max(images.shape[2:]) > 4096:
        raise DataError(f"{name}: images of {images.shape[2]} x {images.shape[3]} pixels, expected at most 4096 x 4096")
    if images.dtype == np.uint8:
        return images if images.flags.c_contiguous else filled(images, images.shape)
    if images.dtype.kind not in "iuf":
        raise DataError(f"{name}: x is {images.dtype}, expected uint8, or floats in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if np.isnan(low):
        raise DataError(f"{name}: x holds NaN, expected floats in [0, 1]; leave those images out")
    if images.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise DataError(f"{name}: x has values from {low:g} to {high:g}, expected 0 to 255")
        return filled(images, images.shape)
    if low < 0 or high > 1:
        raise DataError(
            f"{name}: x has values from {low:g} to {high:g}, expected floats in [0, 1] before any "
            "normalisation (divide by 255, or save uint8)"
        )
    return filled((np.round(image * 255) for image in images), images.shape)


def as_labels(labels: npt.NDArray[Any], count: int, name: str) -> Labels:
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
    if labels.ndim == 2 and labels.shape[1] > 1 and labels.dtype.kind in "iufb":
        if not (((labels == 0) | (labels == 1)).all() and ((labels == 1).sum(1) == 1).all()):
            raise DataError(f"{name}: y has rows that are not one-hot, expected whole numbers of shape (N,)")
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

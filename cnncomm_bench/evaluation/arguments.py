"""The images and labels of `evaluate`: arrays, tensors, data sets and loaders of torch, as arrays of (N, C, H, W)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .._utils.errors import DataError
from .._utils.files import listed, shown
from ..data import ArrayLike, Images, as_labels, chunks

_CHANNELS = (1, 3)
_IMAGE_KEYS = ("image", "images", "img", "pixel_values")
_LABEL_KEYS = ("label", "labels", "fine_label")
_FEW = 1024
"""Pairs of a data set that are collected before they become one array."""


def arrays_of(images: Any, labels: Any) -> tuple[ArrayLike, npt.NDArray[np.int64] | None]:
    """Images and labels as a run takes them.

    Parameters
    ----------
    images : ndarray, Tensor, ArrayLike, Dataset, DataLoader or Images
        uint8, or float in [0, 1]; of shape (N, C, H, W), (N, H, W, C) with 1 or 3 channels, or (N, H, W). A data set
        gives pairs of an image and its label, or dicts as those of Hugging Face, a loader batches of them.
    labels : array_like or None
        Shape-(N,), or one-hot rows. None: those of the data set; or none at all, where there is no data set.

    Returns
    -------
    images : ArrayLike, shape-(N, C, H, W)
    labels : ndarray of int64, shape-(N,), or None

    Raises
    ------
    DataError
        They are no images, or do not fit each other.
    """
    if isinstance(images, str | os.PathLike):
        raise DataError(
            f"images {shown(str(images), 80)}: expected an array, a Dataset or a DataLoader; pass what "
            "cnncomm_bench.data.open_images gives for a file or folder",
            "images",
        )
    if isinstance(images, Images):
        images, labels = images.images, images.labels if labels is None else labels
    if isinstance(images, torch.utils.data.Dataset | torch.utils.data.DataLoader):
        images, own = _collected(images)
        labels = own if labels is None else labels
    pixels = _as_images(images)
    if labels is None:
        return pixels, None
    try:
        return pixels, as_labels(_array(labels), len(pixels), "labels")
    except DataError as error:
        raise DataError(str(error), "labels") from error


def _collected(source: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """All images of a data set or loader, and their labels where it gives pairs."""
    images, labels = [], []
    for image, label in _batches(source):
        images.append(image)
        labels.append(label)
    if not images:
        raise DataError("the data set holds no images: expected at least one", "images")
    found = [label for label in labels if label is not None]
    return np.concatenate(images), np.concatenate(found) if found else None


def _batches(source: Any) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any] | None]]:
    """Batches of images and labels: those of a loader, or some pairs of a data set."""
    if isinstance(source, torch.utils.data.DataLoader):
        for image, label in map(_pair, source):
            yield _array(image), None if label is None else _array(label)
        return
    mapped = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    pairs = map(_pair, (source[place] for place in range(len(source))) if mapped else source)
    while few := list(islice(pairs, _FEW)):
        yield _stacked(few)


def _pair(item: Any) -> tuple[Any, Any]:
    """Image and label, or None, of an item of a data set, or batches of them."""
    if isinstance(item, Mapping):
        image_key = next((key for key in _IMAGE_KEYS if key in item), None)
        if image_key is None:
            raise DataError(
                f"the data set gives dicts of {listed([str(key) for key in item])}: expected pairs of an image and its "
                "label, or dicts with image and label",
                "images",
            )
        return item[image_key], next((item[key] for key in _LABEL_KEYS if key in item), None)
    if isinstance(item, tuple | list) and item:
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _stacked(pairs: list[tuple[Any, Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    images = [_array(image) for image, _ in pairs]
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise DataError(
            f"the data set holds images of several shapes ({shapes[0]}, {shapes[1]}): expected one, "
            "as a transform that resizes and crops gives",
            "images",
        )
    labels = [label for _, label in pairs if label is not None]
    return np.stack(images), np.array([_array(label) for label in labels]) if labels else None


def _array(value: Any) -> npt.NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def _as_images(images: Any) -> ArrayLike:
    """Images as they can be run; an array mapped from a file, or anything that is no array, stays where it is."""
    held: Any = images.detach().cpu().numpy() if isinstance(images, Tensor) else images
    pixels: Any = held if hasattr(held, "shape") and hasattr(held, "dtype") else np.asarray(held)
    if isinstance(pixels, np.ndarray):
        pixels = _channels_first(pixels)
    shape = tuple(pixels.shape)
    if len(shape) != 4 or 0 in shape:
        raise DataError(f"images of shape {shape}: expected (N, C, H, W), or (N, H, W, C) of 1 or 3 channels", "images")
    if pixels.dtype == np.uint8:
        return pixels  # type: ignore[no-any-return]
    if pixels.dtype.kind not in "iuf":
        raise DataError(f"images of {pixels.dtype}: expected uint8, or floats in [0, 1]", "images")
    whole, most = pixels.dtype.kind in "iu", 255 if pixels.dtype.kind in "iu" else 1
    for chunk in chunks(pixels):
        low, high = chunk.min(), chunk.max()
        if np.isnan(low):
            raise DataError("images that hold NaN: expected floats in [0, 1]; leave those images out", "images")
        if low < 0 or high > most:
            raise DataError(
                f"images with values from {low:g} to {high:g}: expected floats in [0, 1], or whole numbers from 0 to "
                "255; leave a normalisation out and pass its mean and std",
                "images",
            )
    kept = np.uint8 if whole else np.float32
    return pixels if pixels.dtype == kept else np.asarray(pixels, dtype=kept)


def _channels_first(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim == 4 and pixels.shape[3] in _CHANNELS and pixels.shape[1] not in _CHANNELS:
        return pixels.transpose(0, 3, 1, 2)
    return pixels


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A value that may be given alone or in a list."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)

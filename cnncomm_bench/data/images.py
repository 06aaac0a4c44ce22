"""Opens any labelled images as one array of 8-bit pixels, with the size and channels that a model takes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._utils.errors import DataError, UsageError
from .._utils.files import listed, shown
from ..models import Preprocessing
from . import sources
from .array_like import ArrayLike, Labels, Pixels, chunks
from .arrays import Arrays
from .buffer import filled
from .classmap import permutation_warning, relabel
from .decode import resized
from .listings import Listing
from .reading import read_listing

if TYPE_CHECKING:
    from ..models import Model

__all__ = [
    "Images",
    "balanced_subset",
    "check_labels",
    "default_images",
    "images_sha256",
    "open_images",
    "permutation_warning",
]


@dataclass(frozen=True)
class Images:
    """Images and labels, as a model takes them.

    Attributes
    ----------
    name : str
        For tables: ``'flower_photos/val'``, ``'bundled:fashion-mnist'``.
    images : ArrayLike, shape-(N, C, H, W)
        Of uint8.
    labels : ndarray of int64, shape-(N,), or None
        None: images without labels, scored by agreement with the clean predictions.
    class_names : tuple of str
        In the order of the labels.
    sha256 : str
        Of shape, pixels and labels.
    notes : tuple of str
        Lines worth printing: images left out, conversions, the data set's licence.
    """

    name: str
    images: ArrayLike
    labels: Labels | None
    class_names: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...] = ()


def open_images(
    spec: str | os.PathLike[str] | None,
    *,
    channels: int | None = None,
    size: int | None = None,
    preprocessing: Preprocessing | None = None,
    classes: str | os.PathLike[str] | None = None,
    model_classes: int | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> Images:
    """Open images by their place or name.

    Parameters
    ----------
    spec : str, path or None
        A folder (one folder a class, images without labels, or shards), an .npz, .npy, IDX, CSV, Parquet, tar or
        TFRecord file, or a pattern of such files, ``"shards/*.tar"``; or a name: ``bundled:fashion-mnist``,
        ``tf_flowers``, ``cifar10``, ``torchvision:NAME:ROOT``. None: `default_images`.
    channels : int, optional
        1 for grey, 3 for colour, as the model takes it.
    size : int, optional
        Side of the images the model takes; by default the images' own, if it is the same for all.
    preprocessing : Preprocessing, optional
        The model's: its resizing, crop and interpolation.
    classes : path, optional
        Class map (`classmap.read_class_map`).
    model_classes : int, optional
        Number of the model's classes.
    samples : int, optional
        Take a balanced random subset of that many.
    seed : int
        Of the subset.

    Raises
    ------
    UsageError
        There is no such place or name, or an argument makes no sense.
    DataError
        The images cannot be used; the message says what to do.

    Examples
    --------
    >>> found = open_images("bundled:fashion-mnist", samples=20)
    >>> found.images.shape, np.bincount(found.labels).tolist()
    ((20, 1, 28, 28), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    notes: list[str] = []
    if spec is None:
        spec = default_images(model_classes, channels)
        notes.append(f"no data set was named: {spec} is used, for {model_classes} classes")
    found = sources.find(str(spec))
    content, names, labels = found.content, found.class_names, found.labels
    notes += found.notes
    if labels is not None:
        if classes is None and isinstance(content, Listing) and not content.ordered:
            raise DataError(
                f"{found.name} has names as labels ({listed(list(names))}), and nothing says which class of the model "
                "each is: pass a class map, or number them",
                "classes",
            )
        if classes is not None:
            labels, names = relabel(labels, names, Path(classes))
        _check_classes(found.name, labels, names, model_classes)
    if samples is not None:
        count = len(content.files) if isinstance(content, Listing) else len(content.images)
        kept = balanced_subset(np.zeros(count, np.int64) if labels is None else labels, samples, seed)
        if len(kept) < samples:
            notes.append(f"{found.name} has {len(kept)} images, fewer than {samples} samples: all are used")
        labels = None if labels is None else labels[kept]
        content = _only(content, kept)
    how = preprocessing or Preprocessing()
    side = size if size is not None else how.size
    how = replace(how, size=side, resize=how.resize if side == how.size else None)
    if isinstance(content, Listing):
        images, kept, more = read_listing(content, found.name, channels, how)
        labels = None if labels is None else labels[kept]
    else:
        images, more = _fitted(content.images, found.name, channels, how)
    sha256 = images_sha256(images, labels)
    return Images(found.name, images, labels, tuple(shown(one, 80) for one in names), sha256, (*notes, *more))


def default_images(model_classes: int | None, channels: int | None) -> str:
    """Choose the data set by what the model takes.

    Parameters
    ----------
    model_classes : int or None
        Number of the model's classes.
    channels : int or None
        1 for grey, 3 for colour; None: it takes any.

    Returns
    -------
    str
        ``'bundled:fashion-mnist'``, ``'tf_flowers'`` or ``'cifar10'``.

    Raises
    ------
    UsageError
        None fits.

    Examples
    --------
    >>> default_images(10, 1)
    'bundled:fashion-mnist'
    """
    if model_classes == 10 and channels == 1:
        return "bundled:fashion-mnist"
    if model_classes == 5 and channels != 1:
        return "tf_flowers"
    if model_classes == 10:
        return "cifar10"
    kind = {1: "grey ", 3: "colour "}.get(channels or 0, "")
    raise UsageError(
        f"no data set was named, and none is known for {model_classes} classes of {kind}images: "
        "pass a folder with one folder of images a class",
        "data",
    )


def balanced_subset(labels: Labels, samples: int, seed: int) -> Labels:
    """Choose images at random, as many of each class as there are.

    Parameters
    ----------
    labels : ndarray of int, shape-(N,)
        Labels of all images.
    samples : int
        How many to take; all, where there are fewer.
    seed : int
        The same seed takes the same images.

    Returns
    -------
    ndarray of int64, shape-(min(samples, N),)
        Ascending indices. Class counts differ by one at most, except where a class has too few.

    Raises
    ------
    UsageError
        `samples` is below 1.

    Examples
    --------
    >>> labels = np.repeat([0, 1], [100, 10])
    >>> np.bincount(labels[balanced_subset(labels, 12, seed=0)]).tolist()
    [6, 6]
    """
    if samples < 1:
        raise UsageError(f"{samples} samples: expected a number of images, 1 or more", "samples")
    random = np.random.default_rng(seed)
    # The k-th image of each class precedes every (k+1)-th: then the first `samples` are balanced.
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[random.permutation(members)] = np.arange(len(members))
    order = np.lexsort((random.permutation(len(labels)), rank))
    return np.sort(order[:samples])


def check_labels(model: Model, images: Images) -> None:
    """Check that the model has a class for every label.

    Raises
    ------
    DataError
        It has fewer; both sides are named.
    """
    if images.labels is not None:
        _check_classes(images.name, images.labels, images.class_names, model.classes, model.name)


def _check_classes(
    name: str, labels: Labels, names: tuple[str, ...], model_classes: int | None, model: str = "the model"
) -> None:
    present = np.unique(labels)
    if len(present) == 1:
        only = names[int(present[0])] if int(present[0]) < len(names) else str(present[0])
        raise DataError(
            f"{name} has images of one class only ({shown(only)}): accuracy needs at least two; "
            "pass the folder above it, with one folder a class",
            "data",
        )
    if model_classes is not None and int(present[-1]) >= model_classes:
        said = listed([names[int(i)] if int(i) < len(names) else str(i) for i in present], 4)
        raise DataError(
            f"{model} has {model_classes} classes and {name} has labels up to {present[-1]} "
            f"({len(present)} classes: {said}): "
            "pass the data it was trained for, or a class map with the model's classes",
            "data",
            "classes",
        )


def _only(content: Listing | Arrays, kept: Labels) -> Listing | Arrays:
    if isinstance(content, Arrays):
        images = content.images
        return Arrays(filled((images[i] for i in kept), (len(kept), *images.shape[1:])), None)
    return replace(content, files=[content.files[i] for i in kept], names=[content.names[i] for i in kept])


def _fitted(images: Pixels, name: str, channels: int | None, how: Preprocessing) -> tuple[Pixels, tuple[str, ...]]:
    own = images.shape[1]
    if channels is not None and channels != own:
        kinds = {1: "grey images (1 channel)", 3: "colour images (3 channels)"}
        raise DataError(
            f"{name} holds {kinds[own]} and the model takes {kinds.get(channels, f'{channels} channels')}: "
            "pass the data or the model that fits",
            "models",
            "data",
        )
    height, width = images.shape[2:]
    if how.size is None or (height, width) == (how.size, how.size):
        return np.ascontiguousarray(images), ()
    note = f"{name}: images of {width} x {height} resized to the {how.size} x {how.size} that the model takes"
    return resized(images, how.size, how.resize, how.interpolation), (note,)


def images_sha256(images: ArrayLike, labels: Labels | None) -> str:
    """SHA-256 of shape, pixels and labels, by which runs on the same images are found, however they were opened."""
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    for chunk in chunks(images):
        digest.update(np.ascontiguousarray(chunk).data)
    if labels is not None:
        digest.update(labels.astype("<i8").tobytes())
    return digest.hexdigest()

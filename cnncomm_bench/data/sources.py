"""Finds a data set: a file or folder, or a name."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import bundled
from .._utils.errors import DataError, UsageError, suggest
from .._utils.files import listed, one_line, path_of, shown
from .._utils.torchvision_operators import import_torchvision
from . import download
from .array_like import Labels
from .arrays import Arrays, as_labels, as_pixels, read_npy, read_npz
from .idx import idx_files, is_idx, read_idx
from .imagenet import with_ground_truth
from .listings import Listing, NoImagesError, read_folder, without_labels
from .shards import read_glob, read_shards_of, reader_of

NAMES = ("bundled:fashion-mnist", "bundled:fashion-mnist-train", "tf_flowers", "cifar10", "torchvision:NAME:ROOT")
_CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Found:
    """A data set before its images are decoded.

    Attributes
    ----------
    name : str
        For tables.
    content : Listing or Arrays
        Files, or images in memory.
    labels : ndarray of int64, shape-(N,), or None
    class_names : tuple of str
    notes : tuple of str
    """

    name: str
    content: Listing | Arrays
    labels: Labels | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(spec: str) -> Found:
    """Open a data set as far as its list of images.

    Parameters
    ----------
    spec : str
        A place on disk, or one of `NAMES`.

    Raises
    ------
    UsageError
        There is no such place or name.
    DataError
        It holds no images that can be used.
    """
    path = path_of(spec, "data")
    kind, colon, rest = spec.partition(":")
    if not path.exists():  # a file precedes a name
        if kind == "bundled" and colon:
            return _bundled(rest)
        if spec in ("tf_flowers", "tf-flowers"):
            return _tf_flowers()
        if spec == "cifar10":
            return _cifar10()
        if kind == "torchvision" and colon:
            return _torchvision(rest)
        if any(sign in spec for sign in "*?[") and (listing := read_glob(str(path))):
            return _of_listing(shown("/".join(path.parts[-2:])), listing)
        link = " (it is a link to something that is gone)" if path.is_symlink() else ""
        raise UsageError(
            f"{shown(spec)}: there is no such file or folder{link}, nor a data set of that name; "
            f"there are {', '.join(NAMES)}",
            "data",
        )
    name = shown("/".join(path.resolve().parts[-2:]) if path.is_dir() else path.stem)
    if not os.access(path, os.R_OK):
        raise DataError(f"{shown(spec)} cannot be read: make it readable, or pass another", "data")
    if path.is_dir():
        if idx_files(path):
            return _of_arrays(name, read_idx(path))
        return _of_listing(name, _in_folder(path))
    if not path.is_file():
        raise UsageError(f"{shown(spec)} is no regular file: pass a folder of images, or an .npz file", "data")
    if path.suffix.lower() == ".npz":
        return _of_arrays(name, read_npz(path))
    if path.suffix.lower() == ".npy":
        return _of_arrays(name, read_npy(path))
    if is_idx(path):
        return _of_arrays(name, read_idx(path))
    if read := reader_of(path):
        return _of_listing(name, read([path]))
    raise UsageError(_unknown(path), "data")


def _in_folder(folder: Path) -> Listing:
    """A folder of images; or of shards, where it holds no images."""
    try:
        return with_ground_truth(folder, read_folder(folder))
    except NoImagesError:
        if listing := read_shards_of(folder):
            return listing
        if arrays := sorted(one.name for one in folder.glob("*.npy") if one.name != "labels.npy"):
            raise DataError(
                f"{shown(folder)} holds arrays ({listed(arrays)}): pass one of them, such as "
                f"{shown(folder)}/{shown(arrays[0])}",
                "data",
            ) from None
        raise


def _of_listing(name: str, listing: Listing) -> Found:
    return Found(name, listing, listing.labels, listing.class_names, listing.notes)


def _unknown(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        return f"{shown(path)} cannot be read ({error.strerror}): pass another"
    advice = "pass a folder with one folder a class, or an .npz, IDX, CSV, Parquet, tar or TFRecord file"
    if path.suffix.lower() in (".zip", ".tgz", ".gz", ".rar", ".7z"):
        advice = "unpack it and pass the folder"
    elif path.suffix.lower() in (".pkl", ".pickle") or head[:1] == b"\x80":
        advice = "a pickle can run code and is not opened: save it with np.savez(FILE, x=images, y=labels)"
    return f"{shown(path)} is no data set that can be read (it starts with {head!r}): {advice}"


def _of_arrays(name: str, arrays: Arrays, class_names: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Found:
    if arrays.labels is None:
        notes = (*notes, without_labels(name))
    elif not class_names:
        class_names = tuple(str(label) for label in range(int(arrays.labels.max()) + 1))
    return Found(name, arrays, arrays.labels, class_names, notes)


def _bundled(name: str) -> Found:
    parts = {"fashion-mnist": bundled.images, "fashion-mnist-train": bundled.training_images}
    if name not in parts:
        raise UsageError(f"bundled:{shown(name)}: no such images are bundled; {suggest(name, parts)}", "data")
    images, labels, class_names = parts[name]()
    return _of_arrays(f"bundled:{name}", Arrays(images, labels), class_names)


def _tf_flowers() -> Found:
    folder = download.unpacked(download.TF_FLOWERS, "tf_flowers")
    listing = read_folder(folder / "flower_photos")
    note = (
        f"tf_flowers: {len(listing.files)} photographs ({download.TF_FLOWERS.licence}); it has no test split, "
        "so what a model was trained on may be among them"
    )
    return Found("tf_flowers", listing, listing.labels, listing.class_names, (*listing.notes, note))


def _cifar10() -> Found:
    folder = download.unpacked(download.CIFAR10, "cifar10")
    path = folder / "cifar-10-batches-bin" / "test_batch.bin"
    try:
        rows = np.fromfile(path, np.uint8).reshape(-1, 3073)  # a label, then 3 x 32 x 32 pixels
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(folder)} is damaged ({one_line(error)}): delete that folder and try again") from error
    arrays = Arrays(
        as_pixels(rows[:, 1:].reshape(-1, 3, 32, 32), "cifar10"), as_labels(rows[:, 0], len(rows), "cifar10")
    )
    return _of_arrays("cifar10", arrays, _CIFAR10_CLASSES, ("cifar10: the 10,000 test images",))


def _torchvision(spec: str) -> Found:
    name, _, root = spec.partition(":")
    datasets = import_torchvision().datasets
    if name not in datasets.__all__ or not inspect.isclass(getattr(datasets, name)):
        raise UsageError(
            f"torchvision:{shown(name)}: torchvision has no such data set; {suggest(name, datasets.__all__)}", "data"
        )
    if name.startswith("LSUN"):
        raise DataError("torchvision:LSUN unpickles a cache in its folder, which can run code: refused", "data")
    if not root or not Path(root).expanduser().is_dir():
        raise UsageError(
            f"torchvision:{name}:{shown(root)}: expected an existing folder after the name, as in "
            f"torchvision:{name}:DATA",
            "data",
        )
    dataset = getattr(datasets, name)
    accepted = inspect.signature(dataset).parameters
    options: dict[str, Any] = {"train": False} if "train" in accepted else {}
    if "split" in accepted:
        options["split"] = "val" if name in ("ImageNet", "Places365", "Imagenette") else "test"
    try:
        data = dataset(str(Path(root).expanduser()), **options)
        count = len(data)
        labels = _torchvision_labels(data, count)
    except Exception as error:  # each data set raises its own
        raise DataError(
            f"torchvision:{name}: torchvision cannot open it in {shown(root)} ({one_line(error)}): "
            f"fetch it there first (torchvision.datasets.{name}(root, download=True))"
        ) from error
    class_names = tuple(map(str, getattr(data, "classes", ()))) or tuple(str(i) for i in range(int(labels.max()) + 1))
    files = [partial(_torchvision_image, data, index) for index in range(count)]
    listing = Listing(files, [f"image {index}" for index in range(count)], labels, class_names)
    return Found(f"torchvision:{name}", listing, labels, class_names)


def _torchvision_image(data: Any, index: int) -> Any:
    return data[index][0]


def _torchvision_labels(data: Any, count: int) -> Labels:
    stored = next((getattr(data, key) for key in ("targets", "labels", "_labels") if hasattr(data, key)), None)
    if stored is None or len(stored) != count:
        stored = [data[index][1] for index in range(count)]
    return as_labels(np.asarray(stored), count, type(data).__name__)

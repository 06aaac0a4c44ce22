"""Decodes all files of a data set: unreadable ones are skipped and counted, large sets are kept resized."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

import numpy as np

from .._utils.atomic import write_atomically, write_text
from .._utils.errors import DataError, RunFolderError
from .._utils.files import cache_folder, shown
from ..models import Preprocessing
from .array_like import Labels, Pixels
from .buffer import allocate
from .decode import UnreadableImage, described, is_grey, read_image
from .listings import Listing, Slice
from .parquet import Cell

_BROKEN_SHARE = 0.1
_WORTH_CACHING = 1000


def read_listing(
    listing: Listing, name: str, channels: int | None, how: Preprocessing
) -> tuple[Pixels, Labels, tuple[str, ...]]:
    """Decode all files of a listing, or take them from the cache.

    Parameters
    ----------
    listing : Listing
    name : str
        Of the data set, for messages.
    channels : int or None
        1 for grey, 3 for colour; None: as the first readable image.
    how : Preprocessing
        Size, resizing and interpolation.

    Returns
    -------
    images : ndarray of uint8, shape-(M, C, H, W)
    kept : ndarray of int64, shape-(M,)
        Indices of the files that could be read.
    notes : tuple of str

    Raises
    ------
    DataError
        More than 10 % cannot be read, or sizes differ and none is wanted.
    """
    grey = next((found for found in map(is_grey, listing.files[:5]) if found is not None), None)
    wanted = channels or (1 if grey else 3)
    if wanted not in (1, 3):
        raise DataError(
            f"{name} holds image files, and the model takes {wanted} channels: pass an .npz of such images", "data"
        )
    notes = []
    if grey is not None and grey != (wanted == 1):
        kinds = ("grey", "colour") if grey else ("colour", "grey")
        notes.append(f"{name}: {kinds[0]} images turned into {kinds[1]} ones, which the model takes")
    cached = _cache_file(listing, wanted, how)
    if cached is not None and (stored := _load_cache(cached)) is not None:
        images, skipped = stored
    else:
        images, skipped = _decode(listing, name, wanted, how)
        if cached is not None and not any(isinstance(f, Cell) and f.reader.names_files for f in listing.files):
            _save_cache(cached, images, skipped)
            images, skipped = _load_cache(cached) or (images, skipped)
    lost = {index for index, _ in skipped}
    kept = np.array([index for index in range(len(listing.files)) if index not in lost], np.int64)
    if skipped:
        notes.append(f"{name}: {described([(listing.names[i], why) for i, why in skipped], len(listing.files))}")
    return images, kept, tuple(notes)


def _decode(listing: Listing, name: str, channels: int, how: Preprocessing) -> tuple[Pixels, list[tuple[int, str]]]:
    images: Pixels | None = None
    skipped: list[tuple[int, str]] = []
    count, kept = len(listing.files), 0
    for index, file in enumerate(listing.files):
        try:
            pixels = read_image(file, channels, how.size, how.resize, how.interpolation)
        except UnreadableImage as error:
            skipped.append((index, str(error)))
            if len(skipped) > _BROKEN_SHARE * count:
                said = described([(listing.names[i], why) for i, why in skipped], count)
                said = said.replace(" and were left out", ", which is more than 10 %", 1)
                raise DataError(f"{name}: {said}; repair or remove them") from error
            continue
        if images is None:
            images = allocate((count, *pixels.shape))
        if pixels.shape != images.shape[1:]:
            first, other = (f"{shape[-1]} x {shape[-2]}" for shape in (images.shape, pixels.shape))
            raise DataError(
                f"{name} has images of several sizes ({first}, and {shown(listing.names[index])} is {other}), "
                "expected one: pass the side in pixels that the model was trained on, such as 224",
                "size",
            )
        images[kept] = pixels
        kept += 1
    if images is None:
        raise DataError(f"{name} holds no images")
    return images[:kept], skipped


def _cache_file(listing: Listing, channels: int, how: Preprocessing) -> Path | None:
    """Name the cache of these files at this size; files that changed have another name."""
    if len(listing.files) < _WORTH_CACHING or how.size is None:
        return None
    key = hashlib.sha256(f"1 {channels} {how.size} {how.resize} {how.interpolation}".encode())
    for file in listing.files:
        part: tuple[object, ...] = ()
        match file:
            case Path():
                path = file
            case Slice():
                path, part = file.path, (file.start, file.size)
            case Cell():
                path, part = file.path, (file.column, file.row)
            case _:
                return None
        try:
            status = path.stat()
        except OSError:
            return None
        key.update(repr((str(path.absolute()), status.st_size, status.st_mtime_ns, *part)).encode())
    return cache_folder() / "images" / f"{key.hexdigest()}.npy"


def _load_cache(path: Path) -> tuple[Pixels, list[tuple[int, str]]] | None:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
        skipped = [(int(index), str(why)) for index, why in json.loads(path.with_suffix(".json").read_text("utf-8"))]
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return images, skipped


def _save_cache(path: Path, images: Pixels, skipped: list[tuple[int, str]]) -> None:
    """Keep resized images; where the disk is full or read-only, they are resized again next time."""
    with contextlib.suppress(OSError, RunFolderError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path.with_suffix(".json"), json.dumps(skipped))
        write_atomically(path, lambda temporary: np.save(temporary, images, allow_pickle=False))

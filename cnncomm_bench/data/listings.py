"""Lists image files and their labels: a folder a class, a folder without labels, a table of paths and labels."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .array_like import Labels
from .decode import SUFFIXES, Source

_PATH_COLUMNS = (
    "path",
    "file",
    "filename",
    "file_name",
    "image",
    "image_path",
    "filepath",
    "img",
    "image_id",
)
_LABEL_COLUMNS = ("label", "labels", "class", "target", "y", "category", "class_id", "label_id", "class_name")
_SPLITS = frozenset(["train", "training", "val", "valid", "validation", "test", "testing", "eval", "dev"])


@dataclass(frozen=True)
class Listing:
    """Image files with their labels, not read yet.

    Attributes
    ----------
    files : sequence of Path, bytes or callable
        Files, contents of files, or functions that return a PIL image.
    names : sequence of str
        What to call each in a message.
    labels : ndarray of int64, shape-(N,), or None
    class_names : tuple of str
    notes : tuple of str
    """

    files: Sequence[Source]
    names: Sequence[str]
    labels: Labels | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_folder(folder: Path) -> Listing:
    """List a folder with one folder a class, or a folder of images without labels.

    Parameters
    ----------
    folder : Path
        Classes are its folders in alphabetical order, as torchvision's ImageFolder has it.

    Returns
    -------
    Listing

    Raises
    ------
    DataError
        There are no images, or it is the folder above train and val.
    """
    name = shown(folder)
    children = sorted((e for e in os.scandir(folder) if not e.name.startswith((".", "__"))), key=lambda e: e.name)
    classes = [entry for entry in children if entry.is_dir()]
    splits = [entry.name for entry in classes if entry.name.lower() in _SPLITS]
    if splits and len(splits) == len(classes):
        raise DataError(
            f"{name} holds {listed(splits)}, not classes: pass one of them, such as {name}/{shown(splits[-1])}", "data"
        )
    found = [list(_images_under(Path(entry.path), set())) for entry in classes]
    if not any(found):
        return _unlabelled(folder, [Path(entry.path) for entry in children if _is_image(entry.name)])
    files = [path for images in found for path in images]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(images) for images in found])
    empty = [entry.name for entry, images in zip(classes, found, strict=True) if not images]
    notes = (f"{name}: no images in {listed(empty)}; its label is kept",) if empty else ()
    names = [os.path.relpath(path, folder) for path in files]
    return Listing(files, names, labels, tuple(entry.name for entry in classes), notes)


def _unlabelled(folder: Path, images: list[Path]) -> Listing:
    if not images:
        raise DataError(
            f"{shown(folder)} holds no images: expected one folder a class with images in it, or images "
            f"({', '.join(sorted(SUFFIXES)[:6])}, ...)"
        )
    note = f"{shown(folder)} has no labels: scored by agreement with the clean predictions"
    return Listing(images, [path.name for path in images], None, (), (note,))


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def _images_under(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Walk a folder in order; links are followed, a folder that was seen before is not (loops of links)."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _images_under(Path(entry.path), seen)
        elif _is_image(entry.name):
            yield Path(entry.path)


def read_table(path: Path) -> Listing:
    """List a CSV, TSV or Parquet table of image files and labels.

    Parameters
    ----------
    path : Path
        With a column of paths (relative to the table) and one of labels, numbers or names. A Parquet file of
        the Hugging Face hub, with the images themselves in a column, is read too.

    Returns
    -------
    Listing

    Raises
    ------
    DataError
        It is damaged, or has no column of images.
    """
    columns = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)
    lower = {str(key).strip().lower(): key for key in columns}
    name = shown(path.name)
    images = next((lower[key] for key in _PATH_COLUMNS if key in lower), None)
    labels = next((lower[key] for key in _LABEL_COLUMNS if key in lower), None)
    if images is None:
        found = listed([str(key) for key in columns], 8) or "none"
        raise DataError(f"{name} has the columns {found}, none of images: name one 'path' and one 'label'")
    cells = columns[images]
    if not cells:
        raise DataError(f"{name} has no rows: expected one an image")
    files = [_file_of(cell, path.parent, index, name) for index, cell in enumerate(cells)]
    names = [file.name if isinstance(file, Path) else f"row {index + 1}" for index, file in enumerate(files)]
    if labels is None:
        return Listing(
            files, names, None, (), (f"{name} has no labels: scored by agreement with the clean predictions",)
        )
    numbers, class_names = _numbered(columns[labels], name)
    return Listing(files, names, numbers, class_names)


def _file_of(cell: Any, folder: Path, index: int, name: str) -> Path | bytes:
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str) or not cell.strip() or "\0" in cell:
        raise DataError(f"{name}, row {index + 1}: {shown(repr(cell), 60)} is no path of an image")
    return folder / cell.strip()


def _numbered(cells: list[Any], name: str) -> tuple[Labels, tuple[str, ...]]:
    """Turn labels into numbers: whole numbers are themselves, names are numbered in alphabetical order."""
    if any(cell is None or str(cell).strip() == "" for cell in cells):
        row = next(i for i, cell in enumerate(cells) if cell is None or str(cell).strip() == "")
        raise DataError(f"{name}, row {row + 1} has no label: give every image one, or leave the column out")
    words = [str(cell).strip() for cell in cells]
    if all(word.isascii() and word.isdigit() and len(word) < 7 for word in words):
        numbers = np.array([int(word) for word in words], np.int64)
        return numbers, tuple(str(i) for i in range(int(numbers.max()) + 1))
    known = {word: index for index, word in enumerate(sorted(set(words)))}
    return np.array([known[word] for word in words], np.int64), tuple(known)


def _csv(path: Path) -> dict[str, list[Any]]:
    name = shown(path.name)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            delimiter = max("\t;,", key=head.count)
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{name} is no table of text ({one_line(error)}): save it as CSV in UTF-8") from error
    if not rows:
        raise DataError(f"{name} is empty: expected a header with path and label, and one row an image")
    header = rows[0]
    if len(header) <= 2 and _is_image(header[0].strip()):  # no header: paths, and labels where there are two columns
        header = ["path", "label"][: len(header)]
    else:
        rows = rows[1:]
    short = next((i for i, row in enumerate(rows) if len(row) < len(header)), None)
    if short is not None:
        raise DataError(f"{name}, row {short + 1} has {len(rows[short])} columns, the header {len(header)}")
    return {key: [row[column] for row in rows] for column, key in enumerate(header)}


def _parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
        wanted = [key for key in table.column_names if key.strip().lower() in (*_PATH_COLUMNS, *_LABEL_COLUMNS)]
        columns = {key: table.column(key).to_pylist() for key in wanted}
        return columns or {key: [] for key in table.column_names}
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{shown(path.name)} is no intact Parquet file ({one_line(error)}): save it again") from error

"""Reads tables of image files and labels: CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .array_like import Labels
from .decode import Source
from .listings import Listing, check_distinct, is_image, without_labels
from .parquet import MOST_ROWS, Cell, Columns, ImageReader, read_columns

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
_LABEL_COLUMNS = (
    *("label", "labels", "class", "target", "y", "category", "class_id", "label_id", "class_name"),
    "fine_label",  # CIFAR-100's
)
_KINDS = ("none", "whole", "text", "other")
_MOST = 10**6


@dataclass(frozen=True)
class _Table:
    """Rows of a table: an image each, and labels where there are any, with the names of classes that are numbers."""

    name: str
    files: list[Source]
    labels: list[Any] | None
    class_names: tuple[str, ...] = ()


def read_tables(paths: Sequence[Path]) -> Listing:
    """List tables of image files and labels, CSV, TSV or Parquet, one after another.

    Parameters
    ----------
    paths : sequence of Path
        Each with a column of paths (relative to the table) and one of labels, numbers or names. Parquet files of
        the Hugging Face hub, with the images themselves in a column, are read too.

    Raises
    ------
    DataError
        One is damaged, has no column of images, or does not go with the others.
    """
    reader = ImageReader()
    tables = [_read(path, reader) for path in paths]
    name = listed([table.name for table in tables], 1)
    files = [file for table in tables for file in table.files]
    called = [
        file.name if isinstance(file, Path) else f"row {row + 1}" + (f" of {table.name}" if len(tables) > 1 else "")
        for table in tables
        for row, file in enumerate(table.files)
    ]
    check_distinct(name, files, [f"{word} of row {row + 1}" for row, word in enumerate(called)])
    if all(table.labels is None for table in tables):
        return Listing(files, called, None, (), (without_labels(name),))
    labels, class_names, ordered = _numbered(tables)
    return Listing(files, called, labels, class_names, ordered=ordered)


def _read(path: Path, reader: ImageReader) -> _Table:
    name = shown(path.name)
    if path.suffix.lower() in (".parquet", ".pq"):
        columns = read_columns(path, (*_PATH_COLUMNS, *_LABEL_COLUMNS))
    else:
        cells = _csv(path)
        columns = Columns({**cells}, len(next(iter(cells.values()))), {})
    lower = {str(key).strip().lower(): key for key in columns.cells}
    images = next((lower[key] for key in _PATH_COLUMNS if key in lower), None)
    labels = next((lower[key] for key in _LABEL_COLUMNS if key in lower), None)
    if images is None:
        found = listed([str(key) for key in columns.cells], 8) or "none"
        raise DataError(f"{name} has the columns {found}, none of images: name one 'path' and one 'label'")
    if not columns.rows:
        raise DataError(f"{name} has no rows: expected one an image")
    named = columns.cells[images]
    files: list[Source] = (
        [Cell(reader, path, images, row) for row in range(columns.rows)]
        if named is None
        else [_file_of(cell, path.parent, row, name) for row, cell in enumerate(named)]
    )
    if labels is None:
        return _Table(name, files, None)
    if (words := columns.cells[labels]) is None:
        raise DataError(f"{name} has labels that are neither numbers nor names: save them as one of these")
    return _Table(name, files, words, columns.class_names.get(labels, ()))


def _file_of(cell: Any, folder: Path, row: int, name: str) -> Path:
    if not isinstance(cell, str) or not cell.strip() or "\0" in cell:
        raise DataError(f"{name}, row {row + 1}: {shown(repr(cell), 60)} is no path of an image")
    return folder / cell.strip()


def _numbered(tables: list[_Table]) -> tuple[Labels, tuple[str, ...], bool]:
    """Turn labels into numbers: whole numbers are themselves (also 3.0, as pandas writes them), names are sorted."""
    words = [word for table in tables for word in _words(table)]
    kinds = {_kind(word) for word in words}
    if len(kinds) > 1:
        raise DataError(f"{listed([table.name for table in tables])} mix numbers and names as labels: use one kind")
    if kinds == {"text"}:
        known = {word: index for index, word in enumerate(sorted(set(words)))}
        return np.array([known[word] for word in words], np.int64), tuple(known), False
    numbers = np.array([float(word) for word in words]).astype(np.int64)
    class_names = tables[0].class_names
    other = next((table.name for table in tables if table.class_names != class_names), None)
    if other:
        raise DataError(f"{tables[0].name} and {other} name other classes: pass tables of one data set")
    if class_names and int(numbers.max()) >= len(class_names):
        raise DataError(
            f"{tables[0].name} names {len(class_names)} classes and has the label {int(numbers.max())}: save it again"
        )
    return numbers, class_names or tuple(str(i) for i in range(int(numbers.max()) + 1)), True


def _words(table: _Table) -> list[str]:
    """Labels as text, all numbers or all names."""
    name = table.name
    if table.labels is None:
        raise DataError(f"{name} has no labels and others of its data set have: pass tables that all have, or none")
    words = ["" if cell is None else str(cell).strip() for cell in table.labels]
    rows = {kind: next((i for i, word in enumerate(words) if _kind(word) == kind), None) for kind in _KINDS}
    if (row := rows["none"]) is not None:
        raise DataError(f"{name}, row {row + 1} has no label: give every image one, or leave the column out")
    if (row := rows["other"]) is not None:
        raise DataError(f"{name}, row {row + 1}: the label {shown(words[row], 40)} is no class from 0 to {_MOST}")
    if rows["whole"] is not None and (row := rows["text"]) is not None:
        raise DataError(
            f"{name} mixes numbers and names as labels (row {row + 1}: {shown(words[row], 40)}): use one kind"
        )
    return words


def _kind(word: str) -> str:
    if not word:
        return "none"
    if re.fullmatch(r"[0-9]{1,9}(\.0*)?", word) and float(word) <= _MOST:
        return "whole"
    try:
        float(word)
    except ValueError:
        return "text"
    return "other"


def _csv(path: Path) -> dict[str, list[Any]]:
    name = shown(path.name)
    try:
        if path.stat().st_size > 2**28:
            raise ValueError("it is larger than 256 MiB")
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            delimiter = max("\t;,", key=head.count)
            file.seek(0)
            rows = list(islice((row for row in csv.reader(file, delimiter=delimiter) if row), MOST_ROWS + 2))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{name} is no table of text ({one_line(error)}): save it as CSV in UTF-8") from error
    if not rows:
        raise DataError(f"{name} is empty: expected a header with path and label, and one row an image")
    header = rows[0]
    if len(header) <= 2 and is_image(header[0].strip()):  # no header: paths, and labels where there are two columns
        header = ["path", "label"][: len(header)]
    else:
        rows = rows[1:]
    short = next((i for i, row in enumerate(rows) if len(row) < len(header)), None)
    if len(rows) > MOST_ROWS:
        raise DataError(f"{name} has more than {MOST_ROWS} rows: pass a table of fewer images")
    if len({key.strip().lower() for key in header}) < len(header):
        raise DataError(f"{name} has two columns of one name ({listed(header, 8)}): rename one")
    if short is not None:
        raise DataError(f"{name}, row {short + 1} has {len(rows[short])} columns, the header {len(header)}")
    return {key: [row[column] for row in rows] for column, key in enumerate(header)}

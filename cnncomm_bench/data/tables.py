"""Reads tables of image files and labels: CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .array_like import Labels
from .listings import Listing, check_distinct, is_image

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
_KINDS = ("none", "whole", "text", "other")
_MOST, _MOST_ROWS = 10**6, 2_000_000


def read_table(path: Path) -> Listing:
    """List a CSV, TSV or Parquet table of image files and labels.

    Parameters
    ----------
    path : Path
        With a column of paths (relative to the table) and one of labels, numbers or names. A Parquet file of
        the Hugging Face hub, with the images themselves in a column, is read too.

    Raises
    ------
    DataError
        It is damaged, or has no column of images.
    """
    name = shown(path.name)
    columns = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)
    lower = {str(key).strip().lower(): key for key in columns}
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
    check_distinct(name, files, [f"{called} of row {index + 1}" for index, called in enumerate(names)])
    if labels is None:
        return Listing(
            files, names, None, (), (f"{name} has no labels: scored by agreement with the clean predictions",)
        )
    numbers, class_names, ordered = _numbered(columns[labels], name)
    return Listing(files, names, numbers, class_names, ordered=ordered)


def _file_of(cell: Any, folder: Path, index: int, name: str) -> Path | bytes:
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str) or not cell.strip() or "\0" in cell:
        raise DataError(f"{name}, row {index + 1}: {shown(repr(cell), 60)} is no path of an image")
    return folder / cell.strip()


def _numbered(cells: list[Any], name: str) -> tuple[Labels, tuple[str, ...], bool]:
    """Turn labels into numbers: whole numbers are themselves (also 3.0, as pandas writes them), names are sorted."""
    words = ["" if cell is None else str(cell).strip() for cell in cells]
    rows = {kind: next((i for i, word in enumerate(words) if _kind(word) == kind), None) for kind in _KINDS}
    if (row := rows["none"]) is not None:
        raise DataError(f"{name}, row {row + 1} has no label: give every image one, or leave the column out")
    if (row := rows["other"]) is not None:
        raise DataError(f"{name}, row {row + 1}: the label {shown(words[row], 40)} is no class from 0 to {_MOST}")
    if rows["whole"] is None:
        known = {word: index for index, word in enumerate(sorted(set(words)))}
        return np.array([known[word] for word in words], np.int64), tuple(known), False
    if (row := rows["text"]) is not None:
        raise DataError(
            f"{name} mixes numbers and names as labels (row {row + 1}: {shown(words[row], 40)}): use one kind"
        )
    numbers = np.array([float(word) for word in words]).astype(np.int64)
    return numbers, tuple(str(i) for i in range(int(numbers.max()) + 1)), True


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
            rows = list(islice((row for row in csv.reader(file, delimiter=delimiter) if row), _MOST_ROWS + 2))
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
    if len(rows) > _MOST_ROWS:
        raise DataError(f"{name} has more than {_MOST_ROWS} rows: pass a table of fewer images")
    if len({key.strip().lower() for key in header}) < len(header):
        raise DataError(f"{name} has two columns of one name ({listed(header, 8)}): rename one")
    if short is not None:
        raise DataError(f"{name}, row {short + 1} has {len(rows[short])} columns, the header {len(header)}")
    return {key: [row[column] for row in rows] for column, key in enumerate(header)}


def _parquet(path: Path) -> dict[str, list[Any]]:
    from pyarrow import parquet

    name, size = shown(path.name), path.stat().st_size
    try:
        with path.open("rb") as opened, parquet.ParquetFile(opened) as file:
            held = file.metadata
            groups = [held.row_group(index) for index in range(held.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            if held.num_rows > _MOST_ROWS or unpacked > max(2**24, 200 * size):
                raise DataError(f"{name} claims {held.num_rows} rows and {unpacked} bytes in {size}: refused as a bomb")
            names = file.schema_arrow.names
            wanted = [key for key in names if key.strip().lower() in (*_PATH_COLUMNS, *_LABEL_COLUMNS)]
            if len(set(wanted)) < len(wanted):
                raise DataError(f"{name} has two columns of one name ({listed(wanted, 8)}): rename one")
            columns: dict[str, list[Any]] = {key: [] for key in wanted or names}
            held_bytes = 0
            for batch in file.iter_batches(batch_size=32, columns=wanted) if wanted else ():
                for key in wanted:
                    cells = batch.column(key).to_pylist()
                    held_bytes += sum(map(_size, cells))
                    columns[key] += cells
                if held_bytes > max(2**28, 20 * size):
                    raise DataError(f"{name} unpacks {size} bytes to more than {held_bytes}: refused as a bomb")
            return columns
    except DataError:
        raise
    except Exception as error:  # pyarrow, thrift and the codecs each raise their own on damage
        raise DataError(f"{name} is no intact Parquet file ({one_line(error)}): save it again") from error


def _size(cell: Any) -> int:
    """Bytes of a cell, roughly: a dictionary of Parquet repeats one value in many cells."""
    if isinstance(cell, dict):
        return sum(map(_size, cell.values()))
    return len(cell) if isinstance(cell, str | bytes) else 8 * len(cell) if isinstance(cell, list) else 8

"""Reads Parquet tables of images: labels at once, images a batch at a time when they are decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._utils.errors import DataError
from .._utils.files import listed, one_line, parse_json, shown
from .decode import UnreadableImage

MOST_ROWS = 2_000_000
_BATCH = 32


@dataclass(frozen=True)
class Cell:
    """An image in a Parquet file; called, it returns its bytes or the file that it names."""

    reader: ImageReader
    path: Path
    column: str
    row: int

    def __call__(self) -> bytes | Path:
        """Read it."""
        return self.reader.read(self.path, self.column, self.row)


class ImageReader:
    """Reads cells of columns of images in Parquet files; rows that are asked for in rising order are read once.

    One file is open and one batch is held at a time; decoding it takes some four times its row group.

    Attributes
    ----------
    names_files : bool
        A cell that was read names a file elsewhere, whose content the Parquet file does not fix.
    """

    def __init__(self) -> None:
        self.names_files = False
        self._of: tuple[Path, str] | None = None
        self._first = self._end = 0
        self._cells: list[Any] = []
        self._batches: Iterator[list[Any]] = iter(())

    def read(self, path: Path, column: str, row: int) -> bytes | Path:
        """The content of an image, or the file that the cell names, relative to the table.

        Raises
        ------
        UnreadableImage
            The cell holds neither, or the file ends before the row.
        """
        if self._of != (path, column) or not self._first <= row < self._end:
            self._of, self._cells = (path, column), []
            group, self._first, self._end = _group(path, row)
            self._batches = _batches(path, column, group)
        while row >= self._first + len(self._cells):
            self._first += len(self._cells)
            self._cells = next(self._batches, [])
            if not self._cells:
                raise UnreadableImage("the table ends before this row")
        cell = self._cells[row - self._first]
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, str) and cell.strip() and "\0" not in cell:
            self.names_files = True
            return path.parent / cell.strip()
        if not isinstance(cell, bytes):
            raise UnreadableImage("no content and no path of an image")
        return cell


def _group(path: Path, row: int) -> tuple[int, int, int]:
    """The row group that holds a row, its first row and its end."""
    from pyarrow import parquet

    first = 0
    with path.open("rb") as opened, parquet.ParquetFile(opened) as file:
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            if row < end:
                return group, first, end
            first = end
    raise UnreadableImage("the table ends before this row")


def _batches(path: Path, column: str, group: int) -> Iterator[list[Any]]:
    from pyarrow import parquet

    with path.open("rb") as opened, parquet.ParquetFile(opened, buffer_size=2**20) as file:
        for batch in file.iter_batches(_BATCH, row_groups=[group], columns=[column]):
            cells = batch.column(0).to_pylist()
            _check_size(path, sum(map(_size, cells)))
            yield cells


@dataclass(frozen=True)
class Columns:
    """What is read of a Parquet table before its images are.

    Attributes
    ----------
    cells : dict of str to list, or None
        The columns with a wanted name; None stands for one of images, which `ImageReader` reads. Where there are none,
        the names of all columns.
    rows : int
    class_names : dict of str to tuple of str
        Of the columns that the Hugging Face hub declares to be a ClassLabel.
    """

    cells: dict[str, list[Any] | None]
    rows: int
    class_names: dict[str, tuple[str, ...]]


def read_columns(path: Path, wanted: Collection[str]) -> Columns:
    """Read the columns of a Parquet table whose names in lower case are `wanted`.

    Raises
    ------
    DataError
        It is damaged, or claims more than such a file can hold.
    """
    from pyarrow import parquet

    name, size = shown(path.name), path.stat().st_size
    try:
        with path.open("rb") as opened, parquet.ParquetFile(opened) as file:
            held = file.metadata
            groups = [held.row_group(index) for index in range(held.num_row_groups)]
            unpacked = sum(group.total_byte_size for group in groups)
            if held.num_rows > MOST_ROWS or unpacked > max(2**24, 200 * size):
                raise DataError(f"{name} claims {held.num_rows} rows and {unpacked} bytes in {size}: refused as a bomb")
            schema = file.schema_arrow
            found = [key for key in schema.names if key.strip().lower() in wanted]
            if len(set(found)) < len(found):
                raise DataError(f"{name} has two columns of one name ({listed(found, 8)}): rename one")
            texts = [key for key in found if not _holds_images(schema.field(key).type)]
            cells: dict[str, list[Any]] = {key: [] for key in texts}
            held_bytes = 0
            for batch in file.iter_batches(batch_size=_BATCH, columns=texts) if texts else ():
                for key in texts:
                    more = batch.column(key).to_pylist()
                    held_bytes += sum(map(_size, more))
                    cells[key] += more
                _check_size(path, held_bytes)
            columns = {key: cells.get(key) for key in found or schema.names}
            return Columns(columns, held.num_rows, _class_names(schema.metadata))
    except DataError:
        raise
    except Exception as error:  # pyarrow, thrift and the codecs each raise their own on damage
        raise DataError(f"{name} is no intact Parquet file ({one_line(error)}): save it again") from error


def _holds_images(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_struct(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Names of the classes, by column, from what the Hugging Face hub writes into the schema."""
    try:
        features = parse_json((metadata or {})[b"huggingface"].decode())["info"]["features"]
        named = {key: feature["names"] for key, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        key: tuple(names)
        for key, names in named.items()
        if isinstance(names, list) and all(isinstance(one, str) for one in names) and len(set(names)) == len(names)
    }


def _check_size(path: Path, unpacked: int) -> None:
    size = path.stat().st_size
    if unpacked > max(2**28, 20 * size):
        raise DataError(f"{shown(path.name)} unpacks {size} bytes to more than {unpacked}: refused as a bomb")


def _size(cell: Any) -> int:
    """Bytes of a cell, roughly: a dictionary of Parquet repeats one value in many cells."""
    if isinstance(cell, dict):
        return sum(map(_size, cell.values()))
    return len(cell) if isinstance(cell, str | bytes) else 8 * len(cell) if isinstance(cell, list) else 8

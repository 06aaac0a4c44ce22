"""Reading files of strangers: regular ones only, of bounded size, and JSON that means one thing."""

from __future__ import annotations

import io
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import RunFolderError
from .files import shown

if TYPE_CHECKING:
    import pandas as pd

MOST_TABLE_BYTES = 16 << 20
_MOST_HEADER_BYTES = 4096

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; a link is not followed, and a pipe is not waited for.

    Raises
    ------
    FileNotFoundError
    RunFolderError
        It is no regular file, or cannot be read.
    """
    name = shown(path)
    try:
        if path.is_symlink():
            raise RunFolderError(f"{name} is a link, expected a regular file: copy the file itself")
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunFolderError(f"{name} is no regular file")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, most: int) -> bytes:
    """Content of a regular file, see `open_regular`.

    Parameters
    ----------
    path : Path
    most : int
        Largest size in bytes.

    Raises
    ------
    FileNotFoundError
    RunFolderError
        It is no regular file, is too large, or cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise RunFolderError(f"{shown(path)} has {size} bytes, expected at most {most}")
        return file.read()


Columns = Mapping[str, type[int] | type[float] | type[str]]


def read_csv(path: Path, columns: Columns, optional: Columns | None = None) -> pd.DataFrame:
    """The columns of a table from a regular file, see `open_regular`; others are left out.

    Parameters
    ----------
    path : Path
    columns : mapping of str to type
        Those that the file must have: `int` and `str` are never missing, a `float` may be.
    optional : mapping of str to type, optional
        Those that it may have.

    Raises
    ------
    FileNotFoundError
    RunFolderError
        It is no regular file, is too large, lacks a column or has values of another kind.
    """
    import pandas as pd

    content, name = read_bytes(path, MOST_TABLE_BYTES), shown(path)
    header = content.partition(b"\n")[0][:_MOST_HEADER_BYTES].decode("utf-8", "replace").strip().split(",")
    absent = [column for column in columns if header.count(column) != 1]
    if absent:
        raise RunFolderError(f"{name} has no column {', '.join(absent)}: expected {', '.join(columns)}")
    wanted = {**columns, **{column: kind for column, kind in (optional or {}).items() if column in header}}
    kinds = {column: "str" if kind is str else kind for column, kind in wanted.items()}
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype=kinds, usecols=list(wanted), index_col=False)
    except (ValueError, OverflowError, MemoryError) as error:
        raise RunFolderError(f"{name} is damaged: {shown(str(error).splitlines()[0])}") from None
    empty = [column for column, kind in columns.items() if kind is not float and frame[column].isna().any()]
    if empty:
        raise RunFolderError(f"{name} is damaged: values are missing in the column {', '.join(empty)}")
    return frame[list(wanted)]


def check_json(content: bytes) -> None:
    """Refuse JSON whose meaning depends on the reader.

    Raises
    ------
    ValueError
        It is no JSON, is nested too deeply, names a key twice, or holds NaN or a number beyond a double's range.
    """
    try:
        json.loads(content, object_pairs_hook=_distinct, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def fault_of(error: ValueError) -> str:
    """What is wrong with JSON, to follow "is corrupt": `": it is nested too deeply"`, `" at claims.0: Field required"`.

    Parameters
    ----------
    error : ValueError
        Of `check_json`, or pydantic's where the content does not fit its schema.
    """
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return f": {shown(str(error))}"
    first = error.errors(include_url=False)[0]
    where = shown(".".join(map(str, first["loc"])), 80) or "the file"
    return f" at {where}: {shown(first['msg'])}"


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"it has the key {shown(key, 80)} twice")
        content[key] = value
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{shown(text, 40)} is no finite number")
    return number

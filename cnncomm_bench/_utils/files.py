"""Small things that every opener of other people's files needs: printable names, checksums, the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import platformdirs

from .errors import UsageError


def printable(text: str) -> str:
    r"""Escape what a terminal would act on: control characters, marks that turn text around, bytes that are no text.

    Parameters
    ----------
    text : str
        Of any origin; line breaks are kept.

    Examples
    --------
    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def shown(name: str | os.PathLike[str], limit: int = 200) -> str:
    r"""Write a file's name so that it stays on one line of any terminal.

    Parameters
    ----------
    name : str or path
        What the file system calls it; newlines, escape sequences and bytes that are no text come out escaped.
    limit : int
        Most characters of the result; the middle of a longer name is left out.

    Returns
    -------
    str
        The printable name.

    Examples
    --------
    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    safe = printable(os.fspath(name)).replace("\n", "\\n")
    return safe if len(safe) <= limit else f"{safe[: limit // 2]}...{safe[-limit // 2 :]}"


def one_line(error: BaseException, limit: int = 200) -> str:
    """Reduce an exception to its type and the first line of its message, for the middle of a message of ours.

    Parameters
    ----------
    error : BaseException
        What some library raised.
    limit : int
        Most characters of the result.
    """
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return shown(f"{type(error).__name__}: {first}" if first else type(error).__name__, limit)


def kind_of(path: Path) -> str:
    """Name what a path is, without following it: "file", "folder", "link", "pipe", "device" or "socket".

    Returns
    -------
    str
        Empty where there is nothing.

    Raises
    ------
    OSError
        The file system does not say.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe"}
    return kinds.get(stat.S_IFMT(mode), "socket" if stat.S_ISSOCK(mode) else "device")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a regular file in hexadecimal, without reading it into memory."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Return the folder of downloads and resized images; it need not exist.

    Returns
    -------
    Path
        ``$CNNCOMM_BENCH_CACHE`` where that is set, else the user's cache folder of this system
        (``~/.cache/cnncomm-bench`` on Linux).
    """
    set_to = os.environ.get("CNNCOMM_BENCH_CACHE")
    return expanded(set_to) if set_to else platformdirs.user_cache_path("cnncomm-bench", appauthor=False)


def expanded(name: str) -> Path:
    """Path of a name that may start with ``~``; of a user that does not exist it stays as it is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def path_of(typed: str | os.PathLike[str], argument: str) -> Path:
    """Expand a path as the user typed it; it need not exist.

    Parameters
    ----------
    typed : str or path
        As ``~/photos``.
    argument : str
        Parameter that it was passed as, for messages.

    Raises
    ------
    UsageError
        The system cannot look it up: the name is too long, a folder on the way is not readable, ...
    """
    try:
        path = expanded(os.fspath(typed))
        os.fsencode(path)
        path.exists()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or one_line(error)
        raise UsageError(f"{shown(typed)} cannot be opened ({reason}): pass another path", argument) from error
    return path


def parse_json(text: str) -> Any:
    """Parse JSON in which no object has a key twice; raise ValueError where one has, or RecursionError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"{shown(next(key for key in keys if keys.count(key) > 1), 80)} is there twice")
        return found

    return json.loads(text, object_pairs_hook=unique)


def listed(names: list[str], limit: int = 3) -> str:
    """Join names for a message, saying how many were left out.

    Parameters
    ----------
    names : list of str
        Names, any number of them.
    limit : int
        How many to write out.

    Returns
    -------
    str
        ``"a, b, c and 9 more"``.
    """
    rest = len(names) - limit
    joined = ", ".join(shown(name, 80) for name in names[:limit])
    return f"{joined} and {rest} more" if rest > 0 else joined

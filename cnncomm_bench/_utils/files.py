"""Small things every opener of other people's files needs: safe names, checksums, the cache folder."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import platformdirs

from .errors import UsageError


def shown(name: str | os.PathLike[str], limit: int = 200) -> str:
    r"""Write a file's name so that it stays on one line of any terminal.

    A name may hold newlines, escape sequences or bytes that are no text; they come out escaped.

    Parameters
    ----------
    name : str or path
        What the file system calls it.
    limit : int
        Longest result; the middle of a longer name is left out.

    Returns
    -------
    str
        The printable name.

    Examples
    --------
    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    text = os.fspath(name).encode("utf-8", "backslashreplace").decode("utf-8")
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit // 2]}...{safe[-limit // 2 :]}"


def one_line(error: BaseException, limit: int = 200) -> str:
    """Reduce an exception to its type and the first line of its message.

    Parameters
    ----------
    error : BaseException
        What some library raised.
    limit : int
        Longest result.

    Returns
    -------
    str
        For the middle of a message of ours.
    """
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return shown(f"{type(error).__name__}: {first}" if first else type(error).__name__, limit)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hash a file without reading it into memory.

    Parameters
    ----------
    path : path
        A regular file.

    Returns
    -------
    str
        The SHA-256 in hexadecimal.
    """
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
    return Path(set_to).expanduser() if set_to else platformdirs.user_cache_path("cnncomm-bench", appauthor=False)


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
        path = Path(typed).expanduser()
        os.fsencode(path)
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
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

"""Files written whole or not at all, and never through a link."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .errors import RunFolderError
from .files import kind_of, shown

_LEFTOVER = re.compile(r"\.partial-[0-9a-f]{16}(\.\w+)?")
_HOUR = 3600.0
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; see `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, sync and rename it: at any moment `path` is absent, the old file or the new.

    Parameters
    ----------
    path : Path
    write : callable
        Writes the content to the path it is given: an empty file, whose name nobody can have foreseen.

    Raises
    ------
    RunFolderError
        The disk is full, or the folder cannot be written; or `path` is a link, a folder, a pipe or a device.
    """
    temporary = path.with_name(f".partial-{secrets.token_hex(8)}{path.suffix}")
    try:
        refuse_unless_file(path)
        os.close(os.open(temporary, _NEW, 0o666))
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (Exception, KeyboardInterrupt) as error:
        with suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise RunFolderError(
            f"{shown(path)} cannot be written: {error.strerror or error}; what is stored so far is kept, "
            "rerun the same command to resume"
        ) from error


def make_folder(folder: Path) -> Path:
    """Make a folder for results where there is none, and check one that exists; before hours of work, not after them.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    RunFolderError
        It cannot be made or is a file; or it holds a link, a pipe or a device.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder, older_than=_HOUR)  # a younger one may be of a process that still runs
    except OSError as error:
        raise RunFolderError(
            f"{shown(folder)} cannot be made or read: {error.strerror or error}; pass another folder", "out"
        ) from error
    return folder


def make_subfolder(folder: Path) -> Path:
    """As `make_folder`, inside a folder that may be a stranger's: a link to elsewhere is refused.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    RunFolderError
    """
    if kind_of(folder) not in ("", "folder"):
        raise RunFolderError(f"{shown(folder)} is a {kind_of(folder)}, expected a folder: remove it")
    return make_folder(folder)


def is_leftover(path: Path) -> bool:
    """Whether a file was being written when its process was killed."""
    return _LEFTOVER.fullmatch(path.name) is not None and kind_of(path) == "file"


def remove_leftovers(folder: Path, older_than: float = 0.0) -> None:
    """Remove what killed processes left in a folder of results, after checking the folder.

    Parameters
    ----------
    folder : Path
    older_than : float, seconds

    Raises
    ------
    RunFolderError
        See `refuse_irregular`.
    """
    refuse_irregular(folder)
    for path in filter(is_leftover, folder.iterdir() if folder.is_dir() else ()):
        if time.time() - path.stat().st_mtime >= older_than:
            path.unlink(missing_ok=True)


def refuse_unless_file(path: Path) -> None:
    """Refuse to write or to read where there is anything but a regular file.

    Parameters
    ----------
    path : Path
        A file that exists or not.

    Raises
    ------
    RunFolderError
        It is a link, a folder, a pipe or a device.
    """
    if kind_of(path) not in ("", "file"):
        raise RunFolderError(f"{shown(path)} is a {kind_of(path)}, expected a regular file: remove it")


def refuse_irregular(folder: Path) -> None:
    """Refuse a folder of results, maybe a stranger's, that holds anything but files and folders.

    Parameters
    ----------
    folder : Path
        Where there is none, nothing is refused.

    Raises
    ------
    RunFolderError
        It holds a link, a pipe or a device, which is named; or it cannot be read.
    """
    try:
        for path in folder.iterdir() if folder.is_dir() else ():
            if kind_of(path) != "folder":
                refuse_unless_file(path)
    except OSError as error:
        raise RunFolderError(f"{shown(folder)} cannot be read: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is durable enough
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

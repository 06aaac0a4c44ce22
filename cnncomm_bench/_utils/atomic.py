"""Files written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .errors import RunFolderError

_PARTIAL = ".partial"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, sync and rename it: at any moment `path` is absent, the old file or the new.

    Parameters
    ----------
    path : Path
    write : callable
        Writes the content to the path it is given.

    Raises
    ------
    RunFolderError
        The disk is full, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}{_PARTIAL}{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunFolderError(
            f"{path} cannot be written: {error.strerror or error}; what is stored so far is kept, "
            "the same command goes on from there"
        ) from error


def make_folder(folder: Path) -> Path:
    """Make a folder for results where there is none; better before hours of work than after them.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        The same.

    Raises
    ------
    RunFolderError
        It cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be made: {error.strerror or error}; name another with --out") from error
    return folder


def is_leftover(path: Path) -> bool:
    """Tell whether a file was being written when its process was killed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
    """
    return path.name.startswith(".") and _PARTIAL in path.suffixes


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is durable enough
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

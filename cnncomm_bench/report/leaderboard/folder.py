"""Leaderboards: a folder of entries, and the tables rendered from them.

`<folder>/<dataset>/<model>.json` holds one entry each; `README.md` and `index.html` are rendered from all of them and
from nothing else, so that anyone can check whether a table matches its entries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..._utils.atomic import make_subfolder, refuse_unless_file, write_text
from ..._utils.errors import RunFolderError
from ..._utils.files import shown
from ...results import Run
from . import entry as leaderboard_entry
from .entry import Entry
from .faults import faults as faults_of
from .from_run import entries_of
from .ranking import Board, boards
from .tables import Links, html, markdown

_PAGES: dict[str, Callable[[list[Board], Links], str]] = {"README.md": markdown, "index.html": html}


def add(run: str | Path, folder: Path) -> list[Path]:
    """Add a run to a folder of leaderboards, one entry for each of its models.

    An earlier entry of the same model on the same board is replaced; another model of that name is kept beside it.

    Parameters
    ----------
    run : str or Path
        A run's folder.
    folder : Path
        The leaderboards.

    Returns
    -------
    list of Path
        The entries written.

    Raises
    ------
    BenchError
        The run cannot be opened or cannot be in a leaderboard; or the folder cannot be written.
    """
    written = []
    for entry in entries_of(Run.open(run)):
        path = _place(entry, folder)
        make_subfolder(path.parent)
        write_text(path, leaderboard_entry.text(entry))
        written.append(path)
    return written


def render(folder: Path) -> list[Path]:
    """Render the tables of a folder of leaderboards.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    RunFolderError
        No entries, or a corrupt one: where is named.
    """
    pages = _pages(entries(folder), folder)
    for name, text in pages.items():
        write_text(folder / name, text)
    return [folder / name for name in pages]


def check(folder: Path) -> list[str]:
    """Report what does not match: tables and their entries, entries and their own cells.

    Returns
    -------
    list of str
        Empty where everything matches.

    Raises
    ------
    RunFolderError
        No entries, or a corrupt one: where is named.
    """
    found = entries(folder)
    faults = [f"{shown(path)}: {fault}" for path, entry in found.items() for fault in faults_of(entry)]
    by_identity: dict[str, Path] = {}
    for path, entry in found.items():
        earlier = by_identity.setdefault(entry.identity, path)
        if earlier != path:
            faults.append(f"{shown(path)} and {shown(earlier)} are of the same model, images and suite: remove one")
    for name, text in _pages(found, folder).items():
        path = folder / name
        refuse_unless_file(path)
        try:
            present = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            present = ""
        if present != text:
            faults.append(f"{shown(path)} does not match its entries: cnncomm-bench leaderboard render")
    return faults


def entries(folder: Path) -> dict[Path, Entry]:
    """All entries of a folder of leaderboards.

    Returns
    -------
    dict
        Path to entry, in the order of the paths.

    Raises
    ------
    RunFolderError
        There are none, or one is corrupt: where is named.
    """
    found = {path: leaderboard_entry.read(path) for path in sorted(folder.glob("*/*.json"))}
    if not found:
        raise RunFolderError(f"{shown(folder)} holds no entries: add a run with cnncomm-bench leaderboard add RUN")
    return found


def _pages(found: dict[Path, Entry], folder: Path) -> dict[str, str]:
    links = {entry.identity: path.relative_to(folder).as_posix() for path, entry in found.items()}
    content = boards(list(found.values()))
    return {name: page(content, links) for name, page in _PAGES.items()}


def _place(entry: Entry, folder: Path) -> Path:
    """Where an entry belongs: beside others of the same name, in place of an earlier one of its own."""
    parent = folder / _slug(entry.data.name)
    plain = parent / f"{_slug(entry.model.name)}.json"
    if not plain.exists() or leaderboard_entry.read(plain).identity == entry.identity:
        return plain
    return plain.with_name(f"{plain.stem}-{entry.identity[:8]}.json")


def _slug(name: str) -> str:
    """A name as part of a path: no separators, nothing hidden, nothing a shell would expand."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "+-_.") else "-" for c in name.removeprefix("bundled:"))
    return kept.strip(".-")[:80] or "unnamed"

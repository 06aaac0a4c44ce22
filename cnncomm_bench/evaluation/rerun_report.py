"""What verifying an entry found, in lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._utils.files import shown
from ..report.leaderboard import entry as leaderboard_entry


def verify_file(path: Path, **options: Any) -> tuple[list[str], bool]:
    """Run a share of an entry's cells again, see `leaderboard_verify.verify`.

    Parameters
    ----------
    path : Path
        The entry.
    **options
        As for `verify`.

    Returns
    -------
    lines : list of str
        What to tell.
    accepted : bool

    Raises
    ------
    BenchError
        The entry, the model or the images cannot be opened.
    """
    from .rerun import verify  # models and data sets are opened by nothing else here

    found = verify(leaderboard_entry.read(path), **options)
    name = shown(path)
    if found.faults:
        return [f"{name} is refused", *(f"  {fault}" for fault in found.faults)], False
    return [
        f"{name} is accepted: {found.cells} of {found.of} cells run again, {found.differing} of {found.predictions} "
        "predictions' worth of right answers differ"
    ], True

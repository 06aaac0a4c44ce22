"""What verifying an entry found, in lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._utils.files import shown
from ..report.leaderboard import entry as leaderboard_entry


def verify_file(path: Path, **options: Any) -> tuple[list[str], bool]:
    """Verify the entry in a file.

    Parameters
    ----------
    path : Path
    **options
        As for `rerun.verify`.

    Returns
    -------
    lines : list of str
        The report.
    accepted : bool

    Raises
    ------
    BenchError
        The entry, the model or the images cannot be opened.
    """
    from .rerun import verify  # models and data sets are opened by nothing else here

    entry = leaderboard_entry.read(path)
    found = verify(entry, **options)
    name = shown(path)
    if found.faults:
        return [f"{name} is refused", *(f"  {fault}" for fault in found.faults)], False
    numbers = "every number" if entry.recomputable else "accuracies and scores alone (an entry of schema version 1)"
    return [
        f"{name} is accepted: {found.cells} of {found.of} cells rerun, {found.differing} of {found.predictions} "
        f"predictions differ; {numbers} recomputed from all cells; command, versions, device and warnings are as stated"
    ], True

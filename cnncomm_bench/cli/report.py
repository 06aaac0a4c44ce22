"""The command `report`: rewrite a stored run's tables, pictures and report."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH
from .screen import show


@click.command()
@click.argument("folder", type=PATH)
def report(folder: Path) -> None:
    """Rescore a stored run and redraw its curves, without the model."""
    from ..report import write_outputs
    from ..results import Run
    from . import tables

    stored = Run.open(folder)
    write_outputs(stored, folder)
    show(tables.after(stored, folder))

"""The command `compare`: put stored runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH
from .screen import show


@click.command()
@click.argument("folders", nargs=-1, required=True, type=PATH, metavar="RUN RUN ...")
@click.option("--out", type=PATH, default=Path("runs/comparison"), show_default=True, metavar="FOLDER",
              help="Where the comparison is written.")  # fmt: skip
def compare(folders: tuple[Path, ...], out: Path) -> None:
    """Compare the models of stored runs on the same images."""
    from ..report import comparison
    from . import tables

    show(tables.after(comparison.compare(folders, out), out))

"""The command `report`: rewrite a stored run's tables, pictures and report."""

from __future__ import annotations

from pathlib import Path

import click

from .._utils.files import shown
from .options import PATH
from .screen import show


@click.command()
@click.argument("folder", type=PATH)
@click.option("--format", "kind", type=click.Choice(["html", "latex"]), default="html", show_default=True,
              help="latex: tables.tex with booktabs and curves.pdf, for a paper.")  # fmt: skip
def report(folder: Path, kind: str) -> None:
    """Rescore a stored run and redraw its curves, without the model."""
    from ..report import latex, write_outputs
    from ..results import Run
    from . import tables

    stored = Run.open(folder)
    if kind == "latex":
        show("\n".join(f"{path.stem}: {shown(path, 1000)}" for path in latex.write(stored, folder)))
        return
    write_outputs(stored, folder)
    show(tables.after(stored, folder))

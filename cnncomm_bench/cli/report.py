"""The command `report`: write a stored run's tables, pictures and report again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Score a stored run again and draw its curves, without the model."""
    from ..report import write_outputs
    from ..results import Run
    from . import tables as summary

    stored = Run.open(folder)
    write_outputs(stored, folder)
    click.echo(summary.after(stored, folder))

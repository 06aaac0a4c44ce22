"""The command `compare`: put stored runs side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN ...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/comparison"), metavar="FOLDER")
def compare(folders: tuple[Path, ...], out: Path) -> None:
    """Compare the models of stored runs on the same images."""
    from ..report import comparison as compare
    from . import tables as summary

    click.echo(summary.after(compare.compare(folders, out), out))

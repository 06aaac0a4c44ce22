"""The command `correspond`: a stored run beside a stored link, and whatever else was measured."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from .options import PATH
from .screen import show


@click.command()
@click.argument("run", type=PATH)
@click.argument("folders", nargs=-1, type=PATH, required=True, metavar="FOLDER ...")
@click.option("--out", type=PATH, default=Path("runs/correspondence"), show_default=True, metavar="FOLDER",
              help="Where the tables and the figure are written.")  # fmt: skip
def correspond(run: Path, folders: tuple[Path, ...], out: Path) -> None:
    """Go through the pairs of the paper's Fig. 2, with the evidence of a RUN and of each FOLDER beside it.

    A FOLDER is one of link, section5, special, bandwidth, transmission, or of another run, in any order. The curves of
    RUN are compared with those of the first link that has several alphas.
    """
    from ..experiments.correspondence import as_text
    from ..experiments.correspondence import correspond as measure

    result = measure(run, folders, out)
    show(as_text(result, shutil.get_terminal_size().columns))
    figure = ", correspondence.png, correspondence.svg" if result.likenesses else ""
    show(f"\nwritten: {out / 'correspondence.md'}, correspondence.json, correspondence.csv{figure}")

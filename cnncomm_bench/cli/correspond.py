"""The command `correspond`: a stored run beside a stored link."""

from __future__ import annotations

from pathlib import Path

import click

from .options import PATH
from .screen import show


@click.command()
@click.argument("run", type=PATH)
@click.argument("link", type=PATH)
@click.argument("others", nargs=-1, type=PATH, metavar="[LINK ...]")
@click.option("--out", type=PATH, default=Path("runs/correspondence"), show_default=True, metavar="FOLDER",
              help="Where the tables and the figure are written.")  # fmt: skip
def correspond(run: Path, link: Path, others: tuple[Path, ...], out: Path) -> None:
    """Measure how alike a CNN's accuracy drop (RUN) and a link's bit error rate (LINK) are.

    More links, with jammers or bursts, add their results to the table of modules.
    """
    from ..experiments.correspondence import pairing

    show(pairing.as_markdown(pairing.correspond(run, link, out, others)))
    show(f"written: {out / 'correspondence.md'}, correspondence.json, correspondence.png, correspondence.svg")

"""The command `correspond`: a stored run beside a stored link."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("link", type=click.Path(path_type=Path))
@click.argument("others", nargs=-1, type=click.Path(path_type=Path), metavar="[LINK ...]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/correspondence"), show_default=True,
              metavar="FOLDER", help="Where tables and figure go.")  # fmt: skip
def correspond(run: Path, link: Path, others: tuple[Path, ...], out: Path) -> None:
    """Measure how alike a CNN's accuracy drop (RUN) and a link's bit error rate (LINK) are.

    More links, with jammers or bursts, add to the table of modules.
    """
    from ..experiments.correspondence import pairing as correspond

    click.echo(correspond.as_markdown(correspond.correspond(run, link, out, others)))
    click.echo(f"written: {out / 'correspondence.md'}, correspondence.json, correspondence.png, correspondence.svg")

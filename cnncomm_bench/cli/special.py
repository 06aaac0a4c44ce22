"""The command `special`: the paper's "special" CNN beside the link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .link import _LIST, _split


@click.command()
@click.option("--alpha", "alphas", **_LIST, help="Of the noise, a network trained for each. Default: 2,1.")
@click.option("--snr", "snr_db", metavar="GRID", default="0:20:2.5", show_default=True, help="dB.")
@click.option("--ruler", default="dispersion", show_default=True, metavar="NAME", help="dispersion or geometric.")
@click.option("--steps", type=int, default=1500, show_default=True, metavar="N", help="Of the training.")
@click.option("--max-bits", type=int, default=400_000, show_default=True, metavar="N", help="Where a point ends.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of everything.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/special"), show_default=True,
              metavar="FOLDER", help="Where the table and the figure go.")  # fmt: skip
def special(alphas: tuple[str, ...], **options: Any) -> None:
    """Train the paper's special CNN, from labels to labels over the channel, and set it beside the link."""
    from ..experiments.special import comparison as special

    table = special.compare(_split(alphas) or (2.0, 1.0), **options)
    click.echo(special.as_text(table))
    click.echo(f"written: {options['out'] / 'special.csv'}, special.png, special.svg")

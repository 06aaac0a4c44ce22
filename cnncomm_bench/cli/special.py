"""The command `special`: the paper's "special" CNN beside the link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import LIST, PATH, SEED, split
from .screen import show


@click.command()
@click.option("--alpha", "alphas", **LIST, help="Of the noise, a network trained for each. Default: 2,1.")
@click.option("--snr", "snr_db", metavar="GRID", default="0:20:2.5", show_default=True, help="dB.")
@click.option("--ruler", default="dispersion", show_default=True, metavar="NAME", help="dispersion or geometric.")
@click.option(
    "--steps", type=click.IntRange(1, 10**7), default=1500, show_default=True, metavar="N", help="Of the training."
)
@click.option(
    "--max-bits",
    type=click.IntRange(min=1),
    default=400_000,
    show_default=True,
    metavar="N",
    help="Most bits of a point.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Of everything.")
@click.option("--out", type=PATH, default=Path("runs/special"), show_default=True,
              metavar="FOLDER", help="Where the table and the figure are written.")  # fmt: skip
def special(alphas: tuple[str, ...], **options: Any) -> None:
    """Train the paper's special CNN, from labels to labels over the channel, and set it beside the link."""
    from ..experiments.special import comparison

    table = comparison.compare(split(alphas) or (2.0, 1.0), **options)
    show(comparison.as_text(table))
    show(f"written: {options['out'] / 'special.csv'}, special.png, special.svg")

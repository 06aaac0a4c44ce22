"""The command `special`: the paper's "special" CNN beside the link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import LIST, PATH, SEED, split
from .screen import show


@click.command()
@click.option("--size", type=click.IntRange(4, 64), default=4, show_default=True, metavar="N", help="Side of the "
              "images: 4 sends 8 bits in 4 x 4 samples; multiples of 4 from 8 send ten labels.")  # fmt: skip
@click.option("--alpha", "alphas", **LIST, help="Of the noise. Size 4 trains a network for each, above it for 2 "
              "and 1. Default: 2,1, above size 4 2,1.5,1,0.5.")  # fmt: skip
@click.option("--snr", "snr_db", metavar="GRID", help="dB. Default: 0:20:2.5, above size 4 -30:15:2.5.")
@click.option("--ruler", "rulers", **LIST, help="dispersion, geometric; above size 4 also realised. "
              "Default: dispersion, above size 4 all.")  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(1, 10**7), metavar="N", help="Of each training. Default: 1500, above size 4 600."
)
@click.option("--max-bits", type=click.IntRange(min=1), metavar="N", help="Most bits of a point, above size 4 "
              "most labels. Default: 400,000 and 2,000.")  # fmt: skip
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Of everything.")
@click.option("--out", type=PATH, default=Path("runs/special"), show_default=True,
              metavar="FOLDER", help="Where the table and the figure are written.")  # fmt: skip
def special(size: int, alphas: tuple[str, ...], rulers: tuple[str, ...], max_bits: int | None, **options: Any) -> None:
    """Train the paper's special CNN, from labels to labels over the channel, and set it beside the link."""
    from ..experiments.special import SIDE, comparison, image_comparison

    chosen = {"alphas": split(alphas), "rulers": split(rulers), **options}
    given = {name: value for name, value in chosen.items() if value is not None}
    if size == SIDE:
        given |= {} if max_bits is None else {"max_bits": max_bits}
        show(comparison.as_text(comparison.compare(**given)))
        show(f"written: {options['out'] / 'special.csv'}, special.png, special.svg")
        return
    given |= {} if max_bits is None else {"max_labels": max_bits}
    show(image_comparison.as_text(*image_comparison.compare(size=size, **given)))
    show(f"written: {options['out'] / 'special-images.csv'}, special-images-order.csv, special-images.png, .svg")

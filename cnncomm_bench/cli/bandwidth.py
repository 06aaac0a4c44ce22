"""The command `bandwidth`: thresholds at several image sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import LIST, PATH, split
from .screen import show


@click.command()
@click.option("--model", default="bundled:standard", show_default=True, metavar="PATH|NAME", help="As for a run.")
@click.option("--arch", metavar="SPEC", help="As for a run.")
@click.option("--data", metavar="PATH|NAME", help="As for a run.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Use N images, balanced over the classes.")
@click.option("--side", "sides", **LIST, help="Sides of the images in pixels. Default: 28,20,14,10,7.")
@click.option("--attack", default="gaussian", show_default=True, metavar="SPEC", help="A noise.")
@click.option("--snr", metavar="GRID", default="-10:40:5", show_default=True, help="dB.")
@click.option("--out", type=PATH, default=Path("runs/bandwidth"), show_default=True, metavar="FOLDER",
              help="Where the tables and the figure are written.")  # fmt: skip
def bandwidth(sides: tuple[str, ...], **options: Any) -> None:
    """Score one model at a ladder of input resolutions: the W of C = W log2(1 + S/N)."""
    from ..experiments import bandwidth

    table = bandwidth.ladder(sides=bandwidth.parse_sides(split(sides)), **options)
    show(bandwidth.as_text(table))
    show(f"written: {options['out'] / 'bandwidth.csv'}, bandwidth_curves.csv, bandwidth.png, bandwidth.svg")

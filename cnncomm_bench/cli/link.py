"""The command `link`: simulate a communication link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import LIST, PATH, SEED, split
from .screen import show
from .typed import typed


@click.command()
@click.option(
    "--alpha", "alphas", **LIST, help="Characteristic exponents of the alpha-stable noise. Default: 2,1.5,1,0.5."
)
@click.option("--snr", "snr_db", metavar="GRID", help="FIRST:LAST:STEP or a list, dB. Default: -10:50:5.")
@click.option("--modulation", "modulations", **LIST, help="bpsk, qpsk, 16qam. Default: bpsk.")
@click.option("--code", "codes", **LIST, help="none, conv, ldpc; codes need the extra comms. "
              "Default: none,conv.")  # fmt: skip
@click.option("--ruler", "rulers", **LIST, help="dispersion, geometric, realised. Default: all.")
@click.option("--frame", "frames", **LIST, help="Information bits of a frame. Default: 512.")
@click.option("--receiver", "receivers", **LIST, help="gaussian, clipping, cauchy. Default: gaussian,cauchy.")
@click.option("--jammer", "jammers", **LIST, help="white, tone, tone:offset=0.5 (in symbol rates beside the carrier).")
@click.option("--burst", "bursts", **LIST, help="Impulses of the same energy in a window of so many samples.")
@click.option("--interleaver", "interleavers", **LIST, help="none, block. Default: none.")
@click.option(
    "--max-bits", type=click.IntRange(min=1), metavar="N", help="Most bits of a point. Default: 10^7, coded 200,000."
)
@click.option("--min-errors", type=click.IntRange(min=1), metavar="N", help="Errors that end a point; of frames "
              "where bits depend on each other. Default: 1,000, coded 100.")  # fmt: skip
@click.option("--seed", type=SEED, metavar="N", help="Of data and noise.")
@click.option(
    "--full",
    is_flag=True,
    help="Steps of 2.5 dB, LDPC as well, and up to 10^6 coded bits a point (500,000 of information).",
)
@click.option("--out", type=PATH, default=Path("runs/link"), show_default=True, metavar="FOLDER",
              help="Where the results are written. The same command resumes an interrupted one.")  # fmt: skip
def link(out: Path, full: bool, **options: Any) -> None:
    """Simulate a communication link: bit error rate against SNR under the same noise.

    A LIST is separated by commas, or the option is given several times.
    """
    from ..experiments.link import after, simulation

    chosen = {name: split(value) if isinstance(value, tuple) else value for name, value in options.items()}
    given = {name: value for name, value in chosen.items() if value is not None}
    if "jammers" in given or "bursts" in given:  # instead of alpha-stable noise, or beside it where that is named
        given = {"alphas": (), "rulers": ("realised",), **given}
    settings = simulation.Settings.of(**{**(simulation.FULL if full else {}), **given})
    table = simulation.simulate(settings, out, command=typed())
    show(after(table, out))

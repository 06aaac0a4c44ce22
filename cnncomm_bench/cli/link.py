"""The command line of the communication link: parse, call, print; nothing else."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

_LIST: dict[str, Any] = {"multiple": True, "metavar": "LIST"}


@click.command()
@click.option("--alpha", "alphas", **_LIST, help="Of the alpha-stable noise. Default: 2,1.5,1,0.5.")
@click.option("--snr", "snr_db", metavar="GRID", help="FIRST:LAST:STEP or a list, dB. Default: -10:50:5.")
@click.option("--modulation", "modulations", **_LIST, help="bpsk, qpsk, 16qam. Default: bpsk.")
@click.option("--code", "codes", **_LIST, help="none, conv, ldpc; the last two need the extra comms. "
              "Default: none,conv.")  # fmt: skip
@click.option("--ruler", "rulers", **_LIST, help="dispersion, geometric, realised. Default: all.")
@click.option("--frame", "frames", **_LIST, help="Information bits of a frame. Default: 512.")
@click.option("--receiver", "receivers", **_LIST, help="gaussian, clipping, cauchy. Default: gaussian,cauchy.")
@click.option("--jammer", "jammers", **_LIST, help="white, tone, tone:offset=0.5 (in symbol rates beside the carrier).")
@click.option("--burst", "bursts", **_LIST, help="Impulses of the same energy in a window of so many samples.")
@click.option("--interleaver", "interleavers", **_LIST, help="none, block. Default: none.")
@click.option(
    "--max-bits", type=int, metavar="N", help="Where a point ends without enough errors. Default: 10^7, coded 200,000."
)
@click.option("--min-errors", type=int, metavar="N", help="Errors a point waits for: frames where bits depend on each "
              "other. Default: 1,000, coded 100.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of data and noise.")
@click.option(
    "--full",
    is_flag=True,
    help="Steps of 2.5 dB, LDPC as well, and up to 10^6 coded bits a point (500,000 of information).",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/link"), show_default=True, metavar="FOLDER",
              help="Where it goes. The same command resumes one that was cut off.")  # fmt: skip
def link(out: Path, full: bool, **options: Any) -> None:
    """Simulate a communication link: bit error rate against SNR under the same noise.

    A LIST is separated by commas, or the option is given several times.
    """
    from ..experiments.link import after
    from ..experiments.link import simulation as link

    chosen = {name: _split(value) if isinstance(value, tuple) else value for name, value in options.items()}
    given = {name: value for name, value in chosen.items() if value is not None}
    if "jammers" in given or "bursts" in given:  # instead of alpha-stable noise, or beside it where that is named
        given = {"alphas": (), "rulers": ("realised",), **given}
    settings = link.Settings.of(**{**(link.FULL if full else {}), **given})
    table = link.simulate(settings, out, command=shlex.join(["cnncomm-bench", *sys.argv[1:]]))
    click.echo(after(table, out))


def _split(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The members of a list that was given in one piece or in several; None where it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",")) or None

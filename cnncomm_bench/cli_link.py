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
@click.option("--max-bits", type=int, metavar="N", help="Where a point gives up. Default: 10^7, coded 200,000.")
@click.option("--min-errors", type=int, metavar="N", help="Errors a point waits for: frames where bits depend on each "
              "other. Default: 1,000, coded 100.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of data and noise.")
@click.option(
    "--full",
    is_flag=True,
    help="Steps of 2.5 dB, LDPC as well, and up to 10^6 coded bits a point (500,000 of information).",
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/link"), show_default=True, metavar="FOLDER",
              help="Where it goes. The same command goes on with one that was cut off.")  # fmt: skip
def link(out: Path, full: bool, **options: Any) -> None:
    """Simulate a communication link: bit error rate against SNR under the same noise.

    A LIST is separated by commas, or the option is given several times.
    """
    from . import link
    from .radio.summary import after

    chosen = {name: _split(value) if isinstance(value, tuple) else value for name, value in options.items()}
    given = {name: value for name, value in chosen.items() if value is not None}
    if "jammers" in given or "bursts" in given:  # instead of alpha-stable noise, or beside it where that is named
        given = {"alphas": (), "rulers": ("realised",), **given}
    settings = link.Settings.of(**{**(link.FULL if full else {}), **given})
    table = link.simulate(settings, out, command=shlex.join(["cnncomm-bench", *sys.argv[1:]]))
    click.echo(after(table, out))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("link", type=click.Path(path_type=Path))
@click.argument("others", nargs=-1, type=click.Path(path_type=Path), metavar="[LINK ...]")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/correspondence"), show_default=True,
              metavar="FOLDER", help="Where tables and figure go.")  # fmt: skip
def correspond(run: Path, link: Path, others: tuple[Path, ...], out: Path) -> None:
    """Measure how alike a CNN's accuracy drop (RUN) and a link's bit error rate (LINK) are.

    What more links found, with jammers or bursts, is told in the table of modules.
    """
    from . import correspond

    click.echo(correspond.as_markdown(correspond.correspond(run, link, out, others)))
    click.echo(f"written: {out / 'correspondence.md'}, correspondence.json, correspondence.png, correspondence.svg")


@click.command()
@click.option("--alpha", "alphas", **_LIST, help="Of the noise, a network trained for each. Default: 2,1.")
@click.option("--snr", "snr_db", metavar="GRID", default="0:20:2.5", show_default=True, help="dB.")
@click.option("--ruler", default="dispersion", show_default=True, metavar="NAME", help="dispersion or geometric.")
@click.option("--steps", type=int, default=1500, show_default=True, metavar="N", help="Of the training.")
@click.option("--max-bits", type=int, default=400_000, show_default=True, metavar="N", help="Where a point gives up.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of everything.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/special"), show_default=True,
              metavar="FOLDER", help="Where the table and the figure go.")  # fmt: skip
def special(alphas: tuple[str, ...], **options: Any) -> None:
    """Train the paper's special CNN, from labels to labels over the channel, and set it beside the link."""
    from . import special

    table = special.compare(_split(alphas) or (2.0, 1.0), **options)
    click.echo(special.as_text(table))
    click.echo(f"written: {options['out'] / 'special.csv'}, special.png, special.svg")


@click.command()
@click.option("--model", default="bundled:standard", show_default=True, metavar="PATH|NAME", help="As for a run.")
@click.option("--arch", metavar="SPEC", help="As for a run.")
@click.option("--data", metavar="PATH|NAME", help="As for a run.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Use N images, balanced over the classes.")
@click.option("--side", "sides", **_LIST, help="Pixels a side. Default: 28,20,14,10,7.")
@click.option("--attack", default="gaussian", show_default=True, metavar="SPEC", help="A noise.")
@click.option("--snr", metavar="GRID", default="-10:40:5", show_default=True, help="dB.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/bandwidth"), show_default=True,
              metavar="FOLDER", help="Where the tables and the figure go.")  # fmt: skip
def bandwidth(sides: tuple[str, ...], **options: Any) -> None:
    """Score one model at a ladder of input resolutions: the W of C = W log2(1 + S/N)."""
    from . import bandwidth

    table = bandwidth.ladder(sides=bandwidth.parse_sides(_split(sides)), **options)
    click.echo(bandwidth.as_text(table))
    click.echo(f"written: {options['out'] / 'bandwidth.csv'}, bandwidth_curves.csv, bandwidth.png, bandwidth.svg")


def _split(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The members of a list that was given in one piece or in several; None where it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",")) or None

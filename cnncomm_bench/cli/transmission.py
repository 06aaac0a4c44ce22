"""The command `transmission`: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import LIST, PATH, SEED, SIZE, split
from .screen import show
from .typed import typed

_LINK = ("alphas", "modulations", "codes", "rulers", "frames", "receivers", "interleavers")


@click.command()
@click.option("--model", default="bundled:standard", show_default=True, metavar="PATH|NAME", help="As for a run.")
@click.option("--arch", metavar="SPEC", help="As for a run.")
@click.option("--data", metavar="PATH|NAME", help="Labelled images, as for a run.")
@click.option("--classes", metavar="FILE", help="As for a run.")
@click.option("--size", type=SIZE, metavar="N", help="Resize and crop the images to N x N.")
@click.option("--mean", metavar="R,G,B", help="As for a run.")
@click.option("--std", metavar="R,G,B", help="As for a run.")
@click.option("--trust", is_flag=True, help="Open checkpoints that execute code when they are read.")
@click.option("--samples", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Send N "
              "images, balanced over the classes.")  # fmt: skip
@click.option("--alpha", "alphas", **LIST, help="Of the alpha-stable noise. Default: 2,1.5,1,0.5.")
@click.option("--snr", "snr_db", metavar="GRID", help="SNR of the channel: FIRST:LAST:STEP or a list, dB. Default: "
              "-5:40:2.5.")  # fmt: skip
@click.option("--modulation", "modulations", **LIST, help="bpsk, qpsk, 16qam. Default: bpsk.")
@click.option("--code", "codes", **LIST, help="none, conv, ldpc; the last two need the extra comms. "
              "Default: none,conv.")  # fmt: skip
@click.option("--labelling", default="natural", show_default=True, metavar="NAME", help="Bits of a pixel value: "
              "natural or gray.")  # fmt: skip
@click.option("--ruler", "rulers", **LIST, help="dispersion, geometric, realised. Default: dispersion.")
@click.option("--frame", "frames", **LIST, help="Bits of a frame. Default: 512.")
@click.option("--receiver", "receivers", **LIST, help="gaussian, clipping, cauchy. Default: cauchy.")
@click.option("--interleaver", "interleavers", **LIST, help="none, block. Default: none.")
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Of the noise.")
@click.option("--device", default="auto", metavar="NAME", help="Of the model: cpu, cuda, cuda:1, ...")
@click.option("--out", type=PATH, default=Path("runs/transmission"), show_default=True,
              metavar="FOLDER", help="Where it goes. The same command resumes one that was cut off.")  # fmt: skip
def transmission(out: Path, snr_db: str | None, labelling: str, seed: int, **options: Any) -> None:
    """Send images as bits over the link, and as amplitudes, and classify what arrives.

    A LIST is separated by commas, or the option is given several times.
    """
    from ..experiments.transmission import TransmissionSettings, open_inputs, send_images, summary

    choices = {name: split(options.pop(name)) for name in _LINK}
    settings = TransmissionSettings.of(labelling, snr_db=snr_db, seed=seed, **choices)
    table = send_images(open_inputs(**options), settings, out, command=typed())
    show(summary(table, out))

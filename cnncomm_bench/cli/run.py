"""The command `run`: score models against a suite of attacks."""

from __future__ import annotations

from typing import Any

import click

from .._utils.errors import BenchError
from .options import FOLDER, RUN_SEED, SIZE
from .screen import show
from .typed import typed

_DEFAULT_MODELS = ("bundled:standard", "bundled:adversarial")


@click.command()
@click.option("--model", "models", multiple=True, metavar="PATH|NAME", help="A checkpoint, or a name such as "
              "bundled:standard; several are compared. Default: bundled:standard and bundled:adversarial.")  # fmt: skip
@click.option("--arch", metavar="SPEC", help="Architecture of a state dict: resnet18, FILE.py:factory, module:factory.")
@click.option("--data", metavar="PATH|NAME", help="Labelled images: a folder with one folder a class, an .npz with x "
              "and y, and more. Default: chosen by what the model takes.")  # fmt: skip
@click.option("--classes", metavar="FILE", help="Which folder is which of the model's classes, one name a line.")
@click.option("--size", type=SIZE, metavar="N", help="Resize and crop the images to N x N.")
@click.option("--mean", metavar="R,G,B", help="Mean of the model's normalisation, for pixels in [0, 1].")
@click.option("--std", metavar="R,G,B", help="Standard deviation of the model's normalisation.")
@click.option("--trust", is_flag=True, help="Open checkpoints that execute code when they are read.")
@click.option("--suite", metavar="NAME|FILE", help="Set of attacks and SNRs. Default: default.")
@click.option("--attack", "attacks", multiple=True, metavar="SPEC", help="NAME[:key=value,...]; see `cnncomm-bench "
              "attacks`. Instead of the default suite, or added to the one named.")  # fmt: skip
@click.option("--snr", metavar="GRID", help="FIRST:LAST:STEP or a list, dB. Default: the suite's, usually 0:50:5.")
@click.option("--eps-l2", multiple=True, metavar="EPS", help="Run adversaries also at this L2 radius, such as 0.5.")
@click.option("--eps-linf", multiple=True, metavar="EPS", help="Run sign attacks also at this Linf radius: 8/255.")
@click.option("--ruler", "rulers", multiple=True, metavar="NAME", help="realised, dispersion or geometric.")
@click.option("--bits", type=click.IntRange(1, 16), metavar="N", help="Round disturbed images as an N-bit file would.")
@click.option("--samples", type=click.IntRange(min=1), metavar="N", help="Use N images, balanced over the classes.")
@click.option("--seed", "seeds", type=RUN_SEED, multiple=True, metavar="N", help="Of the noise.")
@click.option("--batch-size", default="auto", metavar="N", help="Images a forward pass takes.")
@click.option("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ...")
@click.option("--executor", default="serial", metavar="NAME", help="serial; ray, all of this machine; or "
              "ray://HOST:PORT, a cluster.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Report the plan of the run, its time, memory and disk, and stop.")
@click.option("--out", type=FOLDER, metavar="FOLDER", help="Where the run is written. The same "
              "command resumes an interrupted run. Default: a folder under runs/.")  # fmt: skip
def run(**options: Any) -> None:
    """Run a suite of attacks on models and images, and draw the accuracy-drop curves."""
    from ..evaluation import preparation
    from . import tables

    models = options.pop("models") or _DEFAULT_MODELS
    dry_run = options.pop("dry_run")
    prepared = preparation.prepare(models, **options)
    show(tables.before(prepared))
    if dry_run:
        show(tables.estimated(prepared))
        return
    finished = prepared.execute(command=typed())
    show(tables.after(finished, prepared.folder))
    if finished.info.failures:
        raise BenchError(f"{len(finished.info.failures)} cells failed; to recompute them: {typed()}")

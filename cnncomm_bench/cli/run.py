"""The command `run`: score models against a suite of attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .._utils.errors import BenchError
from .options import PATH
from .screen import show
from .typed import typed


@click.command()
@click.option("--model", "models", multiple=True, metavar="PATH|NAME", help="A checkpoint, or a name such as "
              "bundled:standard; several are compared. Default: bundled:standard and bundled:adversarial.")  # fmt: skip
@click.option("--arch", multiple=True, metavar="SPEC", help="Architecture of a state dict: resnet18, timm:NAME, "
              "FILE.py:factory. Once for all models, or once a model; so are size, mean and std.")  # fmt: skip
@click.option("--data", metavar="PATH|NAME", help="Labelled images: a folder with one folder a class, an .npz with x "
              "and y, and more. Default: chosen by what the model takes.")  # fmt: skip
@click.option("--classes", metavar="FILE", help="Which folder is which of the model's classes, one name a line.")
@click.option("--size", multiple=True, metavar="N", help="Resize and crop the images to N x N.")
@click.option("--mean", multiple=True, metavar="R,G,B", help="Mean of the model's normalisation, for pixels in "
              "[0, 1].")  # fmt: skip
@click.option("--std", multiple=True, metavar="R,G,B", help="Standard deviation of the model's normalisation.")
@click.option("--trust", is_flag=True, help="Open checkpoints that execute code when they are read.")
@click.option("--suite", metavar="NAME|FILE", help="Set of attacks and SNRs. Default: default.")
@click.option("--attack", "attacks", multiple=True, metavar="SPEC", help="NAME[:key=value,...]; see `cnncomm-bench "
              "attacks`. Instead of the default suite, or added to the one named.")  # fmt: skip
@click.option("--snr", metavar="GRID", help="FIRST:LAST:STEP or a list, dB; or auto, laid by a pilot. Default: the "
              "suite's, usually auto.")  # fmt: skip
@click.option("--precision", metavar="DB", help="Add images until each threshold's 95 % interval is at most +-DB, at "
              "the SNRs around it alone.")  # fmt: skip
@click.option("--minutes", metavar="M", help="Run as many images as fit into M minutes.")
@click.option("--eps-l2", multiple=True, metavar="EPS", help="Run adversaries also at this L2 radius, such as 0.5.")
@click.option("--eps-linf", multiple=True, metavar="EPS", help="Run sign attacks also at this Linf radius: 8/255.")
@click.option("--ruler", "rulers", multiple=True, metavar="NAME", help="realised, dispersion or geometric.")
@click.option("--bits", metavar="N", help="Round disturbed images as an N-bit file would.")
@click.option("--samples", metavar="N", help="Use N images, balanced over the classes. Default: at most 1,000 under "
              "a noise, 200 under an adversary.")  # fmt: skip
@click.option("--seed", "seeds", multiple=True, metavar="N", help="Of the noise; several are run one after another. "
              "Default: 0.")  # fmt: skip
@click.option("--batch-size", metavar="N", help="Images in a forward pass. Default: by their size.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... Default: a GPU where there is one.")
@click.option("--executor", metavar="NAME", help="serial, the default; ray, all of this machine; "
              "or ray://HOST:PORT, a cluster.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be run, with its passes, time, memory and disk, and "
              "stop.")  # fmt: skip
@click.option("--config", type=PATH, metavar="FILE.toml", help="Settings of the run; options "
              "given here replace them.")  # fmt: skip
@click.option("--out", metavar="FOLDER", help="Where the run is stored. The same command resumes a run that was "
              "stopped. Default: a folder under runs/.")  # fmt: skip
def run(config: Path | None, dry_run: bool, **options: Any) -> None:
    """Run a suite of attacks on models and images, and draw the accuracy-drop curves."""
    from ..evaluation import execute, prepare
    from ..results import RunConfig, read_settings
    from . import tables

    given = {name: value for name, value in options.items() if value not in (None, (), False)}
    given |= {name: given[name][0] for name in ("arch", "size", "mean", "std") if len(given.get(name, ())) == 1}
    request = prepare(RunConfig.of(**((read_settings(config) if config else {}) | given)))
    show(tables.before(request))
    if dry_run:
        show(tables.estimated(request))
        return
    finished = execute(request, command=typed())
    show(tables.after(finished, request.folder))
    if finished.info.failures:
        raise BenchError(f"{len(finished.info.failures)} cells failed; run the same command to retry them: {typed()}")

"""The command `section5`: the experiments of the paper's Section 5."""

from __future__ import annotations

from typing import Any

import click

from ..experiments.section5 import EXPERIMENTS
from .options import LEARNING_RATE, PATH, SEED, SIZE
from .screen import show
from .typed import typed


@click.command()
@click.argument("experiment", type=click.Choice([*EXPERIMENTS, "all"]), default="all")
@click.option("--data", metavar="PATH|NAME", help="Labelled training images. Default: the bundled ones.")
@click.option("--test", metavar="PATH|NAME", help="Labelled test images of the same classes.")
@click.option("--size", type=SIZE, metavar="N", help="Resize and crop the images to N x N.")
@click.option("--factory", metavar="SPEC", help="Factory of an untrained network: FILE.py:function, resnet18. It gets "
              "the number of classes if it takes one. Default: the bundled network.")  # fmt: skip
@click.option("--full", is_flag=True, help="The size for a GPU: longer trainings, more SNRs, sizes and repeats.")
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Of everything.")
@click.option("--learning-rate", type=LEARNING_RATE, default=0.2, show_default=True,
              metavar="X", help="Largest of the cycle of each training.")  # fmt: skip
@click.option("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ...")
@click.option("--out", type=PATH, metavar="FOLDER", help="Where the results are written. The same command "
              "resumes interrupted ones. Default: a folder under runs/.")  # fmt: skip
def section5(experiment: str, **options: Any) -> None:
    """Run the paper's arguments as experiments, by name or all of them; decoding and contrast are of Fig. 2."""
    from ..experiments.section5 import execute, open_setting, summary

    setting, identity, folder = open_setting(**options)
    names = EXPERIMENTS if experiment == "all" else (experiment,)
    found = execute(names, setting, identity, folder, command=typed(), report=show)
    show(summary(found, folder))
    raise SystemExit(1 if any(name in found.failures for name in names) else 0)

"""The command `leaderboard`: add, render, verify and check entries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import PATH, SEED
from .screen import show


@click.group()
def leaderboard() -> None:
    """Keep leaderboards that anyone can check: one JSON entry a model, and the tables rendered from them."""


_FOLDER = click.option("--folder", type=PATH, default="leaderboards", show_default=True, metavar="FOLDER",
                       help="Where the leaderboards are.")  # fmt: skip


@leaderboard.command("add")
@click.argument("run", type=PATH)
@_FOLDER
def leaderboard_add(run: Path, folder: Path) -> None:
    """Add the models of a stored run, one entry each."""
    from ..report.leaderboard import add

    for path in add(run, folder):
        show(f"added {path}")
    show("to show them in the tables: cnncomm-bench leaderboard render")


@leaderboard.command("render")
@_FOLDER
def leaderboard_render(folder: Path) -> None:
    """Render the tables, README.md and index.html, from the entries."""
    from ..report.leaderboard import render

    for path in render(folder):
        show(f"rendered {path}")


@leaderboard.command("verify")
@click.argument("entry", type=PATH)
@click.option("--share", default=0.1, show_default=True, metavar="X", help="Share of the cells to recompute.")
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Selects the cells.")
@click.option("--model", metavar="PATH|NAME", help="The entry's model. Not needed for a bundled one.")
@click.option("--arch", metavar="SPEC", help="Architecture of a state dict, as for a run.")
@click.option("--data", metavar="PATH|NAME", help="The entry's images. Not needed for bundled ones.")
@click.option("--classes", metavar="FILE", help="Which folder is which class, as for a run.")
@click.option("--trust", is_flag=True, help="Open a checkpoint that executes code when it is read.")
@click.option("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ...")
def leaderboard_verify(entry: Path, **options: Any) -> None:
    """Recompute a share of an entry's cells and compare; exit 1 where they differ."""
    from ..evaluation import verify_file

    lines, accepted = verify_file(entry, **options)
    show("\n".join(lines))
    raise SystemExit(0 if accepted else 1)


@leaderboard.command("check")
@_FOLDER
def leaderboard_check(folder: Path) -> None:
    """Check that the tables match their entries; exit 1 where they don't."""
    from ..report.leaderboard import check

    faults = check(folder)
    show("\n".join(faults) or f"{folder}: every table matches its entries")
    raise SystemExit(1 if faults else 0)

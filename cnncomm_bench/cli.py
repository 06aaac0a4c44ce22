"""The command line: parse, call, print; nothing else.

Torch and all that stands on it are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .cli_link import bandwidth, correspond, link, special
from .cli_section5 import section5
from .errors import BenchError

_DEFAULT_MODELS = ("bundled:standard", "bundled:adversarial")


class _Commands(click.Group):
    """A group in which `run` is what a command line without a subcommand does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("Without a command, `run` is meant: see `cnncomm-bench run --help` for its options.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cnncomm-bench")
def cli() -> None:
    """Score image classifiers by their accuracy-drop curve against noise and adversaries, in dB."""


@cli.command()
@click.option("--model", "models", multiple=True, metavar="PATH|NAME", help="A checkpoint, or a name such as "
              "bundled:standard; several are compared. Default: bundled:standard and bundled:adversarial.")  # fmt: skip
@click.option("--arch", metavar="SPEC", help="Architecture of a state dict: resnet18, FILE.py:factory, module:factory.")
@click.option("--data", metavar="PATH|NAME", help="Labelled images: a folder with one folder a class, an .npz with x "
              "and y, and more. Default: chosen by what the model takes.")  # fmt: skip
@click.option("--classes", metavar="FILE", help="Which folder is which of the model's classes, one name a line.")
@click.option("--size", type=click.IntRange(min=1), metavar="N", help="Resize and crop the images to N x N.")
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
@click.option("--seed", "seeds", type=click.IntRange(min=0), multiple=True, metavar="N", help="Of the noise.")
@click.option("--batch-size", default="auto", metavar="N", help="Images a forward pass takes.")
@click.option("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ...")
@click.option("--executor", default="serial", metavar="NAME", help="serial; ray, all of this machine; or "
              "ray://HOST:PORT, a cluster.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be run, how long it would take and what it would need, "
              "and stop.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the run goes. The same command "
              "goes on with a run that was cut off. Default: a folder under runs/.")  # fmt: skip
def run(**options: Any) -> None:
    """Run a suite of attacks on models and images, and draw the accuracy-drop curves."""
    from . import request, summary

    models = options.pop("models") or _DEFAULT_MODELS
    dry_run = options.pop("dry_run")
    prepared = request.prepare(models, **options)
    click.echo(summary.before(prepared))
    if dry_run:
        click.echo(summary.estimated(prepared))
        return
    finished = prepared.execute(command=_typed())
    click.echo(summary.after(finished, prepared.folder))
    if finished.info.failures:
        raise BenchError(f"{len(finished.info.failures)} cells failed; the same command tries them again: {_typed()}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Score a stored run again and draw its curves, without the model."""
    from . import summary
    from .derived import derive
    from .run import Run

    stored = Run.open(folder)
    derive(stored, folder)
    click.echo(summary.after(stored, folder))


@cli.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN ...")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/comparison"), metavar="FOLDER")
def compare(folders: tuple[Path, ...], out: Path) -> None:
    """Compare the models of stored runs on the same images."""
    from . import compare, summary

    click.echo(summary.after(compare.compare(folders, out), out))


@cli.command()
def attacks() -> None:
    """List attacks, their parameters, and suites."""
    from . import summary

    click.echo(summary.attacks())


@cli.group()
def leaderboard() -> None:
    """Keep leaderboards that anyone can check: one JSON entry a model, and the tables rendered from them."""


_FOLDER = click.option("--folder", type=click.Path(path_type=Path), default="leaderboards", show_default=True,
                       metavar="FOLDER", help="Where the leaderboards are.")  # fmt: skip


@leaderboard.command("add")
@click.argument("run", type=click.Path(path_type=Path))
@_FOLDER
def leaderboard_add(run: Path, folder: Path) -> None:
    """Add the models of a stored run, one entry each."""
    from .leaderboard import add

    for path in add(run, folder):
        click.echo(f"added {path}")
    click.echo("the tables show it after: cnncomm-bench leaderboard render")


@leaderboard.command("render")
@_FOLDER
def leaderboard_render(folder: Path) -> None:
    """Render the tables, README.md and index.html, from the entries."""
    from .leaderboard import render

    for path in render(folder):
        click.echo(f"rendered {path}")


@leaderboard.command("verify")
@click.argument("entry", type=click.Path(path_type=Path))
@click.option("--share", default=0.1, show_default=True, metavar="X", help="Share of the cells to run again.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Which cells.")
@click.option("--model", metavar="PATH|NAME", help="The entry's model. Bundled ones are found by themselves.")
@click.option("--arch", metavar="SPEC", help="Architecture of a state dict, as for a run.")
@click.option("--data", metavar="PATH|NAME", help="The entry's images. Bundled ones are found by themselves.")
@click.option("--classes", metavar="FILE", help="Which folder is which class, as for a run.")
@click.option("--trust", is_flag=True, help="Open a checkpoint that executes code when it is read.")
@click.option("--device", default="auto", metavar="NAME", help="cpu, cuda, cuda:1, ...")
def leaderboard_verify(entry: Path, **options: Any) -> None:
    """Run a share of an entry's cells again and compare; exit 1 where they differ."""
    from .leaderboard import verify_file

    lines, accepted = verify_file(entry, **options)
    click.echo("\n".join(lines))
    raise SystemExit(0 if accepted else 1)


@leaderboard.command("check")
@_FOLDER
def leaderboard_check(folder: Path) -> None:
    """Tell whether the tables match their entries; exit 1 where they don't."""
    from .leaderboard import check

    faults = check(folder)
    click.echo("\n".join(faults) or f"{folder}: every table matches its entries")
    raise SystemExit(1 if faults else 0)


for command in (link, correspond, special, bandwidth, section5):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the command line was wrong."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except BenchError as error:
        _fail(str(error), error.exit_code)
    except click.UsageError as error:
        _fail(error.format_message() + f" (see {error.ctx.command_path if error.ctx else 'cnncomm-bench'} --help)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (KeyboardInterrupt, click.Abort) as error:
        _fail(f"stopped; {error.__cause__ or 'no cell was computed'}; go on with: {_typed()}", 1)


def _typed() -> str:
    return shlex.join(["cnncomm-bench", *sys.argv[1:]])


def _fail(message: str, code: int) -> None:
    click.echo(f"cnncomm-bench: {' '.join(message.split())}", err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    main()

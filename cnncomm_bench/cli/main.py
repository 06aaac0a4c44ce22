"""The entry point `cnncomm-bench`: the group of commands, and one line for every error.

Torch and every package that needs it are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .._utils.errors import BenchError
from .._utils.files import one_line, shown
from .attacks import attacks
from .bandwidth import bandwidth
from .compare import compare
from .correspond import correspond
from .leaderboard import leaderboard
from .link import link
from .report import report
from .run import run
from .screen import drop_output, open_streams, quiet_pipe, show
from .section5 import section5
from .special import special
from .transmission import transmission
from .typed import typed

_DEBUG = "--debug"


class _Commands(click.Group):
    """A group in which `run` is the command of a line that names none."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        with quiet_pipe():  # `--help` and `--version` print here
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with quiet_pipe():
            return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text("Without a command, `run` is meant: see `cnncomm-bench run --help` for its options.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(_DEBUG, is_flag=True, expose_value=False, help="Show the traceback of an error. At any place of the "
              "line; or set CNNCOMM_BENCH_DEBUG=1.")  # fmt: skip
@click.version_option(package_name="cnncomm-bench")
def cli() -> None:
    """Score image classifiers by their accuracy-drop curve against noise and adversaries, in dB."""


for command in (
    run,
    report,
    compare,
    attacks,
    leaderboard,
    link,
    correspond,
    special,
    bandwidth,
    transmission,
    section5,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the command line was wrong.

    Where the reader of its output is gone (`| true`), it exits with 141, quietly, as Unix commands do.
    """
    open_streams()
    os.environ["MPLBACKEND"] = "agg"  # figures go to files; a backend set for notebooks may be missing here
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = _DEBUG in given or os.environ.get("CNNCOMM_BENCH_DEBUG", "0") not in ("", "0")
    try:
        cli.main(args=[argument for argument in given if argument != _DEBUG], standalone_mode=False)
    except (KeyboardInterrupt, Exception) as error:
        if debug:
            show(traceback.format_exc(), err=True)
        _fail(error)


def _fail(error: BaseException) -> NoReturn:
    """Report an error in one line, and exit with its code."""
    code = 1
    match error:
        case BenchError():
            message, code = f"{error}{_options(error.arguments)}", error.exit_code
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "cnncomm-bench"
            message, code = f"{error.format_message()} (see {command} --help)", 2
        case click.ClickException():
            message = error.format_message()
        case KeyboardInterrupt() | click.Abort():
            message = f"stopped; {error.__cause__ or 'no cell was computed'}; resume with: {typed()}"
        case OSError(filename=str() | bytes() as name, strerror=str() as reason):
            message = f"{shown(os.fsdecode(name))}: {reason} (--debug shows where)"
        case OSError(strerror=str() as reason):
            message = f"{reason} (--debug shows where)"
        case _:
            message = f"{one_line(error)} (unexpected; please report it: rerun with --debug for the traceback)"
    show(f"cnncomm-bench: {' '.join(message.split())}", err=True)
    drop_output()
    raise SystemExit(code)


def _options(arguments: Sequence[str]) -> str:
    """The options behind parameters of the library, for the end of a message: " (--mean, --std)"."""
    options: dict[str | None, str] = {}
    commands = list(cli.commands.values())
    for command in commands:
        commands += command.commands.values() if isinstance(command, click.Group) else ()
        options |= {p.name: max(p.opts, key=len) for p in command.params if isinstance(p, click.Option)}
    known = [options[argument] for argument in arguments if argument in options]
    return f" ({', '.join(known)})" if known else ""

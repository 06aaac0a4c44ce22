"""The command line: parse, call, print; nothing else.

Torch and all that stands on it are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from .._utils.errors import BenchError
from .attacks import attacks
from .bandwidth import bandwidth
from .compare import compare
from .correspond import correspond
from .leaderboard import leaderboard
from .link import link
from .report import report
from .run import run
from .section5 import section5
from .special import special
from .transmission import transmission
from .typed import typed


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
    """Run the command line and exit: 0 done, 1 the run failed, 2 the command line was wrong."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except BenchError as error:
        _fail(f"{error}{_options(error.arguments)}", error.exit_code)
    except click.UsageError as error:
        _fail(error.format_message() + f" (see {error.ctx.command_path if error.ctx else 'cnncomm-bench'} --help)", 2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (KeyboardInterrupt, click.Abort) as error:
        _fail(f"stopped; {error.__cause__ or 'no cell was computed'}; go on with: {typed()}", 1)


def _options(arguments: Sequence[str]) -> str:
    """The options behind parameters of the library, for the end of a message: " (--mean, --std)"."""
    options: dict[str | None, str] = {}
    commands = list(cli.commands.values())
    for command in commands:
        commands += command.commands.values() if isinstance(command, click.Group) else ()
        options |= {p.name: max(p.opts, key=len) for p in command.params if isinstance(p, click.Option)}
    known = [options[argument] for argument in arguments if argument in options]
    return f" ({', '.join(known)})" if known else ""


def _fail(message: str, code: int) -> None:
    click.echo(f"cnncomm-bench: {' '.join(message.split())}", err=True)
    raise SystemExit(code)

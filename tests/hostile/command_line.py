"""Command lines that make no sense: every option of every command with wrong values, and streams that are closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from cnncomm_bench.cli.main import cli

from .attempt import Attempt

HUGE = "9" * 30
NUMBERS = ("", "x", "-1", "1e3", HUGE, "0x10", "\x1b[31m", "\u00bd", "nan", "1,000", " ")
WORDS = ("", "x\x1b[2J", "a" * 300, "\udcff", "nan", "-", "a:b=c", "1,,2", "{0}", "%s", "../../..", "\u202e")
ROWS = {
    "snr": ("-1e300", "1e300", "inf", "-inf", "nan", "0:10:0", "0:10:-1", "10:0:1", "0:1e9:1e-9", "0:10",
            "0:10:1:2", "1,1"),
    "attack": ("stable:alpha=0", "stable:alpha=nan", "stable:alpha=1e309", "stable:beta=2", "pgd:steps=0",
               "pgd:steps=-1", "pgd:steps=1e30", "impulse:size=0", "impulse:shape=star",
               "gaussian:=1", "gaussian@l2=1", "pgd@l2=-1", "pgd@l2=0", "pgd@l2=nan",
               "art.Nothing", "torchattacks.__init__", "foolbox.os"),
    "mean": ("1,2,3,4,5", "nan", "inf", "-1e400", "0.5;0.5"),
    "std": ("0", "-1", "nan", "inf", "1e-400"),
    "suite": ("/dev/null", "default.toml", "..", "figure9"),
    "batch_size": ("0", "-5", "1.5", "1e3", "many"),
    "device": ("cuda:99", "cuda:-1", "meta", "xla", "cpu:x", "CPU"),
    "executor": ("ray://", "dask", "Serial"),
    "eps_l2": ("0", "-1", "x/255", "8/0", "1/2/3", "inf"),
    "eps_linf": ("0", "-1", "8/0", "inf"),
    "rulers": ("Realised", "loudness"),
    "alphas": ("0", "-1", "2.5", "nan", "2,x"),
    "frames": ("0", "-1", "x", "1e9", "99999999999999"),
    "bursts": ("0", "-1", "x"),
    "modulations": ("bpks", "8psk"),
    "codes": ("turbo",),
    "receivers": ("best",),
    "jammers": ("noise", "tone:offset=nan", "tone:offset=x"),
    "interleavers": ("random",),
    "sides": ("0", "-1", "x", "1", "100000", "7.5"),
    "share": ("0", "-1", "2", "nan", "x"),
    "learning_rate": ("0", "-1", "x"),
}  # fmt: skip
"""More wrong values of options, by parameter."""

ARGUMENTS = {
    "report": ["run"],
    "compare": ["a", "b"],
    "correspond": ["run", "link"],
    "add": ["run"],
    "verify": ["entry"],
}
FREE = {"out", "folder", "classes", "help", "debug"}
"""Parameters for which those words are legal names, or that take no value."""


SETTINGS = ("size", "bits", "samples", "seeds", "batch_size", "precision", "minutes")
"""Numbers that the configuration of a run checks, not the option."""


LEGAL = {
    "samples": (HUGE,),
    "batch_size": (HUGE,),
    "minutes": ("1e3",),
    "max_bits": (HUGE,),
    "min_errors": (HUGE,),
}
"""Those that are none for an option: upper limits, which no number exceeds."""


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield Attempt("command line", "no such model", lambda folder: ["--model", "missing.pt"], says="no such file")
    for path, command in commands():
        yield from _options(path, command)
        yield from _shape(path, command)
    yield from _streams()


def commands() -> Iterator[tuple[list[str], click.Command]]:
    """All commands, with what is typed for them."""
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            yield from (([name, inner], child) for inner, child in command.commands.items())
        else:
            yield [name], command


def _options(path: list[str], command: click.Command) -> Iterator[Attempt]:
    for option in command.params:
        if not isinstance(option, click.Option) or option.is_flag or option.name in FREE:
            continue
        typed = isinstance(option.type, click.IntRange | click.FloatRange) or option.type in (click.INT, click.FLOAT)
        number = typed or option.name in SETTINGS
        wrong = dict.fromkeys([*(NUMBERS if number else WORDS), *ROWS.get(option.name or "", ())])
        for value in LEGAL.get(option.name or "", ()):
            wrong.pop(value, None)
        for value in wrong:
            line = [*path, *ARGUMENTS.get(path[-1], ()), option.opts[0], value]
            yield Attempt(
                "command line", f"{' '.join(path)} {option.opts[0]} {value[:30]!r}", lambda _, line=line: line
            )


def _shape(path: list[str], command: click.Command) -> Iterator[Attempt]:
    """Options without a value, unknown ones, arguments too many."""
    for extra in (
        ["--nothing"],
        ["--out"],
        ["--seed"],
        ["--\x1b[2J"],
        ["a", "b\x1b[2J", "c", "--nothing"],
        ["--debug=x"],
    ):
        shown = " ".join(extra)
        yield Attempt("command line", f"{' '.join(path)} {shown!r}", lambda _, extra=extra: [*path, *extra])


def _streams() -> Iterator[Attempt]:
    def nothing(folder: Path) -> list[str]:
        return ["--help"]

    def small(folder: Path) -> list[str]:
        return ["--model", "bundled:standard", "--samples", "10", "--snr", "20", "--attack", "gaussian", "--out", "run"]

    def wrong(folder: Path) -> list[str]:
        return ["--snr", "x"]

    for row, prepare, shell, code in (
        ("help into a closed pipe", nothing, "| true", 141),
        ("help onto a full disk", nothing, "> /dev/full", 1),
        ("help, output closed", nothing, ">&-", 0),
        ("help, all closed", nothing, "<&- >&- 2>&-", 0),
        ("a run, errors closed", small, "2>&-", 0),
        ("a run, output closed", small, ">&-", 0),
        ("a run, output into a closed pipe", small, "| true", 141),
        ("an error, errors closed", wrong, "2>&-", 2),
        ("an error, errors onto a full disk", wrong, "2>/dev/full", 2),
        ("an error under ASCII", lambda _: ["--snr", "ä\udcff"], "< /dev/null", 2),
        ("attacks onto a full disk", lambda _: ["attacks"], "> /dev/full", 1),
        ("attacks into a closed pipe", lambda _: ["attacks"], "| true", 141),
    ):
        yield Attempt("command line", row, prepare, shell=shell, code=code)

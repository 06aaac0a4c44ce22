"""One hostile or broken input: the files that it makes, the command that meets them, and what must hold.

Every surface (checkpoints, images, run folders, entries, the command line) has a module with `attempts()`, which yields
its rows; `test_attempts` runs them all and `make hostile` prints the table.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cnncomm_bench import cli

SECONDS = 10
"""A command that takes longer hangs."""


@dataclass(frozen=True)
class Attempt:
    """A row of the table.

    Attributes
    ----------
    surface : str
        What is attacked, such as "checkpoint".
    name : str
        What is tried, unique on its surface.
    prepare : callable
        Makes the files in the folder it is given, and returns the command line. Code in those files that is executed
        must create `executed(folder)`; what a write through a link would destroy is `canary(folder)`, made by the runner.
    accepted : bool or None
        Whether the input is harmless after all: exit code 0; otherwise it must be refused, in one line. None: either (a
        random change may or may not matter).
    says : str
        What the line must contain.
    """

    surface: str
    name: str
    prepare: Callable[[Path], list[str]]
    accepted: bool | None = False
    says: str = ""


def executed(folder: Path) -> Path:
    """Return the file that hostile code creates."""
    return folder / "executed"


def canary(folder: Path) -> Path:
    """Return the file of the user's that must stay as it is."""
    return folder / "canary.txt"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: exit code, both streams, and what was broken, in words; empty where all held."""

    code: int
    out: str
    err: str
    broken: tuple[str, ...]


def run(attempt: Attempt, folder: Path) -> Outcome:
    """Run an attempt in an empty folder and say what did not hold."""
    canary(folder).write_text("precious")
    before = Path.cwd()
    out, err = io.StringIO(), io.StringIO()
    code, broken = 0, []
    inside = folder / "work"
    inside.mkdir()
    arguments = attempt.prepare(inside)
    os.chdir(inside)
    try:
        with _deadline(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    except _Hang:
        broken.append(f"hangs for more than {SECONDS} s")
    except BaseException as error:  # a traceback for the user, whatever it is
        broken.append(f"traceback: {type(error).__name__}: {error}")
    finally:
        os.chdir(before)
    said = [line for line in err.getvalue().splitlines() if line.startswith("cnncomm-bench: ")]
    if executed(folder).exists() or executed(inside).exists():
        broken.append("code of the file was executed")
    if canary(folder).read_text() != "precious":
        broken.append("a file of the user's was overwritten")
    if not broken:
        if attempt.accepted and code:
            broken.append(f"refused with exit code {code}: {err.getvalue()[-300:]}")
        elif attempt.accepted is False and code not in (1, 2):
            broken.append(f"exit code {code}, expected 1 or 2")
        elif code and len(said) != 1:
            broken.append(f"{len(said)} lines of error instead of one: {err.getvalue()[-300:]!r}")
        if attempt.says and attempt.says not in out.getvalue() + err.getvalue():
            broken.append(f"does not say {attempt.says!r}: {err.getvalue()[-300:]!r}")
    if any(ord(c) < 32 and c not in "\n\r\t" for c in out.getvalue() + err.getvalue().replace("\x1b[A", "")):
        broken.append("control characters reach the terminal")
    return Outcome(code, out.getvalue(), err.getvalue(), tuple(broken))


class _Hang(BaseException):
    """The time is over; no `except Exception` of a loader takes it for damage of its file."""


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Hang

    earlier = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)

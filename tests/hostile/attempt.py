"""One hostile or broken input: the files that it makes, the command that meets them, and what must hold.

Every surface (checkpoints, images, run folders, entries, the command line) has a module with `attempts()`, which yields
its rows; `test_attempts` runs them all and `make hostile` prints the table.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cnncomm_bench import cli, evaluate
from cnncomm_bench.models import architectures

SECONDS = 10
"""A command that takes longer hangs."""

_IMPORTED = evaluate  # before any clock runs: torch takes seconds to import on a busy machine
with contextlib.suppress(Exception):
    architectures.import_timm()  # which names of architectures are looked up in


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
        must create `executed(folder)`; what a write through a link would destroy is `canary(folder)`, made by the
        runner.
    accepted : bool, optional
        Whether the input is harmless after all: exit code 0; otherwise it must be refused, in one line. None: either.
    says : str
        What the line must contain.
    shell : str
        For what concerns the process itself, such as its streams: the rest of a line of bash after the command. It is
        run as a process of its own.
    code : int, optional
        The exit code, where it is another than these.
    """

    surface: str
    name: str
    prepare: Callable[[Path], list[str]]
    accepted: bool | None = False
    says: str = ""
    shell: str = ""
    code: int | None = None


def executed(folder: Path) -> Path:
    """Return the file that hostile code creates."""
    return folder / "executed"


def canary(folder: Path) -> Path:
    """Return the file of the user's that must stay as it is; `folder` is the one that `prepare` is given."""
    return folder.parent / "canary.txt"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: exit code, both streams, and what was broken, in words; empty where all held."""

    code: int
    out: str
    err: str
    broken: tuple[str, ...]


class _Hang(BaseException):
    """Not an Exception: no handler of the program's may take it for an error of its own."""


def run(attempt: Attempt, folder: Path) -> Outcome:
    """Run an attempt in an empty folder and say what did not hold."""
    inside = folder / "work"
    inside.mkdir()
    canary(inside).write_text("precious")
    arguments = attempt.prepare(inside)
    before = sorted(folder.iterdir())
    try:
        code, out, err = (_in_a_shell if attempt.shell else _in_this_process)(attempt, arguments, inside)
    except _Hang:
        return Outcome(0, "", "", (f"hangs for more than {SECONDS} s",))
    broken = []
    if executed(folder).exists() or executed(inside).exists():
        broken.append("code of the file was executed")
    if not canary(inside).is_file() or canary(inside).read_text() != "precious":
        broken.append("a file of the user's was overwritten")
    if sorted(folder.iterdir()) != before:
        broken.append(f"files appeared outside: {sorted(folder.iterdir())}")
    if left := [path.name for path in inside.rglob(".partial-*") if path.is_file() and not path.is_symlink()]:
        broken.append(f"temporary files are left: {left}")
    broken += _of_the_streams(attempt, code, out, err)
    return Outcome(code, out, err, tuple(broken))


def _of_the_streams(attempt: Attempt, code: int, out: str, err: str) -> Iterator[str]:
    said = [line for line in err.splitlines() if line.startswith("cnncomm-bench: ")]
    expected = {0, 1, 2} if attempt.accepted is None else {0} if attempt.accepted else {1, 2}
    if attempt.code is not None:
        expected = {attempt.code}
    if code not in expected:
        yield f"exit code {code}, expected {expected}: {err[-300:]}"
    elif code in (1, 2) and len(said) != 1 and "2>" not in attempt.shell:
        yield f"{len(said)} lines of error instead of one: {err[-300:]!r}"
    if "Traceback" in err or "please report it" in err:
        yield f"traceback: {err[-300:]}"
    if attempt.says and attempt.says not in out + err:
        yield f"does not say {attempt.says!r}: {err[-300:]!r}"
    if any(ord(c) < 32 and c not in "\n\r\t" for c in out + err.replace("\x1b[A", "")):  # a progress bar goes up
        yield "control characters reach the terminal"


def _in_this_process(attempt: Attempt, arguments: list[str], inside: Path) -> tuple[int, str, str]:
    before = Path.cwd()
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    code = 0
    os.chdir(inside)
    try:
        with _deadline(), contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            cli.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        os.chdir(before)
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    return code, out, err


def _in_a_shell(attempt: Attempt, arguments: list[str], inside: Path) -> tuple[int, str, str]:
    """As a process of its own; it takes some seconds more to start."""
    command = shlex.join([sys.executable, "-m", "cnncomm_bench.cli", *arguments])
    line = f"set -o pipefail; {command} {attempt.shell}"
    environment = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])}
    try:
        ran = subprocess.run(
            ["bash", "-c", line], cwd=inside, env=environment, capture_output=True, text=True, timeout=4 * SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _Hang from None
    return ran.returncode, ran.stdout, ran.stderr


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

"""The one way to the terminal: names from models and folders are escaped, streams that are closed do no harm."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from .._utils.errors import BenchError
from .._utils.files import printable


def show(text: object = "", *, err: bool = False) -> None:
    """Print text, with everything escaped that a terminal would act on or that its encoding lacks.

    Parameters
    ----------
    text : object
        What to print, of any number of lines.
    err : bool
        On standard error.

    Raises
    ------
    BenchError
        Standard output cannot be written: the disk behind it is full.
    """
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    safe = printable(str(text)).encode(encoding, "backslashreplace").decode(encoding)
    try:
        click.echo(safe, err=err)
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        if not err:  # of a standard error that cannot be written, there is nowhere to report
            raise BenchError(f"standard output cannot be written: {error.strerror}") from error


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """Exit quietly where the reader of the output is gone (`| true`), with the code that a shell gives SIGPIPE: 141.

    click would exit with 1, as if the run had failed.
    """
    try:
        yield
    except BrokenPipeError:
        drop_output()
        raise SystemExit(141) from None


def open_streams() -> None:
    """Open the null device in place of standard streams that the shell closed (`2>&-`).

    Otherwise the next file that is opened takes the place of the stream, and warnings are written into results.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def drop_output() -> None:
    """Send output that cannot be written to the null device, so that the interpreter does not fail on it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)

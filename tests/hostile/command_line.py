"""Command lines that make no sense."""

from __future__ import annotations

from collections.abc import Iterator

from .attempt import Attempt


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield Attempt("command line", "no such model", lambda folder: ["--model", "missing.pt"], says="no such file")

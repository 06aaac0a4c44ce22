"""Errors meant for the person at the keyboard: one line that says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """The run cannot continue; the message says what was wrong, what was expected, and what to pass instead.

    The command line prints the message as one line, names the option behind `arguments`, and exits with `exit_code`.

    Parameters
    ----------
    message : str
        Without the names of command-line options.
    *arguments : str
        Parameters of the library to change, such as ``"out"``.
    """

    exit_code = 1

    def __init__(self, message: str, *arguments: str) -> None:
        super().__init__(message)
        self.arguments = arguments

    def __reduce__(self) -> tuple[type[BenchError], tuple[str, ...]]:
        return type(self), (str(self), *self.arguments)


class UsageError(BenchError, ValueError):
    """An argument makes no sense: a wrong option, spec string or value."""

    exit_code = 2


class ModelError(BenchError):
    """A model cannot be opened, does not fit its weights, or returns something else than logits."""


class DataError(BenchError):
    """Images or labels cannot be opened, or do not fit the model."""


class RunFolderError(BenchError):
    """A run's folder holds something else than what was asked to be written or read there."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of a run; the message says what is stored."""


def suggest(word: str, known: Iterable[str]) -> str:
    """List the known words, for the end of a message, and the one nearest to `word`.

    Examples
    --------
    >>> suggest("pdg", ["fgsm", "pgd"])
    "did you mean 'pgd'? There are: fgsm, pgd"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}{'There' if hint else 'there'} are: {', '.join(names)}"

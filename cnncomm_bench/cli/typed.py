"""The command as it was typed."""

from __future__ import annotations

import shlex
import sys

from .._utils.files import printable


def typed() -> str:
    """The command of this process, quoted for a shell; what is no text in it is escaped."""
    return printable(shlex.join(["cnncomm-bench", *sys.argv[1:]]))

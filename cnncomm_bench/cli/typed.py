"""The command line as it was typed."""

from __future__ import annotations

import shlex
import sys


def typed() -> str:
    """The command of this process, quoted for a shell."""
    return shlex.join(["cnncomm-bench", *sys.argv[1:]])

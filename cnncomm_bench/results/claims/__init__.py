"""The paper's claims as tests of a run: supported, contradicted or undecided."""

from . import judging
from .claim import UNKNOWN, Claim, Interval, Verdict, bootstrapped, decide
from .judging import judge, table, write

__all__ = ["UNKNOWN", "Claim", "Interval", "Verdict", "bootstrapped", "decide", "judge", "judging", "table", "write"]

"""The paper's claims, each supported, contradicted or undecided by a run."""

from . import judging
from .claim import UNKNOWN, Claim, Interval, Verdict, bootstrapped, decide
from .judging import judge, table, write

__all__ = ["UNKNOWN", "Claim", "Interval", "Verdict", "bootstrapped", "decide", "judge", "judging", "table", "write"]

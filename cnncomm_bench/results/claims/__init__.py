"""The paper's claims, each supported, contradicted or undecided by a run."""

from .claim import UNKNOWN, Claim, Interval, Verdict, bootstrapped, decide
from .family import adjust
from .judging import table, write

__all__ = ["UNKNOWN", "Claim", "Interval", "Verdict", "adjust", "bootstrapped", "decide", "table", "write"]

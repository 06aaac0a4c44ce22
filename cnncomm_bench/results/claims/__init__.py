"""The paper's claims, each supported, contradicted or undecided by a run."""

from .claim import UNKNOWN, Claim, Interval, Verdict, bootstrapped, decide
from .family import adjust
from .judging import table, write
from .shape_tests import BASELINES, caveat_of

__all__ = [
    "BASELINES",
    "UNKNOWN",
    "Claim",
    "Interval",
    "Verdict",
    "adjust",
    "bootstrapped",
    "caveat_of",
    "decide",
    "table",
    "write",
]

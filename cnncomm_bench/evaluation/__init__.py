"""Run models: plan, schedule and compute cells, store them, score them."""

from .entry_point import evaluate
from .execution import execute
from .forecast import estimate
from .metadata import versions
from .preparation import Request, choose_suite, prepare
from .rerun_report import verify_file

__all__ = ["Request", "choose_suite", "estimate", "evaluate", "execute", "prepare", "verify_file", "versions"]

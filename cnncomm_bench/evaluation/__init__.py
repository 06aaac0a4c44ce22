"""Run models: plan, schedule and compute cells, store them, score them."""

from . import preparation
from .entry_point import evaluate
from .execution import default_folder, execute
from .forecast import estimate
from .metadata import versions
from .preparation import Request
from .rerun_report import verify_file

__all__ = ["Request", "default_folder", "estimate", "evaluate", "execute", "preparation", "verify_file", "versions"]

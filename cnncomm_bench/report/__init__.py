"""Numbers to files: tables, pictures, the report page."""

from . import comparison, latex, plots, sections
from .document import TEMPLATES, environment
from .notebook import Run
from .outputs import write_outputs
from .plots import COLOURS, MARKERS

__all__ = [
    "COLOURS",
    "MARKERS",
    "TEMPLATES",
    "Run",
    "comparison",
    "environment",
    "latex",
    "plots",
    "sections",
    "write_outputs",
]

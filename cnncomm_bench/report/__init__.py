"""Numbers to files: tables, pictures, the report page."""

from . import comparison, plots, sections
from .document import TEMPLATES, environment
from .outputs import write_outputs
from .plots import COLOURS, MARKERS

__all__ = ["COLOURS", "MARKERS", "TEMPLATES", "comparison", "environment", "plots", "sections", "write_outputs"]

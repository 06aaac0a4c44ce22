"""A run as it is stored, and everything that follows from its predictions without the model."""

from . import flat_boundary, suites
from .configuration import RunConfig, read_settings
from .gradient_warnings import ATHALYE, gradient_warnings
from .grids import AUTO, check_grid, parse_grid
from .plan import Block, Grid, Plan
from .run import Run
from .schema import DataInfo, Failure, ModelInfo, RunInfo
from .scores import Scores, leaderboard_score, score
from .suites import Entry, Suite
from .warnings import near_chance
from .writer import CorruptCellError, Store, write_run

__all__ = [
    "ATHALYE",
    "AUTO",
    "Block",
    "CorruptCellError",
    "DataInfo",
    "Entry",
    "Failure",
    "Grid",
    "ModelInfo",
    "Plan",
    "Run",
    "RunConfig",
    "RunInfo",
    "Scores",
    "Store",
    "Suite",
    "check_grid",
    "flat_boundary",
    "gradient_warnings",
    "leaderboard_score",
    "near_chance",
    "parse_grid",
    "read_settings",
    "score",
    "suites",
    "write_run",
]

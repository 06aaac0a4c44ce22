"""Predictions to numbers with intervals: accuracies, thresholds, gains, information."""

from .counts import CLEAN, Counts, Curve
from .decibels import SIGNS, as_numbers, format_db, format_gain, in_column, read_table, with_signs
from .design import PILOT_IMAGES, Answers, block_ends, lay_grid, next_points, pilot_points
from .effects import Effect, effect_of
from .gains import common_level, threshold
from .information import capacity
from .intervals import (
    CONFIDENCE,
    RESAMPLES,
    Floats,
    Z,
    effective_trials,
    paired_difference,
    quantiles,
    resample,
    wilson,
)
from .rows import CurveRow, GainRow, InformationRow, ScoreRow, ThresholdRow
from .thresholds import Crossing, crossing, difference, estimate, isotonic
from .worst import WORST, mean_drop, strongest

__all__ = [
    "CLEAN",
    "CONFIDENCE",
    "PILOT_IMAGES",
    "RESAMPLES",
    "SIGNS",
    "WORST",
    "Answers",
    "Counts",
    "Crossing",
    "Curve",
    "CurveRow",
    "Effect",
    "Floats",
    "GainRow",
    "InformationRow",
    "ScoreRow",
    "ThresholdRow",
    "Z",
    "as_numbers",
    "block_ends",
    "capacity",
    "common_level",
    "crossing",
    "difference",
    "effect_of",
    "effective_trials",
    "estimate",
    "format_db",
    "format_gain",
    "in_column",
    "isotonic",
    "lay_grid",
    "mean_drop",
    "next_points",
    "paired_difference",
    "pilot_points",
    "quantiles",
    "read_table",
    "resample",
    "strongest",
    "threshold",
    "wilson",
    "with_signs",
]

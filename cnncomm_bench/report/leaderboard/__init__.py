"""Leaderboards: one JSON entry a model, and the tables rendered from the entries."""

from . import entry
from .correctness import pack_indices, unpack_hits
from .entry import CellRecord, Entry
from .faults import faults
from .folder import add, check, render
from .from_run import settings

__all__ = [
    "CellRecord", "Entry", "add", "check", "entry", "faults", "pack_indices", "render", "settings", "unpack_hits",
]  # fmt: skip

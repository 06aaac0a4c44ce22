"""Leaderboards: one JSON entry a model, and the tables rendered from the entries."""

from . import entry
from .entry import CellRecord, Entry
from .folder import add, check, render
from .from_run import settings

__all__ = ["CellRecord", "Entry", "add", "check", "entry", "render", "settings"]

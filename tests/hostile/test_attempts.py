"""Runs the table of attempts; CI takes a seeded part, `make hostile` (HOSTILE=all) every row."""

import importlib
import os
import pkgutil
import random
from pathlib import Path

import pytest

from tests.hostile.attempt import Attempt, run

PART = 150
SURFACES = [
    m.name
    for m in pkgutil.iter_modules([str(Path(__file__).parent)])
    if not m.name.startswith(("test_", "attempt", "stored"))
]


def rows() -> list[Attempt]:
    found = [row for name in SURFACES for row in importlib.import_module(f"tests.hostile.{name}").attempts()]
    assert len({(row.surface, row.name) for row in found}) == len(found)
    if os.environ.get("HOSTILE") == "all" or len(found) <= PART:
        return found
    return random.Random(0).sample(found, PART)


@pytest.mark.parametrize("attempt", rows(), ids=lambda row: f"{row.surface}: {row.name}")
def test_attempt(attempt, tmp_path):
    assert run(attempt, tmp_path).broken == ()

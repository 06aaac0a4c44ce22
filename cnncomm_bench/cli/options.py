"""Types of options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

SEED = click.IntRange(0, 2**32 - 1)
"""Seeds of trainings and simulations: what every generator accepts, also after it was multiplied."""


class _Finite(click.FloatRange):
    """A range without nan, which no comparison excludes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


LEARNING_RATE = _Finite(0, 100, min_open=True)

SIZE = click.IntRange(1, 2**15)
"""Sides of images in pixels."""

PATH: Any = click.Path(path_type=Path)

LIST: dict[str, Any] = {"multiple": True, "metavar": "LIST"}
"""Of an option that takes a list, separated by commas, or is given several times."""


def split(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The members of a list that was given in one piece or in several; None where it was not given."""
    return tuple(part.strip() for value in values for part in value.split(",")) or None

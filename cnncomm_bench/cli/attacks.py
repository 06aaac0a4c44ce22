"""The command `attacks`: list attacks and suites."""

from __future__ import annotations

import click

from .screen import show


@click.command()
def attacks() -> None:
    """List attacks, their parameters, and suites."""
    from . import tables

    show(tables.attacks())

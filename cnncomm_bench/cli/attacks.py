"""The command `attacks`: list attacks and suites."""

from __future__ import annotations

import click


@click.command()
def attacks() -> None:
    """List attacks, their parameters, and suites."""
    from . import tables as summary

    click.echo(summary.attacks())

"""The command `attacks`: list attacks and suites, or describe one attack."""

from __future__ import annotations

import click

from .screen import show


@click.command()
@click.argument("spec", required=False, metavar="[NAME]")
def attacks(spec: str | None) -> None:
    """List attacks and suites; with a NAME, show that attack's parameters and their defaults."""
    from . import attack_tables

    show(attack_tables.every_attack() if spec is None else attack_tables.one_attack(spec))

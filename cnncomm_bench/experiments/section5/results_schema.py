"""Schema of `section5.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ...results.claims import Claim


class Part(BaseModel):
    """The stored result of an experiment.

    Attributes
    ----------
    seconds : float
        What it took, on `device`.
    device : str
    text : str
    claims : list of Claim
        As each one's interval decides; `runner.all_claims` adjusts them for all claims of the folder.
    tables, figures : list of str
        Stems of the CSV files and of the pictures.
    """

    model_config = ConfigDict(extra="forbid")

    seconds: float
    device: str
    text: str
    claims: list[Claim]
    tables: list[str]
    figures: list[str]


class Results(BaseModel):
    """A folder's experiments.

    Attributes
    ----------
    identity : dict
        All that decides the results, see `opening.open_setting`.
    versions : dict of str to str
    command : str
        What was typed last.
    parts : dict of str to Part
        Those that are done.
    failures : dict of str to str
        Why others are not.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    identity: dict[str, Any]
    versions: dict[str, str]
    command: str
    parts: dict[str, Part] = {}
    failures: dict[str, str] = {}

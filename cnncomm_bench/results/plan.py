"""What a run decided about its own cells: grids, images, blocks. Stored, so that a resumed run does as planned."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Grid = Annotated[tuple[float, ...], Field(min_length=1, max_length=1000)]
_Count = Annotated[int, Field(ge=1)]


class Grid(BaseModel):
    """The SNRs of an attack under a ruler, common to all models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attack: str
    ruler: str
    snr_db: _Grid


class Block(BaseModel):
    """Images of one attack on one model at their own SNRs: those from `first` to `last` of the seeded order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: int = Field(ge=0)
    attack: str
    ruler: str
    first: int = Field(ge=0)
    last: _Count
    snr_db: _Grid


class Plan(BaseModel):
    """What a run decided before and while it ran.

    Attributes
    ----------
    cell_images : dict
        Images in a cell, by attack: about a minute's worth.
    samples : dict
        Images of an attack, where the minutes that were asked for do not suffice for all.
    grids : tuple of Grid
        Laid by the pilot, where the SNRs are `auto`.
    blocks : tuple of Block
        In the order in which a precision that was asked for added them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell_images: dict[str, _Count] = Field(default_factory=dict)
    samples: dict[str, _Count] = Field(default_factory=dict)
    grids: tuple[Grid, ...] = ()
    blocks: tuple[Block, ...] = ()

    def grid(self, attack: str, ruler: str) -> tuple[float, ...] | None:
        """The grid that was laid for an attack."""
        return next((grid.snr_db for grid in self.grids if (grid.attack, grid.ruler) == (attack, ruler)), None)

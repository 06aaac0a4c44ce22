"""Schema of `correspondence.json`: how alike the curves are, and what was found on each pair."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...results.claims import Verdict
from .finding import Finding
from .paper_pairs import Row


class AtSnr(BaseModel):
    """The order of the alphas at one SNR, see `likeness.Order`."""

    model_config = ConfigDict(extra="forbid")

    snr_db: float
    tau: float | None
    concordant: int
    discordant: int
    undecided: int


class Likeness(BaseModel):
    """How alike a model and a system of the link are, on one ruler.

    Attributes
    ----------
    model, system, ruler : str
    alphas : list of float
    verdict : {"supported", "contradicted", "undecided"}
        Whether a CNN's drop and a link's error rate depend alike on alpha and SNR: supported where at least three
        quarters of the decided pairs are ordered alike and the spacings fit better than random ones, by more than
        the residual is uncertain (`likeness.Spacings`); contradicted where as many are ordered the other way round
        and most wrong pairings of the alphas fit better.
    tau_mean : float, optional
        Kendall's tau, mean over the SNRs.
    concordant, discordant, undecided : int
        Pairs of alphas, over the SNRs.
    shift_db, stretch, residual, permuted_best, permuted_mean, rank, pairings
        See `likeness.Overlay`.
    residual_low, residual_high, random_low, random_median, p
        See `likeness.Spacings`.
    orders : list of AtSnr
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    system: str
    ruler: str
    alphas: list[float]
    verdict: Verdict
    tau_mean: float | None
    concordant: int
    discordant: int
    undecided: int
    shift_db: float
    stretch: float
    residual: float
    permuted_best: float
    permuted_mean: float
    rank: int
    pairings: int
    residual_low: float
    residual_high: float
    random_low: float
    random_median: float
    p: float
    orders: list[AtSnr]

    @property
    def finding(self) -> Finding:
        """The likeness as a finding: smaller residuals are more alike."""
        return Finding(
            claim="likeness", about=f"{self.ruler}, {self.model} and {self.system}, residual", verdict=self.verdict,
            effect=self.residual, low=self.residual_low, high=self.residual_high,
            note=f"random spacings {self.random_low:.3f}; alphas ordered alike {self.concordant} : {self.discordant}",
        )  # fmt: skip


class Correspondence(BaseModel):
    """What `correspondence.json` holds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[3] = 3
    run: str
    folders: list[str]
    likenesses: list[Likeness]
    pairs: list[Row]

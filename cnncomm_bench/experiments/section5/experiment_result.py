"""The result of an experiment of Section 5: tables, claims, figures and text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...results.claims import Claim

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ExperimentResult:
    """Tables, claims, figures and text of one experiment.

    Attributes
    ----------
    name : str
        Of the experiment, such as `features`.
    tables : dict of str to DataFrame
        Each is written as one CSV; the key is its name. Thresholds and gains pass `statistics.with_signs`.
    claims : list of Claim
        The experiment's claim first, its control among them or in the evidence. Each with an `Effect`, whose p value
        the runner adjusts for all claims of the folder; a control's id ends in ``-control``.
    figures : dict of str to matplotlib Figure
    text : str
        A few sentences with the numbers that matter, Markdown; no verdicts, for the runner adjusts them.
    """

    name: str
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    text: str = ""

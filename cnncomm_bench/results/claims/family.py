"""The claims of a run as a family: with all of them false, one is decided in at most 5 % of runs (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..statistics.intervals import CONFIDENCE, holm
from .claim import Claim


def adjust(claims: Sequence[Claim]) -> list[Claim]:
    """Adjust verdicts for the number of claims that could be judged.

    Parameters
    ----------
    claims : sequence of Claim
        All of a run; those without a p value are left as they are.

    Returns
    -------
    list of Claim
        With `p_adjusted`. A claim that only its own interval decides becomes undecided, and its evidence says so.
    """
    family = [claim.p for claim in claims if claim.p is not None]
    adjusted = iter(holm(np.array(family)).tolist())
    return [claim if claim.p is None else _adjusted(claim, next(adjusted), len(family)) for claim in claims]


def _adjusted(claim: Claim, p_adjusted: float, members: int) -> Claim:
    if claim.verdict == "undecided" or p_adjusted < 1 - CONFIDENCE:
        return claim.model_copy(update={"p_adjusted": p_adjusted})
    why = f"undecided: {claim.verdict} alone, p {claim.p:.2g}, but {p_adjusted:.2g} adjusted for {members} claims"
    return claim.model_copy(
        update={"p_adjusted": p_adjusted, "verdict": "undecided", "evidence": f"{why}; {claim.evidence}"}
    )

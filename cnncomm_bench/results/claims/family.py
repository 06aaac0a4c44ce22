"""The claims of a run or of Section 5 as a family: with all of them false, at most 5 % decide one (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..statistics.intervals import CONFIDENCE, holm
from .claim import Claim


def adjust(claims: Sequence[Claim]) -> list[Claim]:
    """Adjust verdicts for the number of claims that could be judged.

    A control is no member: it claims nothing, and an adjustment would only make it harder for it to raise the alarm.

    Parameters
    ----------
    claims : sequence of Claim
        All of a run or of a folder; controls and those without a p value are left as they are.

    Returns
    -------
    list of Claim
        With `p_adjusted`. A claim that only its own interval decides becomes undecided, and its evidence says so.
    """
    members = {place: claim.p for place, claim in enumerate(claims) if claim.p is not None and not claim.control}
    adjusted = dict(zip(members, holm(np.array(list(members.values()))).tolist(), strict=True))
    return [
        _adjusted(claim, adjusted[place], len(members)) if place in members else claim
        for place, claim in enumerate(claims)
    ]


def _adjusted(claim: Claim, p_adjusted: float, members: int) -> Claim:
    if claim.verdict == "undecided" or p_adjusted < 1 - CONFIDENCE:
        return claim.model_copy(update={"p_adjusted": p_adjusted})
    why = f"undecided: {claim.verdict} alone, p {claim.p:.2g}, but {p_adjusted:.2g} adjusted for {members} claims"
    return claim.model_copy(
        update={"p_adjusted": p_adjusted, "verdict": "undecided", "evidence": f"{why}; {claim.evidence}"}
    )

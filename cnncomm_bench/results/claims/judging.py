"""All claims of the paper that a run can decide, judged, written and tabulated.

The paper is Ge et al., "What's the relationship between CNNs and communication systems?"; its claims are stated here
in our words. Every effect is so defined that it is positive where it speaks for the claim, and a claim
is decided when the 95 % interval of the effect, from a bootstrap over images, excludes zero. What cannot be judged is
undecided, and the evidence says why: fewer than 50 images, no SNR at which the curves are off their floor
and ceiling (the mean drop between 10 % and 90 % of the way from clean accuracy to chance), fewer than
ten whole impulses, or an interval that holds zero. The intervals are each claim's own; its verdict is adjusted for all
claims of the run by Holm's method, and what its interval says alone is kept beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ..._utils.atomic import write_text
from ..scores import Scores
from ..statistics.worst import WORST
from .claim import Claim
from .claim_tests import adversarial_claims, adversaries_of, alpha_claims, robust_claims, shape_claims
from .family import adjust

__all__ = ["Claim", "judge", "table", "write"]

SHAPES = ("square", "triangle", "rhombus")

_UNITS = {
    "alpha-order": "accuracy per unit of alpha",
    "alpha-order-at-low-snr": "accuracy per unit of alpha and 10 dB",
    "adversarial-over-white": "dB",
    "robust-gains-db": "dB",
    "decoding": "dB",
    "decoding-control": "dB",
    "transmission-order": "Kendall's tau",
    "carriers": "rank correlation",
    "carriers-control": "rank correlation",
    "carrier-noise": "error rate",
    "carrier-noise-control": "error rate",
    "samples": "dB a doubling",
    "samples-control": "dB a doubling",
    "samples-rate": "dB a doubling",
    "samples-gap": "doublings",
    "tradeoff": "accuracy per 10 dB",
    "tradeoff-control": "accuracy per 10 dB",
    "checkbits": "AUC",
    "checkbits-control": "AUC",
    "checkbits-resolution": "AUC",
    "checkbits-gain": "dB",
}


def judge(
    scores: Scores,
    *,
    whole_impulses: Mapping[tuple[str, float], float] | None = None,
    adversaries: Collection[str] | None = None,
    reference: str | None = None,
    pixel_values: int | None = None,
) -> list[Claim]:
    """Judge the paper's claims.

    Parameters
    ----------
    scores : Scores
    whole_impulses : mapping, optional
        (attack, SNR) to how many whole impulses fitted into an image; shapes are judged only where enough fitted.
    adversaries : collection of str, optional
        Which attacks have the SNR as budget; by default those that `attacks.parse` finds to need a model, and `worst`.
    reference : str, optional
        The model that the others, made robust, are held against; by default the first.
    pixel_values : int, optional
        Number of pixel values of an image, for the yardstick 10 log10(D) beside jamming gains.

    Returns
    -------
    list of Claim
        Claims about attacks that were not run are left out.

    Raises
    ------
    ValueError
        `reference` is no model of the scores.
    """
    counts = scores.counts
    first = counts.models[0] if reference is None else reference
    if first not in counts.models:
        raise ValueError(f"no model is called {first!r}; there are: {', '.join(counts.models)}")
    hostile = set(adversaries) | {WORST} if adversaries is not None else adversaries_of(counts)
    claims: list[Claim] = []
    for model in counts.models:
        for ruler in dict.fromkeys(curve.ruler for curve in counts.curves):
            claims += alpha_claims(counts, model, ruler)
        for shape in SHAPES:
            claims += shape_claims(counts, model, shape, whole_impulses or {})
        claims += adversarial_claims(scores, model, hostile, pixel_values)
    for model in counts.models:
        if model != first:
            claims += robust_claims(scores, model, first, hostile)
    return adjust(claims)


def write(claims: Iterable[Claim], path: str | Path) -> None:
    """Write claims as `{"claims": [...]}`."""
    text = json.dumps({"claims": [claim.model_dump() for claim in claims]}, indent=2, allow_nan=False)
    write_text(Path(path), text + "\n")


def table(claims: Iterable[Claim]) -> list[dict[str, str]]:
    """Rows of a table of claims, for tabulate.

    Returns
    -------
    list of dict
        `claim, model, ruler, verdict, effect, 95 % interval, unit, p, p adjusted`, all of them text; the verdict names
        that of the interval alone where it is another.
    """
    return [
        {
            "claim": claim.id,
            "model": claim.model,
            "ruler": claim.ruler,
            "verdict": _verdict_text(claim),
            "effect": "" if claim.effect is None else f"{claim.effect:+.3g}",
            "95 % interval": _interval_text(claim),
            "unit": _UNITS.get(claim.id, "accuracy"),
            "p": _p_text(claim.p),
            "p adjusted": _p_text(claim.p_adjusted),
        }
        for claim in claims
    ]


def _verdict_text(claim: Claim) -> str:
    alone = claim.verdict_alone
    return claim.verdict if alone in (None, claim.verdict) else f"{claim.verdict} (alone {alone})"


def _p_text(p: float | None) -> str:
    return "" if p is None else "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _interval_text(claim: Claim) -> str:
    if claim.low is None and claim.high is None:
        return ""
    if claim.high is None:
        return f"> {claim.low:+.3g}"
    if claim.low is None:
        return f"< {claim.high:+.3g}"
    return f"{claim.low:+.3g} to {claim.high:+.3g}"

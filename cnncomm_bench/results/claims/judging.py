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
from .claim_tests import adversarial_claims, adversaries_of, alpha_claims, robust_claims
from .family import adjust
from .shape_tests import compare_shapes, shape_claims

__all__ = ["Claim", "judge", "table", "write"]

_UNITS = {
    "alpha-order": "accuracy per unit of alpha",
    "alpha-order-at-low-snr": "accuracy per unit of alpha and 10 dB",
    "adversarial-over-white": "dB",
    "robust-gains-db": "dB",
    "decoding": "dB",
    "decoding-control": "dB",
    "contrast": "dB for each dB",
    "contrast-control": "dB for each dB",
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
    "gradients-align": "alignment",
    "gradients-align-control": "alignment",
    "carriers-dropped": "bits a carrier",
    "carriers-dropped-control": "bit error rate",
    "checkbits": "AUC",
    "checkbits-control": "AUC",
    "checkbits-resolution": "AUC",
    "checkbits-gain": "dB",
    "capsules-pgd": "dB",
    "capsules-gaussian": "dB",
    "capsules-impulses": "dB",
    "capsules-control": "dB",
    "capsules-control-routing": "dB",
    "capsules-control-decoder": "dB",
    "capsules-checkbits": "AUC",
    "capsules-checkbits-gain": "dB",
    "capsules-checkbits-streams": "AUC",
    "capsules-control-capsule": "AUC",
    "capsules-control-cnn": "AUC",
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
        (attack, SNR) to how many whole impulses fitted into an image, see `compare_shapes`.
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
        claims += shape_claims(model, compare_shapes(counts, model, whole_impulses or {}))
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
        `claim, model, ruler, verdict, effect, 95 % interval, unit, p, p adjusted`, all of them text; the verdict is
        the claim's `summary`.
    """
    return [
        {
            "claim": claim.id,
            "model": claim.model,
            "ruler": claim.ruler,
            "verdict": claim.summary,
            "effect": "" if claim.effect is None else f"{claim.effect:+.3g}",
            "95 % interval": _interval_text(claim),
            "unit": _UNITS.get(claim.id, "accuracy"),
            "p": _p_text(claim.p),
            "p adjusted": _p_text(claim.p_adjusted),
        }
        for claim in claims
    ]


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

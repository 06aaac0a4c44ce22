"""A claim and its verdict: decided when the 95 % interval of its effect excludes zero, and its family allows it."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..statistics.effects import Effect
from ..statistics.intervals import Floats, quantiles

Verdict = Literal["supported", "contradicted", "undecided"]
Interval = tuple[float, float, float]
"""Effect and the ends of its interval; infinite where only bounded, NaN where unknown."""

UNKNOWN: Interval = (math.nan, math.nan, math.nan)

STATEMENTS = {
    "alpha-order": "The smaller alpha, the greater the damage of the noise (Ge et al., Fig. 3, in our words).",
    "alpha-order-at-low-snr": (
        "The lower the SNR, the more the damage grows as alpha shrinks (Ge et al., Fig. 3, in our words)."
    ),
    "shape": (
        "Salt-and-pepper noise (alpha 0.9) enlarged to a {shape} does more damage at the same SNR "
        "(Ge et al., Fig. 4, in our words)."
    ),
    "concentration": (
        "The more concentrated, the more damage: saturating impulses enlarged to a {shape} do more than points at the "
        "same SNR (Ge et al., Fig. 4, in our words)."
    ),
    "adversarial-over-white": (
        "Adversarial noise does far more damage than white noise of the same SNR (Ge et al., Section 5, in our words)."
    ),
    "robust-costs-accuracy": "A model made robust pays with clean accuracy (Ge et al., Section 5, in our words).",
    "robust-gains-db": (
        "A model made robust withstands stronger adversarial noise (Ge et al., Section 5, in our words)."
    ),
    "features": (
        "Adversarial examples are features: a classifier trained on them alone knows real images "
        "(Ge et al., Section 5.1, in our words)."
    ),
    "carriers": (
        "To find the perturbation is to find the carrier frequency (Ge et al., Section 5.1, in our words): adversarial "
        "noise lies at the frequencies at which noise does the most damage."
    ),
    "features-control": "Control, to come out undecided: without the adversary's features nothing is learned.",
    "carriers-control": "Control, to come out undecided: the order of the bands is what agrees.",
    "samples": (
        "Robust learning needs more data (Ge et al., Section 5.2, in our words): each doubling of the training images "
        "lowers the threshold SNR under attack."
    ),
    "samples-gap": (
        "Robust learning needs more data than standard learning for the same accuracy (Schmidt et al. 2018; Ge et al., "
        "Section 5.2, in our words)."
    ),
    "tradeoff": "Robustness costs accuracy (Ge et al., Section 5.3, in our words).",
    "checkbits": (
        "A second stream of lower resolution checks the first (Ge et al., Section 5.4, in our words): the two disagree "
        "more on attacked images than on clean ones."
    ),
}


class Claim(BaseModel):
    """A claim of the paper, and its verdict on a run.

    Attributes
    ----------
    id : str
        Such as `alpha-order`.
    statement : str
        The claim, and where the paper makes it.
    model : str
        The model it is judged on; "A against B" for two.
    ruler : str
    verdict : {"supported", "contradicted", "undecided"}
        After the adjustment for all claims of the run, see `family`, where there is one.
    effect, low, high : float, optional
        Effect and its 95 % interval, positive where it speaks for the claim; None where unknown or unbounded.
    evidence : str
        What the verdict rests on, or why there is none.
    p, p_adjusted : float, optional
        Two-sided p value of the claim alone, and by Holm's method over all claims of the run; None where it could not
        be judged, or belongs to no family.
    verdict_alone : {"supported", "contradicted", "undecided"}, optional
        What its own interval says.
    caveat : str, optional
        What the verdict depends on, such as "depends on the baseline": no summary shows the one without the other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    statement: str
    model: str
    ruler: str
    verdict: Verdict
    effect: float | None
    low: float | None
    high: float | None
    evidence: str
    p: float | None = None
    p_adjusted: float | None = None
    verdict_alone: Verdict | None = None
    caveat: str | None = None

    @property
    def summary(self) -> str:
        """The verdict as it is shown: with that of the interval alone where it is another, and with the caveat."""
        alone = None if self.verdict_alone in (None, self.verdict) else f"alone {self.verdict_alone}"
        notes = [note for note in (alone, self.caveat) if note]
        return f"{self.verdict} ({'; '.join(notes)})" if notes else self.verdict

    @property
    def control(self) -> bool:
        """Whether it is a control: made to come out undecided."""
        return self.id.endswith("-control")


def decide(
    name: str,
    model: str,
    ruler: str,
    effect: Interval | Effect,
    evidence: str,
    *,
    reason: str = "",
    statement: str = "",
    caveat: str | None = None,
) -> Claim:
    """Decide a claim by its interval, unless there is a reason not to.

    Parameters
    ----------
    name, model, ruler, evidence
        See `Claim`; `name` is its id.
    effect : Effect, or (float, float, float)
        Effect and the ends of its interval; with p values it can be adjusted for the claims beside it.
    reason : str
        Why the claim cannot be judged, if so.
    statement : str
        By default that of `STATEMENTS`.
    caveat : str, optional
        See `Claim`.
    """
    at, low, high = effect[:3]
    verdict: Verdict = "undecided"
    if not reason:
        verdict = "supported" if low > 0 else "contradicted" if high < 0 else "undecided"
        reason = "the interval holds zero" if verdict == "undecided" else ""
    return Claim(
        id=name,
        statement=statement or STATEMENTS[name],
        model=model,
        ruler=ruler,
        verdict=verdict,
        effect=at if math.isfinite(at) else None,
        low=low if math.isfinite(low) else None,
        high=high if math.isfinite(high) else None,
        evidence="; ".join(filter(None, (reason and f"undecided: {reason}", evidence))),
        p=effect.p if isinstance(effect, Effect) else None,
        verdict_alone=verdict if isinstance(effect, Effect) else None,
        caveat=caveat,
    )


def bootstrapped(values: Floats) -> Interval:
    """Effect and its 95 % interval from bootstrap values, of shape-(1 + B,), the sample's own first."""
    return (float(values[0]), *quantiles(values[1:], values[1:]))

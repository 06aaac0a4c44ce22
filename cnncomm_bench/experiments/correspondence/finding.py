"""A finding: what one measurement says to a pair, with its interval and verdict; and how findings become a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...results.claims import Claim, Interval, Verdict, decide, table

PairVerdict = Literal["supported", "contradicted", "undecided", "not measured"]


class Finding(BaseModel):
    """A measurement.

    Attributes
    ----------
    claim : str
        Its id, such as `decoding`.
    about : str
        What it was measured on.
    verdict : {"supported", "contradicted", "undecided"}, optional
        None where it stands beside the others and has no say.
    effect, low, high : float, optional
        Effect and its 95 % interval; None where unknown or unbounded.
    unit, note : str
    caveat : str
        What the verdict is not to be read without.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    about: str
    verdict: Verdict | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""
    caveat: str = ""

    @classmethod
    def of(cls, claim: Claim, *, caveat: str = "") -> Finding:
        """A claim of a folder."""
        ruler = "" if claim.ruler == "realised" else f", {claim.ruler}"
        return cls(
            claim=claim.id, about=f"{claim.model}{ruler}", verdict=claim.verdict, effect=claim.effect, low=claim.low,
            high=claim.high, unit=table([claim])[0]["unit"], caveat="; ".join(filter(None, (claim.caveat, caveat))),
        )  # fmt: skip

    @classmethod
    def measured(
        cls, name: str, about: str, effect: Interval, unit: str, *, note: str = "", against: bool = False
    ) -> Finding:
        """An effect, decided by its interval alone; undecided where something also speaks `against` it."""
        reason = "it depends" if against else ""
        judged = decide(name, about, "realised", effect, "", reason=reason, statement=name)
        return cls(claim=name, about=about, verdict=judged.verdict, effect=judged.effect, low=judged.low,
                   high=judged.high, unit=unit, note=note)  # fmt: skip

    @property
    def interval(self) -> str:
        """Effect, unit and interval as text, such as "3.7 dB (3.2 to 4.1)"."""
        if self.effect is None and self.low is None and self.high is None:
            return ""
        at = "" if self.effect is None else f"{self.effect:.3g} {self.unit}".strip()
        if self.low is not None and self.high is not None:
            ends = f"{self.low:.3g} to {self.high:.3g}"
        elif self.low is None and self.high is None:
            ends = ""
        else:
            ends = f"> {self.low:.3g}" if self.low is not None else f"< {self.high:.3g}"
        return f"{at} ({ends})" if at and ends else at or f"{ends} {self.unit}"


def verdict_of(sources: Sequence[Sequence[Finding]]) -> PairVerdict:
    """The verdict of a pair, from the findings of each of its sources.

    A source says what more than half of its findings say, if none says the opposite. A pair is what all its sources
    that were measured say, and undecided where they differ.

    Examples
    --------
    >>> yes, no = (Finding(claim="c", about="", verdict=verdict) for verdict in ("supported", "contradicted"))
    >>> verdict_of([[yes], [yes, yes]]), verdict_of([[yes], [no]]), verdict_of([[yes, yes, no]]), verdict_of([[]])
    ('supported', 'undecided', 'undecided', 'not measured')
    """
    said = {_said(verdicts) for source in sources if (verdicts := [one.verdict for one in source if one.verdict])}
    if not said:
        return "not measured"
    return said.pop() if len(said) == 1 else "undecided"


def _said(verdicts: Sequence[Verdict]) -> Verdict:
    decided = {verdict for verdict in verdicts if verdict != "undecided"}
    if len(decided) != 1 or 2 * verdicts.count("undecided") >= len(verdicts):
        return "undecided"
    return decided.pop()

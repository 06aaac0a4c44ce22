"""Counts errors: decides when to stop, and gives each count its interval.

A point ends with the frame, or where bits fail independently with the bit, that brings the number of errors wanted,
or at a limit of bits. Both ends have exact intervals: the tails of the negative binomial law and of the binomial
one are incomplete beta functions (Clopper and Pearson 1934; for counting up to a number of errors, Haldane 1945).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from ...results.statistics import CONFIDENCE, Floats, effective_trials

Flags = npt.NDArray[np.bool_]
Interval = tuple[float, float, float]
"""A rate and the ends of its interval."""


def exact(errors: float, trials: float, *, stopped: bool = False, confidence: float = CONFIDENCE) -> Interval:
    """Error rate with its exact interval.

    Parameters
    ----------
    errors, trials : float
        Numbers; effective ones need not be whole (Korn and Graubard 1998).
    stopped : bool
        Whether the last trial is the error that was waited for; else the number of trials was fixed.
    confidence : float

    Returns
    -------
    rate, low, high : float
        NaN without trials.

    Examples
    --------
    >>> [round(x, 4) for x in exact(0, 100)]
    [0.0, 0.0, 0.0362]
    >>> [round(x, 4) for x in exact(10, 100, stopped=True)]
    [0.1, 0.049, 0.1656]
    """
    if trials == 0:
        return float("nan"), 0.0, 1.0
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, errors, trials - errors + 1)) if errors > 0 else 0.0
    high = float(beta.ppf(1 - tail, errors if stopped else errors + 1, trials - errors)) if trials > errors else 1.0
    return errors / trials, low, high


@dataclass(frozen=True)
class Rule:
    """When a point has been measured well enough.

    Attributes
    ----------
    errors : int
        Wrong frames to wait for; wrong bits where they are independent.
    bits : int
        Where the point ends without enough errors.
    """

    errors: int
    bits: int


@dataclass
class Counts:
    """Errors of one point.

    Parameters
    ----------
    rule : Rule
    independent : bool
        Whether bits fail independently of each other, so that each is a trial; else frames are.
    """

    rule: Rule
    independent: bool
    bits: int = 0
    bit_errors: int = 0
    undetected: int = 0
    stopped: bool = False
    _shares: list[Floats] = field(default_factory=list)
    _length: int = 0

    def add(self, wrong: Flags, accepted: Flags) -> None:
        """Count a batch of frames, up to the error that was waited for.

        Parameters
        ----------
        wrong : ndarray, shape-(F, k), bool
            Which bits came out wrong.
        accepted : ndarray, shape-(F,), bool
            Which frames passed their check.
        """
        self._length = wrong.shape[1]
        failed: Flags = np.any(wrong, axis=1)
        if not self.independent:
            kept = self._up_to(failed, self.frame_errors)
            wrong, accepted, failed = wrong[:kept], accepted[:kept], failed[:kept]
            self.bits += wrong.size
            self.bit_errors += int(wrong.sum())
        else:
            flat = wrong.reshape(-1)
            kept = self._up_to(flat, self.bit_errors)
            self.bits += kept
            self.bit_errors += int(flat[:kept].sum())
        self.undetected += int((failed & accepted).sum())
        self._shares.append(wrong.mean(axis=1))

    def _up_to(self, errors: Flags, before: int) -> int:
        """How many trials there are up to the last error that is needed."""
        places = np.flatnonzero(errors)
        needed = self.rule.errors - before
        self.stopped = len(places) >= needed
        return int(places[needed - 1]) + 1 if self.stopped else len(errors)

    @property
    def done(self) -> bool:
        """Whether the point needs no more frames."""
        return self.stopped or self.bits >= self.rule.bits

    @property
    def frames(self) -> int:
        """How many frames were counted."""
        return sum(map(len, self._shares))

    @property
    def frame_errors(self) -> int:
        """How many of them had an error."""
        return sum(int((shares > 0).sum()) for shares in self._shares)

    def row(self) -> dict[str, Any]:
        """Rates and intervals, as columns of `ber.csv`."""
        ber, ber_low, ber_high = self._bits()
        fer, fer_low, fer_high = exact(self.frame_errors, self.frames, stopped=self.stopped and not self.independent)
        missed, missed_low, missed_high = exact(self.undetected, self.frames)
        return {
            "bits": self.bits, "errors": self.bit_errors, "ber": ber, "ber_low": ber_low, "ber_high": ber_high,
            "frames": self.frames, "frame_errors": self.frame_errors, "fer": fer, "fer_low": fer_low,
            "fer_high": fer_high, "undetected": self.undetected, "undetected_rate": missed,
            "undetected_low": missed_low, "undetected_high": missed_high,
        }  # fmt: skip

    def _bits(self) -> Interval:
        if self.independent:
            return exact(self.bit_errors, self.bits, stopped=self.stopped)
        shares = np.concatenate(self._shares)
        rate, failed = self.bit_errors / self.bits, self.frame_errors
        trials = effective_trials(shares, self._length)
        _, low, high = exact(rate * trials, trials)
        if failed:
            # The upper end is for one more wrong frame. How wrong a frame can be, few of them do not show: that one
            # counts as the worst that was seen and 1 / failed beyond it (Fay and Feuer 1997 take the largest weight).
            more = np.append(shares, min(1.0, shares.max() * (1 + 1 / failed)))
            trials = effective_trials(more, self._length)
            high = exact(more.mean() * trials - 1, trials - 1)[2]
        return rate, low, high

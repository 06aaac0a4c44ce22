"""What the tables of a link, of the special CNN, of the ladder of resolutions and of a run say to a pair."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..._utils.frames import groups
from ..._utils.frames import rows as rows_of
from ...results.claims import Interval
from ...results.statistics import Z
from ..link import SYSTEM, complete, reaches, system_name
from .evidence_folders import Evidence
from .finding import Finding

RATE = 0.01
"""At which systems are compared: where no error was seen, the default link knows the rate to be below that."""

SPECIAL_CNN = "special CNN"
_BITS = re.compile(r"(\d{1,6}) bits in (\d{1,4}) x (\d{1,4}) samples")
_CODE_RATE = 0.5
"""Of the convolutional code."""


class _Gain(NamedTuple):
    model: str
    reference: str
    attack: str
    ruler: str
    gain_db: float
    low: float
    high: float


class _Side(NamedTuple):
    side: int
    values: int
    threshold_db: float
    low: float
    high: float


def crossing(curve: pd.DataFrame, target: float = RATE) -> Interval:
    """The SNR at which a curve reaches a bit error rate, and where the ends of its intervals do.

    Parameters
    ----------
    curve : DataFrame
        `snr_db, ber, ber_low, ber_high, errors`, rising SNR.
    target : float

    Returns
    -------
    (float, float, float)
        NaN where it is only bounded; ends are infinite where the grid does not bound them.
    """
    found = reaches(curve, target)
    at = math.nan if found.bound else found.snr_db
    return at, _end(curve, "ber_low", target, -math.inf), _end(curve, "ber_high", target, math.inf)


def _end(curve: pd.DataFrame, column: str, target: float, unbounded: float) -> float:
    """Where one end of the intervals crosses; an end at zero is followed no further than the SNR before or after it."""
    rates, db = curve[column].to_numpy(dtype=float), curve.snr_db.to_numpy(dtype=float)
    above = np.flatnonzero(rates > target)
    if not len(above):
        return float(db[0]) if unbounded > 0 else unbounded
    last = int(above[-1])
    if last + 1 == len(rates):
        return float(db[-1]) if unbounded < 0 else unbounded
    if curve.errors.iloc[last + 1] == 0 or rates[last + 1] <= 0:
        return float(db[last + (unbounded > 0)])
    pair = slice(last, last + 2)
    return float(np.interp(-np.log10(target), -np.log10(rates[pair]), db[pair]))


def less(first: Interval, second: Interval) -> Interval:
    """Subtract the second, with the widest interval that the two allow."""
    return first[0] - second[0], first[1] - second[2], first[2] - second[1]


def checksum(evidence: Evidence) -> list[Finding]:
    """How many wrong frames of the link its check bits passed."""
    if not evidence.links:
        return []
    wrong, missed = (sum(int(table[name].sum()) for table in evidence.links) for name in ("frame_errors", "undetected"))
    return [Finding(claim="link", about="CRC-16", note=f"of {wrong:,} wrong frames it passed {missed:,}")]


def receivers(evidence: Evidence) -> list[Finding]:
    """How many dB a receiver made for impulses gains over the Gaussian one, on the ruler dispersion."""
    best: dict[tuple[str, ...], Interval] = {}
    for table in evidence.links:
        coded = table[(table.code != "none") & (table.ruler == "dispersion") & table.alpha.notna()]
        for key, part in groups(coded, ["modulation", "code", "interleaver", "frame", "alpha"]):
            needed = {name: crossing(curve) for name, curve in part.groupby("receiver")}
            if {"gaussian", "cauchy"} <= set(needed):
                gain = less(needed["gaussian"], needed["cauchy"])
                known = best.get(key)
                if known is None or not (known[2] - known[1] <= gain[2] - gain[1]):
                    best[key] = gain  # the finest grid
    return [
        Finding.measured(
            "receiver",
            f"Cauchy over Gaussian, {modulation}, {code}{'' if interleaver == 'none' else ', interleaved'}, "
            f"{frame} bits, alpha {float(alpha):g}",
            gain, "dB", note=f"at a bit error rate of {RATE:g}",
        )
        for (modulation, code, interleaver, frame, alpha), gain in best.items()
    ]  # fmt: skip


def tone_over_white(evidence: Evidence) -> list[Finding]:
    """Bit errors of a tone on the carrier, less those of white noise of the same power."""
    return [
        _more_errors("jammer", f"{name}, tone on the carrier against white noise", [(tone, others["stable:alpha=2"])])
        for name, tone, others in _jammed(evidence)
        if "stable:alpha=2" in others
    ]


def tone_over_beside(evidence: Evidence) -> list[Finding]:
    """Bit errors of a tone on the carrier, less those of tones beside it of the same power."""
    return [
        _more_errors("jammer", f"{name}, tone on the carrier against {other}", [(tone, curve)])
        for name, tone, others in _jammed(evidence)
        for other, curve in others.items()
        if other.startswith("tone:")
    ]


def _jammed(evidence: Evidence) -> Iterator[tuple[str, pd.DataFrame, dict[str, pd.DataFrame]]]:
    """Each system without a code: its name, its curve under a tone on the carrier, those under other noises."""
    for table in evidence.links:
        plain = table[(table.ruler == "realised") & (table.code == "none")]
        if not (plain.noise == "tone").any():
            continue
        for system, part in groups(complete(plain), SYSTEM):
            curves = {str(noise): curve for noise, curve in part.groupby("noise", sort=False)}
            if "tone" in curves:
                yield system_name(*system), curves.pop("tone"), curves


def bursts(evidence: Evidence) -> list[Finding]:
    """Bit errors of impulses in short windows, less those of the same energy in the longest one."""
    found = []
    for table in evidence.links:
        windows = table[table.noise.str.startswith("burst:length=")]
        if windows.empty:
            continue
        for system, part in groups(complete(windows), SYSTEM):
            curves = [curve for _, curve in sorted(part.groupby("noise"), key=lambda item: _length(str(item[0])))]
            if len(curves) > 1:
                about = f"{system_name(*system)}, shorter windows against the longest"
                found.append(_more_errors("burst", about, [(curve, curves[-1]) for curve in curves[:-1]]))
    return found


def _length(spec: str) -> float:
    digits = spec.rpartition("=")[2]
    return float(digits) if digits.isdecimal() else math.inf


def _more_errors(claim: str, about: str, pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> Finding:
    """The mean difference of bit error rates over SNRs; undecided where its sign depends on them."""
    differences, variances, more, fewer = [], [], [], []
    for first, second in pairs:
        joined = first.merge(second, on="snr_db", suffixes=("", "_2"))
        joined = joined[(joined.errors > 0) | (joined.errors_2 > 0)]
        differences.append(joined.ber - joined.ber_2)
        spread = np.hypot(joined.ber_high - joined.ber_low, joined.ber_high_2 - joined.ber_low_2) / (2 * Z)
        variances.append(spread**2)
        more += joined.snr_db[joined.ber_low > joined.ber_high_2].tolist()
        fewer += joined.snr_db[joined.ber_high < joined.ber_low_2].tolist()
    difference, variance = np.concatenate(differences), np.concatenate(variances)
    if not len(difference):
        return Finding(claim=claim, about=about, verdict="undecided", note="no error was seen")
    mean, half = float(difference.mean()), Z * math.sqrt(float(variance.sum())) / len(difference)
    note = f"more errors in {len(more)} comparisons{_span(more)}, fewer in {len(fewer)}{_span(fewer)}"
    effect = (mean, mean - half, mean + half)
    return Finding.measured(claim, about, effect, "bit error rate", note=note, against=bool(more and fewer))


def _span(dbs: list[float]) -> str:
    if len(set(dbs)) < 2:
        return f" ({dbs[0]:g} dB)" if dbs else ""
    return f" ({min(dbs):g} to {max(dbs):g} dB)"


def special_over_bpsk(evidence: Evidence) -> list[Finding]:
    """How many dB the special CNN gains over uncoded BPSK at the same energy a bit."""
    return [
        Finding.measured("special", f"{about}, against {other}", _shifted(less(theirs, mine), 10 * math.log10(rate)),
                         "dB", note=f"at a bit error rate of {RATE:g} and the same energy a bit")
        for about, rate, mine, other, theirs in _beside_special(evidence)
        if ", uncoded" in other
    ]  # fmt: skip


def special_over_code(evidence: Evidence) -> list[Finding]:
    """How many dB the special CNN gains over the convolutional code of its rate."""
    return [
        Finding.measured("special", f"{about}, against {other}", less(theirs, mine), "dB",
                         note=f"at a bit error rate of {RATE:g}")
        for about, rate, mine, other, theirs in _beside_special(evidence)
        if ", conv" in other and rate == _CODE_RATE
    ]  # fmt: skip


def _beside_special(evidence: Evidence) -> Iterator[tuple[str, float, Interval, str, Interval]]:
    """Each special CNN with each system of the link in the same noise: about, rate, crossing, system, crossing."""
    for table in evidence.specials:
        for (alpha, ruler), part in table.groupby(["alpha", "ruler"], sort=False):
            curves = {str(system): curve for system, curve in part.groupby("system", sort=False)}
            crossed = {system: crossing(curve) for system, curve in curves.items()}
            for name, other in ((a, b) for a in crossed for b in crossed if a.startswith(SPECIAL_CNN)):
                rate = _bits_a_sample(name)
                if rate and not other.startswith(SPECIAL_CNN):
                    yield f"{name}, alpha {alpha:g}, {ruler}", rate, crossed[name], other, crossed[other]


def _bits_a_sample(name: str) -> float:
    found = _BITS.search(name)
    bits, high, wide = map(int, found.groups()) if found else (0, 1, 1)
    return bits / max(1, high * wide)


def _shifted(interval: Interval, by: float) -> Interval:
    return interval[0] + by, interval[1] + by, interval[2] + by


def labels_sent(evidence: Evidence) -> list[Finding]:
    """How many of the labels that the special CNN sends come back wrong, at its highest SNR."""
    found = []
    for table in evidence.specials:
        mine = table[table.system.str.startswith(SPECIAL_CNN)]
        for (alpha, system), curve in groups(mine, ["alpha", "system"]):
            last = curve.iloc[-1]
            note = f"labels wrong at {last.snr_db:g} dB: {last.fer:.2g} ({last.fer_low:.2g} to {last.fer_high:.2g})"
            found.append(Finding(claim="special", about=f"{system}, alpha {float(alpha):g}", note=note))
    return found


def resolutions(evidence: Evidence) -> list[Finding]:
    """How many dB less the largest resolution needs than the smallest: whether W and S/N trade."""
    found = []
    for table in evidence.bandwidths:
        sides = sorted(rows_of(table, _Side), key=lambda row: row.values)
        if len(sides) < 2:
            continue
        first, last = sides[0], sides[-1]
        effect = less((first.threshold_db, first.low, first.high), (last.threshold_db, last.low, last.high))
        about = f"{last.values} pixel values against {first.values}"
        found.append(Finding.measured("bandwidth", about, effect, "dB", note="thresholds in white noise"))
    return found


def trainings(evidence: Evidence) -> list[Finding]:
    """How many dB each model of a run withstands more of Gaussian and Cauchy noise than the reference."""
    return [
        Finding.measured("gain", f"{row.model} over {row.reference}, {row.attack}, {row.ruler}",
                         (row.gain_db, row.low, row.high), "dB")
        for run in evidence.runs
        for row in rows_of(run.gains, _Gain)
        if row.attack in ("gaussian", "cauchy")
    ]  # fmt: skip

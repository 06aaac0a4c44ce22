"""Tests two streams as check bits (Section 5.4).

After Ge et al. 2019, "Defending from adversarial examples with a two-stream architecture".
A network decides at full resolution, a second one sees the same image at half of it; where they disagree the check
fails, as a parity bit does. Measured are how well that separates attacked images from clean ones, and how many
errors pass undetected: under noise, under adversaries of the first network, and under one that knows of the check and
attacks both.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from torch import nn

from ..._utils.frames import rows
from ...results.claims import UNKNOWN, Claim, decide
from ...results.statistics import difference, effect_of, format_gain
from . import checkbits_figures
from .experiment_result import ExperimentResult
from .reception import measure
from .setting import Setting
from .trial import (
    ADAPTIVE,
    ITSELF,
    LOW,
    TWIN,
    UNAWARE,
    GainRow,
    Trial,
    detection_table,
    gains_table,
    roc_table,
    signed_gains,
    undetected_table,
)
from .twostream import LowResolution, TwoStreams

TESTS, FULL_TESTS = 200, 1000
"""Images that are attacked, and as many others that set the level of the alarm."""


def run(setting: Setting, tests: int | None = None) -> ExperimentResult:
    """Train both streams, attack them, and judge whether the check finds the attacked images.

    Parameters
    ----------
    setting : Setting
    tests : int, optional
        By default `FULL_TESTS` where the setting is full, else `TESTS`.

    Returns
    -------
    ExperimentResult
        Tables `checkbits` (undetected errors), `detection`, `roc` and `gains`.

    Raises
    ------
    BenchError
        Too few images, a factory that does not fit the data, a training that diverges.
    """
    setting.need("checkbits", train=20 * setting.classes, test=20 * setting.classes)
    trial = measure(setting, train_streams(setting), tests or (FULL_TESTS if setting.full else TESTS))
    undetected, gains, curves = undetected_table(trial), gains_table(trial), roc_table(trial)
    claims = judge(trial)
    return ExperimentResult(
        name="checkbits",
        tables={
            "checkbits": undetected,
            "detection": detection_table(trial),
            "roc": curves,
            "gains": signed_gains(trial, gains),
        },
        claims=claims,
        figures={"checkbits": checkbits_figures.undetected(undetected), "roc": checkbits_figures.roc(curves)},
        text=_text(trial, claims, gains),
    )


def train_streams(setting: Setting) -> dict[str, TwoStreams]:
    """The deciding network under three checks: at low resolution, a twin from another seed, and itself.

    Returns
    -------
    dict of str to TwoStreams
    """
    images, labels = setting.train_images, setting.train_labels
    blurred = replace(setting, factory=lambda: nn.Sequential(LowResolution(), setting.factory()))
    decides = setting.trained("source", images, labels)
    checks = {
        LOW: blurred.trained("checkbits low resolution", images, labels, seed=1),
        TWIN: setting.trained("checkbits same resolution", images, labels, seed=1),
        ITSELF: decides,
    }
    return {name: TwoStreams(decides, check).eval() for name, check in checks.items()}


def judge(trial: Trial) -> list[Claim]:
    """Whether the check finds each attack, whether it holds against one that knows of it, and the control.

    Parameters
    ----------
    trial : Trial
    """
    claims = [_finds(trial, check, attack) for check, attack in trial.received if check == LOW]
    statement = "Control, to come out undecided: a stream that checks itself finds nothing."
    claims.append(_finds(trial, ITSELF, UNAWARE, "checkbits-control", statement))
    evidence = f"dB that the check buys, {len(trial.right)} images"
    statement = "The check holds against an adversary that knows of it: errors pass undetected only at a lower SNR."
    effect = effect_of(difference(*trial.thresholds(LOW, ADAPTIVE)), len(trial.right))
    claims.append(decide("checkbits-gain", f"{LOW}, {ADAPTIVE}", "realised", effect, evidence, statement=statement))
    return [*claims, _resolution(trial)]


def _finds(trial: Trial, check: str, attack: str, name: str = "checkbits", statement: str = "") -> Claim:
    informative = trial.informative(check, attack)
    dbs = ", ".join(f"{db:g}" for db in trial.received[check, attack].snr_db[informative])
    evidence = f"AUC less 0.5, mean over {dbs or 'no'} dB, {int(trial.right.sum())} images"
    reason = "" if dbs else "no SNR at which the first network is off floor and ceiling"
    above = trial.areas(check, attack)[informative] - 0.5
    effect = effect_of(above.mean(0), int(trial.right.sum())) if dbs else UNKNOWN
    about = f"{check}, {attack}"
    return decide(name, about, "realised", effect, evidence, reason=reason, statement=statement)


def _resolution(trial: Trial) -> Claim:
    """Whether the low resolution matters, or any second network would do."""
    informative = trial.informative(LOW, UNAWARE)
    low, twin = (trial.areas(check, UNAWARE)[informative] for check in (LOW, TWIN))
    effect = effect_of((low - twin).mean(0), int(trial.right.sum())) if informative.any() else UNKNOWN
    return decide(
        "checkbits-resolution", f"{LOW} against {TWIN}, {UNAWARE}", "realised", effect,
        "difference of the AUCs on the same images",
        reason="" if informative.any() else "no SNR at which the first network is off floor and ceiling",
        statement="The resolution makes the check: a second network of full resolution finds fewer attacked images.",
    )  # fmt: skip


def _text(trial: Trial, claims: list[Claim], gains: pd.DataFrame) -> str:
    """What came out, in a few sentences."""
    alarms = ", ".join(f"{check} {(trial.clean[check] > alarm).mean():.3f}" for check, alarm in trial.alarm.items())
    found = "; ".join(
        f"{claim.model} {0.5 + claim.effect:.3f}"
        for claim in claims
        if claim.id == "checkbits" and claim.effect is not None
    )
    bought = "; ".join(
        f"{row.check}, {row.attack} {format_gain(row.gain_db, row.low, row.high) or 'unknown'}"
        for row in rows(gains, GainRow)
        if row.check != ITSELF
    )
    return "\n\n".join([
        f"The first network is right on {trial.right.mean():.3f} of the clean images; false alarms: {alarms}.",
        f"AUC of the check: {found}.",
        f"What the check buys before errors pass undetected: {bought}.",
    ])  # fmt: skip

"""Judges what capsules are worth: dB over a CNN, and what their reconstructions find, over images and trainings.

The paper claims a role "in the security field of neural networks" and frames' check bits; the effects are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ...results.claims import UNKNOWN, Claim, Interval, decide
from ...results.statistics import Counts, Effect, Floats, difference, effect_of, format_gain
from .association import Ladder, draws, gain, over_trainings
from .trial import ADAPTIVE, LOW, UNAWARE, Trial

CAPSULES, ONCE = "capsules", "capsules, one iteration"
CNN, DRAWING, ALIKE = "CNN", "CNN with decoder", "CNN, other seeds"
STREAMS = "CNN, two streams"

OWN, OTHER = "reconstruction", "reconstruction of another class"

ADVERSARY = "pgd:steps=10"
NOISES = ("gaussian", "impulse-square")
BLACK_BOX = "square-attack:queries=200"
"""Of the first capsule network and CNN: is pgd weaker than an adversary without gradients?"""

_NAMES = {ADVERSARY: "pgd", "gaussian": "gaussian", "impulse-square": "impulses"}
_CLAIM = (
    "Capsules withstand more {attack} than a CNN of the same stem and accuracy (Ge et al., Section 5.4, in our words)."
)

_IN_DB = (*(f"capsules-{name}" for name in _NAMES.values()), "capsules-checkbits-gain")

Trials = Mapping[str, Sequence[Trial]]


def judge(counts: Counts, accuracy: Mapping[str, Floats], trials: Trials, warnings: Sequence[str] = ()) -> list[Claim]:
    """All claims of the experiment.

    Parameters
    ----------
    counts : Counts
        Of predictions of all networks, whose names begin with their kind.
    accuracy : mapping of str to ndarray, shape-(1 + B,)
        Clean accuracy of each network.
    trials : mapping of str to sequence of Trial
        One of each network, by kind.
    warnings : sequence of str
        Of masked gradients; then nothing is decided by pgd's thresholds.
    """
    masked = "the gradient is masked, see the warnings" if warnings else ""
    return [
        *(
            _gain(counts, accuracy, (CNN, CAPSULES), attack, f"capsules-{name}", _CLAIM.format(attack=name),
                  masked if attack == ADVERSARY else "")
            for attack, name in _NAMES.items()
        ),
        _gain(counts, accuracy, (ONCE, CAPSULES), ADVERSARY, "capsules-control-routing",
              "Routing makes the difference: networks of one iteration withstand less pgd.", masked),
        _gain(counts, accuracy, (DRAWING, CAPSULES), ADVERSARY, "capsules-control-decoder",
              "The decoder alone does not make the difference: CNNs with one withstand less pgd.", masked),
        _gain(counts, accuracy, (CNN, ALIKE), ADVERSARY, "capsules-control",
              "Control, to come out undecided: CNNs that were trained alike gain nothing over each other."),
        _same_accuracy(accuracy),
        *(_finds(trials, attack) for check, attack in trials[CAPSULES][0].received if check == OWN),
        _buys(trials),
        _better(trials, (STREAMS, LOW), "capsules-checkbits-streams",
                "A reconstruction finds more attacked images than a second stream of low resolution."),
        _better(trials, (CAPSULES, OTHER), "capsules-control-capsule",
                "The decided capsule makes the check: the drawing of another class finds fewer attacked images."),
        _better(trials, (DRAWING, OWN), "capsules-control-cnn",
                "Capsules make the check: what a CNN draws with the same decoder finds fewer attacked images."),
    ]  # fmt: skip


def sentences(table: pd.DataFrame, claims: Sequence[Claim], warnings: Sequence[str]) -> str:
    """What came out, in a few sentences."""
    means = table[table.attack == ADVERSARY].groupby("kind", sort=False)[["clean", "threshold_db"]].mean()
    kinds = "; ".join(f"{row.Index} {row.clean:.3f}, {row.threshold_db:.1f} dB" for row in means.itertuples())
    known = [claim for claim in claims if claim.effect is not None]
    gained = "; ".join(f"{claim.model} {format_gain(*_interval(claim))}" for claim in known if claim.id in _IN_DB)
    found = "; ".join(
        f"{claim.model} {0.5 + (claim.effect or 0):.3f}" for claim in known if claim.id == "capsules-checkbits"
    )
    masked = "; ".join(warnings) or f"none: neither {BLACK_BOX} nor noise fools what pgd does not"
    return "\n\n".join([
        f"Clean accuracy and threshold under {ADVERSARY}, mean over networks: {kinds}.",
        f"What capsules and their check gain: {gained or 'unknown'}.",
        f"AUC of the check: {found or 'unknown'}.",
        f"Signs of masked gradients: {masked}.",
    ])  # fmt: skip


def _interval(claim: Claim) -> Interval:
    """As numbers, infinite where it is only bounded."""
    at, low, high = claim.effect, claim.low, claim.high
    return (math.nan if at is None else at, -math.inf if low is None else low, math.inf if high is None else high)


def _gain(
    counts: Counts, accuracy: Mapping[str, Floats], kinds: tuple[str, str], attack: str, name: str, statement: str,
    reason: str = "",
) -> Claim:  # fmt: skip
    """By how many dB the second kind's threshold is below the first's."""
    first, second = ([model for model in accuracy if model.partition(" #")[0] == kind] for kind in kinds)
    effect, unknown = gain(Ladder.of(counts, [first, second], attack, accuracy), counts.seed)
    evidence = f"{len(first)} and {len(second)} networks, {len(counts.images)} images; interval over both"
    about = f"{kinds[1]} against {kinds[0]}, {attack}"
    return decide(name, about, "realised", effect, evidence, reason=reason or unknown, statement=statement)


def _same_accuracy(accuracy: Mapping[str, Floats]) -> Claim:
    kinds = [[accuracy[name] for name in accuracy if name.partition(" #")[0] == kind] for kind in (CNN, CAPSULES)]
    values = np.stack([np.stack(kind, 1) for kind in kinds], 1)
    means = over_trainings(values[..., None])[..., 0]
    effect = effect_of(means[:, 1] - means[:, 0], draws(*map(len, kinds)))
    return decide(
        "capsules-accuracy-control", f"{CAPSULES} against {CNN}", "realised", effect,
        f"clean accuracy of {len(kinds[1])} and {len(kinds[0])} networks on all test images; interval over both",
        statement="Control, to come out undecided: both networks have the same clean accuracy.",
    )  # fmt: skip


def _finds(trials: Trials, attack: str) -> Claim:
    effect, reason = _area(trials, [(CAPSULES, OWN)], attack)
    return decide(
        "capsules-checkbits", f"{OWN}, {attack}", "realised", effect, f"AUC less 0.5, {_counted(trials[CAPSULES])}",
        reason=reason,
        statement="A capsule network's reconstruction is its check bits (Ge et al., Section 5.4, in our words): its "
        "error is larger on attacked images than on clean ones.",
    )  # fmt: skip


def _better(trials: Trials, other: tuple[str, str], name: str, statement: str) -> Claim:
    effect, reason = _area(trials, [(CAPSULES, OWN), other], UNAWARE)
    about = f"{CAPSULES}, {OWN} against {', '.join(other)}, {UNAWARE}"
    evidence = f"difference of the AUCs, {_counted(trials[CAPSULES])}"
    return decide(name, about, "realised", effect, evidence, reason=reason, statement=statement)


def _buys(trials: Trials) -> Claim:
    """Whether the check buys dB from an adversary that knows of it."""
    mine = trials[CAPSULES]
    gains = np.stack([difference(*trial.thresholds(OWN, ADAPTIVE)).at for trial in mine], 1)
    known = bool(np.isfinite(gains[0]).all())
    effect = effect_of(over_trainings(gains[:, None, :, None])[:, 0, 0], draws(len(mine))) if known else UNKNOWN
    return decide(
        "capsules-checkbits-gain", f"{OWN}, {ADAPTIVE}", "realised", effect,
        f"dB that the check buys before errors pass undetected, {_counted(mine)}",
        reason="" if known else "a threshold is off the grid",
        statement="The check holds against an adversary that knows of it: errors pass undetected only at a lower SNR.",
    )  # fmt: skip


def _area(trials: Trials, compared: list[tuple[str, str]], attack: str) -> tuple[Effect | Interval, str]:
    """AUC of a check less 0.5, or less that of a second one; each where its network is off floor and ceiling."""
    values = []
    for kind, check in compared:
        for trial in trials[kind]:
            if not (informative := trial.informative(check, attack)).any():
                return UNKNOWN, "no SNR at which a network is off floor and ceiling"
            values.append(trial.areas(check, attack)[informative].mean(0))
    areas = np.stack(values, 1).reshape(len(values[0]), len(compared), -1)
    if len({kind for kind, _ in compared}) < len(compared):  # two checks of the same networks
        areas, zero = areas[:, :1] - areas[:, 1:], 0.0
    else:
        zero = 0.5
    means = over_trainings(areas[..., None])[..., 0]
    effect = means[:, 0] - (means[:, 1] if means.shape[1] > 1 else zero)
    return effect_of(effect, draws(*[areas.shape[2]] * areas.shape[1])), ""


def _counted(trials: Sequence[Trial]) -> str:
    return f"{len(trials)} networks, {len(trials[0].right)} images; interval over both"

"""Tests of the claims on alpha, adversaries and robust models: the numbers of a run that each rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..._utils.errors import BenchError
from ..._utils.frames import rows
from ...attacks import StableNoise, parse
from ..scores import Scores
from ..statistics.counts import Counts, Curve, Mask
from ..statistics.decibels import format_gain
from ..statistics.effects import Effect, effect_of
from ..statistics.gains import gain, jamming_gain
from ..statistics.rows import ThresholdRow
from ..statistics.thresholds import difference
from ..statistics.worst import WORST, mean_drop, strongest
from .claim import UNKNOWN, Claim, decide
from .judged import REALISED, on_common_grid, too_few, usable


def alpha_claims(counts: Counts, model: str, ruler: str) -> list[Claim]:
    """Judge `alpha-order` and `alpha-order-at-low-snr` by the slope of the drop on alpha at each SNR."""
    laws = _laws(counts, model, ruler)
    if len(laws) < 2:
        return []
    images, snr_db, clean, accuracies = on_common_grid(counts, laws.values())
    alphas = np.array(list(laws))
    judged = usable(counts, clean, accuracies)
    about = f"{len(laws)} laws, alpha {alphas[0]:g} to {alphas[-1]:g}, {int(images.sum())} images"
    reason = too_few(images) or ("" if judged.any() else "no SNR at which the curves are off floor and ceiling")
    if reason:
        return [
            decide(name, model, ruler, UNKNOWN, about, reason=reason)
            for name in ("alpha-order", "alpha-order-at-low-snr")
        ]

    centred = alphas - alphas.mean()
    # Accuracy rises with alpha as the drop falls: the slope is what a unit of alpha less costs.
    slopes = np.einsum("a,bak->bk", centred / np.square(centred).sum(), accuracies)[:, judged]
    dbs = snr_db[judged]
    drops = clean[0] - accuracies[0][:, judged]
    about += f", SNR {dbs[0]:g} to {dbs[-1]:g} dB; mean drop {drops[0].mean():.3f} at alpha {alphas[0]:g}"
    about += f", {drops[-1].mean():.3f} at alpha {alphas[-1]:g}; all laws share one draw"
    count = int(images.sum())
    order = decide("alpha-order", model, ruler, effect_of(slopes.mean(1), count), about)

    if len(dbs) < 2:
        return [
            order,
            decide("alpha-order-at-low-snr", model, ruler, UNKNOWN, about, reason="a single SNR off floor and ceiling"),
        ]
    lower = (dbs.mean() - dbs) / 10
    trend = slopes @ (lower / np.square(lower).sum())
    at_low = effect_of(slopes[:, lower >= np.median(lower)].mean(1), count)
    about = (
        f"effect per unit of alpha {at_low.at:+.3f} ({at_low.low:+.3f} to {at_low.high:+.3f}) in the lower half of "
        f"{about}"
    )
    # A trend alone would also support the claim where large alphas do less of the greater damage.
    reason = "" if at_low.low > 0 else "in the lower half smaller alpha is not shown to do more damage at all"
    steeper = effect_of(trend, count)
    if steeper.high < 0:
        reason = ""
    both = steeper._replace(p_positive=max(steeper.p_positive, at_low.p_positive))
    return [order, decide("alpha-order-at-low-snr", model, ruler, both, about, reason=reason)]


def adversarial_claims(scores: Scores, model: str, hostile: set[str], pixel_values: int | None) -> list[Claim]:
    """Judge `adversarial-over-white` by the jamming gain of the strongest adversary, see `_strongest_gain`."""
    frame = scores.thresholds
    mine = frame[(frame["model"] == model) & (frame["ruler"] == REALISED) & frame["attack"].isin(sorted(hostile))]
    if mine.empty:
        return []
    found = (scores.counts.curve(model, attack, REALISED) for attack in mine["attack"])
    curves = {curve.attack: curve for curve in found if curve is not None}
    drops = {attack: mean_drop(scores.counts, curve) for attack, curve in curves.items()}
    first = strongest(dict(zip(mine["attack"], mine["threshold_db"], strict=True)), drops)
    each = ", ".join(
        f"{r.attack} {format_gain(r.jamming_gain_db, r.gain_low, r.gain_high) or 'unknown'}"
        for r in rows(mine, ThresholdRow)
    )
    images = curves[first].images
    evidence = f"{first}; jamming gain over gaussian on the same {int(images.sum())} images: {each}"
    if pixel_values:
        evidence += (
            f"; 10 log10(D) = {10 * math.log10(pixel_values):.1f} dB for D = {pixel_values} pixel values "
            "(about sqrt(D) in distance: Fawzi et al. 2016, Ford et al. 2019)"
        )
    reason = too_few(images)
    if reason:
        return [decide("adversarial-over-white", model, REALISED, UNKNOWN, evidence, reason=reason)]
    effect = _strongest_gain(scores.counts, curves, first)
    if effect is None:
        reason = "no threshold on the grid for both, or gaussian was not run on these images"
        return [decide("adversarial-over-white", model, REALISED, UNKNOWN, evidence, reason=reason)]
    return [decide("adversarial-over-white", model, REALISED, effect, evidence)]


def _strongest_gain(counts: Counts, curves: Mapping[str, Curve], first: str) -> Effect | None:
    """Jamming gain of the strongest adversary, corrected for its being chosen among several.

    Some adversary gains where the best of their lower ends is above zero, each at the level of all of them together
    (Bonferroni), and the worst case of all gains at least as much. None gains where all upper ends are below zero.
    """
    gained = {
        attack: values
        for attack, curve in curves.items()
        if len(curve.snr_db) > 1
        and not too_few(curve.images)
        and (values := jamming_gain(counts, curve)) is not None
        and not np.isnan(values.at[0] + values.earliest[0] + values.latest[0])
    }
    if first not in gained:
        return None
    # The worst case is none of them: even of several white noises it would be the strongest.
    rivals = [attack for attack in gained if attack != WORST] or [first]
    images = {attack: int(curves[attack].images.sum()) for attack in gained}
    each = [effect_of(gained[attack], images[attack]) for attack in gained]
    chosen = [effect_of(gained[attack], images[attack], comparisons=len(rivals)) for attack in rivals]
    at = float(gained[first].at[0])
    return Effect(
        at,
        min(at, max(effect.low for effect in chosen)),
        max(effect.high for effect in each),
        min(effect.p_positive for effect in chosen),
        max(effect.p_negative for effect in each),
    )


def robust_claims(scores: Scores, model: str, reference: str, hostile: set[str]) -> list[Claim]:
    """Judge what a model has gained in dB and lost in clean accuracy against a reference."""
    counts, pair = scores.counts, f"{model} against {reference}"
    gained: dict[str, Effect] = {}
    reference_threshold: dict[str, float] = {}
    images_of: dict[str, Mask] = {}
    drops: dict[str, float] = {}
    common = [curve for curve in counts.curves if curve.model == model and curve.ruler == REALISED]
    # Where the strongest is not their worst case, it is chosen among them.
    rivals = sum(curve.attack in hostile for curve in common)
    comparisons = 1 if any(curve.attack == WORST for curve in common) else max(1, rivals)
    for curve in common:
        other = counts.curve(reference, curve.attack, curve.ruler)
        if other is None:
            continue
        images, _, of_model, of_reference = gain(counts, curve, other)
        many = comparisons if curve.attack in hostile else 1
        gained[curve.attack] = effect_of(difference(of_reference, of_model), int(images.sum()), comparisons=many)
        reference_threshold[curve.attack], images_of[curve.attack] = float(of_reference.at[0]), images
        drops[curve.attack] = mean_drop(counts, other)
    judged = {attack: at for attack, at in reference_threshold.items() if attack in hostile}
    if not judged:
        return []
    first = strongest(judged, drops)
    each = ", ".join(f"{attack} {format_gain(*effect.interval) or 'unknown'}" for attack, effect in gained.items())
    evidence = f"judged under {first}, {int(images_of[first].sum())} images; dB gained at the common level: {each}"
    cells = [counts.clean(name) for name in (reference, model)]
    both: Mask = np.asarray(counts.ran[cells].all(0))
    clean = counts.accuracies(both)[:, cells]
    about = f"clean accuracy {clean[0, 1]:.3f}, {reference} {clean[0, 0]:.3f}, {int(both.sum())} images"
    if reason := too_few(images_of[first]):
        return [
            decide("robust-costs-accuracy", pair, REALISED, UNKNOWN, about, reason=reason),
            decide("robust-gains-db", pair, REALISED, UNKNOWN, evidence, reason=reason),
        ]
    more, lost = gained[first], effect_of(clean[:, 0] - clean[:, 1], int(both.sum()))
    gains_db = decide("robust-gains-db", pair, REALISED, more, evidence)
    # Only a model that is the more robust one pays for it: the claim is no surer than that.
    paid = lost._replace(**{name: max(getattr(lost, name), more.p_positive) for name in ("p_positive", "p_negative")})
    reason = "" if gains_db.verdict == "supported" else f"{model} is not shown to be the more robust one"
    return [decide("robust-costs-accuracy", pair, REALISED, paid, about, reason=reason), gains_db]


def adversaries_of(counts: Counts) -> set[str]:
    """Find the attacks that have the SNR as budget, as far as they are installed here."""
    found = {WORST}
    for attack in {curve.attack for curve in counts.curves}:
        try:
            if parse(attack).needs_model:
                found.add(attack)
        except BenchError:  # another package's attack that is not installed here
            continue
    return found


def _laws(counts: Counts, model: str, ruler: str) -> dict[float, Curve]:
    """Curves of symmetric stable laws with independent channels, by alpha."""
    laws = {}
    for curve in counts.curves:
        if (curve.model, curve.ruler) != (model, ruler):
            continue
        try:
            attack = parse(curve.attack)
        except BenchError:
            continue
        if isinstance(attack, StableNoise) and attack.beta == 0 and attack.channels == "independent":
            laws[attack.alpha] = curve
    return dict(sorted(laws.items()))

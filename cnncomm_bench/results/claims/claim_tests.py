"""A test for each of the paper's claims: the numbers of a run that it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from ..._utils.errors import BenchError
from ..._utils.frames import rows
from ...attacks import StableNoise, parse
from ..scores import Scores
from ..statistics.counts import Counts, Curve, Mask
from ..statistics.decibels import format_gain
from ..statistics.effects import Effect, effect_of
from ..statistics.gains import gain, jamming_gain
from ..statistics.intervals import Floats
from ..statistics.rows import ThresholdRow
from ..statistics.thresholds import difference
from ..statistics.worst import WORST, mean_drop, strongest
from .claim import STATEMENTS, UNKNOWN, Claim, Interval, decide

MIN_IMAGES = 50
MIN_IMPULSES = 10
REALISED = "realised"
POINT, SALT_PEPPER = "impulse-point", "salt-pepper"
_OFF_FLOOR, _OFF_CEILING = 0.9, 0.1  # share of the way from clean accuracy to chance


def alpha_claims(counts: Counts, model: str, ruler: str) -> list[Claim]:
    """Judge `alpha-order` and `alpha-order-at-low-snr` by the slope of the drop on alpha at each SNR."""
    laws = _laws(counts, model, ruler)
    if len(laws) < 2:
        return []
    images, snr_db, clean, accuracies = _on_common_grid(counts, laws.values())
    alphas = np.array(list(laws))
    usable = _usable(counts, clean, accuracies)
    about = f"{len(laws)} laws, alpha {alphas[0]:g} to {alphas[-1]:g}, {int(images.sum())} images"
    reason = _too_few(images) or ("" if usable.any() else "no SNR at which the curves are off floor and ceiling")
    if reason:
        return [
            decide(name, model, ruler, UNKNOWN, about, reason=reason)
            for name in ("alpha-order", "alpha-order-at-low-snr")
        ]

    centred = alphas - alphas.mean()
    # Accuracy rises with alpha as the drop falls: the slope is what a unit of alpha less costs.
    slopes = np.einsum("a,bak->bk", centred / np.square(centred).sum(), accuracies)[:, usable]
    dbs = snr_db[usable]
    drops = clean[0] - accuracies[0][:, usable]
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


def shape_claims(
    counts: Counts, model: str, shape: str, whole_impulses: Mapping[tuple[str, float], float]
) -> list[Claim]:
    """Judge whether a shape does more damage than points, and report the effect against salt and pepper too."""
    name = f"shape-{shape}"
    shaped = _shaped(counts, model, shape)
    if shaped is None:
        return []
    against = {
        other: _shape_effect(counts, shaped, curve, whole_impulses)
        for other in (POINT, SALT_PEPPER)
        if (curve := counts.curve(model, other, REALISED)) is not None
    }
    statement = STATEMENTS["shape"].format(shape=shape)
    if not against:
        reason = f"neither {POINT} nor {SALT_PEPPER} was run"
        return [decide(name, model, REALISED, UNKNOWN, "", reason=reason, statement=statement)]
    # Points share everything but the shape with it, so they decide; salt and pepper, the paper's, where there are none.
    effect, reason, _ = next(iter(against.values()))
    evidence = "; ".join(text for _, _, text in against.values())
    return [decide(name, model, REALISED, effect, f"{shaped.attack} {evidence}", reason=reason, statement=statement)]


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
    reason = _too_few(images)
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
        and not _too_few(curve.images)
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
    if reason := _too_few(images_of[first]):
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


def _too_few(images: Mask) -> str:
    count = int(images.sum())
    return f"{count} images, at least {MIN_IMAGES} are needed" if count < MIN_IMAGES else ""


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


def _on_common_grid(counts: Counts, curves: Iterable[Curve]) -> tuple[Mask, Floats, Floats, Floats]:
    """Find the images and SNRs that curves of one model share, and the accuracies there.

    Clean accuracy is of shape-(1 + B,), that of the curves of shape-(1 + B, curves, K).
    """
    curves = list(curves)
    images = np.logical_and.reduce([curve.images for curve in curves])
    snr_db = curves[0].snr_db
    for curve in curves[1:]:
        snr_db = np.intersect1d(snr_db, curve.snr_db)
    cells = np.array([[c.cells[np.searchsorted(c.snr_db, db)] for db in snr_db] for c in curves], dtype=np.intp)
    accuracies = counts.accuracies(images)
    return images, snr_db, accuracies[:, curves[0].clean], accuracies[:, cells]


def _usable(counts: Counts, clean: Floats, accuracies: Floats) -> Mask:
    """SNRs at which curves are off floor and ceiling, by their mean in the sample."""
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = (clean[0] - accuracies[0].mean(0)) / (clean[0] - counts.chance)
    usable: Mask = (lost > _OFF_CEILING) & (lost < _OFF_FLOOR)
    return usable


def _shaped(counts: Counts, model: str, shape: str) -> Curve | None:
    """Find the curve of a shape, of its default size where that was run."""
    named = f"impulse-{shape}"
    found = [c for c in counts.curves if c.model == model and c.ruler == REALISED and c.attack.split(":")[0] == named]
    return min(found, key=lambda curve: len(curve.attack), default=None)


def _shape_effect(
    counts: Counts, shaped: Curve, other: Curve, whole_impulses: Mapping[tuple[str, float], float]
) -> tuple[Interval | Effect, str, str]:
    """Accuracy lost to the shape beyond the other, the reason why it cannot be judged, and a sentence."""
    images, snr_db, clean, accuracies = _on_common_grid(counts, (shaped, other))
    versus = f"against {other.attack}"
    if reason := _too_few(images):
        return UNKNOWN, reason, f"{versus} not judged"
    fitted = np.array([whole_impulses.get((shaped.attack, float(db)), 0) >= MIN_IMPULSES for db in snr_db])
    usable = _usable(counts, clean, accuracies)
    if not (fitted & usable).any():
        which = (
            "the curves are off floor and ceiling" if fitted.any() else f"at least {MIN_IMPULSES} whole impulses fitted"
        )
        if fitted.any() and usable.any():
            which = f"the curves are off floor and ceiling and at least {MIN_IMPULSES} whole impulses fitted"
        return UNKNOWN, f"no SNR at which {which}", f"{versus} not judged"
    judged = accuracies[..., fitted & usable]
    effect = effect_of((judged[:, 1] - judged[:, 0]).mean(1), int(images.sum()))
    dbs = ", ".join(f"{db:g}" for db in snr_db[fitted & usable])
    text = f"{versus} {effect.at:+.3f} ({effect.low:+.3f} to {effect.high:+.3f}) of accuracy lost at {dbs} dB"
    return effect, "", f"{text}, {int(images.sum())} images"

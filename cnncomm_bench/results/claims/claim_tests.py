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
from ..statistics.gains import gain
from ..statistics.intervals import Floats
from ..statistics.rows import ThresholdRow
from ..statistics.thresholds import difference, estimate
from ..statistics.worst import WORST
from .claim import STATEMENTS, UNKNOWN, Claim, Interval, bootstrapped, decide

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
    about += f", {drops[-1].mean():.3f} at alpha {alphas[-1]:g}"
    order = decide("alpha-order", model, ruler, bootstrapped(slopes.mean(1)), about)

    if len(dbs) < 2:
        return [
            order,
            decide("alpha-order-at-low-snr", model, ruler, UNKNOWN, about, reason="a single SNR off floor and ceiling"),
        ]
    lower = (dbs.mean() - dbs) / 10
    trend = slopes @ (lower / np.square(lower).sum())
    at_low = bootstrapped(slopes[:, lower >= np.median(lower)].mean(1))
    about = (
        f"effect per unit of alpha {at_low[0]:+.3f} ({at_low[1]:+.3f} to {at_low[2]:+.3f}) in the lower half of {about}"
    )
    # A trend alone would also support the claim where large alphas do less of the greater damage.
    reason = "" if at_low[1] > 0 else "in the lower half smaller alpha is not shown to do more damage at all"
    trend_interval = bootstrapped(trend)
    if trend_interval[2] < 0:
        reason = ""
    return [order, decide("alpha-order-at-low-snr", model, ruler, trend_interval, about, reason=reason)]


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
    """Judge `adversarial-over-white` by the jamming gain of the strongest adversary."""
    frame = scores.thresholds
    mine = frame[(frame["model"] == model) & (frame["ruler"] == REALISED) & frame["attack"].isin(sorted(hostile))]
    if mine.empty:
        return []
    strongest = _strongest(dict(zip(mine["attack"], mine["threshold_db"], strict=True)))
    row = next(row for row in rows(mine, ThresholdRow) if row.attack == strongest)
    each = ", ".join(
        f"{r.attack} {format_gain(r.jamming_gain_db, r.gain_low, r.gain_high) or 'unknown'}"
        for r in rows(mine, ThresholdRow)
    )
    curve = scores.counts.curve(model, strongest, REALISED)
    images = np.zeros(0, dtype=bool) if curve is None else curve.images
    evidence = f"jamming gain over gaussian on the same {int(images.sum())} images: {each}"
    if pixel_values:
        evidence += (
            f"; 10 log10(D) = {10 * math.log10(pixel_values):.1f} dB for D = {pixel_values} pixel values "
            "(about sqrt(D) in distance: Fawzi et al. 2016, Ford et al. 2019)"
        )
    effect = (row.jamming_gain_db, row.gain_low, row.gain_high)
    reason = _too_few(images)
    if not reason and math.isnan(effect[0]) and not math.isfinite(effect[1]) and not math.isfinite(effect[2]):
        reason = "no threshold on the grid for both, or gaussian was not run on these images"
    return [decide("adversarial-over-white", model, REALISED, effect, evidence, reason=reason)]


def robust_claims(scores: Scores, model: str, reference: str, hostile: set[str]) -> list[Claim]:
    """Judge what a model has gained in dB and lost in clean accuracy against a reference."""
    counts, pair = scores.counts, f"{model} against {reference}"
    gained: dict[str, Interval] = {}
    reference_threshold: dict[str, float] = {}
    images_of: dict[str, Mask] = {}
    for curve in counts.curves:
        other = counts.curve(reference, curve.attack, curve.ruler)
        if curve.model != model or curve.ruler != REALISED or other is None:
            continue
        images, _, of_model, of_reference = gain(counts, curve, other)
        gained[curve.attack] = estimate(difference(of_reference, of_model))
        reference_threshold[curve.attack], images_of[curve.attack] = float(of_reference.at[0]), images
    judged = {attack: at for attack, at in reference_threshold.items() if attack in hostile}
    if not judged:
        return []
    strongest = _strongest(judged)
    each = ", ".join(f"{attack} {format_gain(*effect) or 'unknown'}" for attack, effect in gained.items())
    evidence = (
        f"judged under {strongest}, {int(images_of[strongest].sum())} images; dB gained at the common level: {each}"
    )
    reason = _too_few(images_of[strongest])
    gains_db = decide("robust-gains-db", pair, REALISED, gained[strongest], evidence, reason=reason)

    cells = [counts.clean(name) for name in (reference, model)]
    both: Mask = np.asarray(counts.ran[cells].all(0))
    clean = counts.accuracies(both)[:, cells]
    evidence = f"clean accuracy {clean[0, 1]:.3f}, {reference} {clean[0, 0]:.3f}, {int(both.sum())} images"
    reason = _too_few(both)
    if not reason and gains_db.verdict != "supported":
        reason = f"{model} is not shown to be the more robust one"
    cost = decide(
        "robust-costs-accuracy", pair, REALISED, bootstrapped(clean[:, 0] - clean[:, 1]), evidence, reason=reason
    )
    return [cost, gains_db]


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
) -> tuple[Interval, str, str]:
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
    effect = bootstrapped((judged[:, 1] - judged[:, 0]).mean(1))
    dbs = ", ".join(f"{db:g}" for db in snr_db[fitted & usable])
    text = f"{versus} {effect[0]:+.3f} ({effect[1]:+.3f} to {effect[2]:+.3f}) of accuracy lost at {dbs} dB"
    return effect, "", f"{text}, {int(images.sum())} images"


def _strongest(threshold_of: Mapping[str, float]) -> str:
    """Name the worst case where it was derived, else the adversary with the highest threshold."""
    if WORST in threshold_of:
        return WORST
    return max(threshold_of, key=lambda attack: -math.inf if math.isnan(threshold_of[attack]) else threshold_of[attack])

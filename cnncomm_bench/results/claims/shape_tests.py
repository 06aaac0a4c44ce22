"""Fig. 4: noise points enlarged to shapes, by two processes and against two baselines, at equal realised SNR.

The paper enlarges the points of salt-and-pepper noise, alpha-stable noise of alpha = 0.9: `shape-*` compares
`enlarged-*` with `salt-pepper`. What it argues with is concentration: `concentration-*` compares saturating impulses of
a shape with saturating points, which share all but the shape. Each process is compared with both baselines; where one
comparison speaks for the claim and another against it, the claims have a caveat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...attacks import EnlargedStableNoise, parse
from ..statistics.counts import Counts, Curve
from ..statistics.effects import Effect, effect_of
from .claim import STATEMENTS, UNKNOWN, Claim, Interval, decide
from .judged import REALISED, on_common_grid, too_few, usable

SHAPES = ("square", "triangle", "rhombus")
SALT_PEPPER, POINT = "salt-pepper", "impulse-point"
BASELINES = (SALT_PEPPER, POINT)
MIN_IMPULSES = 10
_ENLARGED, _IMPULSE = "enlarged", "impulse"
_CLAIMS = {"shape": (_ENLARGED, SALT_PEPPER), "concentration": (_IMPULSE, POINT)}


@dataclass(frozen=True)
class Comparison:
    """Accuracy lost to noise of a shape beyond a baseline.

    Attributes
    ----------
    model, shape : str
    process : {"enlarged", "impulse"}
    attack, baseline : str
        Spec strings.
    effect : Effect, or (float, float, float)
        Positive where the shape does more damage; NaN where it could not be judged.
    reason : str
        Why it could not be judged, if so.
    snr_db : tuple of float
        SNRs over which it is the mean.
    images : int
    """

    model: str
    shape: str
    process: str
    attack: str
    baseline: str
    effect: Effect | Interval = UNKNOWN
    reason: str = ""
    snr_db: tuple[float, ...] = ()
    images: int = 0

    @property
    def sign(self) -> int:
        """1 or -1 where the interval excludes zero, else 0."""
        return int(self.effect[1] > 0) - int(self.effect[2] < 0)

    @property
    def text(self) -> str:
        """The comparison as a clause of a claim's evidence."""
        if self.reason:
            return f"{self.attack} against {self.baseline} not judged"
        at, low, high = self.effect[:3]
        dbs = ", ".join(f"{db:g}" for db in self.snr_db)
        effect = f"{at:+.3f} ({low:+.3f} to {high:+.3f}) of accuracy lost"
        return f"{self.attack} against {self.baseline} {effect} at {dbs} dB, {self.images} images"


def compare_shapes(counts: Counts, model: str, whole_impulses: Mapping[tuple[str, float], float]) -> list[Comparison]:
    """Hold every shaped noise that was run against both baselines.

    Parameters
    ----------
    counts : Counts
    model : str
    whole_impulses : mapping
        (attack, SNR) to how many whole impulses fitted into an image; impulses are judged where at least ten did.
    """
    return [
        _compare(counts, shaped, shape, process, baseline, whole_impulses)
        for shape in SHAPES
        for process in (_ENLARGED, _IMPULSE)
        if (shaped := _shaped(counts, model, process, shape)) is not None
        for baseline in BASELINES
    ]


def shape_claims(model: str, comparisons: Iterable[Comparison]) -> list[Claim]:
    """Judge `shape-*` and `concentration-*` of a model by its comparisons."""
    claims = []
    for shape in SHAPES:
        of_shape = [found for found in comparisons if found.shape == shape]
        caveat = caveat_of(of_shape)
        for name, (process, baseline) in _CLAIMS.items():
            own = [found for found in of_shape if found.process == process]
            # In a conflict the other process is evidence too.
            texts = [found.text for found in (of_shape if caveat else own) if found.images]
            evidence = "; ".join(filter(None, (caveat, *texts)))
            statement = STATEMENTS[name].format(shape=shape)
            claims += [
                decide(f"{name}-{shape}", model, REALISED, found.effect, evidence, reason=found.reason,
                       statement=statement, caveat=caveat)
                for found in own
                if found.baseline == baseline
            ]  # fmt: skip
    return claims


def caveat_of(comparisons: Iterable[Comparison]) -> str | None:
    """What the verdicts on a shape depend on, where one comparison is decided for the claim and another against it."""
    found = list(comparisons)
    conflicts = [(a, b) for a in found for b in found if a.sign > 0 > b.sign]
    if not conflicts:
        return None
    return f"depends on the {'baseline' if any(a.baseline != b.baseline for a, b in conflicts) else 'process'}"


def _shaped(counts: Counts, model: str, process: str, shape: str) -> Curve | None:
    """Find the curve of a process and shape, of its default size where that was run."""
    named = f"{process}-{shape}"
    found = [
        curve
        for curve in counts.curves
        if (curve.model, curve.ruler) == (model, REALISED)
        and curve.attack.partition(":")[0] == named
        and _of_the_papers_law(curve.attack)
    ]
    return min(found, key=lambda curve: len(curve.attack), default=None)


def _of_the_papers_law(attack: str) -> bool:
    noise = parse(attack)
    return not isinstance(noise, EnlargedStableNoise) or (noise.alpha, noise.beta) == (0.9, 0)


def _compare(
    counts: Counts,
    shaped: Curve,
    shape: str,
    process: str,
    baseline: str,
    whole_impulses: Mapping[tuple[str, float], float],
) -> Comparison:
    """Hold a curve against a baseline at the SNRs at which both are off floor and ceiling."""
    blank = Comparison(shaped.model, shape, process, shaped.attack, baseline)
    other = counts.curve(shaped.model, baseline, REALISED)
    if other is None:
        return replace(blank, reason=f"{baseline} was not run")
    images, snr_db, clean, accuracies = on_common_grid(counts, (shaped, other))
    blank = replace(blank, images=int(images.sum()))
    if reason := too_few(images):
        return replace(blank, reason=reason)
    fitted = [whole_impulses.get((shaped.attack, float(db)), 0) for db in snr_db]
    conditions = {
        "the curves are off floor and ceiling": usable(counts, clean, accuracies),
        f"at least {MIN_IMPULSES} whole impulses fitted": np.array(
            [process != _IMPULSE or whole >= MIN_IMPULSES for whole in fitted], dtype=bool
        ),
    }
    judged = np.logical_and.reduce(list(conditions.values()))
    if not judged.any():
        unmet = [text for text, met in conditions.items() if not met.any()] or list(conditions)
        return replace(blank, reason=f"no SNR at which {' and '.join(unmet)}")
    lost = accuracies[..., judged][:, 1] - accuracies[..., judged][:, 0]
    return replace(blank, effect=effect_of(lost.mean(1), blank.images), snr_db=tuple(snr_db[judged].tolist()))

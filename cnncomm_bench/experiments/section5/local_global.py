"""Judges which features models rely on, local or global ones (Section 5.3), by images that have only the one kind.

What a model leans on is its accuracy where local features alone are left, minus that where global ones are: positive
for a model of local features, and no matter of its clean accuracy. `patches` makes the images, at equal scale and at
equal SNR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...attacks import Logits, predict
from ...results.claims import Claim, bootstrapped, decide
from ...results.statistics import RESAMPLES, Floats, effect_of, resample
from ...snr import power
from .association import draws, over_trainings
from .patches import EXCHANGED, PASSED, SHUFFLED, views

EQUAL = {"scale": SHUFFLED, "SNR": EXCHANGED}
"""What the two sides have in common, and the view that is set against the low-passed one."""

LEARNED_LOCAL, LEARNED_GLOBAL = "shuffled patches", "low-passed images"
"""Trainings on local and on global features alone, for the calibration."""

_BATCH = 250

_STATEMENTS = {
    "local-features": (
        "Standard models rely on local features rather than global ones (Ge et al., Section 5.3, in our words): they "
        "are right more often where local features alone are left than where global ones are."
    ),
    "local-features-control": "Control, to come out undecided: models trained alike lean on the same features.",
    "local-features-calibration": (
        "Calibration, to come out supported: a model trained on shuffled patches leans more on local features than one "
        "trained on low-passed images."
    ),
    "robust-global": (
        "The robust model leans more on global features than the standard one (Ge et al., Section 5.3, in our words)."
    ),
    "robust-discards-local": (
        "The robust model discards local features (Ge et al., Section 5.3, in our words): where they alone are left, "
        "it is right less often than the standard one."
    ),
}


@dataclass(frozen=True)
class Kept:
    """Accuracy of trainings on each view.

    Attributes
    ----------
    trainings : tuple of str
    views : tuple of (str, int)
        Name and patches along a side.
    snr_db : ndarray, shape-(V,)
        Of all images of a view together.
    accuracy : ndarray, shape-(1 + B, R, V)
        Means over the networks of a training, the sample first, then samples of images and trainings.
    images, units : int
        How many images; independent units, for p values.
    """

    trainings: tuple[str, ...]
    views: tuple[tuple[str, int], ...]
    snr_db: Floats
    accuracy: Floats
    images: int
    units: int

    def on(self, view: str, training: str) -> Floats:
        """Accuracy on a view, mean over its scales, shape-(1 + B,)."""
        columns = [place for place, (name, _) in enumerate(self.views) if name == view]
        found: Floats = self.accuracy[:, self.trainings.index(training), columns].mean(1)
        return found

    def leaning(self, equal: str, training: str) -> Floats:
        """Accuracy on local features minus accuracy on global ones, shape-(1 + B,)."""
        return self.on(EQUAL[equal], training) - self.on(PASSED, training)


def measure(trained: Mapping[str, Sequence[Logits]], images: Tensor, labels: Tensor, *, seed: int = 0) -> Kept:
    """Classify all views of the images by all networks.

    Parameters
    ----------
    trained : mapping of str to sequence of callable
        Training to its networks, the same number of each, at least two.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1], on the models' device.
    labels : Tensor, shape-(N,), int64
    seed : int
        Of the order of the patches, and of the bootstrap.
    """
    models = [model for networks in trained.values() for model in networks]
    names: list[tuple[str, int]] = []
    hits, noise = [], []
    for batch, target in zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True):
        seen = list(views(batch, seed=seed))
        names = [(view, grid) for view, grid, _ in seen]
        noise.append(torch.stack([power(changed - batch) for *_, changed in seen]).sum(1).cpu())
        answers = [torch.stack([predict(model, changed) for *_, changed in seen]) for model in models]
        hits.append((torch.stack(answers) == target).cpu())
    right = torch.cat(hits, 2).numpy().astype(np.float32)
    weights = resample(len(images), RESAMPLES, seed).astype(np.float32)
    counted = (weights @ right.reshape(-1, len(images)).T).astype(float)
    accuracy = counted.reshape(len(weights), len(trained), -1, len(names)) / len(images)
    with np.errstate(divide="ignore"):
        snr_db = 10 * np.log10(float(power(images).sum()) / torch.stack(noise).sum(0).numpy())
    units = draws(*[accuracy.shape[2]] * accuracy.shape[1])
    return Kept(tuple(trained), tuple(names), snr_db, over_trainings(accuracy, seed), len(images), units)


def judge(kept: Kept, standard: str, again: str, robust: str) -> list[Claim]:
    """Claims on what the standard and the robust training lean on, with a control and a calibration.

    Parameters
    ----------
    kept : Kept
        Also of `LEARNED_LOCAL` and `LEARNED_GLOBAL`.
    standard, again, robust : str
        Trainings; the second is the first with other seeds.
    """
    found = []
    for equal, local in EQUAL.items():
        about = f"accuracy on {local} minus that on low-passed images of equal {equal}"
        leaning = {name: kept.leaning(equal, name) for name in kept.trainings}
        effects = {
            "local-features": (standard, leaning[standard]),
            "local-features-control": (f"{standard}, by seeds", leaning[standard] - leaning[again]),
            "local-features-calibration": (
                f"{LEARNED_LOCAL} against {LEARNED_GLOBAL}", leaning[LEARNED_LOCAL] - leaning[LEARNED_GLOBAL]
            ),
            "robust-global": (f"{robust} against {standard}", leaning[standard] - leaning[robust]),
        }  # fmt: skip
        for claim, (name, values) in effects.items():
            what = about if claim == "local-features" else f"difference of {about}"
            found.append(_decided(kept, claim, f"{name}, equal {equal}", values, what))
    lost = kept.on(SHUFFLED, standard) - kept.on(SHUFFLED, robust)
    found.append(_decided(kept, "robust-discards-local", f"{robust} against {standard}", lost, "accuracy on shuffled"))
    return found


def _decided(kept: Kept, claim: str, name: str, values: Floats, what: str) -> Claim:
    scales = sum(view == SHUFFLED for view, _ in kept.views)
    about = f"{what}, mean over {scales} scales, {kept.images} images; interval over images and trainings"
    effect = effect_of(values, kept.units)
    return decide(claim, name, "realised", effect, about, statement=_STATEMENTS[claim])


def views_table(kept: Kept) -> pd.DataFrame:
    """Accuracy on each view.

    Returns
    -------
    DataFrame
        `training, view, patches, snr_db, accuracy, accuracy_low, accuracy_high`; `patches` along a side.
    """
    rows = [
        (training, view, grid, snr_db if np.isfinite(snr_db) else np.nan, *bootstrapped(kept.accuracy[:, row, column]))
        for row, training in enumerate(kept.trainings)
        for column, ((view, grid), snr_db) in enumerate(zip(kept.views, kept.snr_db, strict=True))
    ]
    names = ["training", "view", "patches", "snr_db", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(rows, columns=names)


def leaning_table(kept: Kept) -> pd.DataFrame:
    """What each training leans on.

    Returns
    -------
    DataFrame
        `training, equal, on_local, on_global, local_minus_global, low, high`: accuracies, means over the scales.
    """
    rows = [
        (training, equal, kept.on(local, training)[0], kept.on(PASSED, training)[0],
         *bootstrapped(kept.leaning(equal, training)))
        for training in kept.trainings for equal, local in EQUAL.items()
    ]  # fmt: skip
    names = ["training", "equal", "on_local", "on_global", "local_minus_global", "low", "high"]
    return pd.DataFrame(rows, columns=names)

"""What a claim is judged on: the images and SNRs that curves share, where they are off floor and ceiling."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..statistics.counts import Counts, Curve, Mask
from ..statistics.intervals import Floats

MIN_IMAGES = 50
REALISED = "realised"
_OFF_FLOOR, _OFF_CEILING = 0.9, 0.1  # share of the way from clean accuracy to chance


def too_few(images: Mask) -> str:
    """The reason why a claim on these images cannot be judged, empty where they suffice."""
    count = int(images.sum())
    return f"{count} images, at least {MIN_IMAGES} are needed" if count < MIN_IMAGES else ""


def on_common_grid(counts: Counts, curves: Iterable[Curve]) -> tuple[Mask, Floats, Floats, Floats]:
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


def usable(counts: Counts, clean: Floats, accuracies: Floats) -> Mask:
    """SNRs at which curves are off floor and ceiling, by their mean in the sample."""
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = (clean[0] - accuracies[0].mean(0)) / (clean[0] - counts.chance)
    found: Mask = (lost > _OFF_CEILING) & (lost < _OFF_FLOOR)
    return found

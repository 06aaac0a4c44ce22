"""Foolbox's distance on our axis: noise norm over image norm, 10^(-SNR/20)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import eagerpy as ep
from foolbox.devutils import atleast_kd, flatten
from foolbox.distances import Distance

from ..._utils.errors import UsageError
from .foolbox_attacks import T


def epsilons_of(snr_db: Iterable[float]) -> list[float]:
    """Epsilons of SNRs: 10^(-SNR/20).

    Examples
    --------
    >>> epsilons_of([20, 40])
    [0.1, 0.01]
    """
    return [10 ** (-float(db) / 20) for db in snr_db]


class RelativeL2(Distance):  # type: ignore[misc]
    """L2 norm of the noise over that of the image, both brought to [0, 1].

    Parameters
    ----------
    low : float
        Smallest pixel of the model's bounds, from which an image's norm is measured.
    clips : bool
        Whether `clip_perturbation` holds noise to epsilon; not where epsilon is on another ruler than the outcome.
    """

    def __init__(self, low: float = 0.0, clips: bool = True) -> None:
        self.low, self.clips = low, clips

    def __repr__(self) -> str:
        return f"RelativeL2(low={self.low:g})"

    def __call__(self, references: T, perturbed: T) -> T:
        """Distance of each image, shape-(N,)."""
        (x, y), restore = ep.astensors_(references, perturbed)
        return restore(flatten(y - x).norms.l2(axis=-1) / self._norms(x))  # type: ignore[no-any-return]

    def clip_perturbation(self, references: T, perturbed: T, epsilon: float) -> T:
        """Shrink noise that exceeds epsilon to it, along its direction."""
        if not self.clips:
            return perturbed
        (x, y), restore = ep.astensors_(references, perturbed)
        norms = ep.maximum(flatten(y - x).norms.l2(axis=-1), 1e-30)
        factor = atleast_kd(ep.minimum(1, epsilon * self._norms(x) / norms), x.ndim)
        # The image itself where nothing is to be shrunk: x + (y - x) is y but for rounding.
        return restore(ep.where(factor < 1, x + factor * (y - x), y))  # type: ignore[no-any-return]

    def _norms(self, x: ep.Tensor) -> ep.Tensor:
        return flatten(x - self.low).norms.l2(axis=-1)


def snr_db_of(epsilon: float) -> float:
    """SNR of an epsilon, dB; infinite at zero."""
    if not epsilon >= 0:
        raise UsageError(f"epsilon={epsilon!r}: expected 10^(-SNR/20), not negative")
    return math.inf if epsilon == 0 else -20 * math.log10(epsilon)

"""Rulers that fix the law of the noise instead of the realised SNR."""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor

from .measurement import noise_power

Ruler = Literal["realised", "dispersion", "geometric"]
RULERS: tuple[str, ...] = get_args(Ruler)


def law_scale(clean: Tensor, snr_db: Tensor, ruler: str, geometric_power: float) -> Tensor:
    """Dispersion (scale parameter) of a stable law on the rulers that fix the law instead of the outcome.

    `dispersion` fixes the scale itself, gamma = sqrt(P/2) 10^(-SNR/20); `geometric` fixes the geometric power G
    of the law, G^2 = P 10^(-SNR/10) / (2 Cg), Cg = exp(Euler's constant) (Gonzalez, Paredes and Arce 2006). Both
    give a Gaussian the variance P 10^(-SNR/10). P is the mean square of a pixel value of the image.

    Parameters
    ----------
    clean : Tensor, shape-(N, ...)
    snr_db : Tensor, shape-(K,), dB
    ruler : {"dispersion", "geometric"}
    geometric_power : float
        G of the law at scale one.

    Returns
    -------
    Tensor, shape-(K, N), float64
    """
    mean_noise_power = noise_power(clean, snr_db) / clean[0].numel()
    if ruler == "dispersion":
        return (mean_noise_power / 2).sqrt()
    return (mean_noise_power / (2 * math.exp(EULER_GAMMA))).sqrt() / geometric_power


EULER_GAMMA = 0.57721566490153286

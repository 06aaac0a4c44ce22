"""Adds noise to a signal at an SNR, by the same rulers as the images'.

The SNR is the power of a real sample over the noise power of a real sample: uncoded BPSK in Gaussian noise has the
error rate Q(sqrt(SNR)), and Es/N0 of a real sample is 3.01 dB less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ... import snr
from ...attacks import stable
from .channel_noise import Noise, Stable, Tone


@dataclass(frozen=True)
class Received:
    """What the receiver gets.

    Attributes
    ----------
    samples : Tensor, shape-(F, m)
    noise_power : float
        Of a real sample, by the SNR.
    dispersion : Tensor, shape-(F, 1) or (1, 1)
        Scale of the noise in each frame: known to the receiver, as it would be from pilots.
    """

    samples: Tensor
    noise_power: float
    dispersion: Tensor

    @classmethod
    def joined(cls, parts: Sequence[Received]) -> Received:
        """Frames received one after another, at one SNR."""
        scales = [part.dispersion.expand(len(part.samples), 1) for part in parts]
        return cls(torch.cat([part.samples for part in parts]), parts[0].noise_power, torch.cat(scales))


@dataclass(frozen=True)
class Channel:
    """Additive noise at an SNR.

    Parameters
    ----------
    noise : Noise
    ruler : {"dispersion", "geometric", "realised"}
        The first two fix the law, for a signal of power one; `realised` fixes the power of the noise that fell
        into each frame, against that of its samples. A tone's power is exact as it is.
    snr_db : float
    """

    noise: Noise
    ruler: str
    snr_db: float

    def send(self, signal: Tensor, arms: int, generator: np.random.Generator) -> Received:
        """Add noise to a signal of shape-(F, m)."""
        frames, samples = signal.shape
        noise = self.noise.draw((frames, samples), arms, generator)
        scale = self._scale(signal, noise)
        power = 10 ** (-self.snr_db / 10)
        dispersion = scale if isinstance(self.noise, Stable) else torch.full((1, 1), (power / 2) ** 0.5)
        return Received(noise.mul_(scale.float()).add_(signal), power, dispersion)

    def _scale(self, signal: Tensor, noise: Tensor) -> Tensor:
        target = torch.tensor([self.snr_db], dtype=torch.float64)
        if isinstance(self.noise, Tone):
            return snr.noise_power(torch.ones(1, 1), target).sqrt()
        if isinstance(self.noise, Stable) and self.ruler != "realised":
            return snr.law_scale(torch.ones(1, 1), target, self.ruler, stable.geometric_power(self.noise.alpha))
        return (snr.noise_power(signal, target)[0] / snr.power(noise)).sqrt()[:, None]

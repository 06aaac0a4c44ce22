"""Demodulation: received samples to log-likelihood ratios of the bits.

A receiver measures how well a sample fits each amplitude, and the log-likelihood ratio of a bit is the difference
between the best amplitude with a one and the best with a zero (max-log; Viterbi 1998). Receivers differ in the noise
that they assume.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..._utils.errors import UsageError, suggest
from .channel import Received
from .modulation import Modulation

_FULL_SCALE = 1e6  # of the converter: far beyond any amplitude, so that sums of metrics stay finite

Metric = Callable[[Tensor, Tensor, float, Tensor], Tensor]
"""(samples of shape-(F, m, 1), amplitudes of shape-(L,), noise power, dispersion of shape-(F, 1, 1)) to
log-likelihoods of shape-(F, m, L), up to a constant of each sample."""


def gaussian(samples: Tensor, levels: Tensor, noise_power: float, dispersion: Tensor) -> Tensor:
    """Gaussian noise of the SNR's power: optimal there, and dominated by its largest samples elsewhere."""
    return (samples - levels / 2) * (levels / noise_power)


def clipping(samples: Tensor, levels: Tensor, noise_power: float, dispersion: Tensor) -> Tensor:
    """The Gaussian receiver behind a limiter: a sample beyond the outermost amplitude counts as that amplitude."""
    largest = float(levels.max())
    return gaussian(samples.clamp(-largest, largest), levels, noise_power, dispersion)


def cauchy(samples: Tensor, levels: Tensor, noise_power: float, dispersion: Tensor) -> Tensor:
    """Cauchy noise of the known scale: an impulse carries next to no evidence (Tsihrintzis and Nikias 1995)."""
    return -torch.log(dispersion**2 + (samples - levels) ** 2)


RECEIVERS: dict[str, Metric] = {"gaussian": gaussian, "clipping": clipping, "cauchy": cauchy}


def find(name: str) -> Metric:
    """A receiver by its name.

    Raises
    ------
    UsageError
    """
    try:
        return RECEIVERS[name]
    except KeyError:
        raise UsageError(f"no receiver is called {name!r}; " + suggest(name, RECEIVERS), "receivers") from None


def demodulate(received: Received, modulation: Modulation, metric: Metric) -> Tensor:
    """Log-likelihood ratios of the bits, positive for a one.

    Parameters
    ----------
    received : Received
        m samples a frame.
    modulation : Modulation
    metric : callable
        See `Metric`.

    Returns
    -------
    Tensor, shape-(F, m * modulation.bits), float32
    """
    samples = received.samples.clamp(-_FULL_SCALE, _FULL_SCALE)[..., None]
    fits = metric(samples, modulation.levels, received.noise_power, received.dispersion.float()[..., None])
    labels = torch.arange(len(modulation.levels))
    ratios = []
    for place in range(modulation.bits - 1, -1, -1):
        one = (labels >> place & 1).bool()
        ratios.append(fits[..., one].amax(-1) - fits[..., ~one].amax(-1))
    return torch.stack(ratios, dim=-1).flatten(1)

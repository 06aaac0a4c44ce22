"""Alpha-stable noise: the law, its sampler, and the attack.

Parametrisations as in scipy.stats.levy_stable: S1 (the default there and here) and S0, Nolan's continuous
one. Sampling is by Chambers, Mallows and Stuck (1976) with Weron's (1996) correction: an angle V uniform on
(-pi/2, pi/2) and an exponential W give one value of any stable law, so all alphas share one draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

from .._utils.errors import UsageError
from ..snr import EULER_GAMMA, Digests, generators
from .base import DirectionNoise

Parametrisation = Literal["S0", "S1"]

LARGEST = 1e30
"""Values are cut at this size, far beyond any clipping, so that their squares stay finite in double."""

_HALF_CELL = 2.0**-25  # float32 uniforms are multiples of 2^-24: their cells' centres avoid 0 and 1
_SMALLEST_EXPONENTIAL = 2.0**-26


def transform(
    turn: Tensor, exponential: Tensor, alpha: float, beta: float = 0.0, parametrisation: Parametrisation = "S1"
) -> Tensor:
    """Standard stable values from uniform and exponential ones (Chambers, Mallows and Stuck 1976).

    Parameters
    ----------
    turn : Tensor
        Uniform on (-1/2, 1/2); the angle V is pi times that.
    exponential : Tensor, same shape
        Standard exponential, above zero.
    alpha : float
        Characteristic exponent, in (0, 2].
    beta : float
        Skewness, in [-1, 1].
    parametrisation : {"S1", "S0"}

    Returns
    -------
    Tensor
        Same shape and dtype, location 0 and scale 1, cut at `LARGEST`.
    """
    angle = turn * math.pi
    # cos V from the distance to the pole, which is exact in floats where V itself is rounded.
    cosine = torch.sin((0.5 - turn.abs()) * math.pi)
    if alpha == 2:
        return 2 * exponential.sqrt() * torch.sin(angle)
    if beta == 0:
        if alpha == 1:
            return (torch.sin(angle) / cosine).clamp_(-LARGEST, LARGEST)
        # In logarithms, for the factors alone overflow at small alpha.
        log_size = torch.log(torch.cos((1 - alpha) * angle) / exponential).mul_((1 - alpha) / alpha)
        log_size.sub_(cosine.log_(), alpha=1 / alpha).clamp_(max=math.log(LARGEST))
        return torch.sin(alpha * angle).mul_(log_size.exp_()).clamp_(-LARGEST, LARGEST)
    return _skewed(turn, exponential, alpha, beta, parametrisation).to(turn.dtype)


def ingredients(streams: Sequence[np.random.Generator], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Uniform and exponential values for `transform`, a row from each stream.

    Parameters
    ----------
    streams : sequence of numpy.random.Generator
        N of them.
    shape : tuple of int
        Of a row.

    Returns
    -------
    turn, exponential : Tensor, shape-(N, *shape), float32
    """
    turn = np.empty((len(streams), *shape), dtype=np.float32)
    exponential = np.empty_like(turn)
    for row, stream in enumerate(streams):
        stream.random(dtype=np.float32, out=turn[row])
        stream.standard_exponential(dtype=np.float32, out=exponential[row])
    centred = torch.from_numpy(turn).sub_(0.5).add_(_HALF_CELL)
    return centred, torch.from_numpy(exponential).clamp_(min=_SMALLEST_EXPONENTIAL)


def _skewed(turn: Tensor, exponential: Tensor, alpha: float, beta: float, parametrisation: str) -> Tensor:
    # In double: near alpha = 1 a value of S0 is the small difference of two large ones.
    turn, exponential = turn.double(), exponential.double()
    angle, cosine = turn * math.pi, torch.sin((0.5 - turn.abs()) * math.pi)
    if alpha == 1:
        lever = math.pi / 2 + beta * angle
        value = (lever * torch.sin(angle) / cosine - beta * torch.log(math.pi / 2 * exponential * cosine / lever)) / (
            math.pi / 2
        )
        return value.clamp_(-LARGEST, LARGEST)
    tangent = beta * math.tan(math.pi * alpha / 2)
    if alpha == 0.5 and abs(beta) == 1:  # Levy's law: 1 / (2 W cos^2), of the angle's half
        half = angle * 0.5 + beta * math.pi / 4
        value = beta / (2 * exponential * torch.cos(half).square())
    else:
        shifted = alpha * angle + math.atan(tangent)
        log_size = (
            math.log1p(tangent**2) / (2 * alpha)
            + ((1 - alpha) / alpha) * torch.log(torch.cos(angle - shifted).clamp_(min=1e-300) / exponential)
            - torch.log(cosine) / alpha
        )
        value = torch.sin(shifted) * log_size.clamp_(max=math.log(LARGEST)).exp_()
    if parametrisation == "S0":
        value = value - tangent
    return value.clamp_(-LARGEST, LARGEST)


@cache
def geometric_power(alpha: float, beta: float = 0.0) -> float:
    """Geometric power exp(E log|X|) of the law that the attack draws: scale one, a skewed law in S0.

    For beta = 0, G = Cg^(1/alpha - 1), Cg = exp(Euler's constant) (Gonzalez, Paredes and Arce 2006). Otherwise from the
    characteristic function phi, since log|x| is the integral of (exp(-t) - cos(x t)) / t over t > 0:

        log G = integral of (exp(-t) - Re phi(t)) / t dt,
        log phi(t) = -t^alpha + i beta tan(pi alpha / 2) (t^alpha - t),

    by the trapezoid rule in log t. Below alpha = 1, where phi falls slowly and oscillates, along the imaginary
    half-axis on which it does not: by Cauchy's theorem the integral is the same there.
    """
    if beta == 0 or alpha == 2:
        return math.exp(EULER_GAMMA * (1 / alpha - 1))
    log_t = np.linspace(-40 / alpha, min(math.log(700) / alpha, 600.0), 40_001)
    turned = log_t - 0.5j * math.pi * math.copysign(1, beta) if alpha < 1 else log_t + 0j
    # tan(pi alpha / 2) (t^(alpha - 1) - 1), which has a limit at alpha = 1.
    skew = -2 / math.pi * turned
    if alpha != 1:
        skew = math.tan(math.pi * alpha / 2) * np.expm1((alpha - 1) * turned)
    log_phi = -np.exp(alpha * turned) + 1j * beta * np.exp(turned) * skew
    return math.exp(float(np.trapezoid(np.exp(-np.exp(log_t)) - np.exp(log_phi).real, log_t)))


def check(alpha: float, beta: float) -> None:
    """Refuse parameters that no stable law has.

    Raises
    ------
    UsageError
        alpha outside (0, 2] or beta outside [-1, 1].
    """
    if not 0 < alpha <= 2:
        raise UsageError(f"alpha={alpha:g} is no stable law: alpha is in (0, 2], 2 being Gaussian")
    if not -1 <= beta <= 1:
        raise UsageError(f"beta={beta:g} is no stable law: beta is in [-1, 1], 0 being symmetric")


class AlphaStable(Distribution):
    """Alpha-stable distribution.

    Parameters
    ----------
    alpha : float or Tensor
        Characteristic exponent, in (0, 2].
    beta : float or Tensor
        Skewness, in [-1, 1].
    loc, scale : float or Tensor
        At alpha = 2 the variance is 2 scale^2.
    parametrisation : {"S1", "S0"}
        S1 as in scipy by default.
    validate_args : bool, optional

    Examples
    --------
    >>> AlphaStable(2.0, 0.0, 0.0, 1.0).variance
    tensor(2.)
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "alpha": constraints.interval(1e-6, 2.0),  # type: ignore[no-untyped-call]
        "beta": constraints.interval(-1.0, 1.0),  # type: ignore[no-untyped-call]
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = False

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor = 0.0,
        loc: float | Tensor = 0.0,
        scale: float | Tensor = 1.0,
        parametrisation: Parametrisation = "S1",
        validate_args: bool | None = None,
    ) -> None:
        self.alpha, self.beta, self.loc, self.scale = broadcast_all(alpha, beta, loc, scale)
        self.parametrisation: Parametrisation = parametrisation
        super().__init__(self.alpha.shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> AlphaStable:
        """The same law over a larger batch, see torch.distributions."""
        alpha, beta, loc, scale = (p.expand(batch_shape) for p in (self.alpha, self.beta, self.loc, self.scale))
        return AlphaStable(alpha, beta, loc, scale, self.parametrisation, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Mean; NaN for alpha <= 1, which has none."""
        shift = self.beta * self.scale * torch.tan(math.pi * self.alpha / 2)
        centre = self.loc - torch.where(self.alpha < 2, shift, 0) if self.parametrisation == "S0" else self.loc
        return torch.where(self.alpha > 1, centre, math.nan)

    @property
    def variance(self) -> Tensor:
        """Variance: 2 scale^2 for alpha = 2, infinite below, NaN where there is no mean."""
        heavy = torch.where(self.alpha > 1, math.inf, math.nan)
        return torch.where(self.alpha == 2, 2 * self.scale**2, heavy)

    def sample(self, sample_shape: Any = (), generator: torch.Generator | None = None) -> Tensor:
        """Independent values.

        Parameters
        ----------
        sample_shape : tuple of int
        generator : torch.Generator, optional
            Torch's global one by default, as in every torch distribution.

        Returns
        -------
        Tensor, shape sample_shape + batch_shape
        """
        shape, dtype, device = self._extended_shape(torch.Size(sample_shape)), self.loc.dtype, self.loc.device
        with torch.no_grad():
            turn = torch.rand(shape, dtype=dtype, device=device, generator=generator).sub_(0.5).add_(_HALF_CELL)
            # A fifth of the cost of torch's exponential_, and as fine near zero, where the tails come from.
            exponential = torch.rand(shape, dtype=dtype, device=device, generator=generator).neg_().log1p_().neg_()
            values = self._standard(turn, exponential.clamp_(min=_SMALLEST_EXPONENTIAL))
            location = self.loc
            if self.parametrisation == "S1":  # at alpha = 1 scaling a skewed law moves it
                moved = self.loc + 2 / math.pi * self.beta * self.scale * self.scale.log()
                location = torch.where(self.alpha == 1, moved, self.loc)
            return values.mul_(self.scale).add_(location)

    def _standard(self, turn: Tensor, exponential: Tensor) -> Tensor:
        """Values at location 0 and scale 1, by one transform for each law of the batch."""
        laws = {(a, b) for a, b in zip(self.alpha.flatten().tolist(), self.beta.flatten().tolist())}
        if len(laws) == 1:
            return transform(turn, exponential, *laws.pop(), self.parametrisation)
        values = torch.empty_like(turn)
        for alpha, beta in laws:
            here = ((self.alpha == alpha) & (self.beta == beta)).expand(turn.shape)
            values[here] = transform(turn[here], exponential[here], alpha, beta, self.parametrisation)
        return values


@dataclass(frozen=True)
class StableNoise(DirectionNoise):
    """Additive alpha-stable noise (Fig. 3 of Ge et al.).

    Parameters
    ----------
    alpha : float
        Characteristic exponent, in (0, 2]: 2 is Gaussian, 1 Cauchy; the smaller, the more impulsive.
    beta : float
        Skewness, in [-1, 1]. A skewed law is used in S0: in S1 it is a huge brightness offset near alpha = 1.
    channels : {"independent", "shared"}
        One value for each channel, or one for all channels of a pixel.
    """

    family: ClassVar[str] = "stable"
    rulers: ClassVar[tuple[str, ...]] = ("realised", "dispersion", "geometric")

    alpha: float = 1.5
    beta: float = 0.0
    channels: Literal["independent", "shared"] = "independent"

    def __post_init__(self) -> None:
        check(self.alpha, self.beta)

    def geometric_power(self) -> float:
        """Geometric power of the law that is drawn, at scale one, see `geometric_power`."""
        return geometric_power(self.alpha, self.beta)

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """Stable values for each image, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, C, H, W), or (N, 1, H, W) for shared channels
        """
        channels = shape[0] if self.channels == "independent" else 1
        streams = list(generators(keys, seed=seed, family=self.family, call=call))
        return transform(*ingredients(streams, (channels, *shape[1:])), self.alpha, self.beta, "S0")

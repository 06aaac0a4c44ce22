"""Foolbox: our noise as its fixed-epsilon attacks, and its attacks on our ruler.

    snrs = [30, 20, 10]
    _, noisy, success = AlphaStableNoise(alpha=1.0)(model, images, labels, epsilons=[10 ** (-s / 20) for s in snrs])
    _, worst, success = FixedSNR(L2PGD())(model, images, labels, epsilons=[10 ** (-s / 20) for s in snrs])

Epsilon is a relative L2 distance, noise norm over image norm, so that `epsilons` sweeps an SNR axis:
epsilon = 10^(-SNR/20) (`epsilons_of` does it). Images are in the model's bounds, and the SNR is that of the image
brought to [0, 1] by them.
"""

from __future__ import annotations

import warnings
from typing import Any

import eagerpy as ep
import foolbox.attacks
import torch
from foolbox.attacks.base import AttackWithDistance, FixedEpsilonAttack, MinimizationAttack, raise_if_kwargs
from foolbox.models import Model
from torch import Tensor

from .._utils.errors import UsageError
from .adapters.budget import at_budget, check_parameters, noisy, place, unperturbed
from .adapters.foolbox_attacks import Range, T, check_count, subset, treatment, wrap
from .adapters.noises import OwnEnlarged, OwnImpulse, OwnNoise, OwnStable
from .adapters.relative_l2 import RelativeL2, snr_db_of
from .footprint import Shape


class _RandomNoise(OwnNoise, FixedEpsilonAttack):  # type: ignore[misc]
    """What our two noises share."""

    def __init__(self, seed: int, fresh: bool) -> None:
        self.seed, self.fresh = seed, fresh
        self._call = 0
        self._low = 0.0
        check_parameters(0.0, self.ruler, seed, fresh, self._noise().rulers)

    @property
    def distance(self) -> RelativeL2:
        """Relative L2 distance in the bounds of the model it was last run on."""
        return RelativeL2(self._low, clips=self.ruler == "realised")

    def run(self, model: Model, inputs: T, criterion: Any = None, *, epsilon: float, **kwargs: Any) -> T:
        """Noisy images at the SNR of one epsilon.

        Parameters
        ----------
        model : Model
            For its bounds; noise does not ask it.
        inputs : Tensor
        criterion : optional
            Not used, but that its labels must be as many as the images.
        epsilon : float
            10^(-SNR/20).

        Returns
        -------
        Tensor, shape of `inputs`
        """
        raise_if_kwargs(kwargs)
        ours = Range(model, inputs)
        check_count(criterion, len(ours.like))
        self._low = float(ours.low)
        self._call += self.fresh
        images = noisy(
            self._noise(), ours.images(inputs), snr_db_of(epsilon), ruler=self.ruler, seed=self.seed, call=self._call
        )
        return ours.inputs(images)  # type: ignore[no-any-return]


class AlphaStableNoise(OwnStable, _RandomNoise):
    """Additive alpha-stable noise; epsilon is 10^(-SNR/20).

    Parameters
    ----------
    alpha : float
        Characteristic exponent, in (0, 2]: 2 is Gaussian, 1 Cauchy; the smaller, the more impulsive.
    beta : float
        Skewness, in [-1, 1].
    ruler : {"realised", "dispersion", "geometric"}
        What the SNR is measured on; `realised` is the clipped image's own. On another one Foolbox's clipped images
        are the raw ones: epsilon does not bound their distance.
    seed : int
        The noise of an image depends on it and on the image's content alone.
    fresh : bool
        New noise at every run, as `repeat` needs it.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.5,
        beta: float = 0.0,
        ruler: str = "realised",
        seed: int = 0,
        fresh: bool = False,
    ) -> None:
        self.alpha, self.beta, self.ruler = alpha, beta, ruler
        super().__init__(seed, fresh)


class ShapedImpulseNoise(OwnImpulse, _RandomNoise):
    """Impulses of one shape; epsilon is 10^(-SNR/20).

    Parameters
    ----------
    shape : {"point", "square", "triangle", "rhombus"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    seed, fresh
        See `AlphaStableNoise`.
    """

    def __init__(self, *, shape: Shape = "square", size: int | None = None, seed: int = 0, fresh: bool = False) -> None:
        self.shape, self.size = shape, size
        super().__init__(seed, fresh)


class EnlargedStableNoise(OwnEnlarged, _RandomNoise):
    """Alpha-stable noise whose points are enlarged to a shape; epsilon is 10^(-SNR/20) (Fig. 4 of Ge et al.).

    Parameters
    ----------
    shape : {"square", "triangle", "rhombus", "point"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    alpha, beta : float
        Of the law; 0.9 is the paper's salt and pepper.
    seed, fresh
        See `AlphaStableNoise`.
    """

    def __init__(
        self,
        *,
        shape: Shape = "square",
        size: int | None = None,
        alpha: float = 0.9,
        beta: float = 0.0,
        seed: int = 0,
        fresh: bool = False,
    ) -> None:
        self.shape, self.size, self.alpha, self.beta = shape, size, alpha, beta
        super().__init__(seed, fresh)


class FixedSNR(FixedEpsilonAttack):  # type: ignore[misc]
    """An attack of Foolbox whose epsilon is 10^(-SNR/20) instead of its own size.

    An attack on an L2 ball gets each image's own radius; one on another ball is rescaled along its direction. One
    that looks for the smallest noise is still that: `FixedSNR` of it is a `MinimumAtSNR`, which runs it once for
    all epsilons.

    Attributes
    ----------
    kind : {"budget", "minimum", "rescaled"}
    unperturbed : Tensor, shape-(N,), bool
        Images of the last run that the attack left as they were; a warning says how many.
    """

    def __new__(cls, attack: AttackWithDistance) -> Any:
        """Choose the class that fits the attack."""
        if not isinstance(attack, FixedEpsilonAttack | MinimizationAttack):
            raise UsageError(f"FixedSNR wraps a fixed-epsilon or minimisation attack of Foolbox, not {attack!r}")
        return MinimumAtSNR(attack) if isinstance(attack, MinimizationAttack) else super().__new__(cls)

    def __init__(self, attack: FixedEpsilonAttack) -> None:
        self.attack, self.kind = attack, treatment(type(attack), {})[0]
        self.unperturbed: Tensor | None = None
        self._low = 0.0

    @property
    def distance(self) -> RelativeL2:
        """Relative L2 distance in the bounds of the model it was last run on."""
        return RelativeL2(self._low)

    def run(self, model: Model, inputs: T, criterion: Any, *, epsilon: float, **kwargs: Any) -> T:
        """Perturbed images at the SNR of one epsilon.

        Parameters
        ----------
        model : Model
        inputs : Tensor
        criterion : Tensor, Misclassification or TargetedMisclassification
        epsilon : float
            10^(-SNR/20).

        Returns
        -------
        Tensor, shape of `inputs`
        """
        raise_if_kwargs(kwargs)
        ours = Range(model, inputs)
        rule, labels = subset(criterion, len(ours.like))
        self._low = float(ours.low)
        clean = ours.images(inputs)

        def fooled(disturbed: Tensor) -> Tensor:
            x = ep.astensor(ours.inputs(disturbed))
            return torch.from_numpy(rule(x, ep.astensor(model(x))).numpy().copy()).to(clean.device)

        budget = torch.full((len(clean),), snr_db_of(epsilon), dtype=torch.float64, device=clean.device)
        wrapped = wrap(self.attack, model, rule, inputs)
        found = at_budget(wrapped, clean, labels.to(clean.device), budget, fooled=fooled)
        self.unperturbed = unperturbed(clean, found, snr_db_of(epsilon), type(self.attack).__name__)
        return ours.inputs(found)  # type: ignore[no-any-return]


class MinimumAtSNR(MinimizationAttack):  # type: ignore[misc]
    """A minimisation attack of Foolbox, run once; an image counts at every epsilon = 10^(-SNR/20) that reaches it.

    Attributes
    ----------
    kind : {"minimum"}
    unperturbed : Tensor, shape-(N,), bool
        Images of the last run that the attack left as they were; a warning says how many.
    """

    kind = "minimum"

    def __init__(self, attack: MinimizationAttack) -> None:
        self.attack = attack
        self.unperturbed: Tensor | None = None
        self._low = 0.0

    @property
    def distance(self) -> RelativeL2:
        """Relative L2 distance in the bounds of the model it was last run on."""
        return RelativeL2(self._low)

    def run(self, model: Model, inputs: T, criterion: Any, *, early_stop: float | None = None, **kwargs: Any) -> T:
        """Closest adversarial images that the attack finds, see `MinimizationAttack.run`.

        `early_stop` is not passed on: it is a relative distance, and the attack's own is not.
        """
        ours = Range(model, inputs)
        rule, _ = subset(criterion, len(ours.like))
        self._low = float(ours.low)
        found = self.attack.run(model, inputs, rule, **kwargs)
        self.unperturbed = (ours.images(found) == ours.images(inputs)).flatten(1).all(1)
        if self.unperturbed.any():
            count = int(self.unperturbed.sum())
            name = type(self.attack).__name__
            warnings.warn(f"{count} of {len(self.unperturbed)} images got no perturbation from {name}", stacklevel=2)
        return found  # type: ignore[no-any-return]


def register() -> None:
    """Make our three noises and `FixedSNR` attacks of `foolbox.attacks`.

    Raises
    ------
    UsageError
        Foolbox has something else of that name.
    """
    place(foolbox.attacks, (AlphaStableNoise, ShapedImpulseNoise, EnlargedStableNoise, FixedSNR))

"""torchattacks: our noise as its attacks, and its attacks on our ruler.

    attack = AlphaStableNoise(model, alpha=1.0, snr_db=20)          # beside torchattacks.PGD(model)
    attack = FixedSNR(torchattacks.PGDL2(model, steps=20), snr_db=20)

Images are those the other attacks take: in [0, 1], or normalised after `set_normalization_used`. The SNR is that of
the image in [0, 1].
"""

from __future__ import annotations

import torch
import torchattacks
from torch import Tensor, nn
from torchattacks.attack import Attack

from .._utils.errors import UsageError
from .adapters.budget import Kind, at_budget, check_parameters, noisy, place, unperturbed
from .adapters.noises import OwnEnlarged, OwnImpulse, OwnNoise, OwnStable
from .adapters.torchattacks_attacks import treatment_of, wrap
from .footprint import Shape


class _RandomNoise(OwnNoise, Attack):  # type: ignore[misc]
    """What our two noises share: neither needs the model, and no target makes sense."""

    def __init__(self, name: str, model: nn.Module, snr_db: float, seed: int, fresh: bool) -> None:
        super().__init__(name, model)
        self.snr_db, self.seed, self.fresh = snr_db, seed, fresh
        self.supported_mode = ["default"]
        self._call = 0

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Noisy images; called through the attack itself.

        Parameters
        ----------
        images : Tensor, shape-(N, C, H, W)
            In [0, 1].
        labels : optional
            Not used.

        Returns
        -------
        Tensor, shape-(N, C, H, W)
        """
        noise = self._noise()
        check_parameters(self.snr_db, self.ruler, self.seed, self.fresh, noise.rulers)
        images = images.detach().to(self.device or images.device)
        self._call += self.fresh
        return noisy(noise, images, self.snr_db, ruler=self.ruler, seed=self.seed, call=self._call)


class AlphaStableNoise(OwnStable, _RandomNoise):
    """Additive alpha-stable noise at a fixed SNR.

    Parameters
    ----------
    model : nn.Module
    alpha : float
        Characteristic exponent, in (0, 2]: 2 is Gaussian, 1 Cauchy; the smaller, the more impulsive.
    beta : float
        Skewness, in [-1, 1].
    snr_db : float
        SNR of each image, dB.
    ruler : {"realised", "dispersion", "geometric"}
        What the SNR is measured on; `realised` is the clipped image's own.
    seed : int
        The noise of an image depends on it and on the image's content alone.
    fresh : bool
        New noise at every call, as training needs it.

    Examples
    --------
    >>> attack = AlphaStableNoise(model, alpha=1.0, snr_db=20)  # doctest: +SKIP
    >>> noisy_images = attack(images, labels)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: nn.Module,
        alpha: float = 1.5,
        beta: float = 0.0,
        snr_db: float = 20.0,
        ruler: str = "realised",
        seed: int = 0,
        fresh: bool = False,
    ) -> None:
        super().__init__("AlphaStableNoise", model, snr_db, seed, fresh)
        self.alpha, self.beta, self.ruler = alpha, beta, ruler
        check_parameters(snr_db, ruler, seed, fresh, self._noise().rulers)


class ShapedImpulseNoise(OwnImpulse, _RandomNoise):
    """Impulses of one shape at a fixed SNR.

    Parameters
    ----------
    model : nn.Module
    shape : {"point", "square", "triangle", "rhombus"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    snr_db, seed, fresh
        See `AlphaStableNoise`.
    """

    def __init__(
        self,
        model: nn.Module,
        shape: Shape = "square",
        size: int | None = None,
        snr_db: float = 20.0,
        seed: int = 0,
        fresh: bool = False,
    ) -> None:
        super().__init__("ShapedImpulseNoise", model, snr_db, seed, fresh)
        self.shape, self.size = shape, size
        check_parameters(snr_db, self.ruler, seed, fresh, self._noise().rulers)


class EnlargedStableNoise(OwnEnlarged, _RandomNoise):
    """Alpha-stable noise whose points are enlarged to a shape at a fixed SNR (Fig. 4 of Ge et al.).

    Parameters
    ----------
    model : nn.Module
    shape : {"square", "triangle", "rhombus", "point"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    alpha, beta : float
        Of the law; 0.9 is the paper's salt and pepper.
    snr_db, seed, fresh
        See `AlphaStableNoise`.
    """

    def __init__(
        self,
        model: nn.Module,
        shape: Shape = "square",
        size: int | None = None,
        alpha: float = 0.9,
        beta: float = 0.0,
        snr_db: float = 20.0,
        seed: int = 0,
        fresh: bool = False,
    ) -> None:
        super().__init__("EnlargedStableNoise", model, snr_db, seed, fresh)
        self.shape, self.size, self.alpha, self.beta = shape, size, alpha, beta
        check_parameters(snr_db, self.ruler, seed, fresh, self._noise().rulers)


class FixedSNR(Attack):  # type: ignore[misc]
    """An attack of torchattacks with an SNR as budget instead of its own size.

    An attack on an L2 ball gets each image's own radius, its step size in proportion; one that looks for the
    smallest noise counts where the budget reaches that, and leaves the image clean elsewhere; what knows
    neither is rescaled along its direction (`kind` says which).

    Parameters
    ----------
    attack : Attack
    snr_db : float
        SNR that the noise of no image falls below, dB.

    Attributes
    ----------
    kind : {"budget", "minimum", "rescaled"}
    unperturbed : Tensor, shape-(N,), bool
        Of the last call; a warning says how many there are.
    """

    def __init__(self, attack: Attack, snr_db: float = 20.0) -> None:
        if not isinstance(attack, Attack):
            raise UsageError(f"FixedSNR wraps an attack, as in FixedSNR(torchattacks.PGDL2(model)), not {attack!r}")
        super().__init__(f"FixedSNR({attack.attack})", attack.model)
        check_parameters(snr_db, "realised", 0, False, ("realised",))
        self.base, self.snr_db = attack, snr_db
        self.device, self.supported_mode = attack.device, attack.supported_mode
        self.kind: Kind = treatment_of(attack)[0]
        self._unperturbed: Tensor | None = None  # hidden: the library prints what is not
        if attack.normalization_used is not None:
            mean, std = (attack.normalization_used[key].flatten().tolist() for key in ("mean", "std"))
            self.set_normalization_used(mean, std)
        self._model_training = attack._model_training
        self._batchnorm_training, self._dropout_training = attack._batchnorm_training, attack._dropout_training

    @property
    def unperturbed(self) -> Tensor | None:
        """Images of the last call that the attack left as they were, shape-(N,), bool."""
        return self._unperturbed

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Perturbed images; called through the attack itself.

        Parameters
        ----------
        images : Tensor, shape-(N, C, H, W)
            In [0, 1].
        labels : Tensor, shape-(N,)

        Returns
        -------
        Tensor, shape-(N, C, H, W)
        """
        images = images.detach().to(self.device or images.device)
        labels = None if labels is None else labels.to(images.device)
        targeted = getattr(self.base, "targeted", False) or labels is None

        def fooled(disturbed: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.as_tensor(self.get_logits(disturbed).argmax(1) != labels)

        budget = torch.full((len(images),), float(self.snr_db), dtype=torch.float64, device=images.device)
        found = at_budget(wrap(self.base), images, labels, budget, fooled=None if targeted else fooled)
        self._unperturbed = unperturbed(images, found, self.snr_db, self.base.attack)
        return found


def register() -> None:
    """Make our three noises and `FixedSNR` attacks of `torchattacks`.

    Raises
    ------
    UsageError
        torchattacks has something else of that name.
    """
    place(torchattacks, (AlphaStableNoise, ShapedImpulseNoise, EnlargedStableNoise, FixedSNR))

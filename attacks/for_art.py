"""The Adversarial Robustness Toolbox: our noise as its evasion attacks, and its attacks on our ruler.

    attack = AlphaStableNoise(classifier, alpha=1.0, snr_db=20)     # beside ProjectedGradientDescent(classifier)
    attack = FixedSNR(ProjectedGradientDescent(classifier, norm=2), snr_db=20)

Images are in the estimator's `clip_values`, and the SNR is that of the image brought to [0, 1] by them; without
clip values images are taken as they are, and nothing is clipped. The noise works on any estimator, preprocessing
and defences included: it asks no gradient.

In `art.attacks.evasion.AutoAttack(attacks=[...])` an attack's images count only within AutoAttack's own `eps` and
`norm`: choose those large enough for the SNR, else AutoAttack drops the images.
"""

from __future__ import annotations

from typing import Any, ClassVar

import art.attacks.evasion
import numpy as np
import numpy.typing as npt
import torch
from art.attacks.attack import EvasionAttack
from art.estimators import BaseEstimator
from torch import Tensor

from .._utils.errors import UsageError
from .adapters.art_attacks import TARGETED_BY_NATURE, Array, Range, treatment, wrap
from .adapters.budget import Kind, at_budget, check_parameters, noisy, place, unperturbed
from .adapters.noises import OwnEnlarged, OwnImpulse, OwnNoise, OwnStable
from .footprint import Shape


class _RandomNoise(OwnNoise, EvasionAttack):  # type: ignore[misc]
    """What our two noises share."""

    attack_params: ClassVar[list[str]] = [*EvasionAttack.attack_params, "snr_db", "seed", "fresh"]
    _estimator_requirements = (BaseEstimator,)

    snr_db: float

    def __init__(self, estimator: BaseEstimator, summary_writer: Any, **parameters: Any) -> None:
        super().__init__(estimator=estimator, summary_writer=summary_writer)
        self._call = 0
        self.set_params(**parameters)

    def _check_params(self) -> None:
        super()._check_params()
        check_parameters(self.snr_db, self.ruler, self.seed, self.fresh, self._noise().rulers)

    def generate(self, x: Array, y: Array | None = None, **kwargs: Any) -> Array:
        """Noisy images.

        Parameters
        ----------
        x : ndarray
            In the estimator's clip values.
        y : optional
            Not used.
        mask : ndarray, optional
            Broadcastable to `x`; pixels where it is 0 are left as they are, and the others meet the SNR.

        Returns
        -------
        ndarray, shape of `x`, float32
        """
        x, estimated = np.asarray(x), Range(self.estimator, x.shape)
        mask = kwargs.get("mask")
        kept = None if mask is None else np.broadcast_to(np.asarray(mask) == 0, x.shape)
        self._call += self.fresh
        images = noisy(
            self._noise(),
            estimated.images(x),
            self.snr_db,
            ruler=self.ruler,
            seed=self.seed,
            call=self._call,
            bounds=estimated.bounds,
            mask=None if kept is None else estimated.layout(~kept).float(),
        )
        disturbed = estimated.array(images)
        if kept is not None:
            disturbed = np.where(kept, x.astype(np.float32), disturbed)
        if self.summary_writer is not None:
            self.summary_writer.update(
                batch_id=0, global_step=self._call, estimator=self.estimator, x=disturbed, y=y, targeted=False
            )
            self.summary_writer.reset()
        return disturbed


class AlphaStableNoise(OwnStable, _RandomNoise):
    """Additive alpha-stable noise at a fixed SNR.

    Parameters
    ----------
    estimator : BaseEstimator
        Any; the noise does not ask it.
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
        New noise at every call. `AdversarialTrainer` needs it: else the model learns the noise by heart.
    summary_writer : bool, str or SummaryWriter
        As in every attack of ART.
    """

    attack_params: ClassVar[list[str]] = [*_RandomNoise.attack_params, "alpha", "beta", "ruler"]

    def __init__(
        self,
        estimator: BaseEstimator,
        alpha: float = 1.5,
        beta: float = 0.0,
        snr_db: float = 20.0,
        ruler: str = "realised",
        seed: int = 0,
        fresh: bool = False,
        summary_writer: Any = False,
    ) -> None:
        super().__init__(
            estimator, summary_writer, alpha=alpha, beta=beta, snr_db=snr_db, ruler=ruler, seed=seed, fresh=fresh
        )


class ShapedImpulseNoise(OwnImpulse, _RandomNoise):
    """Impulses of one shape at a fixed SNR.

    Parameters
    ----------
    estimator : BaseEstimator
    shape : {"point", "square", "triangle", "rhombus"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    snr_db, seed, fresh, summary_writer
        See `AlphaStableNoise`.
    """

    attack_params: ClassVar[list[str]] = [*_RandomNoise.attack_params, "shape", "size"]

    def __init__(
        self,
        estimator: BaseEstimator,
        shape: Shape = "square",
        size: int | None = None,
        snr_db: float = 20.0,
        seed: int = 0,
        fresh: bool = False,
        summary_writer: Any = False,
    ) -> None:
        super().__init__(estimator, summary_writer, shape=shape, size=size, snr_db=snr_db, seed=seed, fresh=fresh)


class EnlargedStableNoise(OwnEnlarged, _RandomNoise):
    """Alpha-stable noise whose points are enlarged to a shape at a fixed SNR (Fig. 4 of Ge et al.).

    Parameters
    ----------
    estimator : BaseEstimator
    shape : {"square", "triangle", "rhombus", "point"}
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default.
    alpha, beta : float
        Of the law; 0.9 is the paper's salt and pepper.
    snr_db, seed, fresh, summary_writer
        See `AlphaStableNoise`.
    """

    attack_params: ClassVar[list[str]] = [*_RandomNoise.attack_params, "shape", "size", "alpha", "beta"]

    def __init__(
        self,
        estimator: BaseEstimator,
        shape: Shape = "square",
        size: int | None = None,
        alpha: float = 0.9,
        beta: float = 0.0,
        snr_db: float = 20.0,
        seed: int = 0,
        fresh: bool = False,
        summary_writer: Any = False,
    ) -> None:
        law = {"alpha": alpha, "beta": beta}
        super().__init__(
            estimator, summary_writer, shape=shape, size=size, **law, snr_db=snr_db, seed=seed, fresh=fresh
        )


class FixedSNR(EvasionAttack):  # type: ignore[misc]
    """An evasion attack of ART with an SNR as budget instead of its own size.

    An attack on an L2 ball (`norm=2`) gets each image's own radius, its step size in proportion; one that looks for
    the smallest noise counts where the budget reaches that, and leaves the image clean elsewhere; what knows
    neither is rescaled along its direction (`kind` says which).

    Parameters
    ----------
    attack : EvasionAttack
    snr_db : float
        SNR that the noise of no image falls below, dB.

    Attributes
    ----------
    kind : {"budget", "minimum", "rescaled"}
    unperturbed : ndarray, shape-(N,), bool
        Images of the last call that the attack left as they were; a warning says how many.
    """

    attack_params: ClassVar[list[str]] = [*EvasionAttack.attack_params, "snr_db"]
    _estimator_requirements = (BaseEstimator,)

    def __init__(self, attack: EvasionAttack, snr_db: float = 20.0) -> None:
        if not isinstance(attack, EvasionAttack):
            raise UsageError(f"FixedSNR wraps an evasion attack of ART, not {attack!r}")
        self.base = attack
        super().__init__(estimator=attack.estimator)
        self.kind: Kind = treatment(type(attack), vars(attack))[0]
        self.unperturbed: npt.NDArray[np.bool_] | None = None
        self.set_params(snr_db=snr_db)

    @property
    def targeted(self) -> bool:
        """Whether the attack is targeted, so that labels are the classes to arrive at."""
        return bool(self.base.targeted) or type(self.base).__name__ in TARGETED_BY_NATURE

    def _check_params(self) -> None:
        super()._check_params()
        check_parameters(self.snr_db, "realised", 0, False, ("realised",))

    def generate(self, x: Array, y: Array | None = None, **kwargs: Any) -> Array:
        """Perturbed images.

        Parameters
        ----------
        x : ndarray
            In the estimator's clip values.
        y : ndarray, optional
            Labels, shape-(N,) or (N, 1), or one-hot labels; target classes where the attack is targeted.
        **kwargs
            What the attack takes, such as `mask`; images of different masks are run one mask after another.

        Returns
        -------
        ndarray, shape of `x`, float32
        """
        x = np.asarray(x)
        estimated = Range(self.estimator, x.shape)
        clean = estimated.images(x)
        labels = None if y is None else torch.from_numpy(np.asarray(y))
        if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels.flatten()

        def part(rows: slice | npt.NDArray[np.intp], options: dict[str, Any]) -> Tensor:
            own = None if labels is None else labels[rows]
            classes = None if own is None or self.targeted else own.argmax(1) if own.ndim == 2 else own

            def fooled(disturbed: Tensor) -> Tensor:
                answers = np.asarray(self.estimator.predict(estimated.array(disturbed))).argmax(1)
                return torch.as_tensor(torch.from_numpy(answers) != classes)

            budget = torch.full((len(clean[rows]),), float(self.snr_db), dtype=torch.float64)
            compare = None if classes is None else fooled
            attack = wrap(self.base, estimated, options)
            return at_budget(attack, clean[rows], own, budget, fooled=compare, bounds=estimated.bounds)

        mask = kwargs.get("mask")
        if mask is None or np.ndim(mask) < x.ndim or len(mask) == 1:
            found = part(slice(None), kwargs)
        else:
            found = torch.empty_like(clean)
            masks, of = np.unique(np.broadcast_to(mask, x.shape), axis=0, return_inverse=True)
            for index, one in enumerate(masks):
                rows = (of.flatten() == index).nonzero()[0]
                found[rows] = part(rows, {**kwargs, "mask": one})
        self.unperturbed = unperturbed(clean, found, self.snr_db, type(self.base).__name__).numpy()
        return estimated.array(found)


def register() -> None:
    """Make our three noises and `FixedSNR` attacks of `art.attacks.evasion`.

    Raises
    ------
    UsageError
        ART has something else of that name.
    """
    place(art.attacks.evasion, (AlphaStableNoise, ShapedImpulseNoise, EnlargedStableNoise, FixedSNR))

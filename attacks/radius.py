"""Adversaries at the radii of the literature: one L2 or L-infinity radius for all images, instead of an SNR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError, suggest
from ..snr import Digests
from .attack import Attack, Norm, Passes
from .base import Adversary
from .batch import AdversaryBatch, Perturbed


@dataclass(frozen=True)
class AtRadius(Adversary):
    """An adversary whose budget is a radius; each image's SNR is what follows from it.

    Spec: the adversary's, then `@l2=0.5` or `@linf=8/255`.

    Parameters
    ----------
    adversary : Adversary
        For an L-infinity radius one that moves along the gradient's sign, fgsm or pgd-linf.
    ball : {"l2", "linf"}
        Norm that the radius is measured in.
    eps : float
        In pixels of [0, 1].
    """

    at_radius: ClassVar[bool] = True

    adversary: Adversary
    ball: Norm
    eps: float

    def __post_init__(self) -> None:
        if not 0 < self.eps < float("inf"):
            raise UsageError(f"{self.ball} radius {self.eps:g}: expected a number above 0, for pixels in [0, 1]")
        if not isinstance(self.adversary, Adversary):
            raise UsageError(f"a radius is an adversary's budget, and {self.adversary.spec} is noise: give it an SNR")
        if (self.ball == "linf") != (self.adversary.norm == "linf"):
            fitting = "fgsm and pgd-linf" if self.ball == "linf" else "all adversaries but fgsm and pgd-linf"
            raise UsageError(f"{self.adversary.spec} has no {self.ball} radius: {fitting} have")

    @property
    def family(self) -> str:
        """The adversary's: it draws the same at a radius as at an SNR."""
        return self.adversary.family

    @property
    def norm(self) -> Norm:
        """That of the radius, see `Attack.norm`."""
        return self.ball

    @property
    def stochastic(self) -> bool:
        """As the adversary, see `Attack.stochastic`."""
        return self.adversary.stochastic

    @property
    def iterative(self) -> bool:
        """As the adversary, see `Attack.iterative`."""
        return self.adversary.iterative

    @property
    def uses_gradient(self) -> bool:
        """As the adversary, see `Attack.uses_gradient`."""
        return self.adversary.uses_gradient

    @property
    def minimum_norm(self) -> bool:
        """As the adversary, see `Attack.minimum_norm`."""
        return self.adversary.minimum_norm

    @property
    def stops_when_fooled(self) -> bool:
        """As the adversary, see `Attack.stops_when_fooled`."""
        return self.adversary.stops_when_fooled

    @property
    def note(self) -> str:
        """As the adversary, see `Attack.note`."""
        return self.adversary.note

    def passes(self, classes: int) -> Passes:
        """Those of the adversary, see `Attack.passes`."""
        return self._fixed.passes(classes)

    @property
    def spec(self) -> str:
        """The adversary's spec string with the radius behind it."""
        return f"{self.adversary.spec}@{self.ball}={self.eps:.6g}"

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """As the adversary draws, see `Attack.draw`."""
        return self.adversary.draw(keys, shape, seed=seed, call=call)

    def nominal_db(self, norm: float, values: int) -> float:
        """SNR of the largest noise in the ball, for an image of this L2 norm and number of pixel values."""
        reach = self.eps if self.ball == "l2" else self.eps * values**0.5
        return float(20 * torch.log10(torch.tensor(norm / reach)))

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """As the adversary does, see `Adversary.perturb`."""
        return self._fixed.perturb(batch, budget_db, start)

    def walk(self, batch: AdversaryBatch, budgets_db: Tensor, start: Tensor) -> Iterator[Perturbed]:
        """The one radius, whatever the grid says, see `Adversary.walk`."""
        if self.ball == "l2":
            budgets = 20 * torch.log10(snr.power(batch.images).sqrt() / self.eps)[None]
            return self._fixed.walk(batch, budgets, start)
        return self._fixed.walk(batch, torch.full_like(budgets_db[:1], -torch.inf), start)

    @property
    def _fixed(self) -> Adversary:
        """The adversary, with the radius where it takes one."""
        return self.adversary.at_linf(self.eps) if self.ball == "linf" else self.adversary


def at_radius(adversary: Attack, text: str) -> AtRadius:
    """Read what is behind the @ of a spec string.

    Parameters
    ----------
    adversary : Attack
    text : str
        `l2=0.5` or `linf=8/255`.

    Raises
    ------
    UsageError
    """
    norm, _, value = (part.strip() for part in text.partition("="))
    if norm not in ("l2", "linf"):
        raise UsageError(f"no radius is measured in {norm!r}; " + suggest(norm, ("l2", "linf")))
    above, _, below = value.partition("/")
    try:
        eps = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{norm} radius {value!r}: expected a number such as 0.5 or 8/255") from None
    return AtRadius(adversary, norm, eps)  # type: ignore[arg-type] # both are checked, the adversary in AtRadius

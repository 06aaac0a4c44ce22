"""Adversaries at the radii of the literature: one L2 or L-infinity radius for all images, instead of an SNR."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError, suggest
from ..snr import Digests
from .base import Adversary, Batch, Perturbed
from .gradient import FastGradientSign, ProjectedSign

Norm = Literal["l2", "linf"]


@dataclass(frozen=True)
class AtRadius(Adversary):
    """An adversary whose budget is a radius; each image's SNR is what follows from it.

    Spec: the adversary's, then `@l2=0.5` or `@linf=8/255`.

    Parameters
    ----------
    adversary : Adversary
        For an L-infinity radius one that moves along the gradient's sign, fgsm or pgd-linf.
    norm : {"l2", "linf"}
    eps : float
        In pixels of [0, 1].
    """

    adversary: Adversary
    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        if not 0 < self.eps < float("inf"):
            raise UsageError(f"{self.norm} radius {self.eps:g}: expected a number above 0, for pixels in [0, 1]")
        if not isinstance(self.adversary, Adversary):
            raise UsageError(f"a radius is an adversary's budget, and {self.adversary.spec} is noise: give it an SNR")
        if (self.norm == "linf") != isinstance(self.adversary, FastGradientSign | ProjectedSign):
            fitting = "fgsm and pgd-linf" if self.norm == "linf" else "all adversaries but fgsm and pgd-linf"
            raise UsageError(f"{self.adversary.spec} has no {self.norm} radius: {fitting} have")

    @property
    def family(self) -> str:  # type: ignore[override]
        """The adversary's: it draws the same at a radius as at an SNR."""
        return self.adversary.family

    @property
    def spec(self) -> str:
        """The adversary's spec string with the radius behind it."""
        return f"{self.adversary.spec}@{self.norm}={self.eps:.6g}"

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Any:
        """As the adversary draws, see `Attack.draw`."""
        return self.adversary.draw(keys, shape, seed=seed, call=call)

    def nominal_db(self, norm: float, values: int) -> float:
        """SNR of the largest noise in the ball, for an image of this L2 norm and number of pixel values."""
        reach = self.eps if self.norm == "l2" else self.eps * values**0.5
        return float(20 * torch.log10(torch.tensor(norm / reach)))

    def perturb(self, batch: Batch, budget_db: Tensor, start: Any) -> Tensor:
        """As the adversary does, see `Adversary.perturb`."""
        return self.adversary.perturb(batch, budget_db, start)

    def walk(self, batch: Batch, budgets_db: Tensor, start: Any) -> Iterator[Perturbed]:
        """The one radius, whatever the grid says, see `Adversary.walk`."""
        if self.norm == "l2":
            budgets = 20 * torch.log10(snr.power(batch.images).sqrt() / self.eps)[None]
            return self.adversary.walk(batch, budgets, start)
        sign = replace(self.adversary, eps=self.eps)  # type: ignore[type-var]
        return sign.walk(batch, torch.full_like(budgets_db[:1], -torch.inf), start)


def at_radius(adversary: Any, text: str) -> AtRadius:
    """Read what stands behind the @ of a spec string.

    Parameters
    ----------
    adversary : Attack
    text : str
        `l2=0.5` or `linf=8/255`.

    Returns
    -------
    AtRadius

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
    return AtRadius(adversary, norm, eps)  # type: ignore[arg-type]

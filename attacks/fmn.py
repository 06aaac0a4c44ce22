"""Fast minimum-norm attack (Pintor et al. 2021): each image's smallest adversarial noise, in one run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from .attack import Passes
from .batch import AdversaryBatch
from .losses import LossAndGrad, column, loss_and_grad, margins, project_to_ball, unit
from .minimum_norm import MinimumNorm

_FINAL_GAMMA = 0.001
_FINAL_STEP = 0.01
_FLATTEST = 1e-30  # a vanishing gradient puts the boundary far off, not at infinity


@dataclass(frozen=True)
class FastMinimumNorm(MinimumNorm):
    """Gradient steps in a ball that shrinks while the model is fooled and grows while not (Pintor et al. 2021).

    Two things differ from the paper. A step is as long as the ball's radius, annealed, where the paper's has the same
    length for all images: nothing then depends on the scale of an image or of its noise. And the projection
    is onto the ball and the valid pixels at once, see `losses.project_to_ball`.

    Parameters
    ----------
    steps : int
        Gradients that an image costs.
    gamma : float
        By which part the radius changes at first; it anneals to a thousandth.
    """

    family: ClassVar[str] = "fmn"
    stochastic: ClassVar[bool] = False

    steps: int = 50
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 < self.gamma < 1:
            raise UsageError(f"fmn with steps={self.steps}, gamma={self.gamma:g}: expected steps >= 1, 0 < gamma < 1")

    def passes(self, classes: int) -> Passes:
        """Every step, the margin where it ends, and the answer; see `Attack.passes`."""
        return Passes(self.steps + 2, self.steps)

    def minimise(self, batch: AdversaryBatch, start: Tensor) -> Tensor:
        """Closest adversarial iterate, see `MinimumNorm.minimise`."""
        clean, signal = batch.images, snr.power(batch.images).sqrt()
        current, best = clean, clean
        best_norm = radius = torch.full_like(signal, math.inf)
        for step in range(self.steps):
            anneal = (1 + math.cos(math.pi * step / self.steps)) / 2
            here, norm = loss_and_grad(batch, current), _norm(current - clean)
            closer = (here.margin > 0) & (norm < best_norm)
            best, best_norm = torch.where(column(closer), current, best), torch.where(closer, norm, best_norm)
            gamma = _FINAL_GAMMA + (self.gamma - _FINAL_GAMMA) * anneal
            radius = _next_radius(radius, here, norm, best_norm, gamma).clamp(max=_largest(batch))
            stride = (_FINAL_STEP + (1 - _FINAL_STEP) * anneal) * radius
            moved = current + column(stride).to(clean.dtype) * unit(here.gradient)
            current = project_to_ball(clean, moved, 20 * torch.log10(signal / radius), batch.bounds)
        closer = (margins(batch, current) > 0) & (_norm(current - clean) < best_norm)
        return torch.where(column(closer), current, best)


def _next_radius(radius: Tensor, here: LossAndGrad, norm: Tensor, best_norm: Tensor, gamma: float) -> Tensor:
    """Smaller where fooled; else larger, or to the boundary's distance if the model was linear and never fooled yet."""
    boundary = norm + here.loss.abs() / _norm(here.gradient).clamp(min=_FLATTEST)
    # A little beyond the boundary: on a linear model the boundary itself would never be crossed.
    larger = torch.where(best_norm < math.inf, radius, boundary) * (1 + gamma)
    return torch.where(here.margin > 0, torch.minimum(radius * (1 - gamma), best_norm), larger)


def _largest(batch: AdversaryBatch) -> Tensor:
    """Norm of the largest valid noise, shape-(N,)."""
    low, high = batch.bounds
    return _norm(torch.maximum(batch.images - low, high - batch.images))


def _norm(images: Tensor) -> Tensor:
    norms: Tensor = images.flatten(1).double().norm(dim=1)
    return norms

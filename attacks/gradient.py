"""Gradient attacks with the SNR as budget: fgsm, fgm, pgd and pgd-linf, each image with its own radius."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from ..snr import Digests, generators
from .attack import Norm, Passes
from .base import Adversary
from .batch import AdversaryBatch
from .losses import ball_points, column, loss_and_grad, margins, project_to_ball, unit


@dataclass(frozen=True)
class FastGradientSign(Adversary):
    """One step along the sign of the loss's gradient (Goodfellow, Shlens and Szegedy 2015).

    The step is as long as the budget allows after clipping.

    Parameters
    ----------
    eps : float, optional
        An L-infinity radius that takes the budget's place.
    """

    family: ClassVar[str] = "fgsm"
    norm: ClassVar[Norm | None] = "linf"
    stochastic: ClassVar[bool] = False
    iterative: ClassVar[bool] = False

    eps: float | None = None

    def at_linf(self, eps: float) -> FastGradientSign:
        """The same step at a radius, see `Adversary.at_linf`."""
        return replace(self, eps=eps)

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Clip(clean + s sign(gradient)) at the budget, see `Adversary.perturb`."""
        direction = loss_and_grad(batch, batch.images).gradient.sign()
        if self.eps is not None:
            return (batch.images + self.eps * direction).clamp(*batch.bounds)
        return snr.project(batch.images, direction, budget_db[None], batch.bounds)[0][0]


@dataclass(frozen=True)
class FastGradient(Adversary):
    """One step along the loss's gradient, the sign attack's L2 form (Goodfellow, Shlens and Szegedy 2015)."""

    family: ClassVar[str] = "fgm"
    stochastic: ClassVar[bool] = False
    iterative: ClassVar[bool] = False

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Clip(clean + s gradient) at the budget, see `Adversary.perturb`."""
        direction = unit(loss_and_grad(batch, batch.images).gradient)
        return snr.project(batch.images, direction, budget_db[None], batch.bounds)[0][0]


class Ball(NamedTuple):
    """Where projected ascent may go: radius, shape-(N, 1, 1, 1), a step of length one, and the projection."""

    radius: Tensor
    direction: Callable[[Tensor], Tensor]
    inside: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ProjectedGradient(Adversary):
    """Projected gradient ascent in each image's own L2 ball (Madry et al. 2018).

    Parameters
    ----------
    steps : int
    restarts : int
        The first from a random point of the ball, as the others.
    step : float
        Length of a step, in units of radius / steps. Longer than the customary 2.5, with which twenty steps do not
        get rid of the random start.
    eot : int
        Answers averaged for a gradient, where the model answers at random.
    """

    family: ClassVar[str] = "pgd"

    steps: int = 20
    restarts: int = 1
    step: float = 10.0
    eot: int = 1

    def __post_init__(self) -> None:
        if min(self.steps, self.restarts, self.eot) < 1 or not self.step > 0:
            raise UsageError(
                f"{self.family} with steps={self.steps}, restarts={self.restarts}, step={self.step:g}, eot={self.eot}: "
                "all must be above 0"
            )

    def passes(self, classes: int) -> Passes:
        """Every step of every restart, and the margin where it ends; see `Attack.passes`."""
        gradients = self.restarts * self.steps * self.eot
        return Passes(gradients + self.restarts * self.eot + 1, gradients)

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """A point uniform in the unit ball for each image and restart, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, restarts, C, H, W)
        """
        return ball_points(keys, shape, self.restarts, seed=seed, family=self.family, call=call)

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Iterate of largest margin, of all restarts, see `Adversary.perturb`."""
        best, best_margin = batch.images, torch.full_like(budget_db, -torch.inf)
        for restart in range(self.restarts):
            for candidate, margin in self.ascend(batch, budget_db, start[:, restart]):
                better = margin > best_margin
                best = torch.where(column(better), candidate, best)
                best_margin = torch.where(better, margin.double(), best_margin)
        return best

    def ball(self, batch: AdversaryBatch, budget_db: Tensor) -> Ball:
        """The set that the iterates stay in, and how they move."""
        clean = batch.images
        return Ball(
            radius=column(snr.radius(clean, budget_db)).to(clean.dtype),
            direction=unit,
            inside=lambda images: project_to_ball(clean, images, budget_db, batch.bounds),
        )

    @final
    def ascend(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Images on the way up, and their margins."""
        ball = self.ball(batch, budget_db)
        stride = ball.radius * (self.step / self.steps)
        current = ball.inside(batch.images + start * ball.radius)
        for _ in range(self.steps):
            here = loss_and_grad(batch, current, samples=self.eot)
            yield current, here.margin
            current = ball.inside(current + stride * ball.direction(here.gradient))
        yield current, margins(batch, current, self.eot)


@dataclass(frozen=True)
class ProjectedSign(ProjectedGradient):
    """Projected ascent along the gradient's sign, in each image's own L-infinity ball (Madry et al. 2018).

    The radius is that at which one step along the sign, from the clean image, has the budget's noise power
    after clipping: fgsm's step. Points of the ball with more power than that are drawn back to the budget.

    Parameters
    ----------
    steps, restarts, eot
        See `ProjectedGradient`.
    step : float
        Length of a step, in units of radius / steps.
    eps : float, optional
        A radius for all images that takes the budget's place.
    """

    family: ClassVar[str] = "pgd-linf"
    norm: ClassVar[Norm | None] = "linf"

    eps: float | None = None

    def at_linf(self, eps: float) -> ProjectedSign:
        """The same ascent at a radius, see `Adversary.at_linf`."""
        return replace(self, eps=eps)

    def passes(self, classes: int) -> Passes:
        """Those of the ascents, and the gradient that sets each one's ball; see `Attack.passes`."""
        forward, backward = super().passes(classes)
        vertex = self.restarts * self.eot if self.eps is None else 0
        return Passes(forward + vertex, backward + vertex)

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """A point uniform in the cube [-1, 1] for each image and restart, see `Attack.draw`."""
        starts = np.empty((len(keys), self.restarts, *shape), dtype=np.float32)
        for row, generator in enumerate(generators(keys, seed=seed, family=self.family, call=call)):
            generator.random(dtype=np.float32, out=starts[row])
        return torch.from_numpy(starts).mul_(2).sub_(1)

    def ball(self, batch: AdversaryBatch, budget_db: Tensor) -> Ball:
        """The L-infinity ball cut by the budget."""
        clean = batch.images
        if self.eps is not None:
            fixed = torch.full_like(clean[:, :1, :1, :1], self.eps)
            return Ball(
                fixed, torch.sign, lambda images: images.clamp(clean - fixed, clean + fixed).clamp(*batch.bounds)
            )
        # Zero counts as up: an image whose gradient vanishes still gets a ball.
        vertex = torch.where(loss_and_grad(batch, clean, samples=self.eot).gradient < 0, -1.0, 1.0).to(clean.dtype)
        scale, _ = snr.scales(clean, vertex, budget_db[None], batch.bounds)
        radius = column(scale[0]).to(clean.dtype)

        def inside(images: Tensor) -> Tensor:
            return project_to_ball(clean, images.clamp(clean - radius, clean + radius), budget_db, batch.bounds)

        return Ball(radius, torch.sign, inside)

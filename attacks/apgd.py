"""Auto-PGD (Croce and Hein 2020) in each image's own L2 ball: momentum, and a step size that it halves itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import ClassVar, final

import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from ..snr import Digests
from .attack import Passes
from .base import Adversary
from .batch import AdversaryBatch
from .losses import (
    Loss,
    LossAndGrad,
    ball_points,
    column,
    dlr,
    log_odds,
    loss_and_grad,
    margins,
    project_to_ball,
    targeted_dlr,
    unit,
)
from .query import checked

_MOMENTUM = 0.75  # weight of a new step; the rest is the last move
_RISING = 0.75  # share of steps that must raise the loss, or else the step is halved


@dataclass(frozen=True)
class AutoGradient(Adversary):
    """Auto-PGD on the cross-entropy (Croce and Hein 2020).

    It starts from a random point of the sphere; the second restart, if there is one, from where the next smaller
    budget of the grid ended, drawn out to the larger ball. (As the only start that is a trap on a robust model,
    whose best noise of one size leads to no good noise of another.) An image drops out once it is fooled.

    Parameters
    ----------
    steps : int
    restarts : int
    eot : int
        Answers averaged for a gradient, where the model answers at random.
    """

    family: ClassVar[str] = "apgd"
    stops_when_fooled: ClassVar[bool] = True

    steps: int = 50
    restarts: int = 1
    eot: int = 1

    def __post_init__(self) -> None:
        if min(self.steps, self.restarts, self.eot) < 1:
            raise UsageError(
                f"auto-PGD with steps={self.steps}, restarts={self.restarts}, eot={self.eot}: all must be above 0"
            )

    @final
    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """A point for each image and restart, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, restarts, C, H, W)
        """
        return ball_points(keys, shape, self.restarts, seed=seed, family=self.family, call=call)

    def passes(self, classes: int) -> Passes:
        """Every step of every restart, and the margin where it ends; see `Attack.passes`."""
        gradients = self.restarts * self.steps * self.eot
        return Passes(gradients + self.restarts * self.eot + 1, gradients)

    def goals(self, batch: AdversaryBatch, images: Tensor) -> Iterator[Tensor]:
        """A class for each image, one ascent after another: here its label, to get away from."""
        yield batch.labels

    def loss(self, goal: Tensor) -> Loss:
        """What is ascended for such goals."""
        return log_odds

    @final
    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """First iterate that fools the model, else the one of largest margin, see `Adversary.perturb`."""
        best, best_margin = batch.images.clone(), torch.full_like(budget_db, -torch.inf)
        for restart in range(self.restarts):
            begin = _begin(batch, budget_db, start[:, restart], warm=restart == 1)
            for goal in self.goals(batch, begin):
                left = (best_margin <= 0).nonzero().flatten()
                for rows, candidates, margin in self._ascend(batch, budget_db, begin, goal, left):
                    better = margin > best_margin[rows]
                    best[rows[better]] = candidates[better]
                    best_margin[rows[better]] = margin[better].double()
        return best

    def _ascend(
        self, batch: AdversaryBatch, budget_db: Tensor, begin: Tensor, goal: Tensor, left: Tensor
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rows of the batch, their images on the way up, and the margins."""
        if not len(left):
            return
        checkpoints = _checkpoints(self.steps)
        climb = _Climb.at(begin[left], left, column(snr.radius(batch.images, budget_db)[left]).to(begin.dtype))
        for step in range(self.steps):
            here = loss_and_grad(batch.rows(climb.row), climb.current, self.loss(goal[climb.row]), self.eot)
            yield climb.row, climb.current, here.margin
            climb.note(here)
            climb = climb.rows(here.margin <= 0)
            if not len(climb.row):
                return
            if step in checkpoints:
                climb.adapt(step - checkpoints[step])
            climb.move(batch.images[climb.row], budget_db[climb.row], batch.bounds, 1.0 if step == 0 else _MOMENTUM)
        yield climb.row, climb.current, margins(batch.rows(climb.row), climb.current, self.eot)


@dataclass(frozen=True)
class AutoGradientRatio(AutoGradient):
    """Auto-PGD on the difference of logits ratio (Croce and Hein 2020), which no scaling of the logits masks.

    Parameters
    ----------
    steps, restarts, eot
        See `AutoGradient`.
    targeted : bool
        Ascend towards single classes, one after another, the likeliest first; needs four classes, otherwise three.
    targets : int
        How many classes, at most.
    """

    targeted: bool = False
    targets: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets < 1:
            raise UsageError(f"apgd-dlr with targets={self.targets}: must be above 0")

    def passes(self, classes: int) -> Passes:
        """Those of auto-PGD; if targeted, for each target, after an answer that names them; see `Attack.passes`."""
        forward, backward = super().passes(classes)
        if not self.targeted:
            return Passes(forward, backward)
        ascents = min(self.targets, classes - 1)
        return Passes(ascents * (forward - 1) + self.restarts + 1, ascents * backward)

    def goals(self, batch: AdversaryBatch, images: Tensor) -> Iterator[Tensor]:
        """The label, or the likeliest other classes one after another."""
        if not self.targeted:
            yield from super().goals(batch, images)
            return
        with torch.no_grad():
            logits = checked(batch.model(images), len(images))
        others = logits.scatter(1, batch.labels[:, None], -torch.inf).argsort(1, descending=True)
        yield from others[:, : min(self.targets, logits.shape[1] - 1)].T

    def loss(self, goal: Tensor) -> Loss:
        """The ratio, towards the goals if targeted."""
        return partial(targeted_dlr, target=goal) if self.targeted else dlr


@dataclass
class _Climb:
    """State of an ascent, a row for each image that is not fooled yet."""

    row: Tensor
    current: Tensor
    last: Tensor
    stride: Tensor
    loss: Tensor
    gradient: Tensor
    peak: Tensor
    peak_loss: Tensor
    peak_gradient: Tensor
    rises: Tensor
    last_peak_loss: Tensor
    just_halved: Tensor

    @classmethod
    def at(cls, images: Tensor, row: Tensor, radius: Tensor) -> _Climb:
        lowest, none = torch.full_like(radius, -torch.inf).flatten(), torch.zeros_like(row)
        gradient = torch.zeros_like(images)
        return cls(
            row=row,
            current=images,
            last=images,
            stride=2 * radius,
            loss=torch.full_like(lowest, torch.inf),  # the first answer is no rise
            gradient=gradient,
            peak=images,
            peak_loss=lowest,
            peak_gradient=gradient,
            rises=none,
            last_peak_loss=lowest,
            just_halved=torch.ones_like(none, dtype=torch.bool),
        )

    def rows(self, keep: Tensor) -> _Climb:
        return self if keep.all() else _Climb(**{f.name: getattr(self, f.name)[keep] for f in fields(self)})

    def note(self, here: LossAndGrad) -> None:
        self.rises = self.rises + (here.loss > self.loss)
        self.loss, self.gradient = here.loss, here.gradient
        higher = here.loss > self.peak_loss
        self.peak_loss = torch.where(higher, here.loss, self.peak_loss)
        self.peak = torch.where(column(higher), self.current, self.peak)
        self.peak_gradient = torch.where(column(higher), here.gradient, self.peak_gradient)

    def adapt(self, steps: int) -> None:
        """Halve the step, and go back to the peak, where the loss rose too rarely or the peak does not move."""
        stuck = ~self.just_halved & (self.peak_loss <= self.last_peak_loss)
        halve = (self.rises < _RISING * steps) | stuck
        self.stride = torch.where(column(halve), self.stride / 2, self.stride)
        self.current = torch.where(column(halve), self.peak, self.current)
        self.gradient = torch.where(column(halve), self.peak_gradient, self.gradient)
        self.rises = torch.zeros_like(self.rises)
        self.last_peak_loss, self.just_halved = self.peak_loss, halve

    def move(self, clean: Tensor, budget_db: Tensor, bounds: snr.Bounds, weight: float) -> None:
        ahead = project_to_ball(clean, self.current + self.stride * unit(self.gradient), budget_db, bounds)
        mixed = self.current + weight * (ahead - self.current) + (1 - weight) * (self.current - self.last)
        self.last, self.current = self.current, project_to_ball(clean, mixed, budget_db, bounds)


def _begin(batch: AdversaryBatch, budget_db: Tensor, start: Tensor, *, warm: bool) -> Tensor:
    direction = start.to(batch.images.dtype)
    if warm and batch.warm_start is not None:
        reached = batch.warm_start - batch.images
        direction = torch.where(column(reached.flatten(1).any(1)), reached, direction)
    return snr.project(batch.images, direction, budget_db[None], batch.bounds)[0][0]


def _checkpoints(steps: int) -> dict[int, int]:
    """Steps at which the step size is looked at, each with the one before: at 0.22, 0.41, 0.57, ... of all.

    In whole steps, as the authors' code rounds them: few steps then shrink fast.
    """
    checks, last, gap = {}, 0, max(int(0.22 * steps), 1)
    while last + gap < steps:
        checks[last + gap] = last
        last += gap
        gap = max(gap - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
    return checks

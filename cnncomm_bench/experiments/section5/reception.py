"""Sends test images through a network and its checks: clean, under noise, and under adversaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...attacks import column, parse, predict
from ...results.statistics import Floats
from ..training import Disturbance, at_snr
from .detection import Bools, Received, alarm_level
from .setting import Setting
from .trial import ADAPTIVE, UNAWARE, Trial

FALSE_ALARM = 0.05
"""Share of clean images on which the check may fail."""

NOISES = ("gaussian", "cauchy", "impulse-square")
ATTACKS = (*NOISES, "fgm")
_KNOWING = "pgd:steps=20"
_NOISE_GRID = tuple(float(db) for db in range(-5, 35, 5))
_ADVERSARY_GRID = tuple(float(db) for db in range(10, 45, 5))
_BATCH = 200


class Check(Protocol):
    """A network that decides, and a score of how much is wrong with what came."""

    @property
    def decides(self) -> nn.Module:
        """Images to logits of shape-(N, K)."""

    def disagreement(self, images: Tensor) -> Tensor:
        """The score, shape-(N,); the check fails where it is high."""

    def targets(self, alarm: float) -> tuple[nn.Module, ...]:
        """What an adversary attacks that knows of the check, and above which score it fails."""


def measure(setting: Setting, checks: Mapping[str, Check], tests: int, attacks: tuple[str, ...] = ATTACKS) -> Trial:
    """Send test images through a network and its checks, clean and under every attack.

    Parameters
    ----------
    setting : Setting
    checks : mapping of str to Check
        All decide with the same network; the adversary that knows of a check knows of the first.
    tests : int
        Images that are attacked, and as many others that set the level of the alarm.
    attacks : tuple of str
        Beside `UNAWARE` and `ADAPTIVE`.
    """
    images, labels = setting.tests(2 * tests)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(setting.seed)).to(images.device)
    chosen, apart = order.chunk(2)
    sent, truth, spare = images[chosen], labels[chosen], images[apart]
    first, known = next(iter(checks.items()))
    decides = known.decides
    alarm = {name: alarm_level(_scores(check, spare), FALSE_ALARM) for name, check in checks.items()}
    received = {}
    for name in (*attacks, UNAWARE):
        attack = parse(name)
        grid = _ADVERSARY_GRID if attack.needs_model else _NOISE_GRID
        disturbed = [_disturb(decides, sent, truth, at_snr(attack, db, setting.seed)) for db in grid]
        for title, check in checks.items():
            received[title, name] = _received(check, disturbed, truth, grid, attack.needs_model)
    # Still those of pgd, the last: who knows of the check may do as one who does not.
    disturbed = [
        _adaptive(known, alarm[first], sent, truth, at_snr(parse(_KNOWING), db, setting.seed), unaware)
        for db, unaware in zip(_ADVERSARY_GRID, disturbed, strict=True)
    ]
    received[first, ADAPTIVE] = _received(known, disturbed, truth, _ADVERSARY_GRID, True)
    return Trial(
        right=_right(decides, sent, truth),
        clean={name: _scores(check, sent) for name, check in checks.items()},
        alarm=alarm,
        received=received,
        classes=setting.classes,
        seed=setting.seed,
    )


def _disturb(target: nn.Module, images: Tensor, labels: Tensor, disturb: Disturbance) -> Tensor:
    """Every image at its full budget, also those that are misclassified already: they may be detected still."""
    pairs = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    return torch.cat([disturb(target, batch, truth, 0) for batch, truth in pairs])


def _adaptive(
    check: Check, alarm: float, images: Tensor, labels: Tensor, disturb: Disturbance, unaware: Tensor
) -> Tensor:
    """For each image the best of several attacks: on the network alone, and on each target of the check."""
    best, best_gain = unaware, _gain(check, unaware, labels)
    for target in check.targets(alarm):
        found = _disturb(target, images, labels, disturb)
        gain = _gain(check, found, labels)
        best = torch.where(column(gain > best_gain), found, best)
        best_gain = torch.maximum(gain, best_gain)
    return best


def _gain(check: Check, images: Tensor, labels: Tensor) -> Tensor:
    """Errors first, and of these the least score, which is at most 1: whatever the alarm, none undetected is missed."""
    right, score = _right(check.decides, images, labels), _scores(check, images)
    return torch.from_numpy(~right - score).to(images.device)


def _received(
    check: Check, disturbed: list[Tensor], labels: Tensor, grid: tuple[float, ...], adversary: bool
) -> Received:
    right = np.stack([_right(check.decides, images, labels) for images in disturbed])
    score = np.stack([_scores(check, images) for images in disturbed])
    return Received(np.array(grid), right, score, adversary)


def _right(model: nn.Module, images: Tensor, labels: Tensor) -> Bools:
    found = torch.cat([predict(model, batch) for batch in torch.split(images, _BATCH)])
    return np.asarray((found == labels).cpu())


def _scores(check: Check, images: Tensor) -> Floats:
    with torch.inference_mode():
        scores = torch.cat([check.disagreement(batch) for batch in torch.split(images, _BATCH)])
    return np.asarray(scores.double().cpu())

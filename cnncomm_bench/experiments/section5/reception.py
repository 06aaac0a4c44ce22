"""Sends test images through two streams: clean, under noise, and under adversaries."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ...attacks import column, parse, predict
from ...results.statistics import Floats
from ..training import Disturbance, at_snr
from .detection import Bools, Received, alarm_level
from .setting import Setting
from .trial import ADAPTIVE, LOW, UNAWARE, Trial
from .twostream import Guessing, TwoStreams

FALSE_ALARM = 0.05
"""Share of clean images on which the check may fail."""

NOISES = ("gaussian", "cauchy", "impulse-square")
_KNOWING = "pgd:steps=20"
_NOISE_GRID = tuple(float(db) for db in range(-5, 35, 5))
_ADVERSARY_GRID = tuple(float(db) for db in range(10, 45, 5))
_BATCH = 200


def measure(setting: Setting, streams: dict[str, TwoStreams], tests: int) -> Trial:
    """Send test images through both streams, clean and under every attack.

    Parameters
    ----------
    setting : Setting
    streams : dict of str to TwoStreams
        By check; all decide with the same network.
    tests : int
    """
    images, labels = setting.tests(2 * tests)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(setting.seed)).to(images.device)
    chosen, apart = order.chunk(2)
    sent, truth, spare = images[chosen], labels[chosen], images[apart]
    decides = streams[LOW].decides
    received = {}
    for name in (*NOISES, "fgm", UNAWARE):
        attack = parse(name)
        grid = _ADVERSARY_GRID if attack.needs_model else _NOISE_GRID
        disturbed = [_disturb(decides, sent, truth, at_snr(attack, db, setting.seed)) for db in grid]
        for check, pair in streams.items():
            received[check, name] = _received(pair, disturbed, truth, grid, attack.needs_model)
    # Still those of pgd, the last: who knows of the check may do as one who does not.
    disturbed = [
        _adaptive(streams[LOW], sent, truth, at_snr(parse(_KNOWING), db, setting.seed), unaware)
        for db, unaware in zip(_ADVERSARY_GRID, disturbed, strict=True)
    ]
    received[LOW, ADAPTIVE] = _received(streams[LOW], disturbed, truth, _ADVERSARY_GRID, True)
    return Trial(
        right=_right(decides, sent, truth),
        clean={check: _scores(pair, sent) for check, pair in streams.items()},
        alarm={check: alarm_level(_scores(pair, spare), FALSE_ALARM) for check, pair in streams.items()},
        received=received,
        classes=setting.classes,
        seed=setting.seed,
    )


def _disturb(target: nn.Module, images: Tensor, labels: Tensor, disturb: Disturbance) -> Tensor:
    """Every image at its full budget, also those that are misclassified already: they may be detected still."""
    pairs = zip(torch.split(images, _BATCH), torch.split(labels, _BATCH), strict=True)
    return torch.cat([disturb(target, batch, truth, 0) for batch, truth in pairs])


def _adaptive(pair: TwoStreams, images: Tensor, labels: Tensor, disturb: Disturbance, unaware: Tensor) -> Tensor:
    """For each image the best of three attacks: on the first stream, on both, and on both and the check."""
    best, best_gain = unaware, _gain(pair, unaware, labels)
    for target in (pair, Guessing(pair)):
        found = _disturb(target, images, labels, disturb)
        gain = _gain(pair, found, labels)
        best = torch.where(column(gain > best_gain), found, best)
        best_gain = torch.maximum(gain, best_gain)
    return best


def _gain(pair: TwoStreams, images: Tensor, labels: Tensor) -> Tensor:
    """Errors first, and of these the least disagreement: whatever the alarm, no undetected error is missed."""
    right, score = _right(pair.decides, images, labels), _scores(pair, images)
    return torch.from_numpy(~right - score).to(images.device)


def _received(
    pair: TwoStreams, disturbed: list[Tensor], labels: Tensor, grid: tuple[float, ...], adversary: bool
) -> Received:
    right = np.stack([_right(pair.decides, images, labels) for images in disturbed])
    score = np.stack([_scores(pair, images) for images in disturbed])
    return Received(np.array(grid), right, score, adversary)


def _right(model: nn.Module, images: Tensor, labels: Tensor) -> Bools:
    found = torch.cat([predict(model, batch) for batch in torch.split(images, _BATCH)])
    return np.asarray((found == labels).cpu())


def _scores(pair: TwoStreams, images: Tensor) -> Floats:
    with torch.inference_mode():
        scores = torch.cat([pair.disagreement(batch) for batch in torch.split(images, _BATCH)])
    return np.asarray(scores.double().cpu())

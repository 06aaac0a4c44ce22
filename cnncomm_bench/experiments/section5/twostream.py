"""Combines two classifiers of one image: one at full resolution, and one that checks it at half of that.

Ge et al. 2019, "Defending from adversarial examples with a two-stream architecture": what misleads the one network
rarely misleads the other in the same way, so their disagreement is the failed check.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TINY = 1e-30  # keeps the logarithm of no disagreement finite


class LowResolution(nn.Module):
    """Images at half their resolution, by the mean of 2 x 2 pixels, and enlarged again to the size networks expect."""

    def forward(self, images: Tensor) -> Tensor:
        """Images of shape-(N, C, H, W) to blurred ones of the same shape."""
        height, width = images.shape[2:]
        small = F.interpolate(images, (-(-height // 2), -(-width // 2)), mode="area")
        return F.interpolate(small, (height, width), mode="bilinear", align_corners=False)


class TwoStreams(nn.Module):
    """Two classifiers of one image, the first decides, the second checks.

    Parameters
    ----------
    decides, checks : nn.Module
        Images to logits of shape-(N, K).
    """

    def __init__(self, decides: nn.Module, checks: nn.Module) -> None:
        super().__init__()
        self.decides, self.checks = decides, checks

    def log_probabilities(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of both streams, shape-(N, K) each."""
        return F.log_softmax(self.decides(images), 1), F.log_softmax(self.checks(images), 1)

    def disagreement(self, images: Tensor) -> Tensor:
        """Total variation between the streams' softmax outputs, shape-(N,), from 0 to 1.

        The least probability with which two draws, one from each output, differ.
        """
        return _variation(*self.log_probabilities(images))

    def forward(self, images: Tensor) -> Tensor:
        """Logarithm of the streams' mean probabilities, shape-(N, K): what an adversary attacks who attacks both."""
        first, second = self.log_probabilities(images)
        return torch.logaddexp(first, second) - math.log(2)

    def targets(self, alarm: float) -> tuple[nn.Module, ...]:
        """What an adversary attacks that knows of the check: both streams, and both with the check at any alarm."""
        return self, Guessing(self)


class Guessing(nn.Module):
    """The link as a whole, for an adversary that attacks the check as well as both streams.

    A class has the probability that both streams agree on, min(p, q); what is left, their disagreement, is a failed
    check, after which the receiver guesses among the K classes. To minimise the label's probability is to make both
    streams agree on another class.
    """

    def __init__(self, streams: TwoStreams) -> None:
        super().__init__()
        self.streams = streams

    def forward(self, images: Tensor) -> Tensor:
        """Logarithm of the classes' probabilities, shape-(N, K)."""
        first, second = self.streams.log_probabilities(images)
        guessed = _variation(first, second).clamp(min=_TINY).log() - math.log(first.shape[1])
        return torch.logaddexp(torch.minimum(first, second), guessed[:, None])


def _variation(first: Tensor, second: Tensor) -> Tensor:
    return (first.exp() - second.exp()).clamp(min=0).sum(1)

"""A reconstruction as check bits: the image that a network draws of the decided class, compared with the received one.

After Frosst, Sabour and Hinton 2018, "DARCCC: Detecting adversaries by reconstruction from class conditional
capsules". The adversary that knows of the check also keeps the error low, as in Qin et al. 2020, "Detecting and
diagnosing adversarial images with class-conditional capsule reconstructions".
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .capsnet import ClassVectors

_SOFTNESS = (1.0, 5.0)
"""Widths of the smooth alarms that an adversary attacks, in units of the alarm's level.

A narrow one has no gradient far above its level, where attacked images are: at a width of 0.1 it stops the adversary.
"""


class Reconstruction(nn.Module):
    """A network decides; the error of what its decoder draws of the decision is the check.

    Parameters
    ----------
    network : ClassVectors
        With a decoder.
    other : bool
        Draw another class, the next one, in place of the one that was decided.
    """

    def __init__(self, network: ClassVectors, other: bool = False) -> None:
        super().__init__()
        self.decides, self.other = network, other

    def disagreement(self, images: Tensor) -> Tensor:
        """Mean squared error of the reconstruction, shape-(N,)."""
        vectors = self.decides.vectors(images)
        logits = self.decides.logits(vectors)
        drawn = (logits.argmax(1) + self.other) % logits.shape[1]
        return self.decides.reconstruction_error(images, vectors, drawn)

    def targets(self, alarm: float) -> tuple[nn.Module, ...]:
        """What an adversary attacks that knows of the check, and above which error it fails."""
        return tuple(Delivering(self.decides, alarm, softness) for softness in _SOFTNESS)


class Delivering(nn.Module):
    """The link as a whole, for an adversary that attacks the check as well as the network.

    A class is delivered with its probability, if its own reconstruction passes; after a failed check the receiver
    guesses among the K classes. The alarm is smooth, a logistic function of the error. To minimise the label's
    probability is to make the network decide for another class that is drawn well.

    Parameters
    ----------
    network : ClassVectors
    alarm : float
        Error at which the check fails with probability one half.
    softness : float
        Width of the alarm, in units of its level.
    """

    def __init__(self, network: ClassVectors, alarm: float, softness: float) -> None:
        super().__init__()
        self.network, self.alarm, self.width = network, alarm, alarm * softness

    def forward(self, images: Tensor) -> Tensor:
        """Logarithm of the classes' probabilities, shape-(N, K)."""
        vectors = self.network.vectors(images)
        decided = self.network.logits(vectors).log_softmax(1)
        classes = torch.arange(decided.shape[1], device=images.device)
        drawn = [self.network.reconstruction_error(images, vectors, k.expand(len(images))) for k in classes]
        excess = (torch.stack(drawn, 1) - self.alarm) / self.width
        guessed = (decided + F.logsigmoid(excess)).logsumexp(1, keepdim=True) - math.log(len(classes))
        return torch.logaddexp(decided + F.logsigmoid(-excess), guessed)

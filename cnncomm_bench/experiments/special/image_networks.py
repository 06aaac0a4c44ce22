"""Networks of the special CNN on images: transposed convolutions, then convolutions, pooling and a dense layer."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._utils.errors import UsageError
from .autoencoder import Design

LABELS = 10
SMALLEST, LARGEST = 8, 64
_LIMIT = 4.0
_SAMPLES_28 = 28**2


def design(side: int) -> Design:
    """Ten labels in images of a side, trained around the SNR at which ten labels can be distinguished.

    That is a fixed energy of the whole image, so the SNR of a sample falls with their number: -20 to -10 dB at 28 x 28.

    Raises
    ------
    UsageError
        The side is no multiple of four from 8 to 64.
    """
    if side % 4 or not SMALLEST <= side <= LARGEST:
        raise UsageError(
            f"images of {side} x {side} samples: expected a multiple of 4 from {SMALLEST} to {LARGEST}; pass 28", "size"
        )
    shift_db = float(10 * torch.log10(torch.tensor(_SAMPLES_28 / side**2)))
    return Design(LABELS, partial(Decoder, side), partial(Encoder, side), (shift_db - 20, shift_db - 10))


class Decoder(nn.Module):
    """Labels to images of power one: transposed convolutions, to a quarter of the side, half, and the whole."""

    def __init__(self, side: int, width: int = 16) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(LABELS, 2 * width, side // 4)
        self.second = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
        self.third = nn.ConvTranspose2d(width, 1, 4, 2, 1)

    def forward(self, labels: Tensor) -> Tensor:
        """Labels of shape-(N,) to samples of shape-(N, side^2)."""
        one_hot = F.one_hot(labels, LABELS).float()[..., None, None]
        image = self.third(torch.relu(self.second(torch.relu(self.first(one_hot))))).flatten(1)
        samples: Tensor = image / image.square().mean(1, keepdim=True).sqrt()
        return samples


class Encoder(nn.Module):
    """Received images to logits: two convolutions, each with average pooling, and a dense layer.

    Before them is a gain control that makes the median magnitude of an image one, and a limiter: impulses of any size
    leave a number that can be learned from, and noise far stronger than the signal is not cut off.
    """

    def __init__(self, side: int, width: int = 16) -> None:
        super().__init__()
        self.side = side
        self.first = nn.Conv2d(1, width, 5, padding=2)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.head = nn.Linear(2 * width * (side // 4) ** 2, LABELS)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples of shape-(N, side^2) to logits of shape-(N, 10)."""
        image = (samples / samples.abs().median(1, keepdim=True).values).clamp(-_LIMIT, _LIMIT)
        features = F.avg_pool2d(torch.relu(self.first(image.reshape(-1, 1, self.side, self.side))), 2)
        features = F.avg_pool2d(torch.relu(self.second(features)), 2)
        logits: Tensor = self.head(features.flatten(1))
        return logits

"""The small residual network of the bundled models."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al. 2016), at half the resolution of their input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features of shape-(N, inputs, H, W) to (N, outputs, ceil(H/2), ceil(W/2))."""
        inner = torch.relu(self.first_norm(self.first(features)))
        return torch.relu(self.second_norm(self.second(inner)) + self.shortcut(features))


class SmallResNet(nn.Module):
    """Residual network of about 6 million multiply-adds for a 28 x 28 image.

    Parameters
    ----------
    classes : int
    channels : int
        Of the input images.
    width : int
        Channels of the first features; they double with every block.
    """

    def __init__(self, classes: int = 10, channels: int = 1, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(Block(width, 2 * width), Block(2 * width, 4 * width))
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1] of shape-(N, channels, H, W) to logits of shape-(N, classes)."""
        features = torch.relu(self.stem_norm(self.stem((images - 0.5) / 0.5)))
        logits: Tensor = self.head(self.blocks(features).mean((2, 3)))
        return logits

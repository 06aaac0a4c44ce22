"""The CIFAR ResNet-20 of He et al. 2016 (section 4.2), option A shortcuts, for `--arch examples/resnet20.py:resnet20`.

    cnncomm-bench --model cifar10_resnet20.th --arch examples/resnet20.py:resnet20 --data cifar10_sample.npz \
        --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225

A file like this one is all it takes to score an architecture that no library has: a function that returns the
network, with or without a `num_classes`.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3 x 3 convolutions around which the input is added.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int
        Of the first convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Add the block's output to its input, shape-(N, C, H, W)."""
        out = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        # Option A: no parameters; every second pixel, and zeros for the channels that are new.
        shortcut = x[:, :, :: self.stride, :: self.stride]
        half = self.added // 2
        return functional.relu(out + functional.pad(shortcut, (0, 0, 0, 0, half, self.added - half)))


class ResNet(nn.Module):
    """A ResNet for 32 x 32 images: three stages of 16, 32 and 64 channels.

    Parameters
    ----------
    blocks : int
        A stage; the network has 6 * blocks + 2 layers.
    num_classes : int
        Outputs.
    """

    def __init__(self, blocks: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, blocks, 1)
        self.layer2 = self._stage(16, 32, blocks, 2)
        self.layer3 = self._stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, num_classes)

    @staticmethod
    def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
        first = Block(inputs, outputs, stride)
        return nn.Sequential(first, *(Block(outputs, outputs, 1) for _ in range(blocks - 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Classify normalised images, shape-(N, 3, H, W), to logits, shape-(N, num_classes)."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def resnet20(num_classes: int = 10) -> ResNet:
    """Make the 20-layer network (0.27 million parameters).

    Parameters
    ----------
    num_classes : int
        Outputs.

    Returns
    -------
    ResNet
    """
    return ResNet(3, num_classes)

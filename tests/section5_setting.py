"""What the tests of Section 5 share: a small network, images of four classes, and the setting made of them."""

from pathlib import Path

import torch
from torch import nn

from cnncomm_bench.experiments.section5.setting import Setting

CLASSES, SIDE = 4, 12

LabelledImages = tuple[torch.Tensor, torch.Tensor]


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES))


def blocks(count: int, seed: int) -> LabelledImages:
    """Grey images of one coarse pattern a class, under noise."""
    labels = torch.arange(count) % CLASSES
    patterns = torch.rand(CLASSES, 1, 3, 3, generator=torch.Generator().manual_seed(9))
    coarse = nn.functional.interpolate(patterns[labels], (SIDE, SIDE))
    noise = torch.randn(coarse.shape, generator=torch.Generator().manual_seed(seed))
    return ((0.2 + 0.6 * coarse + 0.05 * noise).clamp(0, 1) * 255).round().to(torch.uint8), labels


def setting_of(folder: Path, train: LabelledImages, test: LabelledImages, **changed) -> Setting:
    """A setting for the CPU that trains in a second; `changed` replaces its fields."""
    small = {
        "classes": CLASSES, "factory": network, "device": "cpu", "seed": 0, "full": False, "folder": folder,
        "epochs": 4, "learning_rate": 0.05, "flip": False, "quiet": True,
    }  # fmt: skip
    return Setting(*train, *test, **{**small, **changed})


def small_setting(folder: Path, train: int = 320, test: int = 80, **changed) -> Setting:
    """The setting of `blocks`."""
    return setting_of(folder, blocks(train, 0), blocks(test, 1), **changed)

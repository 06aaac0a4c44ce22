"""Opens and checks images and networks, as a `Setting`, before anything is trained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ... import bundled
from ..._utils.devices import pick_device
from ..._utils.errors import DataError, UsageError
from ...bundled import SmallResNet
from ...data import Images, chunks, open_images
from ...models import architectures
from .setting import Setting

EPOCHS, FULL_EPOCHS = 8, 40
TRAINING, TEST = "bundled:fashion-mnist-train", "bundled:fashion-mnist"


def open_setting(
    *,
    data: str | None = None,
    test: str | None = None,
    size: int | None = None,
    factory: str | None = None,
    full: bool = False,
    seed: int = 0,
    learning_rate: float = 0.2,
    device: str = "auto",
    out: Path | None = None,
) -> tuple[Setting, dict[str, Any], Path]:
    """Open what the experiments are made with; the parameters are the command line's options.

    Parameters
    ----------
    data, test : str, optional
        Labelled training and test images, see `data.open_images`; the bundled ones by default.
    size : int, optional
        Resize and crop the images.
    factory : str, optional
        ``FILE.py:function`` or another architecture that a run takes; the bundled network by default.
    full : bool
        The size for a GPU.
    seed : int
    learning_rate : float
    device : str
    out : Path, optional
        By default a folder under `runs/` that the same arguments name again.

    Returns
    -------
    setting : Setting
    identity : dict
        All that decides the results, with the SHA-256 of the images.
    folder : Path
        Where the results go.

    Raises
    ------
    BenchError
        Images, labels or the factory do not fit each other.
    """
    where = pick_device(device)
    if (data is None) != (test is None):
        missing = "test" if test is None else "training"
        raise UsageError(
            f"no {missing} images: expected training and test images; pass both or neither", "data", "test"
        )
    learned = open_images(data or TRAINING, size=size)
    asked = open_images(test or TEST, size=size, channels=learned.images.shape[1])
    classes = _classes(learned, asked)
    channels = learned.images.shape[1]

    def network() -> nn.Module:
        return SmallResNet(classes, channels) if factory is None else architectures.find(factory).build(classes)

    identity = {
        "training images": {"name": learned.name, "sha256": learned.sha256, "images": len(learned.images)},
        "test images": {"name": asked.name, "sha256": asked.sha256, "images": len(asked.images)},
        "network": factory or "bundled",
        "full": full,
        "seed": seed,
        "learning_rate": learning_rate,
    }
    folder = out or Path("runs") / f"section5-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]}"
    default = data is None and factory is None
    setting = Setting(
        *_tensors(learned),
        *_tensors(asked),
        classes=classes,
        factory=network,
        device=where,
        seed=seed,
        full=full,
        folder=folder / "trainings",
        epochs=FULL_EPOCHS if full else EPOCHS,
        learning_rate=learning_rate,
        source=bundled.load("standard") if default else None,
    )
    setting.fresh()  # a factory that does not fit is refused before anything is trained
    return setting, identity, folder


def _classes(learned: Images, asked: Images) -> int:
    if learned.labels is None or asked.labels is None:
        unlabelled = learned if learned.labels is None else asked
        raise DataError(
            f"{unlabelled.name} has no labels: section5 trains networks; pass one folder of images a class",
            "data",
            "test",
        )
    if learned.class_names and asked.class_names and learned.class_names != asked.class_names:
        raise DataError(
            f"{learned.name} has the classes {', '.join(learned.class_names[:5])}, ..., {asked.name} has "
            f"{', '.join(asked.class_names[:5])}, ...: training and test images need the same classes"
        )
    if learned.images.shape[1:] != asked.images.shape[1:]:
        raise DataError(
            f"{learned.name} has images of shape {learned.images.shape[1:]}, {asked.name} of {asked.images.shape[1:]}: "
            "pass one size for both",
            "size",
        )
    classes = int(learned.labels.max()) + 1
    if classes < 2 or int(asked.labels.max()) >= classes:
        raise DataError(
            f"{learned.name} has labels up to {classes - 1}, {asked.name} up to {asked.labels.max()}: at least two "
            "classes are needed, and each must be trained on"
        )
    return classes


def _tensors(images: Images) -> tuple[Tensor, Tensor]:
    pixels = torch.from_numpy(np.concatenate(list(chunks(images.images))))
    nonzero = (pixels.flatten(1) > 0).any(1)  # a black image has no SNR
    return pixels[nonzero], torch.tensor(images.labels)[nonzero]

"""The embedded default: 2,000 test and 6,000 training images of Fashion-MNIST and four small residual networks.

Made by examples/train_bundled.py; README.md in this folder says how, and under which licence.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .._utils.errors import UsageError, suggest
from .network import SmallResNet

__all__ = ["MODELS", "SmallResNet", "images", "load", "path", "training_images"]

FOLDER = Path(__file__).parent
MODELS = ("standard", "adversarial", "gaussian", "stable")


def path(name: str) -> Path:
    """Weights of a bundled model.

    Parameters
    ----------
    name : {"standard", "adversarial", "gaussian", "stable"}

    Raises
    ------
    UsageError
        No model is bundled under that name.
    """
    if name not in MODELS:
        raise UsageError(f"no model is bundled as {name!r}; {suggest(name, MODELS)}")
    return FOLDER / f"{name}.safetensors"


def load(name: str) -> SmallResNet:
    """A bundled model, in eval mode.

    Parameters
    ----------
    name : {"standard", "adversarial", "gaussian", "stable"}

    Returns
    -------
    nn.Module
        Grey images in [0, 1], shape-(N, 1, 28, 28), to logits of shape-(N, 10).

    Raises
    ------
    UsageError
        No model is bundled under that name.
    """
    from safetensors.torch import load_file

    model = SmallResNet()
    model.load_state_dict(load_file(path(name)))
    return model.eval()


def images() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """The bundled images: 2,000 test images of Fashion-MNIST, 200 a class.

    Returns
    -------
    images : ndarray, shape-(2000, 1, 28, 28), uint8
    labels : ndarray, shape-(2000,), int64
    classes : tuple of str
    """
    return _read("fashion_mnist.npz")


def training_images() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """Images to train on: 6,000 of the 60,000 that the bundled models were trained on, 600 a class.

    Returns
    -------
    images : ndarray, shape-(6000, 1, 28, 28), uint8
    labels : ndarray, shape-(6000,), int64
    classes : tuple of str
    """
    return _read("fashion_mnist_train.npz")


def _read(name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    with np.load(FOLDER / name) as file:
        return file["x"], file["y"], tuple(str(name) for name in file["classes"])

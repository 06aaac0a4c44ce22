"""Models of Foolbox, of PyTorch, TensorFlow, JAX or numpy, as torch modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .inspection import logits_of
from .library_model import Array, Gradients, LibraryModel


def open_foolbox(model: Any) -> nn.Module:
    """Open a `foolbox.Model`; images in [0, 1] are brought to its bounds and to the order of its axes.

    Parameters
    ----------
    model : foolbox.models.Model
        Its preprocessing is part of it.
    """
    import eagerpy

    low, high = (float(bound) for bound in model.bounds)
    last = getattr(model, "data_format", "channels_first") == "channels_last"
    dummy = getattr(_innermost(model), "dummy", None)
    filled = _filled if isinstance(dummy, eagerpy.JAXTensor) else np.asarray
    if isinstance(dummy, eagerpy.PyTorchTensor):
        return _OnTorch(model, low, high, dummy.raw.device)

    def inputs(images: Array) -> Any:
        ordered = images.transpose(0, 2, 3, 1) if last else images
        array = filled(np.ascontiguousarray(ordered * (high - low) + low, dtype=np.float32))
        return eagerpy.astensor(array) if dummy is None else eagerpy.from_numpy(dummy, array)

    def scores(images: Array) -> Array:
        return np.asarray(eagerpy.astensor(model(inputs(images).raw)).numpy())[: len(images)]

    def pulled_back(images: Array, weights: Array) -> Array:
        x = inputs(images)
        factors = eagerpy.from_numpy(x, filled(weights.astype(np.float32)))
        _, found = eagerpy.value_and_grad(lambda x: (eagerpy.astensor(model(x.raw)) * factors).sum(), x)
        gradient: Array = np.asarray(found.numpy()[: len(images)], np.float32) * (high - low)
        return np.ascontiguousarray(gradient.transpose(0, 3, 1, 2) if last else gradient)

    return LibraryModel(scores, None if dummy is None else Gradients(pulled_back))


def _filled(rows: Array) -> Array:
    """Rows and zeros, a power of two in all: JAX compiles a function anew for every other number of them."""
    room = (1 << (len(rows) - 1).bit_length()) - len(rows)
    return np.concatenate([rows, np.zeros((room, *rows.shape[1:]), rows.dtype)])


def _innermost(model: Any) -> Any:
    """The model under Foolbox's wrappers."""
    while hasattr(model, "_model") and type(model._model).__module__.startswith("foolbox.models"):
        model = model._model
    return model


class _OnTorch(nn.Module):
    """A Foolbox model of a torch module: autograd passes through it."""

    def __init__(self, model: Any, low: float, high: float, device: torch.device) -> None:
        super().__init__()
        self.model, self.low, self.span, self.device = model, low, high - low, device

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape-(N, K)."""
        logits = logits_of(self.model(images.to(self.device) * self.span + self.low))
        return logits.to(images.device)

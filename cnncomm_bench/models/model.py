"""A classifier as one callable from images in [0, 1] to logits, its normalisation inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .inspection import logits_of
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class Model:
    """A classifier ready to be scored.

    Attributes
    ----------
    name : str
        Short label for tables: the file's stem, or a name such as ``'bundled:standard'``.
    predict : callable
        Float images in [0, 1], shape-(N, C, H, W), to logits, shape-(N, K), with its preprocessing inside. An
        `nn.Module` in eval mode with frozen parameters.
    classes : int
        Number of logits.
    channels, size : int or None
        Of the images it takes; None where it takes anything.
    differentiable : bool
        False for ONNX and black boxes: attacks that need gradients cannot be run.
    sha256 : str
        Of its file; ``''`` where there is none.
    preprocessing : Preprocessing
        What `predict` and the resizing of images do, and where that is known from.
    class_names : tuple of str or None
        In the order of the logits, where they are known.
    notes : tuple of str
        Lines worth printing: what was assumed, what the file can execute.
    remarks : tuple of str
        What a run's tables say of it: the images it gets where models get different ones, attacks left out.
    """

    name: str
    predict: Callable[[Tensor], Tensor]
    classes: int
    channels: int | None
    size: int | None
    differentiable: bool
    sha256: str
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Normalised(nn.Module):
    """A network behind its normalisation.

    Parameters
    ----------
    network : callable
        Takes normalised images.
    mean, std : sequence of float
        One a channel, for pixels in [0, 1].
    dtype : torch.dtype
        Of the images that the network takes.

    Examples
    --------
    >>> grey = Normalised(nn.Flatten(), mean=[0.5], std=[0.5])
    >>> grey(torch.zeros(2, 1, 1, 1)).tolist()
    [[-1.0], [-1.0]]
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: Callable[[Tensor], Any],
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Classify images.

        Parameters
        ----------
        images : Tensor, shape-(N, C, H, W)
            Pixels in [0, 1].

        Returns
        -------
        Tensor, shape-(N, K)
            Logits.
        """
        if images.requires_grad and torch.is_grad_enabled():
            images = images.view_as(images)
            # Attacks flatten gradients, whatever the network's layout.
            images.register_hook(Tensor.contiguous)  # type: ignore[no-untyped-call]
        return logits_of(self.network(((images - self.mean) / self.std).to(self.dtype)))


class FixedBatch(nn.Module):
    """A model that gets batches of one size; the last of them is filled up with copies of an image.

    Parameters
    ----------
    model : callable
        Images to logits.
    size : int
    """

    def __init__(self, model: Callable[[Tensor], Any], size: int) -> None:
        super().__init__()
        self.model, self.size = model, size

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape-(N, K)."""
        parts = []
        for start in range(0, len(images), self.size):
            block = images[start : start + self.size]
            filled = torch.cat([block, block[-1:].detach().expand(self.size - len(block), *block.shape[1:])])
            parts.append(logits_of(self.model(filled))[: len(block)])
        return torch.cat(parts)

"""A classifier that computes outside torch, as a torch module: scores, and a gradient where its library has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .._utils.errors import ModelError

Array = npt.NDArray[Any]

_SMALLEST = 1e-30  # a probability of zero, before its logarithm
_SUM = 1e-3  # how far the probabilities of an image may sum to something else than one
_CLOSE = 1e-4  # of weights: how far from those of the cross-entropy they may be


@dataclass(frozen=True)
class Gradients:
    """What a library differentiates; the loss is one backward pass, the scores are one a class.

    Attributes
    ----------
    scores : callable, optional
        Images, shape-(N, C, H, W), and weights, shape-(N, K), to the gradient of sum_k weights_k scores_k, shape of
        the images.
    loss : callable, optional
        Images and labels, shape-(N,), to the direction in which the loss of the label rises, shape of the images.
    """

    scores: Callable[[Array, Array], Array] | None = None
    loss: Callable[[Array, Array], Array] | None = None


class LibraryModel(nn.Module):
    """A classifier of numpy arrays; autograd passes through it where it has gradients.

    Parameters
    ----------
    scores : callable
        Float32 images in [0, 1], shape-(N, C, H, W), to logits or probabilities, shape-(N, K). The logits of
        probabilities are their logarithms.
    gradients : Gradients, optional
        None: a black box.
    shape : (int, int, int), optional
        Channels, height and width of the images, where it takes one shape only.
    """

    def __init__(
        self,
        scores: Callable[[Array], Any],
        gradients: Gradients | None = None,
        shape: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__()
        self.scores, self.gradients, self.shape = scores, gradients, shape
        self.eval()

    @property
    def differentiable(self) -> bool:
        """Whether it has gradients."""
        return self.gradients is not None

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape-(N, K)."""
        if self.gradients is None:
            return _query(self, images)[0]
        return _Through.apply(images, self)  # type: ignore[no-any-return, no-untyped-call]


def _query(model: LibraryModel, images: Tensor) -> tuple[Tensor, bool]:
    """Logits, and whether the model returned probabilities."""
    array = images.detach().cpu().numpy().astype(np.float32)  # a copy: other people's code may write to it
    returned = model.scores(array)
    try:
        scores = torch.as_tensor(np.asarray(returned, dtype=np.float64)).float()
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(
            f"the model returned a {type(returned).__name__}, expected an array of logits or probabilities, "
            f"shape ({len(array)}, classes)"
        ) from None
    sums = scores.sum(-1) if scores.ndim else scores
    probable = bool(((scores >= 0) & (scores <= 1)).all()) and bool(((sums - 1).abs() < _SUM).all())
    logits = scores.clamp_min(_SMALLEST).log() if probable else scores
    return logits.to(images.device), probable


class _Through(torch.autograd.Function):
    """Forward by the library, backward by the library's gradients."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, model: LibraryModel) -> Tensor:
        logits, ctx.probable = _query(model, images)
        ctx.model = model
        ctx.save_for_backward(images, logits)
        return logits

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
        images, logits = ctx.saved_tensors
        assert ctx.model.gradients is not None
        array = images.detach().cpu().numpy().astype(np.float32)
        with torch.enable_grad():  # the library may be torch itself, and is called inside of a backward pass
            gradient = _pulled_back(ctx.model.gradients, array, logits.detach().cpu(), weights.cpu(), ctx.probable)
        return torch.from_numpy(gradient).to(images), None


def _pulled_back(gradients: Gradients, images: Array, logits: Tensor, weights: Tensor, probable: bool) -> Array:
    """Gradient of sum_k weights_k logits_k: by the loss where the weights are those of its gradient, else by scores."""
    result, left = np.zeros(images.shape, np.float32), weights.any(1).numpy()
    if gradients.loss is not None:
        labels, rows = _labels_of(logits, weights)
        if rows.any():
            result[rows] = gradients.loss(images[rows], labels[rows])
        left &= ~rows
        if gradients.scores is not None:  # the cross-entropy's gradient underflows where the model is certain
            left |= rows & ~result.any(axis=(1, 2, 3))
    if not left.any():
        return result
    if gradients.scores is None:
        raise ModelError(
            "the model has the gradient of its loss alone, and this attack needs those of its classes: "
            "use pgd, apgd-ce or square-attack"
        )
    if probable:  # d log p = dp / p
        chances = logits.exp()
        weights = torch.where(chances > 2 * _SMALLEST, weights / chances, 0.0)
    result[left] = gradients.scores(images[left], weights[left].numpy())
    return result


def _labels_of(logits: Tensor, weights: Tensor) -> tuple[Array, Array]:
    """Labels whose cross-entropy or log odds has these weights but for a factor, and the rows where that is so.

    Both pull at the label with -1 and at the others with their softmax among each other, see `losses.log_odds`.
    """
    labels = weights.argmin(1)
    own = weights.gather(1, labels[:, None])
    expected = logits.double().scatter(1, labels[:, None], -torch.inf).softmax(1).scatter(1, labels[:, None], -1.0)
    close = ((weights / -own).double() - expected).abs().amax(1) < _CLOSE
    return labels.numpy(), (close & (own.flatten() < 0)).numpy()

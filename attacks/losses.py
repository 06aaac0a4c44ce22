"""What gradient attacks share: losses, gradients, and the set of images that a budget allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import snr
from .._utils.errors import ModelError, UsageError
from ..snr import Digests, clipping, generators
from .batch import AdversaryBatch
from .query import checked

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits, shape-(N, K), and labels, shape-(N,), to losses, shape-(N,); larger is further from the label."""

_TINY = 1e-30  # keeps the direction of a vanishing gradient finite
_FLAT = 1e-12  # DLR's denominator where logits are equal


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Logarithm of the odds against the label, log((1 - p) / p), a `Loss`: cross-entropy that never saturates.

    The cross-entropy is log(1 + exp(log odds)), so both order images alike and their gradients point the same way.
    But the cross-entropy's gradient is shorter by the factor 1 - p, which underflows where the model is certain.
    """
    own = logits.gather(1, labels[:, None]).flatten()
    return logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1) - own


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Best other logit less the label's, a `Loss`: positive where the model is fooled."""
    own = logits.gather(1, labels[:, None])
    other = logits.scatter(1, labels[:, None], -torch.inf).amax(1, keepdim=True)
    return (other - own).flatten()


def dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """Difference of logits ratio (Croce and Hein 2020), a `Loss` that no scaling of the logits changes.

    Raises
    ------
    UsageError
        Fewer than three classes, which the ratio needs.
    """
    if logits.shape[1] < 3:
        raise UsageError("apgd-dlr needs a model of three classes or more, this one has two: use apgd-ce")
    first = logits.topk(3).values
    return margin(logits, labels) / (first[:, 0] - first[:, 2] + _FLAT)


def targeted_dlr(logits: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """Targeted difference of logits ratio (Croce and Hein 2020): how far `target` is ahead of the label.

    Parameters
    ----------
    logits : Tensor, shape-(N, K)
    labels, target : Tensor, shape-(N,)

    Returns
    -------
    Tensor, shape-(N,)

    Raises
    ------
    UsageError
        Fewer than four classes, which the ratio needs.
    """
    if logits.shape[1] < 4:
        raise UsageError(
            f"apgd-dlr:targeted=true needs a model of four classes or more, this one has {logits.shape[1]}: "
            + ("use apgd-dlr" if logits.shape[1] == 3 else "use apgd-ce")
        )
    first = logits.topk(4).values
    ahead = logits.gather(1, target[:, None]) - logits.gather(1, labels[:, None])
    return ahead.flatten() / (first[:, 0] - (first[:, 2] + first[:, 3]) / 2 + _FLAT)


@dataclass(frozen=True)
class LossAndGrad:
    """What a model answers at some images, and where its loss rises.

    Attributes
    ----------
    loss : Tensor, shape-(N,)
    margin : Tensor, shape-(N,)
        Positive where the model is fooled.
    gradient : Tensor, shape-(N, C, H, W)
    """

    loss: Tensor
    margin: Tensor
    gradient: Tensor


def loss_and_grad(batch: AdversaryBatch, images: Tensor, loss: Loss = log_odds, samples: int = 1) -> LossAndGrad:
    """Loss and gradient of each image.

    Parameters
    ----------
    batch : AdversaryBatch
    images : Tensor, shape-(N, C, H, W)
    loss : Loss
    samples : int
        Over how many answers to average: expectation over transformations, for a model that answers at random
        (Athalye, Engstrom, Ilyas and Kwok 2018).

    Raises
    ------
    ModelError
        The model has no gradient, or one that is NaN.
    """
    parts = [_loss_and_grad(batch, images, loss) for _ in range(samples)]
    if samples == 1:
        return parts[0]
    mean = (
        torch.stack(values).mean(0) for values in zip(*((p.loss, p.margin, p.gradient) for p in parts), strict=True)
    )
    return LossAndGrad(*mean)


def _loss_and_grad(batch: AdversaryBatch, images: Tensor, loss: Loss) -> LossAndGrad:
    with torch.enable_grad():
        point = images.detach().requires_grad_()
        logits = checked(batch.model(point), len(point))
        losses = loss(logits, batch.labels)
        gradient = None
        if losses.requires_grad:
            # The sum: each image's gradient is its own, whatever else is in the batch.
            (gradient,) = torch.autograd.grad(losses.sum(), point, allow_unused=True)
    if gradient is None:
        raise ModelError(
            "the model passes no gradient, as after inference mode or ONNX: gradient attacks need one, "
            "square-attack and noise do not"
        )
    bad = int((~gradient.isfinite()).flatten(1).any(1).sum())
    if bad:
        raise ModelError(f"the model's gradient is NaN or infinite for {bad} of {len(images)} images")
    return LossAndGrad(losses.detach(), margin(logits.detach(), batch.labels), gradient)


def margins(batch: AdversaryBatch, images: Tensor, samples: int = 1) -> Tensor:
    """Margin of each image without a gradient, averaged as in `loss_and_grad`.

    Returns
    -------
    Tensor, shape-(N,)
    """
    with torch.no_grad():
        answers = [margin(checked(batch.model(images), len(images)), batch.labels) for _ in range(samples)]
    return torch.stack(answers).mean(0)


def unit(gradient: Tensor) -> Tensor:
    """Each image's gradient at norm one; a zero gradient stays zero.

    Parameters
    ----------
    gradient : Tensor, shape-(N, C, H, W)

    Returns
    -------
    Tensor, same shape
    """
    # By the largest entry first: the squares of a vanishing gradient underflow.
    scaled = gradient / column(gradient.flatten(1).abs().amax(1)).clamp(min=_TINY)
    return scaled / column(scaled.flatten(1).norm(dim=1)).clamp(min=_TINY)


def project_to_ball(clean: Tensor, images: Tensor, budget_db: Tensor, bounds: snr.Bounds) -> Tensor:
    """Nearest images within the budget and the bounds at once.

    The conditions of optimality put the nearest point of a ball cut by a box on the path clip(clean + s noise),
    s at most one: the same solver that sets noise to an SNR. To shrink to the ball and clip afterwards, as
    other implementations do, wastes the power that clipping takes.

    Parameters
    ----------
    clean, images : Tensor, shape-(N, C, H, W)
    budget_db : Tensor, shape-(N,)
        SNR of the largest noise allowed, dB.
    bounds : (float, float)

    Returns
    -------
    Tensor, shape-(N, C, H, W)
    """
    noise = images - clean
    wanted = snr.noise_power(clean, budget_db[None])[0]
    return snr.apply(clean, noise, clipping.scale_to_power(clean.flatten(1), noise.flatten(1), wanted, bounds), bounds)


def ball_points(keys: Digests, shape: tuple[int, ...], count: int, *, seed: int, family: str, call: int = 0) -> Tensor:
    """Points uniform in the unit L2 ball, from each image's own stream.

    Parameters
    ----------
    keys : ndarray, shape-(N,), uint64
    shape : (C, H, W)
    count : int
        How many for each image.
    seed, family, call
        See `streams.generators`.

    Returns
    -------
    Tensor, shape-(N, count, C, H, W)
    """
    points = np.empty((len(keys), count, *shape), dtype=np.float32)
    for row, generator in enumerate(generators(keys, seed=seed, family=family, call=call)):
        generator.standard_normal(dtype=np.float32, out=points[row])
        flat = points[row].reshape(count, -1)
        radii = generator.random((count, 1)) ** (1 / flat.shape[1])
        flat *= radii / np.linalg.norm(flat, axis=1, keepdims=True)
    return torch.from_numpy(points)


def column(values: Tensor) -> Tensor:
    """One number an image, shaped to multiply images: shape-(N, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)

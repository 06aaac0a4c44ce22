"""A small trainer: images disturbed by an attack at a fixed SNR, or clean ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from .attacks.base import Adversary, Attack, Batch
from .errors import BenchError
from .streams import digests

Disturbance = Callable[[nn.Module, Tensor, Tensor, int], Tensor]
"""(model, images in [0, 1], labels, step) to the images that the model is trained on."""


def at_snr(attack: Attack, snr_db: float, seed: int = 0) -> Disturbance:
    """Training images disturbed by an attack at a fixed SNR, with fresh noise at every step.

    Parameters
    ----------
    attack : Attack
    snr_db : float
    seed : int

    Returns
    -------
    callable
        (model, images, labels, step) to disturbed images.
    """

    def disturb(model: nn.Module, images: Tensor, labels: Tensor, step: int) -> Tensor:
        batch = Batch(images, labels, model=model, seed=seed, call=step, keys=digests(images))
        if isinstance(attack, Adversary):
            # Every image, also those that are misclassified already: training wants the loss, not the error.
            budget = torch.full((len(images),), snr_db, dtype=torch.float64, device=images.device)
            return attack.perturb(batch, budget, attack.drawn(batch))
        (disturbed,) = attack.over(batch, torch.tensor([snr_db], dtype=torch.float64))
        return disturbed.images

    return disturb


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    disturb: Disturbance | None = None,
    epochs: int = 10,
    batch_size: int = 128,
    learning_rate: float = 0.2,
    flip: bool = True,
    seed: int = 0,
    device: str = "cpu",
    title: str = "training",
) -> nn.Module:
    """Train a classifier by SGD under a one-cycle schedule.

    Parameters
    ----------
    model : nn.Module
        Float images in [0, 1] to logits; trained in place.
    images : Tensor, shape-(N, C, H, W), uint8
    labels : Tensor, shape-(N,), int64
    disturb : callable, optional
        What is done to each batch, see `at_snr`; nothing by default.
    epochs, batch_size : int
    learning_rate : float
        Largest of the cycle (Smith and Topin 2019).
    flip : bool
        Mirror half of the images and shift all by up to two pixels.
    seed : int
        Of order, augmentation and noise.
    device : str
    title : str
        Of the progress bar.

    Returns
    -------
    nn.Module
        The model, in eval mode.

    Raises
    ------
    BenchError
        The loss is NaN or infinite.
    """
    generator = torch.Generator().manual_seed(seed)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = epochs * -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=steps)
    with tqdm(total=steps, desc=title, unit="step", mininterval=2) as progress:
        for step, rows in enumerate(_batches(len(images), batch_size, epochs, generator)):
            batch = images[rows].float().div_(255)
            if flip:
                batch = _augment(batch, generator)
            batch, target = batch.to(device), labels[rows].to(device)
            if disturb is not None:
                model.eval()  # the noise must not move the statistics of the batch normalisation
                batch = disturb(model, batch, target, step)
            model.train()
            loss = F.cross_entropy(model(batch), target)
            if not loss.isfinite():
                raise BenchError(f"{title}: the loss is {loss.item()} at step {step}; lower the learning rate")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            progress.update()
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return model.eval()


def _batches(count: int, size: int, epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    for _ in range(epochs):
        yield from torch.randperm(count, generator=generator).split(size)  # type: ignore[no-untyped-call]


def _augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    mirrored = torch.rand(len(batch), generator=generator) < 0.5
    batch[mirrored] = batch[mirrored].flip(3)
    down, right = torch.randint(0, 5, (2,), generator=generator).tolist()
    return F.pad(batch, (2, 2, 2, 2))[:, :, down : down + batch.shape[2], right : right + batch.shape[3]]

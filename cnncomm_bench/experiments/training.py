"""Trains classifiers on clean images, or on images disturbed by an attack at a fixed SNR."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from .._utils.atomic import write_atomically
from .._utils.errors import BenchError
from ..attacks import Adversary, Attack, ImageBatch, Logits
from ..snr import digests

BATCH_SIZE = 128

Disturbance = Callable[[Logits, Tensor, Tensor, int], Tensor]
"""(model, images in [0, 1], labels, step) to the images that the model is trained on."""

Objective = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(model, images in [0, 1], labels) to the loss, shape-()."""


OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, momentum=0.9, weight_decay=5e-4, nesterov=True),
    "adam": torch.optim.Adam,
}


def cross_entropy(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the model's logits, an `Objective`."""
    return F.cross_entropy(model(images), labels)


def at_snr(attack: Attack, snr_db: float, seed: int = 0, ruler: str = "realised") -> Disturbance:
    """Training images disturbed by an attack at a fixed SNR, with fresh noise at every step.

    Parameters
    ----------
    attack : Attack
    snr_db : float
    seed : int
    ruler : {"realised", "dispersion", "geometric"}
        Adversaries know only `realised`.

    Returns
    -------
    callable
        (model, images, labels, step) to disturbed images.
    """

    def disturb(model: Logits, images: Tensor, labels: Tensor, step: int) -> Tensor:
        batch = ImageBatch(images, seed=seed, call=step, keys=digests(images))
        if isinstance(attack, Adversary):
            # Every image, also those that are misclassified already: training wants the loss, not the error.
            budget = torch.full((len(images),), snr_db, dtype=torch.float64, device=images.device)
            return attack.perturb(batch.for_adversary(labels, model), budget, attack.drawn(batch))
        (perturbed,) = attack.sweep(batch, torch.tensor([snr_db], dtype=torch.float64), ruler=ruler)
        return perturbed.images

    return disturb


def train(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    disturb: Disturbance | None = None,
    objective: Objective = cross_entropy,
    epochs: int = 10,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = 0.2,
    optimiser: str = "sgd",
    flip: bool = True,
    seed: int = 0,
    device: str = "cpu",
    title: str = "training",
    checkpoint: Path | None = None,
    quiet: bool = False,
) -> nn.Module:
    """Train a classifier under a one-cycle schedule.

    Parameters
    ----------
    model : nn.Module
        Float images in [0, 1] to logits; trained in place.
    images : Tensor, shape-(N, C, H, W), uint8
    labels : Tensor, shape-(N,), int64
    disturb : callable, optional
        What is done to each batch, see `at_snr`; nothing by default.
    objective : callable
        What is minimised.
    epochs, batch_size : int
    learning_rate : float
        Largest of the cycle (Smith and Topin 2019).
    optimiser : {"sgd", "adam"}
    flip : bool
        Mirror half of the images and shift all by up to two pixels.
    seed : int
        Of order, augmentation and noise.
    device : str
    title : str
        Of the progress bar.
    checkpoint : Path, optional
        A file that keeps the state after every epoch. A training that was cut off resumes from there, with the
        same numbers as one that was not; a finished one is loaded. `fingerprint` gives each training its own name.
    quiet : bool
        Show no progress.

    Returns
    -------
    nn.Module
        The model, in eval mode.

    Raises
    ------
    BenchError
        The loss is NaN or infinite, or the checkpoint cannot be read.
    """
    generator = torch.Generator().manual_seed(seed)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimisation = OPTIMISERS[optimiser](model.parameters(), lr=learning_rate)
    per_epoch = -(-len(images) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimisation, max_lr=learning_rate, total_steps=epochs * per_epoch)
    state = _State(model, optimisation, schedule, generator)
    done = state.load(checkpoint) if checkpoint is not None and checkpoint.exists() else 0
    step = done * per_epoch
    silent = quiet or done == epochs
    with tqdm(
        total=epochs * per_epoch, initial=step, desc=title, unit="step", mininterval=2, disable=silent
    ) as progress:
        for epoch in range(done, epochs):
            for rows in torch.randperm(len(images), generator=generator).split(batch_size):  # type: ignore[no-untyped-call]
                batch, target = images[rows].float().div_(255), labels[rows].to(device)
                batch = (_augment(batch, generator) if flip else batch).to(device)
                if disturb is not None:
                    model.eval()  # the noise must not move the statistics of the batch normalisation
                    batch = disturb(model, batch, target, step)
                model.train()
                loss = objective(model, batch, target)
                if not loss.isfinite():
                    raise BenchError(
                        f"{title}: the loss is {loss.item()} at step {step}; lower the learning rate", "learning_rate"
                    )
                optimisation.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimisation.step()
                schedule.step()
                step += 1
                progress.update()
                progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            if checkpoint is not None:
                state.save(checkpoint, epoch + 1)
    return model.eval()


def fingerprint(model: nn.Module, images: Tensor, labels: Tensor, *about: object) -> str:
    """Digest of all that decides a training, for the name of its checkpoint.

    Parameters
    ----------
    model : nn.Module
        Untrained.
    images, labels : Tensor
    *about
        What else decides it, in values whose text differs where they do.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    digest = hashlib.sha256(repr(about).encode())
    for tensor in (images, labels, *model.state_dict().values()):
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


class _State:
    """All that a training carries from one epoch to the next."""

    def __init__(self, model: nn.Module, optimiser: Any, schedule: Any, generator: torch.Generator) -> None:
        self.parts = {"model": model, "optimiser": optimiser, "schedule": schedule}
        self.generator = generator

    def save(self, path: Path, epochs: int) -> None:
        state = {name: part.state_dict() for name, part in self.parts.items()}
        state |= {"generator": self.generator.get_state(), "epochs": epochs}
        write_atomically(path, lambda temporary: torch.save(state, temporary))

    def load(self, path: Path) -> int:
        """Go back to a saved state; how many epochs it has seen."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            self.generator.set_state(state["generator"])
            return int(state["epochs"])
        except (OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, UnpicklingError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BenchError(f"{path} is no checkpoint of this training ({reason}); delete it to train anew") from error


def _augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    mirrored = torch.rand(len(batch), generator=generator) < 0.5
    batch[mirrored] = batch[mirrored].flip(3)
    down, right = torch.randint(0, 5, (2,), generator=generator).tolist()
    return F.pad(batch, (2, 2, 2, 2))[:, :, down : down + batch.shape[2], right : right + batch.shape[3]]

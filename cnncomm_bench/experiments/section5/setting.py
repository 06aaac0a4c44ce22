"""Images, network, device and stored trainings that all experiments of Section 5 share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..._utils.atomic import make_folder
from ..._utils.errors import DataError, ModelError
from ...attacks import checked
from ..training import Disturbance, Objective, cross_entropy, fingerprint, train


@dataclass(frozen=True)
class Setting:
    """What an experiment is made with.

    Attributes
    ----------
    train_images : Tensor, shape-(N, C, H, W), uint8
    train_labels : Tensor, shape-(N,), int64
    test_images : Tensor, shape-(M, C, H, W), uint8
    test_labels : Tensor, shape-(M,), int64
    classes : int
    factory : callable
        A fresh network: float images in [0, 1] to logits of shape-(N, classes).
    device : str
    seed : int
    full : bool
        The size for a GPU, not that for a laptop.
    folder : Path
        Where trainings are kept; it is made where there is none.
    epochs : int
        Of a training on all training images.
    learning_rate : float
        Largest of a training's cycle.
    flip : bool
        Mirror half of the training images, and shift all by up to two pixels.
    source : nn.Module, optional
        A classifier trained already, for the experiment that needs only one.
    quiet : bool
        Show no progress.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int
    factory: Callable[[], nn.Module]
    device: str
    seed: int
    full: bool
    folder: Path
    epochs: int
    learning_rate: float = 0.2
    flip: bool = True
    source: nn.Module | None = None
    quiet: bool = False

    def fresh(self, seed: int = 0) -> nn.Module:
        """An untrained network, its weights drawn from the setting's seed and this one.

        Raises
        ------
        ModelError
            The factory makes a network of another number of classes.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1_000_003 * self.seed + seed)
            model = self.factory()
        if not isinstance(model, nn.Module):
            raise ModelError(f"the factory returned a {type(model).__name__}, expected a torch.nn.Module")
        with torch.inference_mode():
            answered = checked(model.eval()(self.test_images[:1].float() / 255), 1).shape[1]
        if answered != self.classes:
            raise ModelError(
                f"the factory makes networks of {answered} classes, the data have {self.classes}: "
                f"return a network of {self.classes} logits"
            )
        return model

    def trained(
        self,
        title: str,
        images: Tensor,
        labels: Tensor,
        *,
        disturb: Disturbance | None = None,
        objective: Objective = cross_entropy,
        optimiser: str = "sgd",
        epochs: int | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """A network trained on these images; one that is finished is loaded, one that was cut off is resumed.

        Parameters
        ----------
        title : str
            Names the training; trainings that differ only in `disturb`, `objective` or `optimiser` need different
            titles.
        images : Tensor, shape-(N, C, H, W), uint8
        labels : Tensor, shape-(N,), int64
        disturb : callable, optional
            See `training.at_snr`.
        objective, optimiser
            See `training.train`.
        epochs : int, optional
            The setting's by default.
        seed : int
            Of weights, order and augmentation, beside the setting's.

        Returns
        -------
        nn.Module
            On the setting's device, in eval mode.

        Raises
        ------
        BenchError
            The training diverges, or the factory does not fit the data.
        """
        model, epochs = self.fresh(seed), epochs or self.epochs
        about = (title, epochs, self.seed, seed, self.learning_rate, self.flip)
        name = "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in title)
        make_folder(self.folder)
        return train(
            model,
            images,
            labels,
            disturb=disturb,
            objective=objective,
            optimiser=optimiser,
            epochs=epochs,
            learning_rate=self.learning_rate,
            flip=self.flip,
            seed=1_000_003 * self.seed + seed,
            device=self.device,
            title=title,
            checkpoint=self.folder / f"{name}-{fingerprint(model, images, labels, *about)}.pt",
            quiet=self.quiet,
        )

    def tests(self, count: int | None = None) -> tuple[Tensor, Tensor]:
        """Test images in [0, 1] and labels, on the device.

        Parameters
        ----------
        count : int, optional
            At most that many, spread evenly over the test set; all by default.

        Returns
        -------
        images : Tensor, shape-(n, C, H, W), float32
        labels : Tensor, shape-(n,), int64
        """
        total = len(self.test_images)
        n = min(count or total, total)
        rows = torch.arange(n) * total // n
        return self.test_images[rows].to(self.device).float() / 255, self.test_labels[rows].to(self.device)

    def need(self, experiment: str, *, train: int = 0, test: int = 0) -> None:
        """Refuse data too small for an experiment.

        Parameters
        ----------
        experiment : str
        train, test : int
            How many images it needs.

        Raises
        ------
        DataError
        """
        for part, needed, images in (("training", train, self.train_images), ("test", test, self.test_images)):
            if len(images) < needed:
                raise DataError(
                    f"section5 {experiment} needs at least {needed} {part} images, the data have {len(images)}: "
                    f"pass more",
                    "data" if part == "training" else "test",
                )

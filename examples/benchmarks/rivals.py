"""The other side of each row of speed.py: the same work as people do it now."""

from __future__ import annotations

from collections.abc import Callable

import eagerpy
import foolbox
import numpy as np
import scipy.stats
import torch
from foolbox.external.clipping_aware_rescaling import l2_clipping_aware_rescaling

from cnncomm_bench._utils.torchvision_operators import import_torchvision

models = import_torchvision().models
import torchattacks  # noqa: E402
from art.attacks.evasion import ProjectedGradientDescent  # noqa: E402
from art.estimators.classification import PyTorchClassifier  # noqa: E402


def resnet18() -> torch.nn.Module:
    """Torchvision's ResNet-18 with random weights."""
    return _frozen(models.resnet18(num_classes=10))


def _frozen(model: torch.nn.Module) -> torch.nn.Module:
    return model.eval().requires_grad_(False)


def scipy_stable(count: int) -> np.ndarray:
    """Alpha-stable values by scipy."""
    return scipy.stats.levy_stable.rvs(1.5, 0.0, size=count, random_state=np.random.default_rng(0))


def foolbox_rescaled(images: torch.Tensor, direction: torch.Tensor, epsilons: list[float]) -> None:
    """Foolbox's clipping-aware rescaling, called for each radius."""
    x, delta = eagerpy.astensor(images), eagerpy.astensor(direction)
    for eps in epsilons:
        (x + l2_clipping_aware_rescaling(x, delta, eps) * delta).clip(0, 1)


def foolbox_gaussian(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, epsilons: list[float], batch: int
) -> Callable[[], object]:
    """Gaussian noise at every radius of a list, by Foolbox."""
    network = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.L2ClippingAwareAdditiveGaussianNoiseAttack()

    def swept() -> None:
        for part, target in zip(images.split(batch), labels.split(batch), strict=True):
            network(part)
            attack(network, part, target, epsilons=epsilons)

    return swept


def art_gaussian(
    model: torch.nn.Module, images: torch.Tensor, epsilons: list[float], batch: int
) -> Callable[[], object]:
    """Gaussian noise at every radius, through numpy and an ART classifier."""
    classifier, x = _classifier(model, images), images.numpy()
    values = x[0].size

    def swept() -> None:
        generator = np.random.default_rng(0)
        classifier.predict(x, batch_size=batch)
        for eps in epsilons:
            noise = generator.normal(scale=eps / values**0.5, size=x.shape).astype(np.float32)
            classifier.predict(np.clip(x + noise, 0, 1), batch_size=batch)

    return swept


def torchattacks_pgd(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, radius: float, batch: int
) -> Callable[[], object]:
    """Twenty steps of torchattacks' PGDL2, and what the model then answers."""
    attack = torchattacks.PGDL2(model, eps=radius, alpha=radius / 4, steps=20)

    def attacked() -> None:
        for part, target in zip(images.split(batch), labels.split(batch), strict=True):
            disturbed = attack(part, target)
            with torch.no_grad():
                model(disturbed)

    return attacked


def art_pgd(
    model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, radius: float, batch: int
) -> Callable[[], object]:
    """Twenty steps of ART's projected gradient descent, and what the model then answers."""
    classifier = _classifier(model, images)
    attack = ProjectedGradientDescent(
        classifier, norm=2, eps=radius, eps_step=radius / 4, max_iter=20, num_random_init=1, batch_size=batch,
        verbose=False,
    )  # fmt: skip
    x, y = images.numpy(), torch.nn.functional.one_hot(labels, 10).numpy()
    return lambda: classifier.predict(attack.generate(x, y), batch_size=batch)


def _classifier(model: torch.nn.Module, images: torch.Tensor) -> PyTorchClassifier:
    return PyTorchClassifier(
        model, torch.nn.CrossEntropyLoss(), tuple(images.shape[1:]), 10, clip_values=(0, 1), device_type="cpu"
    )

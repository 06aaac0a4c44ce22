"""What Foolbox's own attacks know of sizes, and how each gets the SNR as its budget, see `budget`."""

from __future__ import annotations

from typing import Any, TypeVar

import eagerpy as ep
import foolbox.attacks
import torch
from foolbox import PyTorchModel
from foolbox.attacks.base import AttackWithDistance, FixedEpsilonAttack, MinimizationAttack
from foolbox.attacks.gradient_descent_base import L2BaseGradientDescent
from foolbox.criteria import Criterion, Misclassification
from foolbox.models import Model
from torch import Tensor, nn

from ..._utils.errors import UsageError
from .budget import Kind, LibraryAttack, PerImage, Size, signature

T = TypeVar("T")

STEPS = ("steps", "repeats")
"""What its attacks call the number of their steps: one has one of these."""
REPEATS = ()
"""What they call how often they take all steps; `binary_search_steps` ends early, or finds a starting point."""
PER_CLASS = ("L2DeepFoolAttack", "LinfDeepFoolAttack")
"""They take a gradient for each class at every step."""
SINGLE_STEP = (
    "DatasetAttack",
    "FGM",
    "FGSM",
    "InversionAttack",
    "L1FastGradientAttack",
    "L2AdditiveGaussianNoiseAttack",
    "L2AdditiveUniformNoiseAttack",
    "L2ClippingAwareAdditiveGaussianNoiseAttack",
    "L2ClippingAwareAdditiveUniformNoiseAttack",
    "L2ContrastReductionAttack",
    "L2FastGradientAttack",
    "LinfAdditiveUniformNoiseAttack",
    "LinfFastGradientAttack",
)
"""They take one step; the others take many."""
BLACK_BOXES = (
    "BinarizationRefinementAttack",
    "BinarySearchContrastReductionAttack",
    "BoundaryAttack",
    "DatasetAttack",
    "GaussianBlurAttack",
    "GenAttack",
    "HopSkipJumpAttack",
    "InversionAttack",
    "L2AdditiveGaussianNoiseAttack",
    "L2AdditiveUniformNoiseAttack",
    "L2ClippingAwareAdditiveGaussianNoiseAttack",
    "L2ClippingAwareAdditiveUniformNoiseAttack",
    "L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack",
    "L2ClippingAwareRepeatedAdditiveUniformNoiseAttack",
    "L2ContrastReductionAttack",
    "L2RepeatedAdditiveGaussianNoiseAttack",
    "L2RepeatedAdditiveUniformNoiseAttack",
    "LinearSearchBlendedUniformNoiseAttack",
    "LinearSearchContrastReductionAttack",
    "LinfAdditiveUniformNoiseAttack",
    "LinfRepeatedAdditiveUniformNoiseAttack",
    "PointwiseAttack",
    "SaltAndPepperNoiseAttack",
)
"""They use no gradient of the model."""


_TARGETED_BY_NATURE = ("GenAttack",)
"""They need a class to arrive at."""


class Range:
    """The way from the tensors of a Foolbox model to images of shape-(N, C, H, W) in [0, 1] of torch, and back.

    Parameters
    ----------
    model : Model
    inputs : Tensor
        Of any framework that eagerpy knows.
    """

    def __init__(self, model: Model, inputs: Any) -> None:
        self.low, high = model.bounds
        self.span = high - self.low
        self.last = getattr(model, "data_format", "channels_first") == "channels_last"
        self.like, self._restore = ep.astensor_(inputs)

    def images(self, inputs: Any) -> Tensor:
        """Images of inputs."""
        x = ep.astensor(inputs)
        raw = x.raw if isinstance(x, ep.PyTorchTensor) else torch.from_numpy(x.numpy().copy())
        raw = raw.permute(0, 3, 1, 2).contiguous() if self.last and raw.ndim == 4 else raw
        return raw if self.low == 0 and self.span == 1 else (raw - self.low) / self.span

    def inputs(self, images: Tensor) -> Any:
        """Bring images to the model, within its bounds in spite of rounding."""
        raw = images.permute(0, 2, 3, 1) if self.last else images
        raw = (raw * self.span + self.low).clamp(self.low, self.low + self.span)
        torchs = isinstance(self.like, ep.PyTorchTensor)
        return self._restore(ep.astensor(raw) if torchs else ep.from_numpy(self.like, raw.cpu().numpy()))


def attack_classes() -> dict[str, type]:
    """Attacks that a spec string may name."""
    found = {name: getattr(foolbox.attacks, name) for name in dir(foolbox.attacks)}
    return {
        name: cls
        for name, cls in found.items()
        if isinstance(cls, type)
        and issubclass(cls, FixedEpsilonAttack | MinimizationAttack)
        and cls.__module__.startswith("foolbox.")
        and name not in _TARGETED_BY_NATURE
    }


def defaults(cls: type) -> dict[str, Any]:
    """Parameters of an attack as the harness calls it, see `library.from_spec`."""
    return signature(cls)


def treatment(cls: type, parameters: dict[str, Any]) -> tuple[Kind, float | None]:
    """How an attack gets the SNR as budget, and the p of the norm that its size is measured in."""
    if issubclass(cls, MinimizationAttack):
        return "minimum", None
    # Some say their distance in the class, some in a property that looks at nothing else.
    said = getattr(cls, "distance", None)
    distance = said.fget(None) if isinstance(said, property) and said.fget else said
    order = getattr(distance, "p", None)
    if not order:
        raise UsageError(f"foolbox.{cls.__name__} measures its size by {distance}: no SNR says what that should be")
    return ("budget" if order == 2 else "rescaled"), float(order)


def build(
    cls: type, parameters: dict[str, Any], model: nn.Module, shape: tuple[int, ...], classes: int
) -> LibraryAttack:
    """Put an attack of Foolbox on a model, for the harness."""
    wrapped = PyTorchModel(model, bounds=(0, 1), device=next(model.parameters()).device)
    return wrap(cls(**parameters), wrapped, None, None)


def wrap(attack: AttackWithDistance, model: Model, criterion: Criterion | None, inputs: Any) -> LibraryAttack:
    """Say how our ruler sees an attack of Foolbox.

    Parameters
    ----------
    attack : FixedEpsilonAttack or MinimizationAttack
    model : Model
    criterion : Criterion, optional
        Whose labels `run` replaces by those it is given; misclassification by default.
    inputs : Tensor, optional
        Whose framework the model takes; torch by default.
    """
    kind, order = treatment(type(attack), {})
    make = type(criterion) if criterion is not None else Misclassification

    def run(images: Tensor, labels: Tensor | None, size: Size | None) -> Tensor:
        ours = Range(model, images if inputs is None else inputs)
        x = ours.inputs(images)
        targets = labels if inputs is None or labels is None else ep.from_numpy(ours.like, labels.cpu().numpy())
        if size is None:
            found = _smallest(attack, model, x, make(targets))
        else:
            if isinstance(size, PerImage) and inputs is not None:
                size = PerImage(ep.from_numpy(ours.like, size.values.cpu().numpy()))
            found = attack.run(model, x, make(targets), epsilon=size * float(ours.span))
        return ours.images(found).to(images.dtype)  # some compute in double

    return LibraryAttack(run, kind, order, each=isinstance(attack, L2BaseGradientDescent))


def subset(criterion: Any, count: int) -> tuple[Criterion, Tensor]:
    """Criterion of what an attack was given, and its labels, which go with the images one by one.

    Parameters
    ----------
    criterion : Tensor, Misclassification or TargetedMisclassification
    count : int
        How many images there are.

    Raises
    ------
    UsageError
        A criterion that is not a label or a target an image.
    """
    if not isinstance(criterion, Criterion):
        criterion = Misclassification(criterion)
    labels = check_count(criterion, count)
    if labels is None:
        raise UsageError(f"FixedSNR takes labels, Misclassification or TargetedMisclassification, not {criterion!r}")
    return criterion, torch.from_numpy(labels.numpy().copy())


def check_count(criterion: Any, count: int) -> ep.Tensor | None:
    """Labels or target classes of a criterion; None where it has none.

    Raises
    ------
    UsageError
        They are not one for each image.
    """
    labels = getattr(criterion, "target_classes", getattr(criterion, "labels", None))
    if labels is not None and labels.shape != (count,):
        raise UsageError(f"labels of shape {tuple(labels.shape)}: expected one for each of {count} images")
    return labels


def _smallest(attack: MinimizationAttack, model: Model, x: Any, criterion: Criterion) -> Any:
    """Run a minimisation; images for which it finds no starting point stay clean."""
    try:
        return attack.run(model, x, criterion)
    except ValueError as error:
        if "init_attack" not in str(error):
            raise
    if len(x) == 1:
        return x
    labels = subset(criterion, len(x))[1]
    all_images, restore = ep.astensor_(x)
    rows = []
    for i in range(len(all_images)):
        label = ep.from_numpy(all_images, labels[i : i + 1].numpy())
        rows.append(_smallest(attack, model, all_images[i : i + 1], type(criterion)(label)))
    return restore(ep.concatenate(rows, axis=0))

"""What ART's own evasion attacks know of sizes, and how each gets the SNR as its budget, see `budget`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import art.attacks.evasion
import numpy as np
import numpy.typing as npt
import torch
from art.attacks.attack import EvasionAttack
from art.estimators import BaseEstimator
from art.estimators.classification import PyTorchClassifier
from art.utils import check_and_transform_label_format
from scipy.stats import truncnorm
from torch import Tensor, nn

from ... import snr
from ..._utils.errors import UsageError
from .budget import Kind, LibraryAttack, PerImage, Size, signature

Array = npt.NDArray[Any]
Run = Callable[[Tensor, Tensor | None, Size | None], Tensor]

_NORMED = (  # their size is `eps`, measured in `norm`
    "AutoAttack",
    "AutoConjugateGradient",
    "AutoProjectedGradientDescent",
    "FastGradientMethod",
    "MomentumIterativeMethod",
    "ProjectedGradientDescent",
    "ProjectedGradientDescentCommon",
    "RescalingAutoConjugateGradient",
    "SquareAttack",
)
_L2 = ("VirtualAdversarialMethod",)
_MINIMUM = (
    "BoundaryAttack",
    "BrendelBethgeAttack",
    "CarliniL0Method",
    "CarliniL2Method",
    "CarliniLInfMethod",
    "DeepFool",
    "ElasticNet",
    "GeoDA",
    "HopSkipJump",
    "LowProFool",
    "NewtonFool",
    "SignOPTAttack",
    "ZooAttack",
)
STEPS = ("max_iter", "nb_steps", "n_steps", "iterations")
"""What its attacks call the number of their steps: one has one of these."""
REPEATS = ("num_random_init", "nb_random_init", "nb_restarts", "binary_search_steps")
"""What they call how often they take all steps."""
PER_CLASS = ("DeepFool",)
"""They take a gradient for each class at every step."""
SINGLE_STEP = ("FastGradientMethod",)
"""They take one step; the others take many."""
BLACK_BOXES = (
    "BoundaryAttack",
    "GRAPHITEBlackbox",
    "GeoDA",
    "HopSkipJump",
    "LaserAttack",
    "PixelAttack",
    "SignOPTAttack",
    "SimBA",
    "SpatialTransformation",
    "SquareAttack",
    "ThresholdAttack",
    "ZooAttack",
)
"""They use no gradient of the model."""
TARGETED_BY_NATURE = ("LowProFool", "SaliencyMapMethod", "TargetedUniversalPerturbation")
"""Their `y` is a class to arrive at, never the images' own."""
_OWN_TARGETS = ("SaliencyMapMethod",)
"""They choose targets themselves where none are given."""
_PROBABILITIES = ("SimBA", "VirtualAdversarialMethod")
"""They want an estimator that answers with probabilities."""
_MORE_THAN_IMAGES = (
    "FeatureAdversariesNumpy",
    "FeatureAdversariesPyTorch",
    "FeatureAdversariesTensorFlowV2",
    "FrameSaliencyAttack",
    "LaserAttack",
    "LowProFool",
    "MalwareGDTensorFlow",
    "OverTheAirFlickeringPyTorch",
    "OverloadPyTorch",
    "ProjectedGradientDescentTensorFlowV2",
    "SNAL",
)
"""They need guide images, importances of features, videos, detections, or TensorFlow."""
_SLOW_ALONE = ("CarliniL2Method", "DeepFool", "ElasticNet", "NewtonFool")
"""Images are independent in a batch, whose default size is one."""
_PER_IMAGE = ("FastGradientMethod", "ProjectedGradientDescent")


class Range:
    """The way from an estimator's arrays to images of shape-(N, C, H, W) in [0, 1], and back.

    Parameters
    ----------
    estimator : BaseEstimator
    shape : tuple of int
        Of the arrays.

    Attributes
    ----------
    bounds : (float, float)
        Of the images; infinite where the estimator has no clip values.
    low, span : ndarray
        Smallest clip value, and how far the largest is from it; scalars where all pixels have the same.
    """

    def __init__(self, estimator: BaseEstimator, shape: tuple[int, ...]) -> None:
        clip = getattr(estimator, "clip_values", None)
        self.bounds: snr.Bounds = (0.0, 1.0) if clip is not None else (-math.inf, math.inf)
        low, high = (0.0, 1.0) if clip is None else clip
        self.low, self.span = np.asarray(low, np.float64), np.asarray(high, np.float64) - np.asarray(low, np.float64)
        first = getattr(estimator, "channels_first", None)
        if first is None:  # a black box does not say: few channels at the end are channels
            first = shape[1:2] in ((1,), (3,)) or shape[-1] not in (1, 3, 4)
        self.last = len(shape) == 4 and not first
        self.shape = shape

    def images(self, x: Array) -> Tensor:
        """Images of an array of pixels."""
        return self.layout(np.asarray((x - self.low) / self.span, dtype=np.float32))

    def layout(self, x: Array) -> Tensor:
        """Bring an array to shape-(N, C, H, W); what has no height and width becomes a row of pixels."""
        values = torch.from_numpy(x)
        if self.last:
            return values.permute(0, 3, 1, 2).contiguous()
        return values if values.ndim == 4 else values.reshape(len(values), 1, 1, -1)

    def array(self, images: Tensor) -> Array:
        """Images as a fresh float32 array."""
        unit = images.detach().cpu()
        unit = unit.permute(0, 2, 3, 1) if self.last else unit
        # In double, and only then rounded: an image that was not touched comes back as it was.
        value = unit.reshape(-1, *self.shape[1:]).numpy().astype(np.float64) * self.span + self.low
        return value.astype(np.float32)


def attack_classes() -> dict[str, type]:
    """Attacks that a spec string may name: those that take a classifier of PyTorch, and images alone."""
    found = {name: getattr(art.attacks.evasion, name) for name in dir(art.attacks.evasion)}
    return {
        name: cls
        for name, cls in found.items()
        if isinstance(cls, type)
        and issubclass(cls, EvasionAttack)
        and cls.__module__.startswith("art.")
        and name not in _MORE_THAN_IMAGES
        and _takes_a_classifier(cls)
    }


def _takes_a_classifier(cls: Any) -> bool:
    """Whether a classifier of PyTorch is all that an attack requires: each a class, or one of several."""
    needs = (need if isinstance(need, tuple) else (need,) for need in cls._estimator_requirements)
    return all(issubclass(PyTorchClassifier, need) for need in needs)


def defaults(cls: type) -> dict[str, Any]:
    """Parameters of an attack as the harness calls it, see `library.from_spec`."""
    known = signature(cls)
    ours: dict[str, Any] = {"targeted": False, "verbose": False}
    if "norm" in known and not isinstance(known["norm"], str):
        ours["norm"] = 2.0
    if cls.__name__ in _SLOW_ALONE:
        ours["batch_size"] = 128
    return {**known, **{key: value for key, value in ours.items() if key in known}}


def treatment(cls: type, parameters: dict[str, Any]) -> tuple[Kind, float | None]:
    """How an attack gets the SNR as budget, and the p of the norm that its size is measured in."""
    names = {base.__name__ for base in cls.__mro__}
    if names.intersection(_MINIMUM) or parameters.get("minimal"):
        return "minimum", None
    if names.intersection(_L2):
        return "budget", 2.0
    if not names.intersection(_NORMED):
        return "rescaled", None
    order = float(parameters.get("norm", math.inf))
    return ("budget" if order == 2 else "rescaled"), order


def build(
    cls: type, parameters: dict[str, Any], model: nn.Module, shape: tuple[int, ...], classes: int
) -> LibraryAttack:
    """Put an attack of ART on a classifier around a model, for the harness."""
    if parameters.get("targeted"):
        raise UsageError("targeted=true: accuracy curves are of untargeted attacks")
    classifier = PyTorchClassifier(
        nn.Sequential(model, nn.Softmax(dim=1)) if cls.__name__ in _PROBABILITIES else model,
        loss=nn.CrossEntropyLoss(),
        input_shape=shape[1:],
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="gpu" if next(model.parameters()).is_cuda else "cpu",
    )
    attack = wrap(cls(classifier, **parameters), Range(classifier, shape), {})
    return replace(attack, run=_targeted(cls, attack.run, classes)) if cls.__name__ in TARGETED_BY_NATURE else attack


def _targeted(cls: type, run: Run, classes: int) -> Run:
    """Give an attack that is targeted by nature a class to arrive at, in place of the images' own."""

    def targeted(images: Tensor, labels: Tensor | None, size: Size | None) -> Tensor:
        if labels is None or cls.__name__ in _OWN_TARGETS:
            return run(images, None, size)
        rarest = labels.bincount(minlength=classes).argmin()  # one class for all: the noise may be universal
        return run(images, rarest.expand(len(images)), size)

    return targeted


def wrap(attack: EvasionAttack, estimated: Range, options: dict[str, Any]) -> LibraryAttack:
    """Say how our ruler sees an attack of ART.

    Parameters
    ----------
    attack : EvasionAttack
    estimated : Range
        Of the images it will get.
    options : dict
        Go to its `generate`.
    """
    kind, order = treatment(type(attack), vars(attack))

    def run(images: Tensor, labels: Tensor | None, size: Size | None) -> Tensor:
        y = None if labels is None else labels.cpu().numpy()
        if y is not None and y.ndim == 1:
            y = check_and_transform_label_format(y, nb_classes=attack.estimator.nb_classes)
        with _sized(attack, size, estimated):
            found = attack.generate(estimated.array(images), y, **options)
        return estimated.images(found).to(images.device)

    return LibraryAttack(run, kind, order, each=type(attack).__name__ in _PER_IMAGE and not attack.num_random_init)


@contextmanager
def _sized(attack: EvasionAttack, size: Size | None, estimated: Range) -> Iterator[None]:
    """Give an attack and those it is made of another size, their step sizes in proportion."""
    if size is not None and estimated.span.ndim:
        raise UsageError("FixedSNR needs clip values that are the same for all pixels")
    before: list[tuple[EvasionAttack, dict[str, Any]]] = []
    parts = [attack, *(getattr(attack, "attacks", None) or [])] if size is not None else []
    try:
        for part in (part for part in parts if "eps" in part.attack_params):
            own = {name: getattr(part, name) for name in ("eps", "eps_step") if name in part.attack_params}
            values: Any = (
                size.values.cpu().numpy().reshape(-1, *[1] * (len(estimated.shape) - 1))
                if isinstance(size, PerImage)
                else size
            )
            scaled = {
                name: values * float(estimated.span) * float(np.mean(value / own["eps"])) for name, value in own.items()
            }
            before.append((part, own))
            part.set_params(**scaled)
            if getattr(part, "random_eps", False):  # the size that it draws is at most this one
                getattr(part, "_attack", part).norm_dist = truncnorm(0, 2, scale=part.eps / 2)
        yield
    finally:
        for part, own in before:
            part.set_params(**own)

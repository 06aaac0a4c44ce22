"""Classifiers of the Adversarial Robustness Toolbox, their preprocessing and defences included, as torch modules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._utils.errors import ModelError, UsageError
from .library_model import Array, Gradients, LibraryModel


def open_estimator(estimator: Any) -> LibraryModel:
    """Open an estimator of `art.estimators.classification`.

    Images in [0, 1] are brought to its `clip_values` and to the order of its axes, or flattened where its
    `input_shape` has one axis. Gradients are its `loss_gradient`, and `class_gradient` for losses of several classes
    or where it was made without a loss.

    Parameters
    ----------
    estimator : art.estimators.BaseEstimator

    Raises
    ------
    ModelError
        It is no classifier.
    """
    from art.estimators import LossGradientsMixin
    from art.estimators.classification import ClassifierMixin
    from art.estimators.classification.classifier import ClassGradientsMixin

    if not isinstance(estimator, ClassifierMixin):
        raise ModelError(f"{type(estimator).__name__} is no classifier of art.estimators.classification: pass one")
    pixels = _Pixels(estimator)

    def scores(images: Array) -> Array:
        return np.asarray(estimator.predict(pixels.inputs(images), batch_size=len(images)))

    def loss(images: Array, labels: Array) -> Array:
        one_hot = np.eye(int(estimator.nb_classes), dtype=np.float32)[labels]
        return pixels.gradient(images, estimator.loss_gradient(pixels.inputs(images), one_hot))

    def classes(images: Array, weights: Array) -> Array:
        inputs, total = pixels.inputs(images), np.zeros(images.shape, np.float32)
        for label in np.flatnonzero(weights.any(0)).tolist():  # one at a time: 1,000 gradients are gigabytes
            found = pixels.gradient(images, estimator.class_gradient(inputs, label=label)[:, 0])
            total += weights[:, label].reshape(-1, 1, 1, 1) * found
        return total

    gradients = Gradients(
        classes if isinstance(estimator, ClassGradientsMixin) else None,
        loss if isinstance(estimator, LossGradientsMixin) and _has_loss(estimator) else None,
    )
    return LibraryModel(scores, gradients if gradients.loss or gradients.scores else None, pixels.shape)


def _has_loss(estimator: Any) -> bool:
    """Whether an estimator was given a loss: those of TensorFlow, and of Keras models not compiled, may have none."""
    owners = ((estimator, "loss_object"), (getattr(estimator, "model", None), "loss"))
    return all(getattr(owner, name, ...) is not None for owner, name in owners)


class _Pixels:
    """The way from images of shape-(N, C, H, W) in [0, 1] to an estimator's arrays, and of gradients back."""

    def __init__(self, estimator: Any) -> None:
        clip = getattr(estimator, "clip_values", None)
        low, high = (0.0, 1.0) if clip is None else clip
        self._low, self._span = np.asarray(low, np.float32), np.asarray(high, np.float32) - np.asarray(low, np.float32)
        self._shape = tuple(estimator.input_shape or ())
        first = getattr(estimator, "channels_first", None)
        if first is None:  # a black box does not say: few channels at the end are channels
            first = self._shape[:1] in ((1,), (3,)) or self._shape[-1:] not in ((1,), (3,))
        self._last = len(self._shape) == 3 and not first

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Shape of the images, where the estimator says it."""
        if len(self._shape) != 3 or None in self._shape:
            return None
        height, width, channels = self._shape if self._last else (*self._shape[1:], self._shape[0])
        return channels, height, width

    def inputs(self, images: Array) -> Array:
        """Arrays that the estimator takes."""
        ordered = images.transpose(0, 2, 3, 1) if self._last else images
        given = ordered.shape[1:] if len(self._shape) in (0, 3) else (math.prod(ordered.shape[1:]),)
        if len(self._shape) == len(
            given
        ):  # None: any number, of pixels or of features
            wanted = tuple(number or own for number, own in zip(self._shape, given, strict=True))
        else:
            wanted = self._shape or given
        if math.prod(wanted) != math.prod(given) or (len(wanted) == 3 and wanted != given):
            raise UsageError(
                f"the estimator's input_shape is {self._shape}, and the images are {tuple(ordered.shape[1:])}: "
                "pass images of its shape",
                "images",
            )
        return np.ascontiguousarray(ordered.reshape(-1, *wanted) * self._span + self._low, dtype=np.float32)

    def gradient(self, images: Array, gradient: Array) -> Array:
        """A gradient by its arrays as one by the images."""
        scaled = np.asarray(gradient, np.float32) * self._span
        if self._last:
            count, channels, height, width = images.shape
            return scaled.reshape(count, height, width, channels).transpose(0, 3, 1, 2)
        return scaled.reshape(images.shape)

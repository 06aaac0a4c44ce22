"""Models that are objects already: estimators of ART, models of Foolbox, modules and functions of torch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._utils import memory
from .._utils.errors import ModelError
from .._utils.files import one_line, shown
from .from_art import open_estimator
from .from_foolbox import open_foolbox
from .inspection import logits_of
from .library_model import LibraryModel
from .model import FixedBatch, Model, Normalised
from .preprocessing import Preprocessing, for_channels, overridden

BLACK_BOX = "has no gradient: noise, square-attack and decision-based attacks of other libraries can be run"

_LIBRARIES: dict[str, tuple[str, Callable[[Any], nn.Module]]] = {
    "art": ("art", open_estimator),
    "foolbox": ("foolbox.models", open_foolbox),
}
"""Library to the package that its models' classes are defined in, and what opens them."""


def is_of(library: str, model: object) -> bool:
    """Whether a model's class, or one that it is derived from, belongs to a library; which is not imported for that."""
    package = f"{_LIBRARIES[library][0]}."
    return any(f"{base.__module__}.".startswith(package) for base in type(model).__mro__)


def opened(model: Any) -> Callable[[Tensor], Any]:
    """Open a model as one from images in [0, 1] to logits; what is no object of a library is returned as it is."""
    for library, (_, opener) in _LIBRARIES.items():
        if is_of(library, model):
            return opener(model)
    if not callable(model):
        raise ModelError(
            f"{shown(repr(model), 80)} is no model: expected a module, a function from images to logits, an estimator "
            "of ART, a model of Foolbox, or the name of a checkpoint",
            "models",
        )
    return model  # type: ignore[no-any-return]


def model_of(
    given: Any,
    example: Tensor,
    *,
    name: str,
    batch_size: int,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
) -> Model:
    """Open a model that is an object already; its file, if it ever had one, is not known.

    A model that takes and returns float32 tensors is queried as it is. Outputs that hold logits are unwrapped, images
    are cast to a module's own dtype, and what `torch.compile` made gets batches of one size.

    Parameters
    ----------
    given : object
        See `opened`.
    example : Tensor, shape-(1, C, H, W)
        One of the images, on the device that the model is to run on.
    name : str
    batch_size : int
        Most images in a forward pass.
    mean, std : optional
        Normalisation of the model, for pixels in [0, 1]; it takes these as they are by default.

    Raises
    ------
    ModelError
        It is no model, or cannot classify the image.
    """
    network: Callable[[Any], Any] = opened(given)
    dtype = torch.float32
    if isinstance(network, nn.Module):
        network.to(example.device)
        dtype = next((p.dtype for p in network.parameters() if p.is_floating_point()), dtype)
    if _is_compiled(network):
        network = FixedBatch(network, batch_size)
    elif _takes_arrays(network, example):
        network = LibraryModel(network)
    differentiable = getattr(network, "differentiable", True)
    known = for_channels(overridden(Preprocessing(source="caller"), mean, std, None), example.shape[1])
    predict: Any = Normalised(network, known.mean, known.std, dtype).to(example.device)
    if (mean, std, dtype) == (None, None, torch.float32) and isinstance(_query(name, network, example), Tensor):
        predict = network
    else:
        _query(name, predict, example)
    notes = [] if differentiable else [f"{name} {BLACK_BOX}"]
    if dtype in (torch.float16, torch.bfloat16):
        notes.append(f"{name} computes in {str(dtype).removeprefix('torch.')}: images are rounded to it inside")
    return Model(name, predict, 0, None, None, differentiable, "", known, notes=tuple(notes))


def _takes_arrays(network: Callable[[Any], Any], example: Tensor) -> bool:
    """Whether a plain function classifies arrays of numpy, as it shows by returning one."""
    if isinstance(network, nn.Module):
        return False
    for images in (example, example.cpu().numpy()):
        with contextlib.suppress(Exception), torch.no_grad():  # a function may refuse what it does not take in any way
            return isinstance(network(images), np.ndarray)
    return False


def _query(name: str, network: Callable[[Tensor], Any], example: Tensor) -> Any:
    """A model's output for one image; an error of its own becomes one line."""
    try:
        with torch.no_grad():
            output = network(example)
        logits_of(output)
    except TypeError as error:
        if "expected logits" not in str(error):
            raise _refused(name, example, error) from error
        raise ModelError(str(error)) from error
    except ModelError:
        raise
    except Exception as error:  # any layer may refuse a shape in its own way
        if memory.ran_out(error):
            raise
        raise _refused(name, example, error) from error
    return output


def _refused(name: str, example: Tensor, error: Exception) -> ModelError:
    return ModelError(
        f"{name} cannot classify images of shape {tuple(example.shape[1:])} ({one_line(error)}): expected images of "
        "shape (N, C, H, W) as the model takes them",
        "images",
    )


def _is_compiled(model: Any) -> bool:
    """Whether `torch.compile` made a module or a function, which it compiles anew for other shapes."""
    in_place = getattr(model, "_compiled_call_impl", None) is not None
    return in_place or hasattr(model, "_orig_mod") or hasattr(model, "_torchdynamo_orig_callable")

"""Fits weights into an architecture: key prefixes, classes and input channels are read from the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .._utils.errors import ModelError
from .._utils.files import listed, shown
from .architectures import HOW, Architecture

_AUXILIARY = re.compile(r"(AuxLogits|aux\d)\.")
"""Heads of training time only: neither needed nor a fault."""
_MOST_PREFIXES = 100
"""Tried on an architecture; a checkpoint of many networks has one a network."""


def fit(architecture: Architecture, weights: Mapping[str, Tensor], file: str, classes: int | None = None) -> nn.Module:
    """Build an architecture for the classes and channels its weights have, and load them strictly.

    Parameters
    ----------
    architecture : Architecture
        What to build.
    weights : mapping of str to Tensor
        A state dict; a prefix all its keys share (`module.` of DataParallel, ...) is found and removed.
    file : str
        The checkpoint's name, for messages.
    classes : int, optional
        Number of classes, where it cannot be read from the weights.

    Returns
    -------
    nn.Module
        With the weights, in float32.

    Raises
    ------
    ModelError
        Keys are missing or left over, shapes differ, or a weight is NaN or infinite.
    """
    model = architecture.build(classes)
    weights = _matching(weights, model)
    found = _head_size(weights, model)
    if found is not None and classes is None and not _missing(weights, model):
        model = architecture.build(found)
    _widen_input(weights, model)
    own = model.state_dict()
    missing = _missing(weights, model)
    extra = [key for key in weights if key not in own and not _AUXILIARY.match(key)]
    shapes = [key for key in own if key in weights and weights[key].shape != own[key].shape]
    if missing or extra or shapes:
        raise ModelError(_misfit(architecture.name, file, missing, extra, shapes, weights, own), "arch")
    model.load_state_dict({key: value for key, value in weights.items() if key in own}, strict=False)
    model.float()
    check_finite(model, file)
    return model


def _matching(weights: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Pick the weights under the prefix that fits the model's own keys best."""
    own = list(model.state_dict())
    if not own:
        return dict(weights)
    ends = [own[0], own[-1]]
    prefixes = {""} | {key.removesuffix(end) for end in ends for key in weights if key.endswith(f".{end}")}
    best = max(sorted(prefixes)[:_MOST_PREFIXES], key=lambda prefix: sum(prefix + key in weights for key in own))
    return {key.removeprefix(best): value for key, value in weights.items() if key.startswith(best)}


def _missing(weights: Mapping[str, Tensor], model: nn.Module) -> list[str]:
    return [
        key
        for key in model.state_dict()
        if key not in weights and not key.endswith("num_batches_tracked") and not _AUXILIARY.match(key)
    ]


def _head_size(weights: Mapping[str, Tensor], model: nn.Module) -> int | None:
    """Read the number of classes, where only output layers differ from the model built by default."""
    sizes = {
        weights[key].shape[0]
        for key, value in model.state_dict().items()
        if key in weights
        and value.dim() > 0
        and weights[key].shape != value.shape
        and weights[key].dim() == value.dim()
        and weights[key].shape[1:] == value.shape[1:]
    }
    return sizes.pop() if len(sizes) == 1 else None


def _widen_input(weights: Mapping[str, Tensor], model: nn.Module) -> None:
    """Give the first convolution as many input channels as its weights have (grey ResNets and the like)."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            stored = weights.get(f"{name}.weight")
            wanted, own = (None if stored is None else stored.shape), layer.weight.shape
            if wanted is not None and wanted != own and (wanted[0], *wanted[2:]) == (own[0], *own[2:]):
                layer.in_channels = int(wanted[1])
                layer.weight = nn.Parameter(torch.empty(wanted))
            return


def _misfit(
    architecture: str,
    file: str,
    missing: list[str],
    extra: list[str],
    shapes: list[str],
    weights: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
) -> str:
    parts = []
    if missing:
        parts.append(f"{len(missing)} of its {len(own)} keys missing ({listed(missing)})")
    if extra:
        parts.append(f"{len(extra)} left over ({listed(extra)})")
    if shapes:
        key = shapes[0]
        more = f" and {len(shapes) - 1} more" if len(shapes) > 1 else ""
        parts.append(f"{shown(key)} is {tuple(weights[key].shape)}, expected {tuple(own[key].shape)}{more}")
    said = "; ".join(parts)
    return f"{file} does not fit {shown(architecture)}: {said}. Name the one it was trained with: {HOW}"


def check_finite(model: nn.Module, file: str) -> None:
    """Refuse NaN anywhere and infinity in parameters (a buffer may hold a mask of -inf).

    Parameters
    ----------
    model : nn.Module
    file : str
        The checkpoint's name, for messages.

    Raises
    ------
    ModelError
        Names the first tensor.
    """
    parameters = {name for name, _ in model.named_parameters()}
    for key, value in (*model.named_parameters(), *model.named_buffers()):
        if not value.is_floating_point():
            continue
        broken = ~torch.isfinite(value) if key in parameters else torch.isnan(value)
        if count := int(broken.sum()):
            raise ModelError(
                f"{file}: {shown(key)} has {count} weights that are NaN or infinite, of {value.numel()}: "
                "the training diverged or the file is damaged; use an earlier checkpoint"
            )

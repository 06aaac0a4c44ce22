"""Opens any classifier as one callable from images in [0, 1] to logits, and runs no code of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._utils.errors import ModelError, UsageError
from .._utils.files import one_line, path_of, sha256_of, shown
from . import architectures, fitting, formats, hubs, hugging_face, programs
from .architectures import Architecture
from .inspection import MOST_CHANNELS, probe
from .model import FixedBatch, Model, Normalised
from .preprocessing import Preprocessing, beside, for_channels, imagenet, overridden


@dataclass
class _Opened:
    """A network and what its file or library says of it, before the caller's arguments are applied."""

    name: str
    network: nn.Module
    preprocessing: Preprocessing | None = None
    channels: int | None = None
    sha256: str = ""
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


def open_model(
    spec: str,
    *,
    arch: str | None = None,
    classes: int | None = None,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    size: int | None = None,
    channels: int | None = None,
    class_names: Sequence[str] | None = None,
    trust: bool = False,
    device: str | torch.device = "cpu",
) -> Model:
    """Open a classifier by its file or name.

    Preprocessing comes from the arguments, else a ``STEM.json`` or ``model.json`` beside the file, else the
    library of the architecture, else a default that `notes` states.

    Parameters
    ----------
    spec : str
        A file (state dict, safetensors, TorchScript, .pt2, ONNX), a folder of the Hugging Face hub, or a name:
        ``bundled:standard``, ``torchvision:resnet18:IMAGENET1K_V1``, ``timm:resnet18.a1_in1k``, ``hf-hub:ORG/NAME``,
        ``robustbench:NAME``, ``art:FILE.py:factory``, ``foolbox:FILE.py:factory``, ``python:FILE.py:function``.
    arch : str, optional
        Architecture of a state dict; by default found from the file's name.
    classes : int, optional
        Number of classes, where it cannot be read from the weights.
    mean, std : str or sequence of float, optional
        Normalisation, for pixels in [0, 1].
    size : int, optional
        Side of the images.
    channels : int, optional
        Channels of the images.
    class_names : sequence of str, optional
        Of the classes, for ``open_clip:ARCHITECTURE:TAG``, which classifies by them.
    trust : bool
        Let the file run any code (pickled modules, .pt2).
    device : str or torch.device
        Where it is to run.

    Raises
    ------
    UsageError
        An argument makes no sense: no such file or name, a mean for pixels up to 255, ...
    ModelError
        The file cannot be opened, does not fit its architecture, or does not classify images.
    """
    opened = hubs.open_name(spec, trust, class_names)
    if opened is not None:
        if arch is not None:
            raise UsageError(f"{shown(spec)} has its own architecture: leave {shown(arch)} out", "arch")
        found = _Opened(**opened)
    else:
        found = _open_file(spec, arch, classes, trust)
    model = _finish(found, mean, std, size, channels, device)
    if classes is not None and model.classes != classes:
        raise ModelError(f"{model.name} has {model.classes} classes, not {classes}")
    return model


def _open_file(spec: str, arch: str | None, classes: int | None, trust: bool) -> _Opened:
    path = path_of(spec, "models")
    if path.is_dir() and (path / "config.json").is_file():
        if arch is not None:
            raise UsageError(f"{shown(spec)} has its own architecture: leave {shown(arch)} out", "arch")
        return _Opened(**hugging_face.open_folder(path))
    if not path.is_file():
        raise UsageError(_no_file(spec, path), "models")
    try:
        kind = formats.sniff(path)
    except OSError as error:
        raise ModelError(f"{shown(spec)} cannot be read ({error.strerror}): pass another file", "models") from error
    known, content = beside(path)
    network, architecture, notes = _network(path, kind, arch or _architecture_of(content, path), classes, trust)
    names, channels = content.get("class_names"), content.get("channels")
    if channels is not None and (not isinstance(channels, int) or not 1 <= channels <= MOST_CHANNELS):
        raise ModelError(
            f"the JSON beside {shown(path.name)}: channels is {shown(str(channels), 40)}, "
            f"expected a whole number from 1 to {MOST_CHANNELS}"
        )
    return _Opened(
        name=shown(path.stem),
        network=network,
        preprocessing=known or (architecture.preprocessing if architecture else None),
        channels=network.shape[1] if isinstance(network, programs.OnnxModel) else channels,
        sha256=sha256_of(path),
        class_names=tuple(shown(str(one), 80) for one in names) if isinstance(names, list) else None,
        notes=notes,
    )


def _architecture_of(content: dict[str, Any], path: Path) -> str | None:
    """Take the architecture from `model.json`, unless naming it would run code nobody asked for."""
    named = content.get("architecture")
    if named is None:
        return None
    if not isinstance(named, str) or (":" in named and named.partition(":")[0] not in ("torchvision", "timm")):
        raise ModelError(
            f"the JSON beside {shown(path.name)} names the architecture {shown(str(named))}, code of its own: "
            "pass it yourself if you trust it",
            "arch",
        )
    return named


def _no_file(spec: str, path: Path) -> str:
    if path.is_dir():
        return f"{shown(spec)} is a folder: pass the checkpoint file in it, or a folder with config.json and weights"
    kind = spec.partition(":")[0]
    if ":" in spec and kind.isidentifier():
        return f"{shown(spec)}: no kind of model is called {kind}; there are {', '.join(hubs.KINDS)}, and files"
    if path.exists():
        return f"{shown(spec)} is no regular file: pass a checkpoint"
    near = sorted(p.name for p in path.parent.glob("*") if p.suffix == path.suffix)[:5] if path.parent.is_dir() else []
    there = f"; beside it are {', '.join(map(shown, near))}" if near else ""
    kinds = ", ".join(f"{kind}:NAME" for kind in hubs.KINDS)
    return f"{shown(spec)}: there is no such file{there} (or name a model: {kinds})"


def _network(
    path: Path, kind: str, arch: str | None, classes: int | None, trust: bool
) -> tuple[nn.Module, Architecture | None, tuple[str, ...]]:
    if kind not in ("torch", "safetensors"):
        if arch is not None:
            raise UsageError(f"{shown(path.name)} ({kind}) has its own architecture: leave {shown(arch)} out", "arch")
        network, note = (
            programs.open_torchscript(path, trust)
            if kind == "torchscript"
            else programs.open_exported(path, trust)
            if kind == "pt2"
            else programs.open_onnx(path, trust)
        )
        if kind == "torchscript":
            fitting.check_finite(network, shown(path.name))
        if isinstance(network, programs.Exported) and network.batch is not None:
            network = FixedBatch(network, network.batch)
        return network, None, (note,)
    weights, notes = formats.read_weights(path, kind, trust)
    if isinstance(weights, nn.Module):
        fitting.check_finite(weights, shown(path.name))
        return weights.float(), None, notes
    architecture = architectures.find(arch) if arch else architectures.from_file_name(path)
    if architecture is None:
        raise UsageError(
            f"{shown(path.name)} holds weights only, and its name names no architecture: pass "
            "NAME (of torchvision, such as resnet18), timm:NAME or FILE.py:factory",
            "arch",
        )
    return fitting.fit(architecture, weights, shown(path.name), classes), architecture, notes


def _finish(
    found: _Opened,
    mean: str | float | Sequence[float] | None,
    std: str | float | Sequence[float] | None,
    size: int | None,
    channels: int | None,
    device: str | torch.device,
) -> Model:
    """Settle the preprocessing, probe the network once, freeze it."""
    network = _frozen(found.network, device)
    known = found.preprocessing or Preprocessing()
    known = overridden(known, mean, std, size)
    takes = probe(found.name, network, channels or found.channels, known.size)
    notes = [*found.notes, *takes.notes]
    if found.preprocessing is None and mean is None and std is None:
        if takes.channels == 3:
            known = replace(imagenet("default"), size=known.size, resize=known.resize)
            notes.append(
                f"{found.name}: nothing says how it was normalised; assumed the ImageNet mean and std "
                "(mean 0 and std 1 if it takes pixels in [0, 1] as they are)"
            )
        else:
            notes.append(f"{found.name}: nothing says how it was normalised; assumed mean 0 and std 1")
    known = for_channels(replace(known, size=takes.size), takes.channels or len(known.mean))
    predict = _frozen(Normalised(network, known.mean, known.std), device)
    differentiable = getattr(network, "differentiable", True)
    names = found.class_names
    if names is not None and len(names) != takes.classes:
        notes.append(f"{found.name}: {len(names)} class names are given for {takes.classes} classes; left out")
        names = None
    return Model(
        name=found.name,
        predict=predict,
        classes=takes.classes,
        channels=takes.channels,
        size=takes.size,
        differentiable=differentiable,
        sha256=found.sha256,
        preprocessing=known,
        class_names=names,
        notes=tuple(notes),
    )


def _frozen(network: nn.Module, device: str | torch.device) -> nn.Module:
    network.eval()
    if torch.device(device).type == "cpu":  # where convolutions run up to 1.7 times faster in that layout
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for parameter in network.parameters():  # requires_grad_() of the module is refused by TorchScript
        parameter.requires_grad_(False)
    try:
        return network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"the model cannot be moved to {shown(str(device))} ({one_line(error)})", "device") from error

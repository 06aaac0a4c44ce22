"""Finds architectures by name: those of torchvision and timm, and factories of the user's own."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .._utils.errors import ModelError, UsageError, suggest
from .._utils.files import one_line, shown
from .._utils.torchvision_operators import import_torchvision
from .own_code import own_function
from .preprocessing import Preprocessing, imagenet

HOW = "torchvision:NAME (as in resnet18), timm:NAME, FILE.py:factory or package.module:factory"
_CLASS_KEYWORDS = ("num_classes", "n_classes", "classes", "nb_classes", "num_labels")


@dataclass(frozen=True)
class Architecture:
    """A network without weights.

    Attributes
    ----------
    name : str
        As typed or found.
    build : callable
        ``build(classes)`` makes it for that many classes; ``build(None)`` with its own default.
    preprocessing : Preprocessing or None
        What its library says; None for a user's own.
    """

    name: str
    build: Callable[[int | None], nn.Module]
    preprocessing: Preprocessing | None


def find(spec: str) -> Architecture:
    """Find an architecture by its name, or in the user's own code.

    Parameters
    ----------
    spec : str
        A name of torchvision, or of timm where torchvision has none of it; ``torchvision:NAME``, ``timm:NAME``,
        ``FILE.py:factory`` or ``package.module:factory``.

    Raises
    ------
    UsageError
        There is no such name, file or factory.
    ModelError
        The library or the user's code cannot be imported.
    """
    library, _, name = spec.partition(":")
    if not name:
        return _torchvision(spec, anywhere=True)
    if library == "torchvision":
        return _torchvision(name.partition(":")[0])
    if library == "timm":
        return _timm(name)
    return _own(spec)


def from_file_name(path: Path) -> Architecture | None:
    """Find the architecture of torchvision, or else of timm, that a file's name names.

    Parameters
    ----------
    path : Path
        As ``resnet18.pt``, ``resnet18-f37072fd.pth`` or ``flowers_resnet18.pt``.

    Returns
    -------
    Architecture or None
        The longest name found in the stem between separators, torchvision's of two that are equal; None where there
        is none.
    """
    words = re.split(r"[^a-z0-9]+", path.stem.lower())
    libraries = [(_timm, _timm_names()), (_torchvision, _torchvision_names())]
    names = {name.replace("_", ""): (library, name) for library, known in libraries for name in known}
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            library, name = names.get("".join(words[start : start + length]), (None, ""))
            if library is not None:
                return library(name)
    return None


def _timm_names() -> list[str]:
    """Names of timm's models; none where it is not installed."""
    try:
        names: list[str] = import_timm().list_models()
    except ModelError:
        return []
    return names


def _torchvision_names() -> list[str]:
    torchvision = import_torchvision()
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def _torchvision(name: str, anywhere: bool = False) -> Architecture:
    known = _torchvision_names()
    if name not in known and anywhere and name in _timm_names():
        return _timm(name)
    if name not in known:
        files = f" (a factory of your own is written FILE.py:factory, not {name})" if name.endswith(".py") else ""
        raise UsageError(
            f"{shown(name)}: torchvision has no such classifier{files}; {nearest(name, known)}expected {HOW}", "arch"
        )

    def build(classes: int | None) -> nn.Module:
        models = import_torchvision().models
        options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
        if name in ("googlenet", "inception_v3"):  # their slow initialisation is overwritten anyway
            options["init_weights"] = False
        model: nn.Module = models.get_model(name, weights=None, **options)
        return model

    return Architecture(name, build, imagenet(f"the ImageNet statistics of torchvision's {name}"))


def nearest(name: str, known: list[str]) -> str:
    """The one of many names that is nearest, for the middle of a message; empty where none is near."""
    close = suggest(name, known)
    return f"{close.partition(' There are')[0]} " if close.startswith("did") else ""


def _timm(name: str) -> Architecture:
    timm = import_timm()
    plain = name.partition(".")[0]
    if not timm.is_model(plain):
        close = nearest(plain, timm.list_models())
        raise UsageError(f"timm:{shown(name)}: timm has no such model; {close}expected {HOW}", "arch")

    def build(classes: int | None) -> nn.Module:
        options = {} if classes is None else {"num_classes": classes}
        model: nn.Module = timm.create_model(name, pretrained=False, **options)
        return model

    return Architecture(f"timm:{name}", build, timm_preprocessing(timm.get_pretrained_cfg(name), fixed=False))


def import_timm() -> Any:
    """Import timm, after torchvision was made importable.

    Raises
    ------
    ModelError
        It is not installed.
    """
    import_torchvision()
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ModelError(f"timm cannot be imported ({one_line(error)}): pip install 'cnncomm-bench[timm]'") from error


def timm_preprocessing(config: Any, fixed: bool) -> Preprocessing:
    """Translate timm's config of a model.

    Parameters
    ----------
    config : timm.models.PretrainedCfg or dict
        The model's `pretrained_cfg`.
    fixed : bool
        The weights belong to this config, so its image size applies too.
    """
    get = config.get if isinstance(config, Mapping) else lambda key, default=None: getattr(config, key, default)
    size = int(tuple(get("input_size") or (3, 224, 224))[-1]) if fixed else None
    crop = float(get("crop_pct") or 0.875)
    return Preprocessing(
        tuple(float(v) for v in get("mean") or imagenet("").mean),
        tuple(float(v) for v in get("std") or imagenet("").std),
        size,
        int(size / crop) if size else None,
        str(get("interpolation") or "bilinear"),
        "timm",
    )


def _own(spec: str) -> Architecture:
    function, factory = own_function(spec, "arch", HOW), spec.rpartition(":")[2]
    keyword = _class_keyword(function)

    def build(classes: int | None) -> nn.Module:
        try:
            model = function() if classes is None or keyword is None else function(**{keyword: classes})
        except Exception as error:  # the user's own code may raise anything
            if classes is None and keyword and isinstance(error, TypeError):
                return build(1000)  # it requires the number of classes
            raise ModelError(f"{shown(spec)}: calling {factory} failed ({one_line(error)})", "arch") from error
        if not isinstance(model, nn.Module):
            raise ModelError(
                f"{shown(spec)}: {factory} returned a {type(model).__name__}, expected a torch.nn.Module", "arch"
            )
        return model

    return Architecture(spec, build, None)


def _class_keyword(function: Callable[..., Any]) -> str | None:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    return next((word for word in _CLASS_KEYWORDS if word in parameters), None)

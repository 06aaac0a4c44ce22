"""Opens models by name: bundled, torchvision, timm, the Hugging Face hub, RobustBench, the user's own code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .. import bundled
from .._utils.errors import ModelError, UsageError, suggest
from .._utils.files import one_line, sha256_of, shown
from .._utils.torchvision_operators import import_torchvision
from . import hugging_face
from .architectures import find as find_architecture
from .architectures import import_timm, nearest, timm_preprocessing
from .fitting import fit
from .in_memory import BLACK_BOX, is_of, opened
from .library_model import LibraryModel
from .own_code import own_function
from .preprocessing import Preprocessing
from .zero_shot import open_clip_model

KINDS = ("bundled", "torchvision", "timm", "hf-hub", "robustbench", "open_clip", "art", "foolbox", "python")


def is_name(spec: str) -> bool:
    """Whether a model is named by its kind, and has its own architecture."""
    kind, colon, _ = spec.partition(":")
    return bool(colon) and kind in KINDS


def open_name(spec: str, trust: bool, class_names: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Open a model by name.

    Parameters
    ----------
    spec : str
        ``KIND:NAME`` with a kind of `KINDS`.
    trust : bool
        Whether code that comes with weights may run.
    class_names : sequence of str, optional
        Of a class map, for models whose classes are texts.

    Returns
    -------
    dict or None
        ``name``, ``network`` and, where known, ``preprocessing``, ``channels``, ``sha256``, ``class_names``; None
        where `spec` is no such name.

    Raises
    ------
    UsageError
        There is no model of that name.
    ModelError
        It cannot be fetched.
    """
    kind, colon, name = spec.partition(":")
    opener: dict[str, Callable[[str, bool], dict[str, Any]]] = {
        "bundled": _bundled,
        "torchvision": _torchvision,
        "timm": _timm,
        "hf-hub": _hf_hub,
        "robustbench": _robustbench,
        "open_clip": lambda name, trust: open_clip_model(name, class_names),
        "art": partial(_own_code, "art"),
        "foolbox": partial(_own_code, "foolbox"),
        "python": partial(_own_code, "python"),
    }
    if not colon or kind not in opener:
        return None
    return opener[kind](name, trust)


def _bundled(name: str, trust: bool) -> dict[str, Any]:
    if name not in bundled.MODELS:
        raise UsageError(f"bundled:{shown(name)}: no such model is bundled; {suggest(name, bundled.MODELS)}", "models")
    return {
        "name": f"bundled:{name}",
        "network": bundled.load(name),
        "preprocessing": Preprocessing(size=28, source="bundled"),
        "channels": 1,
        "sha256": sha256_of(bundled.path(name)),
        "class_names": bundled.images()[2],
    }


def _torchvision(name: str, trust: bool) -> dict[str, Any]:
    plain, _, wanted = name.partition(":")
    architecture = find_architecture(f"torchvision:{plain}")
    models = import_torchvision().models
    members = models.get_model_weights(plain).__members__
    if wanted not in members and wanted not in ("", "DEFAULT"):
        raise UsageError(f"torchvision:{shown(name)}: there are no such weights; {suggest(wanted, members)}", "models")
    weights = models.get_model_weights(plain)[wanted or "DEFAULT"]
    transforms = weights.transforms()
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"torchvision:{shown(name)} could not be fetched ({one_line(error)}): download {weights.url} yourself "
            f"and pass the file"
        ) from error
    stored = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rpartition("/")[2]
    return {
        "name": f"torchvision:{plain}",
        "network": fit(architecture, state, f"torchvision:{name}"),
        "preprocessing": torchvision_preprocessing(transforms),
        "channels": 3,
        "sha256": sha256_of(stored) if stored.is_file() else "",
        "class_names": tuple(weights.meta.get("categories", ())) or None,
    }


def torchvision_preprocessing(transforms: Any) -> Preprocessing:
    """Translate what ``weights.transforms()`` of torchvision returns."""
    return Preprocessing(
        tuple(transforms.mean),
        tuple(transforms.std),
        int(transforms.crop_size[0]),
        int(transforms.resize_size[0]),
        str(transforms.interpolation.value),
        "torchvision weights",
    )


def _timm(name: str, trust: bool) -> dict[str, Any]:
    timm = import_timm()
    if not timm.is_model(name.partition(".")[0]):
        close = nearest(name.partition(".")[0], timm.list_models())
        raise UsageError(f"timm:{shown(name)}: timm has no such model; {close}expected timm:NAME", "models")
    try:
        network = timm.create_model(name, pretrained=True)
    except Exception as error:  # timm and the hub raise errors of many libraries
        raise ModelError(
            f"timm:{shown(name)} could not be fetched ({one_line(error)}): download its weights yourself and pass "
            f"the file and the architecture timm:{shown(name)}",
            "models",
            "arch",
        ) from error
    config = network.pretrained_cfg
    names = config.get("label_names")
    return {
        "name": f"timm:{name}",
        "network": network,
        "preprocessing": timm_preprocessing(config, fixed=True),
        "channels": int(config["input_size"][0]),
        "class_names": tuple(names) if names else None,
    }


def _hf_hub(name: str, trust: bool) -> dict[str, Any]:
    return {**hugging_face.open_folder(hugging_face.fetched(name)), "name": f"hf-hub:{name}"}


def _robustbench(name: str, trust: bool) -> dict[str, Any]:
    plain, _, rest = name.partition(":")
    dataset, _, threat = rest.partition(":")
    if not trust:
        raise ModelError(
            f"robustbench:{shown(name)}: RobustBench unpickles what it downloads, which can run any code: refused. "
            "Pass trust only if you trust who made it",
            "trust",
        )
    import_torchvision()
    try:
        load = importlib.import_module("robustbench.utils").load_model
    except ImportError as error:
        raise ModelError(
            f"robustbench cannot be imported ({one_line(error)}): "
            "pip install git+https://github.com/RobustBench/robustbench"
        ) from error
    try:
        network = load(plain, dataset=dataset or "cifar10", threat_model=threat or "Linf")
    except Exception as error:  # downloads, unpickling and missing keys
        raise ModelError(f"robustbench:{shown(name)} could not be opened ({one_line(error)})") from error
    # Its models take pixels in [0, 1] and normalise by themselves.
    return {
        "name": f"robustbench:{plain}",
        "network": network,
        "preprocessing": Preprocessing(source="robustbench"),
        "channels": 3,
    }


def _own_code(kind: str, name: str, trust: bool) -> dict[str, Any]:
    """Open what a factory of the user's returns, or a function of numpy arrays itself."""
    if not name.rpartition(":")[0]:
        raise UsageError(f"{kind}:{shown(name)}: expected {kind}:FILE.py:function", "models")
    function = own_function(name, "models", "FILE.py:function or package.module:function")
    if kind == "python":
        network: Any = LibraryModel(function)
    else:
        try:
            made = function()
        except Exception as error:  # the user's own code may raise anything
            raise ModelError(f"{kind}:{shown(name)}: calling it failed ({one_line(error)})", "models") from error
        if not is_of(kind, made):
            raise ModelError(
                f"{kind}:{shown(name)} returned a {type(made).__name__}, expected a model of {kind}", "models"
            )
        network = opened(made)
    file = Path(name.rpartition(":")[0])
    channels, height, width = getattr(network, "shape", None) or (None, None, None)
    return {
        "name": name.rpartition(":")[2],
        "network": network,
        "preprocessing": Preprocessing(size=height if height == width else None, source=f"{kind}'s own"),
        "channels": channels,
        "sha256": sha256_of(file) if file.is_file() else "",
        "notes": () if getattr(network, "differentiable", True) else (f"{kind}:{shown(name)} {BLACK_BOX}",),
    }

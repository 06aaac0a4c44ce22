"""Folders of the Hugging Face hub: image classifiers of transformers and timm, from config.json and their weights.

What a folder says is data: no code in it is imported, and the architecture is one of the installed library's.
"""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._utils.errors import BenchError, ModelError, UsageError
from .._utils.files import listed, one_line, parse_json, sha256_of, shown
from .._utils.torchvision_operators import import_torchvision
from . import formats
from .architectures import find, timm_preprocessing
from .fitting import check_finite, fit
from .preprocessing import INTERPOLATIONS, Preprocessing, numbers

FILES = ("config.json", "preprocessor_config.json", "model.safetensors", "pytorch_model.bin")
"""Those of a folder that are read; of the last two the first that is there."""

_MOST_BYTES = 2**22
_MOST_DEEP = 20
_LARGEST = 2**20
_LIMITS = (
    (re.compile(r"layers|depth|blocks|stages"), 500),
    (re.compile(r"label"), 50_000),
    (re.compile(r"(image|hidden|patch|input)_size"), 2**14),
)
"""Largest numbers and longest lists in a config, by the name of their key; `_LARGEST` for the others."""
_LEFT_OUT = re.compile(
    r"^_|auto_map|dtype$|attn_implementation|quantization_config|kernel|pretrained|trust|transformers_"
)
"""Keys of a config that name code, weights or kernels elsewhere, or how to compute: the caller decides these."""
_PIL = dict(enumerate(("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")))


def open_folder(folder: Path) -> dict[str, Any]:
    """Open a folder with config.json and weights.

    Parameters
    ----------
    folder : Path
        As `save_pretrained` of transformers or `save_for_hf` of timm leaves it.

    Returns
    -------
    dict
        See `hubs.open_name`.

    Raises
    ------
    ModelError
        A file is missing or damaged, the library is not installed, or the weights do not fit the config.
    """
    name, config = shown(folder.name), _read(folder / "config.json")
    _check(config, name)
    path = next((folder / file for file in FILES[2:] if (folder / file).is_file()), None)
    if path is None:
        raise ModelError(f"{name} holds neither {FILES[2]} nor {FILES[3]}: expected the weights in one file", "models")
    weights, notes = formats.read_weights(path, formats.sniff(path), trust=False)
    own = "architecture" in config
    opened = _of_timm(config, weights, name) if own else _of_transformers(folder, config, weights, name)
    return {**opened, "name": name, "sha256": sha256_of(path), "notes": (*notes, *opened.get("notes", ()))}


def fetched(name: str) -> Path:
    """Fetch a model of the hub into its cache, or find it there.

    Parameters
    ----------
    name : str
        ``ORG/NAME``, with ``@REVISION`` behind it for another one than the newest.

    Raises
    ------
    ModelError
        It cannot be fetched.
    """
    repository, _, revision = name.partition("@")
    try:
        hub = importlib.import_module("huggingface_hub")
        folder = hub.snapshot_download(repository, revision=revision or None, allow_patterns=list(FILES))
    except Exception as error:  # the hub raises errors of many libraries
        raise ModelError(
            f"hf-hub:{shown(name)} could not be fetched ({one_line(error)}): download its folder and pass that "
            "(fetching needs pip install 'cnncomm-bench[transformers]')",
            "models",
        ) from error
    return Path(folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is larger than 4 MiB")
        content = parse_json(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{shown(path.name)} of {shown(path.parent.name)} cannot be read ({one_line(error)})"
        ) from error
    return content


def _check(content: Any, name: str, key: str = "", depth: int = 0) -> None:
    """Refuse numbers with which building the network would take all memory or time."""
    if depth > _MOST_DEEP:
        raise ModelError(f"config.json of {name} is nested more than {_MOST_DEEP} deep: refused")
    most = next((limit for names, limit in _LIMITS if names.search(key)), _LARGEST)
    if isinstance(content, dict | list) and len(content) > most:
        raise ModelError(f"config.json of {name}: {shown(key, 40)} has {len(content)} parts, expected at most {most}")
    if isinstance(content, dict):
        for inner, value in content.items():
            _check(value, name, str(inner), depth + 1)
    elif isinstance(content, list):
        for value in content:
            _check(value, name, key, depth + 1)
    elif isinstance(content, int | float) and not abs(content) <= most:
        raise ModelError(f"config.json of {name}: {shown(key, 40)} is {content}, expected at most {most}")


def _of_timm(config: dict[str, Any], weights: Any, name: str) -> dict[str, Any]:
    architecture = find(f"timm:{config['architecture']}") if isinstance(config["architecture"], str) else None
    if architecture is None:
        raise ModelError(f"config.json of {name} names no architecture of timm: expected its name as text", "models")
    stated = config.get("pretrained_cfg", config)
    names = stated.get("label_names") if isinstance(stated, dict) else None
    try:
        known = timm_preprocessing(stated, fixed=True)
        known = Preprocessing(
            numbers("mean", known.mean), numbers("std", known.std), _side(known.size), _side(known.resize),
            known.interpolation if known.interpolation in INTERPOLATIONS else "bilinear", known.source,
        )  # fmt: skip
        channels = int(stated["input_size"][0]) if "input_size" in stated else None
    except (UsageError, TypeError, ValueError, LookupError, OverflowError, AttributeError) as error:
        raise ModelError(f"config.json of {name}: pretrained_cfg cannot be read ({one_line(error)})") from error
    return {
        "network": fit(architecture, weights, name),
        "preprocessing": known,
        "channels": channels,
        "class_names": _names(names),
    }


def _of_transformers(folder: Path, config: dict[str, Any], weights: Any, name: str) -> dict[str, Any]:
    import_torchvision()
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise ModelError(
            f"{name} is a model of transformers, which cannot be imported ({one_line(error)}): "
            "pip install 'cnncomm-bench[transformers]'"
        ) from error
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES or "timm" in kind:
        raise ModelError(
            f"{name} is a {shown(str(kind), 40)}, which is no image classifier of transformers "
            f"{transformers.__version__}: pass a classifier of images"
        )
    if "quantization_config" in config:
        raise ModelError(f"{name} has quantised weights: pass those in float32, float16 or bfloat16")

    try:
        settings = transformers.CONFIG_MAPPING[kind].from_dict(_cleaned(config))
        network = _loaded(transformers, settings, weights, name)
    except BenchError:
        raise
    except Exception as error:  # a config of a stranger breaks its library in any way
        raise ModelError(f"{name}: transformers cannot build what config.json says ({one_line(error)})") from error
    preprocessing, notes = _preprocessing(folder, config, name)
    labels = config.get("id2label")
    names = [labels.get(str(place)) for place in range(len(labels))] if isinstance(labels, dict) else None
    return {
        "network": network,
        "preprocessing": preprocessing,
        "channels": config.get("num_channels") if config.get("num_channels") in (1, 3) else None,
        "class_names": _names(names),
        "notes": notes,
    }


def _loaded(transformers: Any, settings: Any, weights: dict[str, Tensor], name: str) -> nn.Module:
    """The network of a config with its weights, under the names of this version of the library."""
    auto, logging = transformers.AutoModelForImageClassification, transformers.utils.logging
    with torch.device("meta"):  # takes no memory
        claimed = sum(math.prod(one.shape) for one in auto.from_config(settings).state_dict().values())
    held = sum(one.numel() for one in weights.values())
    if claimed > 2 * held + _LARGEST:
        raise ModelError(f"config.json of {name} describes {claimed:,} weights, and its file holds {held:,}: refused")
    cls, verbosity = auto._model_mapping[type(settings)], logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, found = cls.from_pretrained(
            None, config=settings, state_dict=weights, output_loading_info=True, ignore_mismatched_sizes=True
        )
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    misfits = {
        "missing": found["missing_keys"],
        "left over": found["unexpected_keys"],
        "of another shape": [key for key, *_ in found["mismatched_keys"]],
    }
    said = "; ".join(f"{len(keys)} {what} ({listed(sorted(keys))})" for what, keys in misfits.items() if keys)
    if said:
        raise ModelError(f"the weights of {name} do not fit its config.json: {said}. Fetch or save both again")
    network = network.float()
    check_finite(network, name)
    return network  # type: ignore[no-any-return]


def _cleaned(content: Any) -> Any:
    """A config without what names code, weights or kernels."""
    if isinstance(content, dict):
        return {key: _cleaned(value) for key, value in content.items() if not _LEFT_OUT.search(key)}
    return [_cleaned(value) for value in content] if isinstance(content, list) else content


def _preprocessing(folder: Path, config: dict[str, Any], name: str) -> tuple[Preprocessing | None, tuple[str, ...]]:
    """What preprocessor_config.json says, in our terms, and a note where ours differ from it."""
    path = folder / FILES[1]
    if not path.is_file():
        return None, ()
    content = _read(path)
    try:
        resize, size, stretched = _sizes(content, config)
        scale = 255 * float(content.get("rescale_factor", 1 / 255)) if content.get("do_rescale", True) else 255.0
        normal = bool(content.get("do_normalize", True))
        mean = content.get("image_mean", 0.0) if normal else 0.0
        std = content.get("image_std", 1.0) if normal else 1.0
        means, stds = ([float(one) for one in (value if isinstance(value, list) else [value])] for value in (mean, std))
        offset = 1.0 if content.get("rescale_offset") else 0.0
        known = Preprocessing(
            numbers("mean", [(one + offset) / scale for one in means]),
            numbers("std", [one / scale for one in stds]),
            size,
            resize,
            _PIL.get(content.get("resample", 2), "bilinear"),
            path.name,
        )
    except (UsageError, TypeError, ValueError, LookupError, OverflowError, ZeroDivisionError) as error:
        raise ModelError(f"{path.name} of {name} cannot be read ({one_line(error)})") from error
    note = f"{name}: images that are not square are cropped to a square, where transformers would stretch them"
    return known, (note,) if stretched else ()


def _sizes(content: dict[str, Any], config: dict[str, Any]) -> tuple[int | None, int | None, bool]:
    """Shorter side before the crop, side of the crop, and whether the library would change the proportions."""
    size = content.get("size")
    if size is None or not content.get("do_resize", True):
        return None, _side(config.get("image_size")) if isinstance(config.get("image_size"), int) else None, False
    sides = size if isinstance(size, dict) else {"height": size, "width": size}
    shorter: Any = sides.get("shortest_edge", sides.get("height"))
    crop = content.get("crop_size") if content.get("do_center_crop") else None
    side = crop.get("height") if isinstance(crop, dict) else crop
    if "crop_pct" in content and "shortest_edge" in sides and int(shorter) < 384:  # as convnext's processor has it
        return _side(int(shorter / float(content["crop_pct"]))), _side(shorter), False
    return _side(shorter), _side(side or shorter), "shortest_edge" not in sides and side is None


def _side(value: Any) -> int | None:
    if value is not None and not (isinstance(value, int) and 1 <= value <= 1024):
        raise ValueError(f"a side of {shown(str(value), 40)}, expected a whole number from 1 to 1024")
    return value


def _names(names: Any) -> tuple[str, ...] | None:
    """Names of classes, where every one is a text."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return None
    return tuple(shown(name, 80) for name in names)

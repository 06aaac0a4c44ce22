"""Zero-shot classifiers of open_clip: the classes are texts, an image's logits its similarity to each of them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._utils.errors import ModelError, UsageError, suggest
from .._utils.files import one_line, sha256_of, shown
from .._utils.torchvision_operators import import_torchvision
from . import formats
from .architectures import Architecture, nearest
from .fitting import fit
from .preprocessing import INTERPOLATIONS, Preprocessing

PROMPT = "a photo of a {}."
"""Of the class names that are one or two words; longer ones are prompts already."""
_LONGEST_NAME = 2


class ZeroShot(nn.Module):
    """Cosine similarity of an image to texts, as CLIP scales it.

    Parameters
    ----------
    network : nn.Module
        With `encode_image` and `logit_scale`.
    texts : Tensor, shape-(K, D)
        Embeddings of the classes, of norm one.
    """

    texts: Tensor

    def __init__(self, network: nn.Module, texts: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("texts", texts)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape-(N, K)."""
        features: Tensor = F.normalize(self.network.encode_image(images), dim=-1)  # type: ignore[operator]
        return self.network.logit_scale.exp() * features @ self.texts.T  # type: ignore[operator]


def open_clip_model(name: str, class_names: Sequence[str] | None) -> dict[str, Any]:
    """Open a model of open_clip for the classes of a class map.

    Parameters
    ----------
    name : str
        ``ARCHITECTURE:TAG`` with the tag of weights that are fetched, or ``ARCHITECTURE:FILE``.
    class_names : sequence of str or None
        The classes, in the order of the labels.

    Returns
    -------
    dict
        See `hubs.open_name`.

    Raises
    ------
    UsageError
        No classes, no such architecture or tag.
    ModelError
        open_clip is not installed, or the weights cannot be opened.
    """
    if not class_names:
        raise UsageError(
            f"open_clip:{shown(name)} classifies by the names of the classes: pass a class map, one name a line",
            "classes",
        )
    import_torchvision()
    try:
        library = importlib.import_module("open_clip")
    except ImportError as error:
        raise ModelError(
            f"open_clip cannot be imported ({one_line(error)}): pip install 'cnncomm-bench[clip]'"
        ) from error
    plain, _, pretrained = name.partition(":")
    if plain not in library.list_models():  # other names would fetch code's settings from elsewhere
        close = nearest(plain, library.list_models())
        raise UsageError(
            f"open_clip:{shown(name)}: there is no such architecture; {close}expected one of its", "models"
        )
    file = Path(pretrained)
    if pretrained and file.is_file():
        weights, _ = formats.read_weights(file, formats.sniff(file), trust=False)
        network = fit(Architecture(plain, lambda classes: _empty(library, plain), None), weights, shown(file.name))
    else:
        network = _fetched(library, plain, pretrained)
    network.eval()
    prompts = [one if len(one.split()) > _LONGEST_NAME else PROMPT.format(one.replace("_", " ")) for one in class_names]
    with torch.no_grad():
        texts = F.normalize(network.encode_text(library.get_tokenizer(plain)(prompts)).float(), dim=-1)  # type: ignore[operator]
    return {
        "name": f"open_clip:{plain}",
        "network": ZeroShot(network, texts),
        "preprocessing": _preprocessing(network),
        "channels": 3,
        "sha256": sha256_of(file) if pretrained and file.is_file() else "",
        "class_names": tuple(shown(one, 80) for one in class_names),
        "notes": (f"open_clip:{plain}: zero-shot, its classes are {shown(', '.join(prompts), 120)}",),
    }


def _empty(library: Any, name: str) -> nn.Module:
    """The architecture without weights, none of which are fetched."""
    made: nn.Module = library.create_model(name, load_weights=False, pretrained_image=False, pretrained_text=False)
    return made


def _fetched(library: Any, name: str, tag: str) -> nn.Module:
    tags = library.list_pretrained_tags_by_model(name)
    if tag not in tags:
        raise UsageError(
            f"open_clip:{name}:{shown(tag)}: there are no such weights, nor such a file; {suggest(tag, tags)}", "models"
        )
    try:
        made: nn.Module = library.create_model(name, pretrained=tag, weights_only=True)
        return made
    except Exception as error:  # the hub and downloads raise errors of many libraries
        raise ModelError(
            f"open_clip:{name}:{shown(tag)} could not be fetched ({one_line(error)}): download its weights and "
            f"pass open_clip:{name}:FILE",
            "models",
        ) from error


def _preprocessing(network: nn.Module) -> Preprocessing:
    config = getattr(network.visual, "preprocess_cfg", {})
    size = config.get("size", getattr(network.visual, "image_size", 224))
    side = int(size[0] if isinstance(size, tuple | list) else size)
    interpolation = str(config.get("interpolation", "bicubic"))
    return Preprocessing(
        tuple(float(one) for one in config["mean"]),
        tuple(float(one) for one in config["std"]),
        side,
        side,
        interpolation if interpolation in INTERPOLATIONS else "bicubic",
        "open_clip",
    )

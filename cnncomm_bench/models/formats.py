"""Checkpoint files: finds the format from the content and opens it without running anything in it.

A file's first bytes decide, never its ending. Weights come out as a flat state dict; TorchScript, torch.export
and ONNX files carry their own architecture and come out as modules (`programs.py`).
"""

from __future__ import annotations

import contextlib
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from .._utils.errors import ModelError
from .._utils.files import listed, one_line, shown
from .._utils.torchvision_operators import import_torchvision
from . import pickles

# A stored tensor takes its own bytes; only a bomb unpacks to much more than the file that holds it.
_BOMB_RATIO = 20
_BOMB_FLOOR = 64 * 2**20
_LONGEST_HEADER = 2**25  # of safetensors: names and shapes of some 200,000 tensors

# ONNX is protobuf: after the version of the format comes one of these fields.
_ONNX_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42")

_TO_ONNX = (
    "export the model to ONNX (model.export(FILE, format='onnx') in Keras, or tf2onnx) and pass that file, or pass "
    "python:FILE.py:function, which calls it"
)

# Where training scripts put the weights, in the order to look (averaged weights are what people report).
_WRAPPERS = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model_state",
    "model", "module", "net", "network", "weights", "params", "teacher", "student",
)  # fmt: skip


class _Inert:
    """Replaces harmless bookkeeping (an epoch's numpy scalar, parsed arguments) and does nothing."""

    def __new__(cls, *_: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None: ...
    def __setstate__(self, state: Any) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def append(self, item: Any) -> None:
        """Take an item of a pickled list and drop it."""

    def extend(self, items: Any) -> None:
        """Take items of a pickled list and drop them."""


# Replaced by `_Inert`, never called: naming one here executes nothing of it.
_BOOKKEEPING = re.compile(
    r"(numpy\.(_?core)\.multiarray\.(scalar|_reconstruct)|numpy\.(dtype|ndarray)|numpy\.dtypes\.\w+|argparse\.Namespace"
    r"|pathlib\.\w*Path|datetime\.\w+|collections\.(Counter|defaultdict)|omegaconf\.[\w.]+|typing\.Any"
    r"|(pytorch_)?lightning\.[\w.]*AttributeDict|_codecs\.encode|__builtin__\.(set|dict|list)|builtins\.(set|dict|list))"
)


def sniff(path: Path) -> str:
    """Find a model file's format from its content.

    Parameters
    ----------
    path : Path
        An existing regular file.

    Returns
    -------
    str
        ``'torch'`` (a pickle of `torch.save`), ``'safetensors'``, ``'torchscript'``, ``'pt2'`` or ``'onnx'``.

    Raises
    ------
    ModelError
        It is none of them; the message says what it looks like, or that it is cut off.
    """
    with path.open("rb") as file:
        head = file.read(512)
    name = shown(path.name)
    if not head:
        raise ModelError(f"{name} is empty: an interrupted download or save? Fetch or save it again")
    if head.startswith(b"PK"):
        return _sniff_zip(path)
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(f"{name} is a Git LFS pointer, not the weights: run `git lfs pull` in its repository")
    if head.lstrip()[:1] == b"<":
        raise ModelError(f"{name} is a web page, not a checkpoint: download the file itself (the 'raw' link)")
    if head.startswith(b"\x89HDF"):
        raise ModelError(f"{name} is HDF5 (Keras?): {_TO_ONNX}")
    if head[4:8] == b"TFL3":
        raise ModelError(f"{name} is a TensorFlow Lite model: {_TO_ONNX}")
    if int.from_bytes(head[:8], "little") < _LONGEST_HEADER and head[8:9] == b"{":
        return "safetensors"
    if head[:1] == b"\x80":
        return "torch"
    if path.suffix.lower() == ".onnx" or (head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in _ONNX_FIELDS):
        return "onnx"
    if head[:1] in b"(cd}]" and b"\n" in head and path.suffix.lower() in {".pkl", ".pickle", ".pt", ".pth"}:
        return "torch"  # a text pickle: the unpickler has the last word
    raise ModelError(
        f"{name} is not a checkpoint (it starts with {head[:8]!r}): pass a PyTorch state dict, safetensors, "
        "TorchScript, .pt2 or ONNX file"
    )


def _sniff_zip(path: Path) -> str:
    name = shown(path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"{name} is cut off or damaged ({one_line(error)}): fetch or save it again "
            f"({path.stat().st_size} bytes are here)"
        ) from error
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(_BOMB_FLOOR, _BOMB_RATIO * path.stat().st_size):
        raise ModelError(
            f"{name} would unpack {path.stat().st_size} bytes to {unpacked}: that is a zip bomb, not a checkpoint; "
            "it was not opened"
        )
    # PyTorch's reader of zip files takes upper case for lower case, and the first of two members of one name.
    names = [member.filename.lower() for member in members]
    inner = {one.rpartition("/")[2] for one in names} | {one.partition("/")[2] for one in names}
    if "constants.pkl" in inner or any("code/" in one for one in names):
        return "torchscript"
    if any(part.startswith(("serialized_exported_program", "models/")) for part in inner):
        return "pt2"
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise ModelError(f"{name} holds {shown(twice)} twice: no checkpoint of PyTorch does; fetch or save it again")
    if "data.pkl" in inner:
        return "torch"
    if {"config.json", "metadata.json"} <= set(names):
        raise ModelError(f"{name} is a Keras model: {_TO_ONNX}")
    found = listed(sorted(member.filename for member in members)) or "nothing"
    raise ModelError(f"{name} is a zip file but no checkpoint of PyTorch (it holds {found})")


def read_weights(path: Path, kind: str, trust: bool) -> tuple[Any, tuple[str, ...]]:
    """Read the weights of a ``'torch'`` or ``'safetensors'`` file.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        What `sniff` said.
    trust : bool
        Unpickle anything in it, which lets it run any code.

    Returns
    -------
    weights : dict of str to Tensor, or nn.Module
        Weights on the CPU, wrappers removed; a whole module only from a trusted pickle.
    notes : tuple of str
        What was chosen inside the file.

    Raises
    ------
    ModelError
        It is damaged, holds no weights, or wants to run code.
    """
    if kind == "safetensors":
        return _flatten(_read_safetensors(path), path)
    content = _unpickle(path, trust)
    if isinstance(content, torch.nn.Module):
        return content, (f"{shown(path.name)} is a whole pickled module; opened because you trust it",)
    return _flatten(content, path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(path, device="cpu")
        return weights
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{shown(path.name)} is no intact safetensors file ({one_line(error)}): fetch or save it again"
        ) from error


def _unpickle(path: Path, trust: bool) -> Any:
    name = shown(path.name)
    if trust:
        with contextlib.suppress(ModelError):  # the code in it may import torchvision, and need its operators
            import_torchvision()
        try:
            return torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:  # a trusted pickle runs any code, so it may raise anything
            raise ModelError(
                f"{name} cannot be unpickled ({one_line(error)}): the code it was saved with must be importable here"
            ) from error
    scan = pickles.scan(path)
    refused = sorted(item for item in scan.imports if not _allowed(item))
    if refused:
        raise ModelError(
            f"{name} is a pickle that wants to run {listed(refused)}: refused. Save the weights alone "
            "(torch.save(model.state_dict(), FILE)); only if you trust who made it, pass trust, "
            "which lets the file run any code",
            "trust",
        )
    try:
        if scan.fault:
            raise pickle.UnpicklingError(scan.fault)
        inert: list[Any] = [(_Inert, item) for item in sorted(scan.imports) if _BOOKKEEPING.fullmatch(item)]
        with torch.serialization.safe_globals(inert), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol: it loads, or the error says why
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler of a broken file raises nearly every type there is
        raise ModelError(
            f"{name} is no intact checkpoint ({one_line(error)}): fetch or save it again, as a state dict"
        ) from error


def _allowed(name: str) -> bool:
    from torch import _weights_only_unpickler as unpickler

    return name in unpickler._get_allowed_globals() or _BOOKKEEPING.fullmatch(name) is not None


def _flatten(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Find the weights, by the methods of `dict` alone: a pickle may have set attributes of the same names."""
    name, notes = shown(path.name), []
    for _ in range(3):
        if not isinstance(content, dict) or any(isinstance(value, Tensor) for value in dict.values(content)):
            break
        inner = {key: dict.get(content, key) for key in _WRAPPERS}
        wrapper = next((key for key, value in inner.items() if isinstance(value, dict) and dict.__len__(value)), None)
        if wrapper is None:
            break
        notes.append(wrapper)
        content = inner[wrapper]
    if isinstance(content, Tensor):
        raise ModelError(f"{name} holds one tensor, not the weights of a model: save model.state_dict()")
    if not isinstance(content, dict):
        raise ModelError(f"{name} holds a {type(content).__name__}, not weights: save model.state_dict()")
    keys = [key for key in dict.keys(content) if isinstance(key, str)]
    tensors = {key: value for key in keys if isinstance(value := dict.__getitem__(content, key), Tensor)}
    if not tensors:
        raise ModelError(f"{name} holds no weights (its keys: {listed(keys) or 'none'}): save model.state_dict()")
    plain = {key: _plain(name, key, tensor) for key, tensor in tensors.items()}
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in plain.values())
    if claimed > max(_BOMB_FLOOR, _BOMB_RATIO * path.stat().st_size):
        largest = max(plain, key=lambda key: plain[key].numel())
        raise ModelError(
            f"{name}: {shown(largest)} claims {plain[largest].numel()} values, more than the file holds: refused"
        )
    said = (f"{name}: weights taken from its '{'.'.join(notes)}'",) if any("ema" in note for note in notes) else ()
    return plain, said


def _plain(name: str, key: str, tensor: Tensor) -> Tensor:
    """Leave the numbers of a tensor, without the attributes and hooks that a pickle may have set."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ModelError(f"{name}: {shown(key)} is a sparse, quantised or empty tensor: save dense float weights")
    return Tensor.detach(tensor)

"""Checkpoint files: finds the format from the content and opens it without running anything in it.

A file's first bytes decide, never its ending. Weights come out as a flat state dict; TorchScript, torch.export
and ONNX files carry their own architecture and come out as modules (`programs.py`).
"""

from __future__ import annotations

import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from .._utils.errors import ModelError
from .._utils.files import listed, one_line, shown

# A stored tensor takes its own bytes; only a bomb unpacks to much more than the file that holds it.
_BOMB_RATIO = 20
_BOMB_FLOOR = 64 * 2**20

# ONNX is protobuf: after the version of the format comes one of these fields.
_ONNX_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42")

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
        raise ModelError(f"{name} is HDF5 (Keras?): export the model to ONNX and pass that file")
    if int.from_bytes(head[:8], "little") < 10**8 and head[8:9] == b"{":
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
    inner = {member.filename.partition("/")[2] for member in members}
    if "constants.pkl" in inner and any(part.startswith("code/") for part in inner):
        return "torchscript"
    if any(part.startswith(("serialized_exported_program", "models/")) for part in inner) or {
        "serialized_exported_program.json"
    } & {member.filename for member in members}:
        return "pt2"
    if "data.pkl" in inner:
        return "torch"
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
        try:
            return torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:  # a trusted pickle runs any code, so it may raise anything
            raise ModelError(
                f"{name} cannot be unpickled ({one_line(error)}): the code it was saved with must be importable here"
            ) from error
    wanted = _globals_of(path)
    inert: list[Any] = [(_Inert, item) for item in sorted(wanted) if _BOOKKEEPING.fullmatch(item)]
    try:
        with torch.serialization.safe_globals(inert), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol: it loads, or the error says why
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler of a broken file raises nearly every type there is
        refused = sorted(item for item in wanted if not _allowed(item))
        if refused:
            raise ModelError(
                f"{name} is a pickle that wants to run {listed(refused)}: refused. Save the weights alone "
                "(torch.save(model.state_dict(), FILE)); only if you trust who made it, pass trust, "
                "which lets the file run any code",
                "trust",
            ) from error
        raise ModelError(
            f"{name} is no intact checkpoint ({one_line(error)}): fetch or save it again, as a state dict"
        ) from error


def _allowed(name: str) -> bool:
    from torch import _weights_only_unpickler as unpickler

    # Private, so it may go: then every name counts as refused, which only makes a message longer.
    known: dict[str, Any] = getattr(unpickler, "_get_allowed_globals", dict)()
    return name in known or _BOOKKEEPING.fullmatch(name) is not None


def _globals_of(path: Path) -> set[str]:
    """Name what a pickle wants to import, by reading its opcodes; nothing is run."""
    found: set[str] = set()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if member.endswith("data.pkl"):
                        with archive.open(member) as file:
                            found |= set(_globals_in(file, 1))
        else:
            with path.open("rb") as file:
                for one in _globals_in(file, 4):  # magic number, protocol, system, content
                    found.add(one)
    except Exception:  # what can be read of a broken stream is enough: loading it says what is wrong
        return found
    return found


def _globals_in(file: Any, pickles: int) -> Iterator[str]:
    strings: list[str] = []
    memo: dict[int, str] = {}
    for _ in range(pickles):
        for opcode, argument, _position in pickletools.genops(file):
            if opcode.name in {"GLOBAL", "INST"}:
                yield str(argument).replace(" ", ".", 1)
            elif opcode.name == "STACK_GLOBAL":
                yield ".".join(strings[-2:])
            elif opcode.name == "MEMOIZE" and strings:
                memo[len(memo)] = strings[-1]
            elif opcode.name in {"BINGET", "LONG_BINGET"} and argument in memo:
                strings.append(memo[argument])
            elif isinstance(argument, str):
                strings.append(argument)


def _flatten(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    name, notes = shown(path.name), []
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        if any(isinstance(value, Tensor) for value in content.values()):
            break
        wrapper = next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping) and content[key]), None)
        if wrapper is None:
            break
        notes.append(wrapper)
        content = content[wrapper]
    if isinstance(content, Tensor):
        raise ModelError(f"{name} holds one tensor, not the weights of a model: save model.state_dict()")
    if not isinstance(content, Mapping):
        raise ModelError(f"{name} holds a {type(content).__name__}, not weights: save model.state_dict()")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        keys = listed([str(key) for key in content]) or "nothing"
        raise ModelError(f"{name} holds no weights (its keys: {keys}): save model.state_dict()")
    for key, tensor in tensors.items():
        _check_tensor(name, key, tensor, path.stat().st_size)
    said = (f"{name}: weights taken from its '{'.'.join(notes)}'",) if any("ema" in note for note in notes) else ()
    return tensors, said


def _check_tensor(name: str, key: str, tensor: Tensor, file_size: int) -> None:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ModelError(f"{name}: {shown(key)} is a sparse, quantised or empty tensor: save dense float weights")
    if tensor.numel() * tensor.element_size() > max(_BOMB_FLOOR, _BOMB_RATIO * file_size):
        raise ModelError(
            f"{name}: {shown(key)} claims {tensor.numel()} values, more than the file holds; it was not used"
        )

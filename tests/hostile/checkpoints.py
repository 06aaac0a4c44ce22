"""Checkpoints, and the JSON beside them, that are broken, claim too much or want to run code."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import pickle
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from cnncomm_bench._utils.torchvision_operators import import_torchvision

from .attempt import Attempt, executed

NET = """
from torch import nn

def net(num_classes=10):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))
"""
PROTOCOL_2, STOP = b"\x80\x02", b"."
MARK, REDUCE, BUILD, SETITEMS, EMPTY_DICT = b"(", b"R", b"b", b"u", b"}"


def command(model: str, *options: str) -> list[str]:
    """Return the line that opens a model and the bundled images, and stops before it computes."""
    attack = ["--samples", "8", "--attack", "gaussian", "--snr", "20", "--dry-run"]
    return ["--model", model, "--data", "bundled:fashion-mnist", *attack, *options]


def row(
    name: str,
    content: bytes | Callable[[], bytes],
    file: str = "w.pt",
    arch: bool = True,
    beside: dict[str, str | bytes] | None = None,
    options: tuple[str, ...] = (),
    **expected: Any,
) -> Attempt:
    """Return a row that writes one checkpoint, and files beside it."""

    def prepare(folder: Path) -> list[str]:
        (folder / "net.py").write_text(NET)
        (folder / file).write_bytes(content() if callable(content) else content)
        for other, text in (beside or {}).items():
            (folder / other).write_bytes(text if isinstance(text, bytes) else text.encode())
        return command(file, *(("--arch", "net.py:net") if arch else ()), *options)

    return Attempt("checkpoint", name, prepare, **expected)


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield from torchscript()
    yield from code_in_pickles()
    yield from shadows()
    yield from bombs()
    yield from wrong_weights()
    yield from headers_of_safetensors()
    yield from json_beside()
    yield from folders_of_the_hub()
    yield from own_functions()
    yield from onnx_files()
    yield from places()
    yield from damaged()


# Files that this table starts from ------------------------------------------------------------------------------------


@functools.cache
def weights() -> dict[str, torch.Tensor]:
    """The weights of NET."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (4, 1, 3, 3), "0.bias": (4,), "3.weight": (10, 4), "3.bias": (10,)}
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def saved(content: Any, old: bool = False) -> bytes:
    """What torch.save writes."""
    torch.save(content, buffer := io.BytesIO(), _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


def rewritten(content: bytes, change: Callable[[str, bytes], tuple[str, bytes]], *more: tuple[str, bytes]) -> bytes:
    """Write a zip file again, member by member."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        members = [change(member.filename, old.read(member)) for member in old.infolist()]
    with warnings.catch_warnings(), zipfile.ZipFile(buffer := io.BytesIO(), "w") as new:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, changed in (*members, *more):
            new.writestr(name, changed)
    return buffer.getvalue()


def zipped(stream: bytes, *more: tuple[str, bytes]) -> bytes:
    """A zip file of torch.save with this pickle."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name, content in (("w/data.pkl", stream), ("w/byteorder", b"little"), ("w/version", b"3\n"), *more):
            archive.writestr(name, content)
    return buffer.getvalue()


def text(value: str) -> bytes:
    """The opcode of a string."""
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def called(function: str, arguments: bytes) -> bytes:
    """The opcodes of a call; `arguments` are those of its values."""
    return b"c" + function.replace(" ", "\n").encode() + b"\n" + MARK + arguments + b"t" + REDUCE


# TorchScript ----------------------------------------------------------------------------------------------------------


@functools.cache
def script(kind: str) -> bytes:
    """A TorchScript file that writes the file `executed` when it is loaded or called."""
    network = {"from_file": _FromFile, "save": _Save, "setstate": _SetState, "harmless": _Harmless}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network()), buffer := io.BytesIO())
    return buffer.getvalue()


class _Harmless(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)).repeat(1, 10)


class _FromFile(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        written = torch.from_file("executed", True, 4).copy_(torch.ones(4))
        return x.mean((2, 3)).repeat(1, 10) + written.sum()  # else the compiler leaves it out


class _Save(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.save(x, "executed")
        return x.mean((2, 3)).repeat(1, 10)


class _SetState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.training = False
        self.written = torch.ones(4)

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return (torch.ones(4), self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        self.written = torch.from_file("executed", True, 4).copy_(state[0])
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)).repeat(1, 10) + self.written.sum()


def edited(old: str, new: str, member: str = ".py", called_as: str = ".py") -> bytes:
    """The file of `from_file` with its source changed."""

    def change(name: str, content: bytes) -> tuple[str, bytes]:
        if not name.endswith(member):
            return name, content
        return name.removesuffix(member) + called_as, re.sub(old.encode(), new.encode(), content)

    return rewritten(script("from_file"), change)


def torchscript() -> Iterator[Attempt]:
    """Every way to write a file from TorchScript, and every disguise of one."""
    operator = r"torch\.from_file\("
    recipes: dict[str, Callable[[], bytes]] = {
        "from_file and copy_": lambda: script("from_file"),
        "ops.aten.from_file": lambda: edited(operator, "ops.aten.from_file("),
        "save": lambda: script("save"),
        "ops.aten.save": lambda: rewritten(
            script("save"), lambda name, content: (name, content.replace(b"torch.save(", b"ops.aten.save("))
        ),
        "a space before the name": lambda: edited(operator, "torch .from_file("),
        "a line break before the name": lambda: edited(operator, r"torch.\\\n  from_file("),
        "an alias": lambda: edited(r"  _0 = ", "  t = torch\n  _0 = "),
        "getattr": lambda: edited(operator, 'getattr(torch, "from_file")('),
        "a member named .PY": lambda: edited("", "", called_as=".PY"),
        "a duplicate member": lambda: rewritten(
            script("from_file"), lambda name, content: (name, content), ("archive/code/__torch__.py", b"harmless = 1")
        ),
        "__setstate__, while it is loaded": lambda: script("setstate"),
        "nothing at all": lambda: script("harmless"),
    }
    for name, content in recipes.items():
        yield row(f"TorchScript: {name}", content, arch=False, says="TorchScript")
        for file in ("w.safetensors", "w.onnx", "resnet18.pth"):
            yield row(f"TorchScript: {name}, called {file}", content, file, arch=False)
        yield row(f"TorchScript: {name}, with an architecture", content)
    state = saved(weights())
    for member in ("constants.pkl", "CONSTANTS.PKL", "code/__torch__.py", "CODE/x.PY"):
        yield row(
            f"a state dict with {member}",
            functools.partial(
                rewritten, state, lambda name, content: (name, content), (f"archive/{member}", b"\x80\x02).")
            ),
            says="torchscript",
        )
    without = {
        "constants": lambda: rewritten(script("setstate"), _without("constants.pkl")),
        "code": lambda: rewritten(script("setstate"), _without("code/")),
        "data.pkl": lambda: rewritten(script("setstate"), _without("/data.pkl")),
    }
    for name, content in without.items():
        yield row(f"TorchScript without its {name}", content)
    for name, head in (
        ("a pickle", b"\x80\x02}."),
        ("safetensors", b"\x02\0\0\0\0\0\0\0{}"),
        ("ONNX", b"\x08\x08\x12\x00"),
    ):
        yield row(f"TorchScript behind the head of {name}", functools.partial(_joined, head))
        yield row(f"TorchScript behind the head of {name}, alone", functools.partial(_joined, head), arch=False)
    for member in ("serialized_exported_program.json", "w/serialized_exported_program.json", "w/models/model.json"):
        yield row(
            f"a zip file with {member}",
            zipped(PROTOCOL_2 + b"}.", (member, b"{}")),
            arch=False,
            says="can run any code",
        )


def _without(part: str) -> Callable[[str, bytes], tuple[str, bytes]]:
    return lambda name, content: (name.replace(part, "/gone") if part in name else name, content)


def _joined(head: bytes) -> bytes:
    return head + script("setstate")


# Pickles that run code ------------------------------------------------------------------------------------------------

_CODE = {
    "posix system": text("touch executed"),
    "os system": text("touch executed"),
    "builtins eval": text("open('executed', 'w')"),
    "builtins exec": text("open('executed', 'w')"),
    "__builtin__ eval": text("open('executed', 'w')"),
    "builtins open": text("executed") + text("w"),
    "io open": text("executed") + text("w"),
    "_io FileIO": text("executed") + text("w"),
    "subprocess call": MARK + text("touch") + text("executed") + b"l",
    "os mkdir": text("executed"),
    "shutil copy": text("net.py") + text("executed"),
    "torch save": text("x") + text("executed"),
    "torch load": text("w.pt"),
    "torch.jit load": text("w.pt"),
    "torch.hub load": text("a/b") + text("c"),
    "torch.storage _load_from_bytes": text("x"),
    "torch.utils.cpp_extension load_inline": text("x"),
    "numpy load": text("w.pt"),
    "numpy memmap": text("executed") + text("uint8") + text("w+"),
    "numpy.testing._private.utils runstring": text("open('executed', 'w')") + EMPTY_DICT,
    "importlib import_module": text("net"),
    "runpy run_path": text("net.py"),
    "pickle loads": text("x"),
    "functools partial": text("x"),
    "operator attrgetter": text("x"),
    "types CodeType": text("x"),
    "site addsitedir": text("."),
    "webbrowser open": text("file:///executed"),
    "pathlib Path.write_text": text("executed"),
    "codecs encode": text("x") + text("rot13"),
    "torch._utils _import_dotted_name": text("os.system"),
    "torch.serialization safe_globals": text("x"),
    "typing get_type_hints": text("x"),
}


def code_in_pickles() -> Iterator[Attempt]:
    """Functions that a pickle names, in the three forms that a pickle comes in."""
    for function, arguments in _CODE.items():
        stream = PROTOCOL_2 + called(function, arguments) + STOP
        name = function.replace(" ", ".")
        yield row(f"a pickle that calls {name}", zipped(stream), says="wants to run")
        beside = PROTOCOL_2 + EMPTY_DICT + MARK + text("x") + called(function, arguments) + SETITEMS + STOP
        yield row(f"a state dict that calls {name}", zipped(beside), says="wants to run")
        yield row(f"an old file that calls {name}", old_file(stream), says="wants to run")
    for protocol in range(6):
        yield row(f"a bare pickle of protocol {protocol}", pickle.dumps(_Payload(), protocol))
    yield row("code in another data.pkl", zipped(PROTOCOL_2 + b"}.", ("x/data.pkl", _system())))
    yield row("code in a second data.pkl", lambda: rewritten(saved(weights()), _same, ("archive/data.pkl", _system())))
    yield row("code in DATA.PKL", lambda: rewritten(saved(weights()), _same, ("archive/DATA.PKL", _system())))
    yield row(
        "a format version", lambda: rewritten(saved(weights()), _same, ("archive/.format_version", b"9")), accepted=None
    )
    yield row("a data.pkl that is empty", zipped(b""))
    yield row("a data.pkl of text", zipped(b"hello"))
    yield row("a data.pkl without an end", zipped(PROTOCOL_2 + EMPTY_DICT))
    for opcode in b"PQisclo\x81\x82\x83\x84\x92\x93\x95\x96\x97\x98\x8f\x91":
        yield row(f"a data.pkl of the opcode {opcode:#04x} alone", zipped(PROTOCOL_2 + bytes([opcode]) + STOP))


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def _system() -> bytes:
    return PROTOCOL_2 + called("posix system", text("touch executed")) + STOP


def _same(name: str, content: bytes) -> tuple[str, bytes]:
    return name, content


def old_file(stream: bytes) -> bytes:
    """A file of the format before PyTorch 1.6 with this pickle as its content."""
    head = [pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join(head) + stream + pickle.dumps([], 2)


# Attributes that hide methods, and bombs ------------------------------------------------------------------------------


def shadows() -> Iterator[Attempt]:
    """Objects whose attributes have the names of the methods that a reader calls."""
    for name in ("items", "get", "keys", "values", "__iter__", "__len__", "__class__", "__getitem__", "pop", "copy"):
        yield row(
            f"a dictionary whose {name} is a number", functools.partial(_shadowed_dictionary, name), accepted=None
        )
    for name in ("numel", "element_size", "shape", "dim", "layout", "device", "is_quantized", "detach", "float",
                 "dtype",                 "__class__", "to", "clone", "data", "grad", "_backward_hooks", "untyped_storage"):  # fmt: skip
        yield row(f"a tensor whose {name} is a number", functools.partial(_shadowed_tensor, name), accepted=None)


def _shadowed_dictionary(name: str) -> bytes:
    content = (
        PROTOCOL_2
        + b"ccollections\nOrderedDict\n)R"
        + EMPTY_DICT
        + MARK
        + text(name)
        + b"K\x03"
        + SETITEMS
        + BUILD
        + STOP
    )
    return zipped(content)


def _shadowed_tensor(name: str) -> bytes:
    def change(member: str, content: bytes) -> tuple[str, bytes]:
        if not member.endswith("data.pkl"):
            return member, content
        # The first tensor gets a state: _rebuild_from_type_v2(rebuild, type, arguments, state).
        start, end = (
            content.index(b"ctorch._utils\n_rebuild_tensor_v2"),
            content.index(b"R", content.index(b"OrderedDict") + 20),
        )
        rebuild, arguments = (
            content[start : content.index(b"q", start) + 2],
            content[content.index(b"q", start) + 2 : end],
        )
        state = EMPTY_DICT + MARK + text(name) + b"K\x03" + SETITEMS
        call = (
            b"ctorch._tensor\n_rebuild_from_type_v2\n"
            + MARK
            + rebuild
            + b"ctorch\nTensor\n"
            + arguments
            + state
            + b"tR"
        )
        return member, content[:start] + call + content[end + 1 :]

    return rewritten(saved(weights()), change)


def bombs() -> Iterator[Attempt]:
    """Small files that take memory, time or stack."""
    for depth in (101, 5_000, 100_000, 3_000_000):
        key = b"N" + b"\x85" * depth
        yield row(f"a tuple of {depth} levels as a key", _state(key, b"N"), says="nested more than 100 deep")
        yield row(f"a tuple of {depth} levels as a value", _state(text("x"), key), says="nested more than 100 deep")
    for name, opener, closer in (("lists", b"]", b"a"), ("dictionaries", b"}N", b"s"), ("marked tuples", MARK, b"t")):
        yield row(f"5,000 {name} in each other", _state(text("x"), opener * 5000 + b"N" + closer * 5000))
    shared = b"N\x85q\x01" + b"h\x01h\x01\x86q\x01" * 90
    yield row("a tuple of 2^90 parts as a key", _state(shared, b""), says="a tuple in it has more than")
    yield row("a tuple of 2^90 parts as a value", _state(text("x"), shared), says="a tuple in it has more than")
    yield row(
        "a tuple of 2^90 parts in a list", _state(text("x"), b"](" + shared + b"e"), says="a tuple in it has more than"
    )
    for size in (3_000_000_000, 10**12, 2**63 - 1):
        number = b"\x8a\x08" + size.to_bytes(8, "little")
        for function in ("builtins bytearray", "__builtin__ bytearray"):
            yield row(f"{function.replace(' ', '.')} of {size}", _state(text("x"), called(function, number)))
        for function in (
            "torch FloatTensor",
            "torch Tensor",
            "torch.storage UntypedStorage",
            "torch.storage TypedStorage",
        ):
            yield row(f"{function.replace(' ', '.')} of {size}", _state(text("x"), called(function, number)))
    for codec in ("punycode", "idna", "zlib_codec", "bz2_codec", "unicode_escape", "utf-32"):
        encode = called("_codecs encode", text("ü" * 10_000) + text(codec))
        yield row(f"text encoded as {codec}", _state(text("x"), encode), says="something else than the bytes")
    for shape in ((10**12,), (100_000, 100_000), (1, 100_000, 3, 3), (10**9, 4)):
        state = {**weights(), "3.weight": torch.zeros(1).expand(shape)}
        yield row(f"a stride of 0 and the shape {shape}", functools.partial(saved, state))
    channels = torch.zeros(1).expand(4, 100_000, 3, 3)
    yield row("a convolution of 100,000 channels", lambda: saved({**weights(), "0.weight": channels}))
    yield row("a head of 10^7 classes, by its bias alone", lambda: saved({"3.bias": torch.zeros(1).expand(10**7)}))
    yield row("2,000 prefixes", lambda: saved({f"p{index}.3.bias": torch.zeros(1) for index in range(2_000)}))
    yield row(
        "an integer of 100,000 digits as a key", _state(b"\x8b" + struct.pack("<I", 50_000) + b"\x7f" * 50_000, b"N")
    )
    yield row("a zip bomb of weights", lambda: _bomb("w/data/0", 100_000_000), says="zip bomb")
    yield row("a zip bomb of a pickle", lambda: _bomb("w/data.pkl", 100_000_000), says="zip bomb")
    yield row(
        "a zip file of 20,000 members", lambda: zipped(PROTOCOL_2 + b"}.", *((f"w/{i}", b"") for i in range(20_000)))
    )
    yield row(
        "an opcode too many", lambda: zipped(PROTOCOL_2 + b"N0" * 250_000 + b"}."), says="more than 500000 opcodes"
    )
    yield row("a storage larger than its record", functools.partial(_claimed, b"K\x04", b"J\0\0\x10\0"))
    yield row("a storage on a device that is not there", functools.partial(_claimed, b"cpu", b"xyz"), accepted=None)


def _state(key: bytes, value: bytes) -> bytes:
    return zipped(PROTOCOL_2 + EMPTY_DICT + MARK + key + value + SETITEMS + STOP)


def _bomb(member: str, size: int) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, bytes(size))
    return buffer.getvalue()


def _claimed(old: bytes, new: bytes) -> bytes:
    return rewritten(saved(weights()), lambda n, c: (n, c.replace(old, new) if n.endswith("data.pkl") else c))


# Weights, headers, JSON -----------------------------------------------------------------------------------------------


def wrong_weights() -> Iterator[Attempt]:
    """Files that open and do not fit."""
    state = weights()
    cases: dict[str, Any] = {
        "nothing": {},
        "a list": [1, 2],
        "a tensor": torch.zeros(3),
        "a number": 7,
        "text": "weights",
        "none": None,
        "a set": {1, 2},
        "numbers as keys": {1: torch.zeros(1), 2: torch.zeros(2)},
        "tuples as keys": {("0", "weight"): torch.zeros(1)},
        "wrappers in each other": {"state_dict": {"state_dict": {"state_dict": {"state_dict": state}}}},
        "an empty wrapper": {"state_dict": {}},
        "a key too few": {key: value for key, value in state.items() if key != "3.bias"},
        "a key too many": {**state, "4.weight": torch.zeros(1)},
        "a key with an escape code": {**state, "\x1b[31mred": torch.zeros(1)},
        "a key with line breaks": {**state, "a\n\rb": torch.zeros(1)},
        "a key of 100,000 letters": {**state, "x" * 100_000: torch.zeros(1)},
        "a key of half a surrogate": {**state, "\ud800": torch.zeros(1)},
        "no rows": {**state, "3.weight": torch.zeros(0, 4), "3.bias": torch.zeros(0)},
        "one class": {**state, "3.weight": torch.zeros(1, 4), "3.bias": torch.zeros(1)},
        "no channels": {**state, "0.weight": torch.zeros(4, 0, 3, 3)},
        "NaN": {**state, "3.bias": torch.full((10,), float("nan"))},
        "infinity": {**state, "0.weight": torch.full((4, 1, 3, 3), float("inf"))},
        "sparse": {**state, "3.weight": torch.zeros(10, 4).to_sparse()},
        "sparse by rows": {**state, "3.weight": torch.eye(10, 4).to_sparse_csr()},
        "on the meta device": {**state, "3.weight": torch.zeros(10, 4, device="meta")},
        "quantised": {**state, "3.weight": torch.quantize_per_tensor(torch.zeros(10, 4), 0.1, 0, torch.qint8)},
        "a scalar": {**state, "3.bias": torch.tensor(1.0)},
        "5 dimensions": {**state, "0.weight": torch.zeros(4, 1, 3, 3, 1)},
        "other classes in weight and bias": {**state, "3.bias": torch.zeros(7)},
    }
    for name, content in cases.items():
        yield row(f"weights: {name}", functools.partial(saved, content))
        yield row(f"weights: {name}, in an old file", functools.partial(saved, content, True))
    for dtype in (
        torch.int8,
        torch.bool,
        torch.complex64,
        torch.float8_e4m3fn,
        torch.float16,
        torch.float64,
        torch.int64,
    ):
        content = {key: value.to(dtype) for key, value in state.items()}
        yield row(f"weights of {dtype}", functools.partial(saved, content), accepted=None)


def headers_of_safetensors() -> Iterator[Attempt]:
    """Headers that contradict the file behind them."""
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    headers: dict[str, Any] = {
        "nothing": {},
        "no offsets": {"a": {"dtype": "F32", "shape": [4]}},
        "an offset behind the end": {"a": entry | {"data_offsets": [0, 10**9]}},
        "offsets in the wrong order": {"a": entry | {"data_offsets": [16, 0]}},
        "offsets that overlap": {"a": entry, "b": entry},
        "a negative shape": {"a": entry | {"shape": [-4]}},
        "a shape that overflows": {"a": entry | {"shape": [2**62, 2**62]}},
        "a shape of 10^300": {"a": entry | {"shape": [10**300]}},
        "10^9 empty sides": {"a": entry | {"shape": [0, 10**9], "data_offsets": [0, 0]}},
        "another kind of number": {"a": entry | {"dtype": "F33"}},
        "metadata alone": {"__metadata__": {"a": "b"}},
        "a list": [entry],
        "a key with an escape code": {"\x1b[2J": entry},
    }
    for name, header in headers.items():
        content = json.dumps(header).encode()
        yield row(f"safetensors: {name}", struct.pack("<Q", len(content)) + content + bytes(16), "w.safetensors")
    double = b'{"a":' + json.dumps(entry).encode() + b',"a":' + json.dumps(entry).encode() + b"}"
    yield row("safetensors: a key twice", struct.pack("<Q", len(double)) + double + bytes(16), "w.safetensors")
    for length in (0, 1, 2**24, 2**26, 2**32, 2**63, 2**64 - 1):
        yield row(f"safetensors: a header of {length} bytes", struct.pack("<Q", length) + b"{}", "w.safetensors")
    deep = b"[" * 100_000
    yield row(
        "safetensors: a header of 100,000 brackets", struct.pack("<Q", len(deep) + 1) + b"{" + deep, "w.safetensors"
    )


def folders_of_the_hub() -> Iterator[Attempt]:
    """A folder with a config.json that claims too much, names code, or is none."""
    vit = {
        "model_type": "vit",
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    timm = {"architecture": "resnet10t"}
    code = {"auto_map": {"AutoConfig": "evil.C", "AutoModelForImageClassification": "evil.M"}}
    contents: dict[str, Any] = {
        "a huge width": vit | {"hidden_size": 10**12},
        "many layers": vit | {"num_hidden_layers": 10**9},
        "an image of terabytes": vit | {"image_size": 10**6, "patch_size": 1},
        "a million classes": vit | {"num_labels": 2**20},
        "code of its own": vit | code,
        "an unknown kind with code of its own": {"model_type": "evil", **code},
        "kernels from elsewhere": vit | {"_attn_implementation": "evil/kernels"},
        "a backbone from elsewhere": {"model_type": "timm_wrapper", "architecture": "hf-hub:evil/model"},
        "an architecture with a path": {"architecture": "../net"},
        "an architecture of the hub": {"architecture": "hf-hub:evil/model"},
        "sides of text": timm | {"pretrained_cfg": {"input_size": ["a", "b", "c"]}},
        "a crop of zero": timm | {"pretrained_cfg": {"crop_pct": 0, "input_size": [3, 10**6, 10**6]}},
        "numbers that are not finite": '{"model_type": "vit", "hidden_size": 1e999}',
        "nothing": "",
        "deep nesting": "[" * 100_000,
        "an escape sequence": {"model_type": "\x1b[2J"},
    }

    def prepare(content: Any, folder: Path) -> list[str]:
        with contextlib.suppress(ImportError):  # before any clock runs
            import_torchvision()
            importlib.import_module("transformers.models.vit.modeling_vit")
        (folder / "hub").mkdir()
        (folder / "hub" / "evil.py").write_text(f"open({str(executed(folder))!r}, 'w')\n")
        (folder / "hub" / "config.json").write_text(content if isinstance(content, str) else json.dumps(content))
        safetensors.torch.save_file(weights(), folder / "hub" / "model.safetensors")
        return command("hub")

    for name, content in contents.items():
        yield Attempt("checkpoint", f"a folder whose config.json has {name}", functools.partial(prepare, content))


def own_functions() -> Iterator[Attempt]:
    """Functions of numpy arrays that return nonsense, raise, or end the process."""
    bodies = {
        "returns text": "return 'cat'",
        "returns nothing": "return None",
        "returns objects": "return [object()] * len(x)",
        "returns ragged rows": "return [[1.0]] + [[1.0, 2.0]] * (len(x) - 1)",
        "returns NaN": "import numpy as np; return np.full((len(x), 10), np.nan)",
        "raises an error of many lines": "raise RuntimeError('a\\nb\\x1b[2J')",
        "writes to the images": "x[:] = 9; return x[:, 0, 0, :1] * [[1.0] * 9]",
    }

    def prepare(body: str, folder: Path) -> list[str]:
        (folder / "own.py").write_text(f"def f(x):\n    {body}\n")
        return command("python:own.py:f")

    for name, body in bodies.items():
        yield Attempt("checkpoint", f"a function that {name}", functools.partial(prepare, body))


def json_beside() -> Iterator[Attempt]:
    """A model.json that makes no sense, or names code."""
    named = [
        "net.py:net", "./net.py:net", "os:system", "net:net", "timm:../net", "torchvision:net.py:net",
        "FILE.py:factory",
        "timm:hf-hub:evil/model", "hf-hub:evil/model", "\x1b[2J", "resnet18\n", "", "x" * 10_000, "nn.Linear",
    ]  # fmt: skip
    for architecture in named:
        content = json.dumps({"architecture": architecture})
        yield row(
            f"model.json names {architecture[:40]!r}",
            functools.partial(saved, weights()),
            arch=False,
            beside={"model.json": content},
        )
    broken: list[str | bytes] = [
        '{"size": 1e999}', '{"size": 0}', '{"size": -1}', '{"size": 4096}', '{"size": 28.5}', '{"size": "28"}',
        '{"size": [28]}',
        '{"size": true}' + " ", '{"size": 28, "size": 32}', '{"mean": NaN}', '{"mean": [], "std": []}', '{"mean": "x"}',
        '{"mean": {"a": 1}}', '{"mean": [0, 0]}', '{"std": 0}', '{"std": -1}', '{"std": 1e-400}', '{"mean": 1e999}',
        '{"mean": 128, "std": 64}', '{"mean": 0, "interpolation": "x"}', '{"mean": 0, "interpolation": []}',
        '{"size": 28, "channels": 0, "class_names": []}', '{"size": 28, "channels": 100000}',
        '{"size": 28, "channels": "3"}',
        '{"size": 28, "channels": 1e999}', '{"size": 28, "channels": [1]}', '{"size": 28, "resize": 0}',
        '{"size": 28, "resize": 1e9}',
        "[]", "7", "null", '"x"', "", "{", "[" * 100_000, '{"a":' * 100_000, '{"size": ' + "9" * 10_000 + "}",
        b"\xff\xfe{}", b"\x80\x04.", " " * (2**22 + 1), '{"mean": ' + json.dumps([0.5] * 100_000) + "}",
        '{"architecture": 7}', '{"architecture": ["net.py:net"]}', '{"architecture": {"a": "net.py:net"}}',
    ]  # fmt: skip
    for index, content in enumerate(broken):
        says = content[:40] if isinstance(content, str) else content[:10]
        for file in ("model.json", "w.json"):
            harmless = isinstance(content, str) and ("true" in content or "architecture" in content)
            yield row(
                f"{file} {index}: {says!r}",
                functools.partial(saved, weights()),
                beside={file: content},
                accepted=None if harmless else False,
            )
    for index, names in enumerate(
        (["\x1b[2J"] * 10, [None] * 10, [["x"]] * 10, ["x" * 10_000] * 10, "abcdefghij", {"0": "a"}, 7)
    ):
        content = json.dumps({"mean": 0.5, "class_names": names})
        yield row(
            f"class names {index} of model.json",
            functools.partial(saved, weights()),
            beside={"model.json": content},
            accepted=True,
        )
    for option in ("--mean=1e999", "--mean=nan", "--std=0", "--mean=1,2,3", "--std=x", "--mean=", "--size=5000",
                   "--mean=\x1b[2J",
                   "--arch=\x1b[2J", "--arch=net.py", "--arch=:", "--arch=net.py:", "--arch=:net", "--arch=timm:",
                   "--arch=" + "x" * 300,
                   "--arch=net.py:__builtins__", "--arch=..:net", "--arch=os:system:"):  # fmt: skip
        yield row(
            f"option {option[:30]!r}",
            functools.partial(saved, weights()),
            arch=not option.startswith("--arch"),
            options=(option,),
        )


def onnx_files() -> Iterator[Attempt]:
    """ONNX graphs that do not end, take memory, or read other files."""
    for name in (
        "endless loop",
        "loop in a branch",
        "memory",
        "external data",
        "two inputs",
        "text",
        "one class",
        "3 sides",
        "large sides",
    ):
        yield row(f"ONNX: {name}", functools.partial(_onnx, name), "w.onnx", arch=False)
    yield row(
        "ONNX: a head and noise", b"\x08\x08\x12\x07pytorch" + random.Random(0).randbytes(500), "w.onnx", arch=False
    )


def _onnx(name: str) -> bytes:
    from onnx import TensorProto, helper

    true = helper.make_tensor("t", TensorProto.BOOL, [], [True])
    value, logits = helper.make_tensor_value_info, ["y"]
    inner = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"])], "body",
        [value("i", TensorProto.INT64, []), value("c", TensorProto.BOOL, [])], [value("d", TensorProto.BOOL, [])],
    )  # fmt: skip
    loop = [
        helper.make_node("Constant", [], ["t"], value=true),
        helper.make_node("Constant", [], ["m"], value=helper.make_tensor("m", TensorProto.INT64, [], [2**62])),
        helper.make_node("Loop", ["m", "t"], [], body=inner),
    ]
    mean = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], logits)]
    inputs, initial = [value("x", TensorProto.FLOAT, ["n", 10, 28, 28])], []
    if name == "endless loop":
        mean = loop + mean
    elif name == "loop in a branch":
        branch = helper.make_graph(
            [*loop, helper.make_node("Identity", ["t"], ["z"])], "b", [], [value("z", TensorProto.BOOL, [])]
        )
        mean += [
            helper.make_node("Constant", [], ["q"], value=true),
            helper.make_node("If", ["q"], ["z"], then_branch=branch, else_branch=branch),
        ]
    elif name == "memory":
        initial = [helper.make_tensor("s", TensorProto.INT64, [2], [200_000, 200_000])]
        mean += [helper.make_node("ConstantOfShape", ["s"], ["big"]),
                 helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0),
                 helper.make_node("Add", ["y", "sum"], ["out"])]  # fmt: skip
        logits = ["out"]
    elif name == "external data":
        outside = helper.make_tensor("e", TensorProto.FLOAT, [10], [0.0] * 10)
        outside.ClearField("float_data")
        outside.data_location = TensorProto.EXTERNAL
        for key, entry in (("location", "../canary.txt"), ("offset", "0"), ("length", "40")):
            outside.external_data.add(key=key, value=entry)
        initial, mean, logits = [outside], [*mean, helper.make_node("Add", ["y", "e"], ["out"])], ["out"]
    elif name == "two inputs":
        inputs.append(value("x2", TensorProto.FLOAT, [1]))
    elif name == "text":
        inputs, mean = [value("x", TensorProto.STRING, ["n", 1, 28, 28])], [helper.make_node("Identity", ["x"], ["y"])]
    elif name == "one class":
        inputs = [value("x", TensorProto.FLOAT, ["n", 1, 28, 28])]
    elif name == "3 sides":
        inputs = [value("x", TensorProto.FLOAT, ["n", 1, 28])]
    elif name == "large sides":
        inputs = [value("x", TensorProto.FLOAT, [10**6, 10, 28, 28])]
    kind = TensorProto.STRING if name == "text" else TensorProto.FLOAT
    graph = helper.make_graph(mean, "g", inputs, [value(logits[0], kind, None)], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8).SerializeToString()


def places() -> Iterator[Attempt]:
    """Paths that are no file, and names that no terminal should see."""

    def at(name: str, make: Callable[[Path], object], model: str, **expected: Any) -> Attempt:
        def prepare(folder: Path) -> list[str]:
            (folder / "net.py").write_text(NET)
            make(folder)
            return command(model, "--arch", "net.py:net")

        return Attempt("checkpoint", name, prepare, **expected)

    def nothing(folder: Path) -> None: ...

    yield at("a folder", lambda f: (f / "w.pt").mkdir(), "w.pt", says="is a folder")
    yield at("a named pipe", lambda f: os.mkfifo(f / "w.pt"), "w.pt", says="no regular file")
    yield at("a link to nothing", lambda f: (f / "w.pt").symlink_to("gone"), "w.pt")
    yield at("a loop of links", lambda f: (f / "w.pt").symlink_to("w.pt"), "w.pt")
    yield at("a link to /dev/zero", lambda f: (f / "w.pt").symlink_to("/dev/zero"), "w.pt", says="no regular file")
    yield at(
        "model.json is a folder",
        lambda f: ((f / "w.pt").write_bytes(saved(weights())), (f / "model.json").mkdir()),
        "w.pt",
        accepted=True,
    )
    yield at(
        "model.json is a pipe",
        lambda f: ((f / "w.pt").write_bytes(saved(weights())), os.mkfifo(f / "model.json")),
        "w.pt",
        accepted=True,
    )
    for model in ("x" * 300, "y" * 5000, "a/" * 3000, "~nobody-of-that-name/w.pt", "\ud8ff.pt", "\x1b[2J.pt", "w.pt/x",
                  "", " ", ".", "..",
                  "/dev/zero", "/dev/null", "/proc/self/mem", ":", "bundled:", "bundled:../standard", "bundled:\x1b[2J",
                  "torchvision:",
                  "torchvision:resnet18:\x1b[2J", "timm:", "timm:../x", "robustbench:", "robustbench:x", "hf-hub", "file:///etc/passwd",
                  "http://127.0.0.1:9/w.pt", "a\nb.pt"):  # fmt: skip
        yield at(f"the path {model[:40]!r}", nothing, model)
    for name in (
        "x" * 252 + ".pt",
        "\udcff.pt",
        "\x1b[2J.pt",
        "a\nb.pt",
        "$x^{2$.pt",
        "ü" * 60 + ".pt",
        " .pt",
        "-w.pt",
    ):

        def prepare(folder: Path, name: str = name) -> list[str]:
            (folder / "net.py").write_text(NET)
            (folder / name).write_bytes(saved(weights()))
            return command(f"./{name}", "--arch", "net.py:net")

        yield Attempt("checkpoint", f"a file called {name[:20]!r}", prepare, accepted=None)


# Damage ---------------------------------------------------------------------------------------------------------------


def damaged() -> Iterator[Attempt]:
    """Files that were cut off, and files with a few bits turned over."""
    formats = {
        "zip": saved(weights()),
        "old": saved({"state_dict": weights()}, True),
        "safetensors": safetensors.torch.save(weights()),
        "TorchScript": script("harmless"),
    }
    for kind, content in formats.items():
        arch = kind != "TorchScript"
        trust = () if arch else ("--trust",)
        for step in range(16):
            cut = content[: len(content) * step // 16]
            yield row(f"{kind}, cut at {step}/16", cut, arch=arch, options=trust)
        for seed in range(25):
            changes = random.Random(seed)
            turned = bytearray(content)
            for _ in range(changes.randint(1, 4)):
                turned[changes.randrange(len(turned))] ^= 1 << changes.randrange(8)
            yield row(f"{kind}, bits of seed {seed}", bytes(turned), arch=arch, accepted=None)

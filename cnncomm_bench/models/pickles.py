"""Reads the opcodes of a pickle before it is unpickled: which names it imports, and whether it is a bomb."""

from __future__ import annotations

import io
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from .._utils.files import one_line

MAX_OPCODES = 500_000
"""A checkpoint with an optimizer of a thousand tensors has about 100,000."""
MAX_DEPTH = 100
"""Of tuples, lists and dictionaries in each other: hashing a tuple of a million levels overflows C's stack."""
_PICKLES_OF_OLD_FORMAT = 5  # magic number, protocol, system, content, keys of the storages

_MUTATIONS = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")
_TUPLES = ("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE")


@dataclass(frozen=True)
class Scan:
    """What a pickle would do.

    Attributes
    ----------
    imports : frozenset of str
        Names of functions and classes, as ``"os.system"``.
    fault : str
        Why it must not be unpickled: a bomb, or no pickle; empty where it may be.
    """

    imports: frozenset[str]
    fault: str = ""


class _Bomb(ValueError):
    """The pickle takes too much time, memory or stack."""


def scan(path: Path) -> Scan:
    """Read the opcodes of a file of `torch.save`; nothing is run.

    Parameters
    ----------
    path : Path
        A zip file, or the format before PyTorch 1.6. Of a zip file the very bytes that `torch.load` takes are read.
    """
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"  # what torch.load goes by
            file.seek(0)
            if zipped:
                content: IO[bytes] = io.BytesIO(torch._C.PyTorchFileReader(file).get_record("data.pkl"))
                _read(content, 1, found)
            else:
                _read(file, _PICKLES_OF_OLD_FORMAT, found)
    except _Bomb as error:
        return Scan(frozenset(found), str(error))
    except Exception as error:  # a broken stream may end anywhere
        return Scan(frozenset(found), one_line(error))
    return Scan(frozenset(found))


class _Value(NamedTuple):
    """What is known of a value on the stack of the unpickler."""

    depth: int
    parts: int = 1
    constant: Any = None


def _read(file: IO[bytes], pickles: int, found: set[str]) -> None:
    """Follow the stack of the unpickler, with the size of each value in its place."""
    count = 0
    for _ in range(pickles):
        stack: list[_Value | None] = []  # None is a mark
        memo: dict[Any, _Value | None] = {}
        for opcode, argument, _position in pickletools.genops(file):
            count += 1
            if count > MAX_OPCODES:
                raise _Bomb(f"it has more than {MAX_OPCODES} opcodes")
            name = opcode.name
            if name.endswith("PUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name.endswith("GET"):
                stack.append(memo[argument])
            elif name == "MARK":
                stack.append(None)
            else:
                _apply(opcode, argument, stack, found)


def _apply(opcode: Any, argument: Any, stack: list[_Value | None], found: set[str]) -> None:
    name, taken = opcode.name, _take(opcode, stack)
    depth = 1 + max(value.depth for value in taken) if taken else 0
    parts = 1
    constant: Any = argument if isinstance(argument, str | int) else None
    if name in ("GLOBAL", "INST", "STACK_GLOBAL"):
        names = (
            [str(value.constant) for value in taken] if name == "STACK_GLOBAL" else [str(argument).replace(" ", ".", 1)]
        )
        constant = ".".join(names)
        found.add(constant)
    elif name in _TUPLES:
        parts, constant = 1 + sum(value.parts for value in taken), tuple(value.constant for value in taken[:4])
    elif name == "REDUCE":
        constant = _called(taken[0].constant, taken[1].constant)
    elif name in _MUTATIONS:
        depth, constant = (
            max(taken[0].depth, 1 + max((value.depth for value in taken[1:]), default=0)),
            taken[0].constant,
        )
    elif name == "DUP":
        stack.append(taken[0])
    if depth > MAX_DEPTH:
        raise _Bomb(f"its content is nested more than {MAX_DEPTH} deep")
    if parts > MAX_OPCODES:
        raise _Bomb(f"a tuple in it has more than {MAX_OPCODES} parts")
    stack.extend(_Value(depth, parts, constant) for _ in opcode.stack_after[:1])


def _take(opcode: Any, stack: list[_Value | None]) -> list[_Value]:
    """Pop what an opcode consumes, in its order."""
    taken: list[_Value] = []
    if pickletools.markobject in opcode.stack_before:
        while (item := stack.pop()) is not None:
            taken.append(item)
        taken.reverse()
        ahead = opcode.stack_before.index(pickletools.markobject)
    else:
        ahead = len(opcode.stack_before)
    for _ in range(ahead):
        item = stack.pop()
        if item is None:
            raise ValueError(f"{opcode.name} takes a mark")
        taken.insert(0, item)
    return taken


def _called(function: Any, arguments: Any) -> str | None:
    """Refuse calls of harmless functions whose cost is in their arguments; text stands for the bytes of an array."""
    if function not in ("_codecs.encode", "builtins.bytearray"):
        return None
    text, encoding = (arguments[:1], arguments[1:]) if isinstance(arguments, tuple) else ((None,), ())
    latin = encoding in (("latin1",), ("latin-1",)) or (encoding == () and function != "_codecs.encode")
    if not latin or not all(isinstance(part, str) for part in text):
        raise _Bomb(f"it calls {function} on something else than the bytes of an array")
    return ""

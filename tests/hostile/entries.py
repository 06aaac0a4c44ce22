"""Leaderboard entries of strangers: `leaderboard render` and `leaderboard verify` read them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

from . import stored
from .attempt import Attempt

SURFACE = "entry"


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield Attempt(SURFACE, "as it was written", partial(_render, content=None), accepted=True)
    command = cycle([_render, _verify])
    rows = [*_fields(), *_values(), *_texts(), *_bytes()]
    for (name, content, says), prepare in zip(rows, command, strict=False):
        yield Attempt(SURFACE, name, partial(prepare, content=content), says=says)
    yield from _kinds()


def _write(folder: Path, content: Any) -> Path:
    path = folder / "boards" / "d" / "m.json"
    path.parent.mkdir(parents=True)
    if content is None:
        content = stored.entry_json()
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    path.write_bytes(content)
    return path


def _render(folder: Path, content: Any) -> list[str]:
    return ["leaderboard", "render", "--folder", str(_write(folder, content).parents[1])]


def _verify(folder: Path, content: Any) -> list[str]:
    return ["leaderboard", "verify", str(_write(folder, content))]


Row = tuple[str, Any, str]


def _fields() -> Iterator[Row]:
    """Every field with a value of another kind, left out, or beside one that nobody knows."""
    content = json.loads(stored.entry_json())
    content["scores"][0]["replicates"] = content["scores"][0]["replicates"][:100]  # cheaper to write
    for where, value in stored.leaves(content):
        for what, wrong in stored.wrong_values(value).items():
            if "parameters" in where and what in ("text", "a number", "a fraction"):  # any of them goes there
                continue
            if what == "null" and (where[-1] == "size" or (where[0] == "thresholds" and not isinstance(value, str))):
                continue  # which may be null
            says = "schema version" if where == ("schema_version",) else "corrupt"
            yield f"{stored.named(where)} is {what}", stored.changed(content, where, wrong), says
    optional = {
        "size",
        "resize",
        "interpolation",
        "title",
        "samples",
        "parameters",
        "bits",
        "findings",
        "which",
        "right",
    }
    for where, found in stored.containers(content):
        if {"parameters", "versions"} & set(where):
            continue
        for key in sorted(found.keys() - optional):
            yield f"without {stored.named((*where, key))}", stored.without(content, where, key), key
        yield f"unknown {stored.named((*where, 'x'))}", stored.changed(content, (*where, "x"), 1), "x"


def _values() -> Iterator[Row]:
    """Values of the right kind that no entry can have."""
    content = json.loads(stored.entry_json())
    score, curve, cell = content["scores"][0], content["curves"][0], content["cells"][0]
    for where, values in {
        ("schema_version",): (0, 3, 99, 2**63, True),
        ("bits",): (0, -1, 17, 2**50),
        ("batch_size",): (0, -1, 2**53),
        ("seeds",): ([], [-1], [2**63], [0] * 2000),
        ("command",): ("x" * 5_000_000,),
        ("device",): ("x" * 301,),
        ("versions",): ({"x" * 301: ""}, {str(n): "" for n in range(101)}),
        ("findings",): (["x" * 2001], ["x"] * 101),
        ("model", "name"): ("", "x" * 301),
        ("model", "sha256"): ("", "0" * 63, "0" * 65, "G" * 64, "../../x"),
        ("model", "size"): (0, -1, 2**53),
        ("model", "mean"): ([1e300], [0.0] * 100_000),
        ("data", "images"): (0, -1, 2**53),
        ("data", "shape"): ([], [1, 8], [0, 8, 8], [1, 8, 2**40], [1, 8, 8, 8]),
        ("data", "classes"): (0, 1, 10**9),
        ("data", "commonest"): (-0.1, 1.1, 2),
        ("suite", "snr_db"): ([], [30.0, 0.0], [0.0, 0.0], [0.0, 1e300], [float(n) for n in range(1001)]),
        ("suite", "rulers"): ([], ["realised"] * 2, ["r"] * 11),
        ("suite", "attacks"): ([], [content["suite"]["attacks"][0]] * 2),
        ("suite", "attacks", 0, "kind"): ("x", "", "Noise"),
        ("suite", "attacks", 0, "samples"): (0, -1, 2**53),
        ("suite", "attacks", 0, "parameters"): ({str(n): 0 for n in range(101)},),
        ("clean", "accuracy"): (-1e-9, 1.0000001),
        ("scores",): ([], [score] * 21),
        ("scores", 0, "replicates"): ([], [0.5] * 99, [0.5] * 10_001, [2.0] * 100),
        ("thresholds", 0, "side"): ("", "left"),
        ("thresholds", 0, "threshold_db"): (1e300, -1e300),
        ("curves",): ([curve] * 10_001,),
        ("curves", 0, "accuracy"): ([-1.0], [2.0]),
        ("cells", 0, "images"): (0, -1, 2**53),
        ("cells", 0, "correct"): ([-1], [2**53], [0] * 1001),
        ("cells", 0, "seed"): (-1, 2**63),
        ("cells", 0, "which"): ("0," * 4000,),
        ("cells", 0, "right"): ("A" * 300_000,),
        ("cells",): ([cell | {"images": 0}] * 10,),
    }.items():
        for place, value in enumerate(values):
            yield f"{stored.named(where)} wrong in way {place + 1}", stored.changed(content, where, value), "m.json"


def _texts() -> Iterator[Row]:
    """JSON that means different things to different readers, or nothing."""
    text = stored.entry_json()
    for key, value in json.loads(text).items():
        yield f"{key} twice", f'{{"{key}": {json.dumps(value)}, {text.lstrip()[1:]}', "twice"
    for number in ("1e999", "-1e999", "NaN", "Infinity", "-Infinity"):
        for key in ("accuracy", "commonest", "level"):
            changed = json.loads(text)
            place = {"accuracy": ("clean",), "commonest": ("data",), "level": ("thresholds", 0)}[key]
            marked = json.dumps(stored.changed(changed, (*place, key), "NUMBER"))
            yield f"{key} is {number}", marked.replace('"NUMBER"', number), "no finite number"
    for name, wrong in {
        "empty": "", "null": "null", "a list": "[]", "a number": "7", "deep lists": "[" * 100_000,
        "deep dictionaries": '{"a":' * 100_000, "half a pair": '{"model"', "two documents": text + text,
        "escape codes": '{"\x1b[2J": 1}', "9 MiB": " " * (9 << 20),
    }.items():  # fmt: skip
        yield f"it is {name}", wrong, "m.json"


def _bytes() -> Iterator[Row]:
    """The file cut off, and with flipped bits."""
    content = stored.entry_json().rstrip().encode()
    for what, changed in (*stored.cuts(content, 30), *stored.flips(content, 40)):
        yield what, changed, "m.json"


def _kinds() -> Iterator[Attempt]:
    """Links, pipes and folders in place of the file."""
    for what, make in {
        "a folder": Path.mkdir,
        "a pipe": os.mkfifo,
        "a link to nothing": lambda path: path.symlink_to("nothing"),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    }.items():
        for command in (_render, _verify):
            yield Attempt(SURFACE, f"{what}, {command.__name__[1:]}", partial(_of_kind, make=make, command=command))


def _of_kind(folder: Path, make: Any, command: Any) -> list[str]:
    arguments = command(folder, None)
    path = folder / "boards" / "d" / "m.json"
    path.unlink()
    make(path)
    return list(arguments)

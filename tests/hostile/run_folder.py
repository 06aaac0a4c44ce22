"""Run folders of strangers: `report` and `leaderboard add` read them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import stored
from .attempt import Attempt

SURFACE = "run folder"


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield Attempt(SURFACE, "as it was written", partial(_report), accepted=True)
    yield from _fields()
    yield from _texts()
    yield from _values()
    yield from _tables()
    yield from _bytes()
    yield from _kinds()
    yield from _entries()


def _report(folder: Path, content: Any = None, table: pa.Table | None = None) -> list[str]:
    return ["report", str(stored.write_run(folder, content, table))]


def _add(folder: Path, content: Any = None) -> list[str]:
    return ["leaderboard", "add", str(stored.write_run(folder, content)), "--folder", str(folder / "boards")]


def _fields() -> Iterator[Attempt]:
    """Every field of run.json with a value of another kind, left out, or beside one that nobody knows."""
    content = stored.run_json()
    for where, value in stored.leaves(content):
        if "preprocessing" in where:  # anything goes there: an entry is stricter
            continue
        for what, wrong in stored.wrong_values(value).items():
            changed = stored.changed(content, where, wrong)
            yield Attempt(
                SURFACE, f"{stored.named(where)} is {what}", partial(_report, content=changed), says="corrupt"
            )
    required = {"models", "data", "suite", "seeds", "name", "sha256", "images", "shape", "classes", "attacks", "spec"}
    for where, found in stored.containers(content):
        if {"preprocessing", "facts", "versions", "seconds", "left_out"} & set(where):
            continue
        for key in sorted(required & found.keys() - ({"sha256"} if "models" in where else set())):
            changed = stored.without(content, where, key)
            yield Attempt(
                SURFACE, f"without {stored.named((*where, key))}", partial(_report, content=changed), says=key
            )
        changed = stored.changed(content, (*where, "x"), 1)
        yield Attempt(SURFACE, f"unknown {stored.named((*where, 'x'))}", partial(_report, content=changed), says="x")


def _texts() -> Iterator[Attempt]:
    """JSON that means different things to different readers, or nothing."""
    content = stored.run_json()
    text = json.dumps(content)
    for key, value in content.items():
        twice = f'{{"{key}": {json.dumps(value)}, {text[1:]}'
        yield Attempt(SURFACE, f"{key} twice", partial(_report, content=twice), says="twice")
    for name, wrong in {
        "empty": "", "null": "null", "a list": "[]", "a number": "7", "deep lists": "[" * 100_000,
        "deep dictionaries": '{"a":' * 100_000, "half a pair": '{"models"', "a comment": text + " // ok",
        "two documents": text + text, "escape codes": '{"\x1b[2J": 1}', "a NUL": "\0" + text,
    }.items():  # fmt: skip
        yield Attempt(SURFACE, f"run.json is {name}", partial(_report, content=wrong), says="run.json")
    for number in ("1e999", "-1e999", "NaN", "Infinity", "-Infinity"):
        for old in ('"median_norm": 4.0', '"gaussian": 1.0', '"size": 8', '"0": 1.0'):
            wrong = text.replace(old, f"{old.split(':')[0]}: {number}")
            yield Attempt(SURFACE, f"{old} as {number}", partial(_report, content=wrong), says="no finite number")
    yield Attempt(
        SURFACE, "5,000 digits", partial(_report, content=text.replace('"images": 40', f'"images": {"9" * 5000}'))
    )


def _values() -> Iterator[Attempt]:
    """Values of the right kind that no run can have."""
    content = stored.run_json()
    for where, values in {
        ("data", "images"): (0, -1, 2**62, 10**12),
        ("data", "classes"): (0, 1, 10**9, 2**62),
        ("data", "shape"): ([], [1], [1, 8], [1, 8, 8, 8], [0, 8, 8], [-1, 8, 8], [10**300] * 3, [2**30, 2**30, 3]),
        ("data", "median_norm"): (0.0, -1.0, 1e300),
        ("seeds",): ([], [0, 0], [-1], [2**63], [1]),
        ("bits",): (0, -1, 2**50, 17),
        ("models",): ([], [content["models"][0]] * 2),
        ("models", 0, "name"): ("other", ""),
        ("suite", "snr_db"): ([], "x", ["x"], [30.0, 0.0], [0.0, 0.0], [0.0, -1e300], [0.0, 1e300], [1.0, 2.0]),
        ("suite", "rulers"): ([], ["inch"], ["realised", 7]),
        ("suite", "attacks"): ([], [content["suite"]["attacks"][0]] * 2, [content["suite"]["attacks"][0]]),
        ("facts", "m", "fgm"): ({"unperturbed": {"x": 1.0}}, {"f": {"": 1.0}}, {"f": {"nan": 1}}),
        ("batch_size",): (-1, 10**12),
        ("facts", "m"): ({"fgm": {"forward_passes": {"0": 1.0}}}, {"fgm": {"backward_passes": {"0": 1.0}}}),
        ("schema_version",): (0, 99, 2.5, "2"),
    }.items():  # fmt: skip
        for place, value in enumerate(values):
            changed = stored.changed(content, where, value)
            name = f"{stored.named(where)} wrong in way {place + 1}"
            yield Attempt(SURFACE, name, partial(_report, content=changed), says="corrupt")


def _tables() -> Iterator[Attempt]:
    """Predictions with columns missing, of other types, with gaps, or beyond what run.json allows."""
    table = stored.predictions()
    rows = len(table)

    def row(name: str, column: str, values: Any) -> Attempt:
        changed = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
        return Attempt(SURFACE, name, partial(_report, table=changed), says=column)

    for column in table.schema.names:
        missing = table.drop_columns([column])
        yield Attempt(SURFACE, f"no column {column}", partial(_report, table=missing), says=column)
        twice = table.append_column(column, table[column])
        yield Attempt(SURFACE, f"column {column} twice", partial(_report, table=twice), says=column)
        values = table[column].to_pylist()
        yield row(f"nulls in {column}", column, [None, *values[1:]])
        yield row(f"{column} all null", column, [None] * rows)
        yield row(f"lists in {column}", column, [[1]] * rows)
        yield row(f"bytes in {column}", column, [b"\xff"] * rows)
        yield row(f"times in {column}", column, pa.array([0] * rows, pa.timestamp("s")))
        if isinstance(values[0], str):
            yield row(f"numbers in {column}", column, [1] * rows)
            yield row(f"strangers in {column}", column, ["?"] * rows)
            yield row(f"escape codes in {column}", column, ["\x1b[2J"] * rows)
        else:
            yield row(f"text in {column}", column, ["x"] * rows)
    for column in ("seed", "image", "label", "prediction"):
        good = table[column].to_pylist()
        for value in (-1, 10**12, 2**62, -(2**62)):
            yield row(f"{value} in {column}", column, [value, *good[1:]])
        yield row(f"fractions in {column}", column, [0.5] * rows)
    for value in (float("nan"), -5.0, 1e300, -1e300, float("-inf")):
        yield row(f"{value} in snr_db", "snr_db", [value] * rows)
    yield row("a thousand SNRs", "snr_db", np.linspace(0, 1, rows))
    twice = pa.concat_tables([table, table])
    yield Attempt(SURFACE, "every row twice", partial(_report, table=twice), says="predictions.parquet")
    unclean = table.filter(pc.not_equal(table["attack"].cast("string"), "clean"))
    yield Attempt(SURFACE, "no clean predictions", partial(_report, table=unclean), says="clean")
    yield Attempt(SURFACE, "no rows", partial(_report, table=table.slice(0, 0)), says="predictions")
    yield Attempt(SURFACE, "3 million rows in a few kilobytes", _many_rows, says="at most")


def _many_rows(folder: Path) -> list[str]:
    table = stored.predictions()
    place = stored.write_run(folder)
    with pq.ParquetWriter(place / "predictions.parquet", table.schema) as writer:
        block = pa.concat_tables([table.slice(0, 1)] * 100_000).combine_chunks()
        for _ in range(30):
            writer.write_table(block)
    return ["report", str(place)]


def _bytes() -> Iterator[Attempt]:
    """Both files cut off, and with flipped bits."""
    text = json.dumps(stored.run_json()).encode()
    buffer = io.BytesIO()
    pq.write_table(stored.predictions(), buffer, write_page_checksum=True)
    parquet = buffer.getvalue()
    end = len(parquet) - 8 - int.from_bytes(parquet[-8:-4], "little")  # the footer's text may change unnoticed
    for name, content, changes in (
        ("run.json", text, [*stored.cuts(text, 20), *stored.flips(text, 30)]),
        ("predictions.parquet", parquet, [*stored.cuts(parquet, 20), *_page_flips(parquet, end)]),
    ):
        for what, changed in [*changes, ("zeros", bytes(len(content))), ("a zip", b"PK\x03\x04" + content)]:
            yield Attempt(SURFACE, f"{name}: {what}", partial(_with_bytes, name=name, content=changed), says=name)


def _page_flips(content: bytes, end: int) -> Iterator[tuple[str, bytes]]:
    for what, flipped in stored.flips(content[4:end], 30):
        changed = content[:4] + flipped + content[end:]
        try:
            if pq.read_table(io.BytesIO(changed), page_checksum_verification=True).equals(stored.predictions()):
                continue  # a bit of a page's header that nobody reads
        except (OSError, pa.ArrowException):
            pass
        yield what, changed


def _with_bytes(folder: Path, name: str, content: bytes) -> list[str]:
    place = stored.write_run(folder)
    (place / name).write_bytes(content)
    return ["report", str(place)]


def _kinds() -> Iterator[Attempt]:
    """Links, pipes and folders in place of files."""
    for name in ("run.json", "predictions.parquet"):
        for what, make in _MAKERS.items():
            yield Attempt(SURFACE, f"{name} is {what}", partial(_of_kind, name=name, make=make), says=name)
    for what, make in _MAKERS.items():
        if "link" not in what and "pipe" not in what:
            name = f"gallery.json is {what}"
            yield Attempt(SURFACE, name, partial(_of_kind, name="gallery.json", make=make), accepted=True)
    yield Attempt(SURFACE, "no folder", lambda folder: ["report", str(folder / "none")], says="run.json")
    yield Attempt(SURFACE, "a file", lambda folder: ["report", __file__])


_MAKERS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to the canary": lambda path: path.symlink_to("../../canary.txt"),
    "garbage": lambda path: path.write_bytes(b"\xff\0garbage"),
}


def _of_kind(folder: Path, name: str, make: Callable[[Path], object]) -> list[str]:
    place = stored.write_run(folder)
    (place / name).unlink(missing_ok=True)
    make(place / name)
    return ["report", str(place)]


def _entries() -> Iterator[Attempt]:
    """Runs that open, and that no leaderboard can hold."""
    content = stored.run_json()
    yield Attempt(SURFACE, "an entry of it", _add, accepted=True)
    for where, values in {
        ("models", 0, "name"): ("",),
        ("models", 0, "sha256"): ("", "x", "A" * 64, "../../x"),
        ("models", 0, "preprocessing", "mean"): ("x", {}, [[]], None, [None], [1e300]),
        ("models", 0, "preprocessing", "std"): ("x", {}, [[]], None, ["0.5"]),
        ("models", 0, "preprocessing", "size"): ("x", {}, [], -1, 0, 1.5, 2**53),
        ("models", 0, "preprocessing", "resize"): ("x", {}, [], -1, 2**53),
        ("models", 0, "preprocessing", "interpolation"): (7, {}, [], None, "x" * 5000),
        ("models", 0, "findings"): (["x" * 5000], ["x"] * 1000),
        ("data", "sha256"): ("", "x", "B" * 64),
        ("data", "name"): ("", "x" * 5000),
        ("data", "labelled"): (False,),
        ("suite", "title"): ("x" * 5000,),
        ("suite", "samples"): (0, -1, 10**12),
        ("suite", "attacks", 0, "spec"): ("\x1b[2J", "gaussian:alpha=", "?"),
        ("suite", "attacks", 0, "family"): ("x" * 5000,),
        ("command",): ("cnncomm-bench 'x", 'cnncomm-bench "', "cnncomm-bench \\", "x" * 5_000_000),
        ("device",): ("x" * 5000,),
        ("versions",): ({"x" * 5000: ""}, {"x": "y" * 5000}, {str(n): "" for n in range(1000)}),
        ("batch_size",): (0,),
    }.items():  # fmt: skip
        for place, value in enumerate(values):
            changed = stored.changed(content, where, value)
            name = f"an entry with {stored.named(where)} wrong in way {place + 1}"
            yield Attempt(SURFACE, name, partial(_add, content=changed))

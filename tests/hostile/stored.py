"""A small stored run and its entry, to be broken, and the ways to break JSON: fields of wrong values, cuts, flips."""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cnncomm_bench.report.leaderboard import entry as leaderboard_entry
from cnncomm_bench.report.leaderboard.from_run import entries_of
from cnncomm_bench.results import Run
from cnncomm_bench.results.reader import PREDICTIONS

Where = tuple[str | int, ...]

IMAGES, GRID = 40, (0.0, 30.0)


def run_json() -> dict[str, Any]:
    """Give the metadata of the run."""
    preprocessing = {"mean": [0.5], "std": [0.5], "size": 8, "resize": None, "interpolation": "bilinear"}
    passes = {"0": 1.0, "30": 1.0}
    return {
        "schema_version": 2,
        "models": [{"name": "m", "sha256": "a" * 64, "preprocessing": preprocessing, "notes": ["n"], "findings": []}],
        "data": {
            "name": "d", "sha256": "b" * 64, "images": IMAGES, "shape": [1, 8, 8], "classes": 2,
            "class_names": ["x", "y"], "labelled": True, "median_norm": 4.0, "left_out": {}, "notes": [],
        },
        "suite": {
            "title": "t", "snr_db": list(GRID), "rulers": ["realised"], "samples": None,
            "attacks": [
                {"spec": "gaussian", "samples": None, "adversary": False, "family": "stable", "note": ""},
                {"spec": "fgm", "samples": None, "adversary": True, "family": "fgm", "note": ""},
            ],
        },
        "seeds": [0], "bits": None, "batch_size": 8, "device": "cpu", "command": "cnncomm-bench --data d",
        "versions": {"python": "3"}, "finished": True, "seconds": {"gaussian": 1.0},
        "facts": {"m": {"fgm": {"forward_passes": passes, "backward_passes": passes}}}, "failures": [], "notes": [],
    }  # fmt: skip


@functools.cache
def predictions() -> pa.Table:
    """Give the predictions of the run."""
    cells = [("clean", float("inf"))] + [(attack, db) for attack in ("gaussian", "fgm") for db in GRID]
    images, rows = np.arange(IMAGES), len(cells) * IMAGES
    label = np.tile(images % 2, len(cells))
    wrong = np.concatenate([images % (9 - 2 * place) == 0 for place in range(len(cells))])
    columns = {
        "model": ["m"] * rows,
        "attack": np.repeat([attack for attack, _ in cells], IMAGES),
        "ruler": ["realised"] * rows,
        "seed": np.zeros(rows, int),
        "snr_db": np.repeat([db for _, db in cells], IMAGES),
        "image": np.tile(images, len(cells)),
        "label": label,
        "prediction": np.where(wrong, 1 - label, label),
        "realised_snr_db": np.repeat([db for _, db in cells], IMAGES),
        "reached": [True] * rows,
    }
    return pa.table(columns).cast(PREDICTIONS)


def write_run(folder: Path, content: dict[str, Any] | str | None = None, table: pa.Table | None = None) -> Path:
    """Write the run, or a broken one, into `folder / "run"`."""
    place = folder / "run"
    place.mkdir()
    text = content if isinstance(content, str) else json.dumps(run_json() if content is None else content)
    (place / "run.json").write_text(text, encoding="utf-8")
    pq.write_table(predictions() if table is None else table, place / "predictions.parquet", write_page_checksum=True)
    return place


@functools.cache
def entry_json() -> str:
    """Give the run's entry, as its file holds it."""
    with tempfile.TemporaryDirectory() as folder:
        return leaderboard_entry.text(entries_of(Run.open(write_run(Path(folder))))[0])


def leaves(content: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Give every value that is no container and its place; of lists only the first element."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from leaves(value, (*where, key))
    elif isinstance(content, list) and content:
        yield from leaves(content[0], (*where, 0))
    else:
        yield where, content


def containers(content: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Give every dictionary and its place; of lists only the first element."""
    if isinstance(content, dict):
        yield where, content
        for key, value in content.items():
            yield from containers(value, (*where, key))
    elif isinstance(content, list) and content:
        yield from containers(content[0], (*where, 0))


def wrong_values(value: Any) -> dict[str, Any]:
    """Give values of another kind than a field's own."""
    found = {"a list in a list": [[]], "a dictionary": {"x": {}}}
    if not isinstance(value, str):
        found["text"] = "x"
    if isinstance(value, str):
        found["a number"] = 7
    if isinstance(value, int) and not isinstance(value, bool):
        found |= {"a fraction": 1.5, "10^300": 10**300}
    if value is not None:
        found["null"] = None
    return found


def changed(content: Any, where: Where, value: Any) -> Any:
    """Copy content with another value at a place."""
    copied = copy.deepcopy(content)
    at = copied
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    return copied


def without(content: Any, where: Where, key: str) -> Any:
    """Copy content with a key of a dictionary removed."""
    copied = copy.deepcopy(content)
    at = copied
    for step in where:
        at = at[step]
    del at[key]
    return copied


def named(where: Where) -> str:
    """Write a place such as `models.0.name`."""
    return ".".join(map(str, where))


def cuts(content: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Give a file cut off at several places."""
    for place in np.linspace(0, len(content) - 2, count).astype(int).tolist():
        yield f"cut after {place} bytes", content[:place]


def flips(content: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Give a file with the highest bit of one byte flipped, which in ASCII leaves no text."""
    for place in sorted(np.random.default_rng(seed).choice(len(content), count, replace=False).tolist()):
        yield f"byte {place} flipped", content[:place] + bytes([content[place] ^ 0x80]) + content[place + 1 :]

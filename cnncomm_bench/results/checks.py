"""Checks of a stored run before it is scored: it agrees with its own metadata, and fits into memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .._utils.files import listed
from .schema import RunInfo
from .statistics.counts import CLEAN

MOST_CLASSES = 1_000_000
_FARTHEST_DB = 1000.0
_BYTES_A_ROW = 200  # as columns, as a frame, and while it is scored
_BYTES_AN_OUTCOME = 24  # for each cell and image


def metadata_faults(info: RunInfo) -> Iterator[str]:
    """Find what no run can have in its metadata.

    Yields
    ------
    str
        A field and what is wrong with it.
    """
    names = [model.name for model in info.models]
    if not names or len(set(names)) < len(names):
        yield "models: expected one or more, each name once"
    if not info.seeds or len(set(info.seeds)) < len(info.seeds) or not all(0 <= s < 2**63 for s in info.seeds):
        yield "seeds: expected one or more, each once, from 0 to 2^63 - 1"
    if info.data.classes > MOST_CLASSES:
        yield f"data.classes: {info.data.classes}, expected at most {MOST_CLASSES}"
    if math.prod(info.data.shape) > 1 << 31:
        yield "data.shape: an image has more than 2^31 values"
    if info.data.images > 10**9:
        yield f"data.images: {info.data.images}, expected at most 10^9"
    if not 0 <= info.batch_size < 2**31:
        yield "batch_size: expected 0 to 2^31 - 1"
    if not 0 < info.data.median_norm < 1e12:
        yield f"data.median_norm: {info.data.median_norm:g}, expected a norm above 0"
    if info.bits is not None and not 1 <= info.bits <= 16:
        yield f"bits: {info.bits}, expected 1 to 16"
    if max(map(abs, info.snr_db), default=0.0) > _FARTHEST_DB:
        yield f"suite.snr_db, plan: expected SNRs between -{_FARTHEST_DB:g} and {_FARTHEST_DB:g} dB"
    if any(not math.isfinite(seconds) for seconds in info.seconds.values()):
        yield "seconds: expected finite numbers"
    for model, by_attack in info.facts.items():
        for attack, facts in by_attack.items():
            if facts.get("forward_passes", {}).keys() != facts.get("backward_passes", {}).keys():
                yield f"facts of {listed([model, attack])}: expected forward and backward passes at the same SNRs"
            for fact, by_snr in facts.items():
                if not all(map(_is_snr, by_snr)) or not all(map(math.isfinite, by_snr.values())):
                    yield f"facts of {listed([model, attack, fact])}: expected finite numbers by SNR in dB"


def most_rows(info: RunInfo) -> int:
    """How many predictions a run of this metadata has at most."""
    suite = info.suite
    cells = 1 + len(suite.attacks) * len(suite.rulers) * len(info.seeds) * len(info.snr_db)
    return len(info.models) * cells * info.data.images


def size_fault(rows: int, info: RunInfo) -> str:
    """Say why this many predictions are too many, before they are read; empty where they are not."""
    if rows > most_rows(info):
        return f"it has {rows} predictions, and a run of its run.json has {most_rows(info)} at most"
    if rows * _BYTES_A_ROW > _memory():
        return f"its {rows} predictions do not fit into this machine's memory"
    return ""


def predictions_faults(table: pa.Table, info: RunInfo) -> Iterator[str]:
    """Find what contradicts a run's metadata in its predictions.

    Parameters
    ----------
    table : pyarrow.Table
        Of the schema `reader.PREDICTIONS`, without nulls.
    info : RunInfo

    Yields
    ------
    str
        A column and what is wrong with it.
    """
    known: dict[str, set[Any]] = {
        "model": {model.name for model in info.models},
        "attack": {entry.spec for entry in info.suite.attacks} | {CLEAN},
        "ruler": {*info.suite.rulers, "realised"},
        "seed": set(info.seeds),
    }
    for column, values in known.items():
        unknown = {value.as_py() for value in pc.unique(table[column])} - values
        if unknown:
            yield f"{column}: {listed(sorted(map(str, unknown)))}, which run.json has not"
    for column, end in (("image", info.data.images), ("label", info.data.classes), ("prediction", MOST_CLASSES)):
        ends = pc.min_max(table[column]).as_py()
        if len(table) and not 0 <= ends["min"] <= ends["max"] < end:
            yield f"{column}: from {ends['min']} to {ends['max']}, expected 0 to {end - 1}"
    snr_db = pc.unique(table["snr_db"]).to_numpy(zero_copy_only=False)
    radii = sum(entry.at_radius for entry in info.suite.attacks)
    off_grid = np.setdiff1d(snr_db, [*info.snr_db, math.inf])
    if np.isnan(snr_db).any() or len(off_grid) > radii:
        yield f"snr_db: {listed([f'{db:g}' for db in off_grid])}, which the suite's grid has not"
        return
    outcomes = _count_cells(table, snr_db) * len(pc.unique(table["image"]))
    if outcomes * _BYTES_AN_OUTCOME > _memory():
        yield "image: its cells and images do not fit into this machine's memory"


def _count_cells(table: pa.Table, snr_db: npt.NDArray[np.float64]) -> int:
    """Count the combinations of model, attack, ruler and SNR."""
    cell = np.searchsorted(np.sort(snr_db), table["snr_db"].to_numpy())
    for column in ("model", "attack", "ruler"):
        chunks = table[column].unify_dictionaries().chunks
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks] or [np.arange(0)])
        cell = cell * (len(chunks[0].dictionary) if chunks else 1) + codes
    return len(np.unique(cell))


def _is_snr(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _memory() -> float:
    """Bytes of physical memory; unlimited where the system does not say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf

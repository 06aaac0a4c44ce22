"""The run's folder on disk, for writing: atomically, resumed, never half a cell.

`run.json` describes the run. Each finished cell is one file in `parts/`; once all exist they are merged into
`predictions.parquet`, and `parts/` is removed, unless cells failed. Every file is written beside its place, synced and
renamed, so that a file that exists is whole. Pages of Parquet files carry checksums, so that damage on a disk is
noticed. A folder is written by one process at a time, and nothing is written through a link.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from .._utils.atomic import (
    is_leftover,
    make_subfolder,
    refuse_irregular,
    remove_leftovers,
    write_atomically,
    write_text,
)
from .._utils.errors import RunFolderError
from .._utils.files import shown
from .plan import Block, Plan
from .reader import PREDICTIONS, read_info
from .schema import Failure, RunInfo

_MOST_SNRS = 1000


class _About(BaseModel):
    """What a cell's file holds beside its predictions: means by fact and SNR, seconds, and a batch size if halved."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    facts: dict[str, dict[str, float]]
    seconds: float
    halved: Annotated[int, Field(ge=1)] | None

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Read it; raise ValueError where there is none."""
        return cls.model_validate_json((table.schema.metadata or {}).get(b"cell", b""))


class CorruptCellError(RunFolderError):
    """A stored cell was damaged; its file is removed, so that the run recomputes the cell."""


class Store:
    """A run's folder, open for writing.

    Parameters
    ----------
    folder : Path
    info : RunInfo
        Metadata of the run that is about to start.
    cells : int
        Number of cells of the run.

    Raises
    ------
    RunFolderError
        The folder holds another run, or something else than a run; or another process writes there.
    """

    def __init__(self, folder: Path, info: RunInfo, cells: int) -> None:
        self.folder, self.info, self.cells = folder, info, cells
        self._parts = folder / "parts"

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """Hold the folder for this process, new or resumed."""
        try:
            str(self.folder).encode()
        except UnicodeEncodeError as error:  # Arrow opens no such path
            raise RunFolderError(f"{shown(self.folder)} is no UTF-8 name: pass another folder", "out") from error
        lock = FileLock(self.folder / ".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            refuse_irregular(self.folder)  # the lock, too, is opened by its name
            held = lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                f"{shown(self.folder)} is being written by another process: wait for it, or pass another folder", "out"
            ) from None
        except OSError as error:
            raise RunFolderError(
                f"{shown(self.folder)} cannot be written: {error.strerror or error}; pass another folder", "out"
            ) from error
        with held:
            for folder in (self.folder, self._parts):
                remove_leftovers(folder)
            self._resume()
            yield self

    def _resume(self) -> None:
        if (self.folder / "run.json").exists():
            earlier = read_info(self.folder)
            differing = list(_differences(earlier.identity(), self.info.identity()))
            if differing:
                raise RunFolderError(
                    f"{shown(self.folder)} holds another run, which differs in {', '.join(differing)}: pass another "
                    "folder, or remove this one",
                    "out",
                )
            kept = ("plan", "finished", "seconds", "facts", "failures", "notes")
            self.info = self.info.model_copy(update={name: getattr(earlier, name) for name in kept})
        elif any(path.name != ".lock" and not is_leftover(path) for path in self.folder.iterdir()):
            raise RunFolderError(f"{shown(self.folder)} is not empty and holds no run: pass another folder", "out")
        self.save_info()

    @property
    def merged(self) -> Path:
        """Where the predictions of all cells are, once the run is finished."""
        return self.folder / "predictions.parquet"

    @property
    def complete(self) -> bool:
        """Whether all cells are merged, and none failed."""
        return self.info.finished and not self.info.failures and self.merged.exists()

    def missing(self) -> list[int]:
        """Indices of the cells that are not stored, failed and damaged ones included."""
        return [] if self.complete else [index for index in range(self.cells) if not self._stored(index)]

    def extend(self, blocks: Sequence[Block], cells: int) -> None:
        """Add blocks to the plan, and say how many cells it now has."""
        plan = self.info.plan or Plan()
        self.keep_plan(plan.model_copy(update={"blocks": (*plan.blocks, *blocks)}), cells)

    def keep_plan(self, plan: Plan, cells: int) -> None:
        """Store the plan, so that a resumed run does as it planned."""
        self.info, self.cells = self.info.model_copy(update={"plan": plan}), cells
        self.save_info()

    def write_cell(
        self, index: int, columns: dict[str, Any], facts: dict[str, dict[str, float]], seconds: float, batch_size: int
    ) -> None:
        """Store a finished cell.

        Parameters
        ----------
        index : int
            Its place in the plan.
        columns : dict
            The columns of `PREDICTIONS`.
        facts : dict
            Fact to SNR to its mean over the cell's images.
        seconds : float
            Wall-clock time of the cell.
        batch_size : int
            Images that fitted into memory at once.
        """
        halved = batch_size if batch_size < self.info.batch_size else None
        about = _About(facts=facts, seconds=seconds, halved=halved)
        table = pa.table(columns, schema=PREDICTIONS).replace_schema_metadata({"cell": about.model_dump_json()})
        make_subfolder(self._parts)
        write_atomically(self._part(index), partial(_write_table, table))

    def merge(self, failures: Mapping[int, Failure]) -> None:
        """Merge all cells into `predictions.parquet`, in the order of the plan; remove their files if none failed.

        Parameters
        ----------
        failures : mapping of int to Failure
            The cells that could not be computed, by their place in the plan.

        Raises
        ------
        CorruptCellError
            A cell's file is damaged.
        """
        if not self.complete:
            present = [index for index in range(self.cells) if index not in failures]
            write_atomically(self.merged, partial(self._merge_to, present))
            self.info.failures = list(failures.values())
            self.info.finished = True
            self.save_info()
        if self.complete:
            shutil.rmtree(self._parts, ignore_errors=True)

    def save_info(self) -> None:
        """Write `run.json`."""
        write_text(self.folder / "run.json", self.info.model_dump_json(indent=1) + "\n")

    def _merge_to(self, present: Sequence[int], path: Path) -> None:
        sums: dict[tuple[str, str, str, str], list[float]] = {}
        seconds: dict[str, float] = {}
        halved = self.info.batch_size
        with pq.ParquetWriter(path, PREDICTIONS, write_page_checksum=True) as writer:
            for index in present:
                table = self.read_cell(index)
                writer.write_table(table.replace_schema_metadata(None))
                about = _About.of(table)
                halved = min(halved, about.halved or halved)
                model, attack = table["model"][0].as_py(), table["attack"][0].as_py()
                seconds[attack] = seconds.get(attack, 0.0) + about.seconds
                for fact, by_snr in about.facts.items():
                    for db, value in by_snr.items():
                        entry = sums.setdefault((model, attack, fact, db), [0.0, 0.0])
                        entry[0] += value * len(table)
                        entry[1] += len(table)
        self.info.seconds = {attack: round(value, 3) for attack, value in seconds.items()}
        self.info.facts = {}
        for (model, attack, fact, db), (total, count) in sums.items():
            self.info.facts.setdefault(model, {}).setdefault(attack, {}).setdefault(fact, {})[db] = total / count
        few = f"memory did not suffice for batches of {self.info.batch_size} images: they were halved, down to {halved}"
        self.info.notes = [few] if halved < self.info.batch_size else []

    def read_cell(self, index: int) -> pa.Table:
        """Read a stored cell.

        Raises
        ------
        CorruptCellError
            Its file is damaged; it is removed, so that the run recomputes the cell.
        """
        path = self._part(index)
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                if not 0 < file.metadata.num_rows <= self._most_rows():
                    raise ValueError("no cell has so many rows")
                table = file.read().cast(PREDICTIONS.with_metadata(file.schema_arrow.metadata))
            _About.of(table)
            return table
        except (OSError, ValueError, pa.ArrowException) as error:
            path.unlink(missing_ok=True)
            raise CorruptCellError(f"{shown(path)} is damaged and was removed: rerun the same command") from error

    def _stored(self, index: int) -> bool:
        """Whether a cell's file exists and has its footer; `read_cell` checks all of it."""
        try:
            return b"cell" in (pq.read_metadata(self._part(index)).metadata or {})
        except (OSError, pa.ArrowException):
            return False

    def _most_rows(self) -> int:
        """Every image at every SNR: a stranger's cell may claim more than memory holds."""
        return self.info.data.images * max(_MOST_SNRS, len(self.info.snr_db))

    def _part(self, index: int) -> Path:
        return self._parts / f"{index:06d}.parquet"


def write_run(folder: Path, info: RunInfo, predictions: pd.DataFrame) -> None:
    """Write a run from predictions that exist already.

    Parameters
    ----------
    folder : Path
    info : RunInfo
    predictions : DataFrame
        With the columns of `PREDICTIONS`.

    Raises
    ------
    RunFolderError
        The folder holds another run, or something else than a run.
    """
    table = pa.Table.from_pandas(predictions, schema=PREDICTIONS, preserve_index=False)
    with Store(folder, info, 0).writing() as store:
        write_atomically(store.merged, partial(_write_table, table.replace_schema_metadata(None)))
        store.info.finished = True
        store.save_info()


def _write_table(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, write_page_checksum=True)


def _differences(earlier: Any, now: Any, place: str = "") -> Iterator[str]:
    """Fields in which the metadata of two runs differ, such as `models.0.sha256`."""
    if isinstance(earlier, dict) and isinstance(now, dict):
        pairs = [(key, earlier.get(key), now[key]) for key in now]
    elif _are_records(earlier) and _are_records(now) and len(earlier) == len(now):
        pairs = [(str(number), *pair) for number, pair in enumerate(zip(earlier, now, strict=True))]
    else:
        pairs = []
        if earlier != now:
            yield place
    for key, one, other in pairs:
        yield from _differences(one, other, f"{place}.{key}" if place else key)


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)

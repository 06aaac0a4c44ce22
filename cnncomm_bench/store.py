"""The run's folder on disk: written atomically, resumed, never half a cell.

`run.json` says what is run. Each finished cell is one file in `parts/`; once all are there they are merged into
`predictions.parquet`. Every file is written beside its place, synced and renamed, so that a file that exists is
whole; and a folder is written by one process at a time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pydantic import ValidationError

from .atomic import write_atomically, write_text
from .errors import RunFolderError
from .schema import RunInfo

PREDICTIONS = pa.schema(
    [
        ("model", pa.dictionary(pa.int32(), pa.string())),
        ("attack", pa.dictionary(pa.int32(), pa.string())),
        ("ruler", pa.dictionary(pa.int32(), pa.string())),
        ("seed", pa.int64()),
        ("snr_db", pa.float64()),
        ("image", pa.int64()),
        ("label", pa.int64()),
        ("prediction", pa.int64()),
        ("realised_snr_db", pa.float64()),
        ("reached", pa.bool_()),
    ]
)


class Store:
    """A run's folder, open for writing.

    Parameters
    ----------
    folder : Path
    info : RunInfo
        What is about to be run.
    cells : int
        How many cells the run has.

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
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{self.folder} cannot be made: {error.strerror}; name another with --out") from error
        lock = FileLock(self.folder / ".lock")
        try:
            with lock.acquire(timeout=0):
                self._resume()
                yield self
        except Timeout:
            raise RunFolderError(
                f"{self.folder} is being written by another process: wait for it, or name another folder with --out"
            ) from None

    def _resume(self) -> None:
        if (self.folder / "run.json").exists():
            earlier = read_info(self.folder)
            differing = _differences(earlier.identity(), self.info.identity())
            if differing:
                raise RunFolderError(
                    f"{self.folder} holds another run, which differs in {', '.join(differing)}: name another folder "
                    "with --out, or remove this one"
                )
            self.info.finished, self.info.seconds, self.info.facts = earlier.finished, earlier.seconds, earlier.facts
        elif any(path.name != ".lock" for path in self.folder.iterdir()):
            raise RunFolderError(f"{self.folder} is not empty and holds no run: name another folder with --out")
        self._parts.mkdir(exist_ok=True)
        self.save_info()

    @property
    def merged(self) -> Path:
        """Where the predictions of all cells are, once the run is finished."""
        return self.folder / "predictions.parquet"

    def missing(self) -> list[int]:
        """Indices of the cells that are not stored yet."""
        if self.merged.exists():
            return []
        return [index for index in range(self.cells) if not self._part(index).exists()]

    def write_cell(
        self, index: int, columns: dict[str, Any], facts: dict[str, dict[str, float]], seconds: float
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
            What the cell took.
        """
        about = json.dumps({"facts": facts, "seconds": seconds})
        table = pa.table(columns, schema=PREDICTIONS).replace_schema_metadata({"cell": about})
        write_atomically(self._part(index), lambda path: pq.write_table(table, path))

    def merge(self) -> None:
        """Put all cells into `predictions.parquet`, in the order of the plan, and drop their files."""
        if not self.merged.exists():
            write_atomically(self.merged, self._merge_to)
            self.info.finished = True
            self.save_info()
        shutil.rmtree(self._parts, ignore_errors=True)

    def save_info(self) -> None:
        """Write `run.json`."""
        write_text(self.folder / "run.json", self.info.model_dump_json(indent=1) + "\n")

    def _merge_to(self, path: Path) -> None:
        sums: dict[tuple[str, str, str, str], list[float]] = {}
        seconds: dict[str, float] = {}
        with pq.ParquetWriter(path, PREDICTIONS) as writer:
            for index in range(self.cells):
                table = self.read_cell(index)
                writer.write_table(table.replace_schema_metadata(None))
                if not len(table):
                    continue
                about = json.loads(table.schema.metadata[b"cell"])
                model, attack = table["model"][0].as_py(), table["attack"][0].as_py()
                seconds[attack] = seconds.get(attack, 0.0) + about["seconds"]
                for fact, by_snr in about["facts"].items():
                    for db, value in by_snr.items():
                        entry = sums.setdefault((model, attack, fact, db), [0.0, 0.0])
                        entry[0] += value * len(table)
                        entry[1] += len(table)
        self.info.seconds = {attack: round(value, 3) for attack, value in seconds.items()}
        for (model, attack, fact, db), (total, count) in sums.items():
            self.info.facts.setdefault(model, {}).setdefault(attack, {}).setdefault(fact, {})[db] = total / count

    def read_cell(self, index: int) -> pa.Table:
        """A cell that is stored.

        Raises
        ------
        RunFolderError
            Its file is corrupt; it is removed, so that the run computes the cell again.
        """
        path = self._part(index)
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            path.unlink(missing_ok=True)
            raise RunFolderError(
                f"{path} is corrupt and was removed: run the same command again, it goes on"
            ) from error

    def _part(self, index: int) -> Path:
        return self._parts / f"{index:06d}.parquet"


def read_info(folder: Path) -> RunInfo:
    """What a run's folder says it holds.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    RunInfo

    Raises
    ------
    RunFolderError
        There is no run, or its `run.json` is corrupt: where is named.
    """
    path = folder / "run.json"
    try:
        return RunInfo.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"{folder} holds no run: there is no run.json in it") from None
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RunFolderError(f"{path} is corrupt at {where}: {first['msg']}") from error


def read_predictions(folder: Path) -> pa.Table:
    """The predictions of a finished run.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    pyarrow.Table
        With the schema `PREDICTIONS`.

    Raises
    ------
    RunFolderError
        The run is not finished, or the file is corrupt.
    """
    path = folder / "predictions.parquet"
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise RunFolderError(f"{folder} is not finished: run its command again, and it goes on") from None
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(f"{path} is corrupt: {error}") from error
    absent = [name for name in PREDICTIONS.names if name not in table.schema.names]
    if absent:
        raise RunFolderError(f"{path} is corrupt: it has no column {', '.join(absent)}")
    return table.select(PREDICTIONS.names)


def write_run(folder: Path, info: RunInfo, predictions: pd.DataFrame) -> None:
    """Write a run whose predictions are there already.

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
        write_atomically(store.merged, lambda path: pq.write_table(table.replace_schema_metadata(None), path))
        store.info.finished = True
        store.save_info()
        store.merge()


def _differences(earlier: dict[str, Any], now: dict[str, Any]) -> Sequence[str]:
    return [key for key in now if earlier.get(key) != now[key]]

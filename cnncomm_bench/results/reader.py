"""Reading a run's folder: nothing in it is executed, and what is corrupt is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from .._utils.errors import RunFolderError
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


def read_info(folder: Path) -> RunInfo:
    """Metadata of a run, from its `run.json`.

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
        table = pq.read_table(path, page_checksum_verification=True)
        absent = [name for name in PREDICTIONS.names if name not in table.schema.names]
        if absent:
            raise RunFolderError(f"{path} is corrupt: it has no column {', '.join(absent)}")
        table = table.select(PREDICTIONS.names).cast(PREDICTIONS)
    except FileNotFoundError:
        raise RunFolderError(f"{folder} is not finished: run its command again to resume it") from None
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())
        raise RunFolderError(f"{path} is corrupt: {said}; remove it and run its command again") from error
    empty = [name for name in PREDICTIONS.names if table[name].null_count]
    if empty:
        raise RunFolderError(f"{path} is corrupt: values are missing in the column {', '.join(empty)}")
    return table

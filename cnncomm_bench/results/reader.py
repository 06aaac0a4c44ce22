"""Reading a run's folder: nothing in it is executed, and what is corrupt is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .._utils.atomic import refuse_irregular
from .._utils.errors import RunFolderError
from .._utils.files import one_line, shown
from .._utils.untrusted import check_json, fault_of, open_regular, read_bytes
from .checks import metadata_faults, predictions_faults, size_fault
from .schema import RunInfo

_MOST_BYTES = 64 << 20

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
    refuse_irregular(folder)
    path = folder / "run.json"
    try:
        content = read_bytes(path, _MOST_BYTES)
    except FileNotFoundError:
        raise RunFolderError(f"{shown(folder)} holds no run: there is no run.json in it") from None
    try:
        check_json(content)
        info = RunInfo.model_validate_json(content)
    except ValueError as error:
        raise RunFolderError(f"{shown(path)} is corrupt{fault_of(error)}") from None
    for fault in metadata_faults(info):
        raise RunFolderError(f"{shown(path)} is corrupt at {fault}")
    return info


def read_predictions(folder: Path, info: RunInfo) -> pa.Table:
    """The predictions of a finished run, whose metadata is `info`.

    Returns
    -------
    pyarrow.Table
        With the schema `PREDICTIONS`.

    Raises
    ------
    RunFolderError
        The run is not finished, or the file is corrupt, contradicts the metadata or does not fit into memory.
    """
    path = folder / "predictions.parquet"
    name = shown(path)
    try:
        with open_regular(path) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            found = parquet.schema_arrow
            absent = [column for column in PREDICTIONS.names if found.names.count(column) != 1]
            if absent:
                raise RunFolderError(f"{name} is corrupt: it has no column {', '.join(absent)}")
            wrong = [column for column in PREDICTIONS.names if not _is_kind(found.field(column).type, column)]
            if wrong:
                raise RunFolderError(f"{name} is corrupt: another type in the column {', '.join(wrong)}")
            if fault := size_fault(parquet.metadata.num_rows, info):
                raise RunFolderError(f"{name} is corrupt: {fault}")
            table = parquet.read(PREDICTIONS.names).select(PREDICTIONS.names).cast(PREDICTIONS)
    except FileNotFoundError:
        raise RunFolderError(f"{shown(folder)} is not finished: rerun its command to resume it") from None
    except (OSError, ValueError, pa.ArrowException) as error:  # Arrow raises OSError for a damaged page
        raise RunFolderError(f"{name} is corrupt: {one_line(error)}; remove it and rerun its command") from error
    empty = [column for column in PREDICTIONS.names if table[column].null_count]
    if empty:
        raise RunFolderError(f"{name} is corrupt: values are missing in the column {', '.join(empty)}")
    for fault in predictions_faults(table, info):
        raise RunFolderError(f"{name} is corrupt in the column {fault}")
    return table


def _is_kind(found: pa.DataType, column: str) -> bool:
    """Whether a column holds what it should, of whatever width or encoding."""
    expected = PREDICTIONS.field(column).type
    if pa.types.is_dictionary(expected):
        found = found.value_type if pa.types.is_dictionary(found) else found
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    same_kind = {pa.int64(): pa.types.is_integer, pa.float64(): pa.types.is_floating, pa.bool_(): pa.types.is_boolean}
    return bool(same_kind[expected](found))

"""Reads and writes a transmission's folder: settings (transmission.json), and a row an image and point."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from ..._utils.atomic import make_folder, write_atomically, write_text
from ..._utils.errors import RunFolderError
from ..link import system_name
from .transmission_settings import TransmissionSettings

SYSTEM = ["modulation", "code", "receiver", "interleaver", "labelling", "frame"]
POINT = ["noise", "ruler", *SYSTEM, "snr_db"]
COLUMNS = ["alpha", *POINT, "samples_per_value", "independent", "image", "label", "clean", "prediction", "bits",
           "errors", "signal_power", "noise_power"]  # fmt: skip
"""Of `transmissions.parquet`; `clean` is the prediction on the image as it is, powers are sums of squares."""


def title(modulation: str, code: str, receiver: str, interleaver: str, labelling: str, frame: str) -> str:
    """A system in words; the parameters are the columns `SYSTEM`.

    Examples
    --------
    >>> title("bpsk", "none", "cauchy", "none", "gray", "512")
    'bpsk, uncoded, 512 bits, gray labelling'
    """
    if modulation == "analog":
        return "analog amplitudes"
    return f"{system_name(modulation, code, receiver, interleaver, frame)}, {labelling} labelling"


class TransmissionInfo(BaseModel):
    """What `transmission.json` holds.

    Attributes
    ----------
    model, data : dict of str to str
        Name and SHA-256.
    images : int
        Those that were sent.
    """

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    settings: TransmissionSettings
    model: dict[str, str]
    data: dict[str, str]
    images: int
    classes: int
    versions: dict[str, str]
    command: str = ""
    finished: bool = False


class TransmissionFolder:
    """Points of a transmission, resumed where the folder holds some of the same.

    Raises
    ------
    RunFolderError
        The folder holds something else, or a damaged transmission.
    """

    def __init__(self, folder: Path, info: TransmissionInfo) -> None:
        self.folder, self.info = make_folder(folder), info
        self._frames: list[pd.DataFrame] = []
        self._points: set[tuple[Any, ...]] = set()
        if (folder / "transmission.json").exists():
            self._resume()
        elif any(folder.iterdir()):
            raise RunFolderError(f"{folder} is not empty and holds no transmission: pass another folder", "out")
        self._write_info()

    def _resume(self) -> None:
        try:
            stored = TransmissionInfo.model_validate_json((self.folder / "transmission.json").read_bytes())
            path = self.folder / "transmissions.parquet"
            rows = pd.read_parquet(path, columns=COLUMNS) if path.exists() else pd.DataFrame(columns=COLUMNS)
        except (OSError, ValidationError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise RunFolderError(f"{self.folder} holds a damaged transmission: {reason}", "out") from error
        same = ("settings", "model", "data", "images", "classes")
        if any(getattr(stored, name) != getattr(self.info, name) for name in same):
            raise RunFolderError(f"{self.folder} holds a transmission of other settings: pass another folder", "out")
        if len(rows):
            self._frames = [rows]
            self._points = set(rows[POINT].drop_duplicates().itertuples(index=False, name=None))

    def point(self, columns: dict[str, Any], snr_db: float) -> pd.DataFrame | None:
        """The rows of a point, if they are there."""
        wanted = {**columns, "snr_db": snr_db}
        if tuple(wanted[name] for name in POINT) not in self._points:
            return None
        rows = self.rows
        return rows[(rows[POINT] == pd.Series({name: wanted[name] for name in POINT})).all(axis=1)]

    def add(self, rows: pd.DataFrame) -> None:
        """Store the rows of a point."""
        self._frames.append(rows[COLUMNS])
        self._points.add(tuple(rows[POINT].iloc[0]))
        write_atomically(self.folder / "transmissions.parquet", lambda path: self.rows.to_parquet(path, index=False))

    @property
    def rows(self) -> pd.DataFrame:
        """All rows so far, a row an image and point."""
        self._frames = [pd.concat(self._frames, ignore_index=True)]
        return self._frames[0]

    def finish(self) -> None:
        """Mark the transmission as finished."""
        self.info = self.info.model_copy(update={"finished": True})
        self._write_info()

    def _write_info(self) -> None:
        write_text(self.folder / "transmission.json", self.info.model_dump_json(indent=1) + "\n")

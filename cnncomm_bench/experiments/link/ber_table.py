"""Reads and writes a link's folder: settings (link.json) and numbers (ber.csv), resumed by curve."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from ..._utils.atomic import is_leftover, make_folder, refuse_irregular, write_atomically, write_text
from ..._utils.errors import RunFolderError
from ..._utils.files import shown
from ..._utils.untrusted import check_json, fault_of, read_bytes, read_csv
from .link_settings import Curve, Settings

COLUMNS = {
    "alpha": float, "modulation": str, "code": str, "ruler": str, "frame": int, "snr_db": float, "bits": int,
    "errors": int, "ber": float, "ber_low": float, "ber_high": float, "noise": str, "receiver": str,
    "interleaver": str, "frames": int, "frame_errors": int, "fer": float, "fer_low": float, "fer_high": float,
    "undetected": int, "undetected_rate": float, "undetected_low": float, "undetected_high": float,
    "rate": float, "capacity": float,
}  # fmt: skip
"""Of `ber.csv`; `alpha` is missing for noise that has none."""

SYSTEM = ["modulation", "code", "receiver", "interleaver", "frame"]
_IDENTITY = ["noise", "ruler", *SYSTEM]
_MOST_BYTES = 1 << 20
_MOST_POINTS = 1_000_000
"""Curves times SNRs, once every curve is continued to the end of the grid."""
_REPORTED = ("cnncomm-bench", "sionna-no-rt", "torch", "numpy", "scipy")


class LinkInfo(BaseModel):
    """What `link.json` holds; a folder is resumed only where the settings agree."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    settings: Settings
    command: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    finished: bool = False
    seconds: float = 0.0


class LinkFolder:
    """The rows of a simulation, in memory and, where there is a folder, on disk.

    Parameters
    ----------
    settings : Settings
    folder : Path, optional
        New, or one that holds the same simulation.
    command : str

    Raises
    ------
    RunFolderError
        The folder holds something else.
    """

    def __init__(self, settings: Settings, folder: Path | None = None, command: str = "") -> None:
        self.folder = folder
        self.info = LinkInfo(settings=settings, command=command, versions=_versions())
        self._rows: list[dict[str, Any]] = []
        if folder is not None:
            self._resume(folder)
            self.write()

    def _resume(self, folder: Path) -> None:
        make_folder(folder)
        if (folder / "link.json").exists():
            stored, table = read(folder)
            if stored.settings != self.info.settings:
                raise RunFolderError(f"{folder} holds a link of other settings: pass another folder", "out")
            self.info.seconds = stored.seconds
            self._rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
        elif not all(map(is_leftover, folder.iterdir())):
            raise RunFolderError(f"{folder} is not empty and holds no link: pass another folder", "out")

    @property
    def table(self) -> pd.DataFrame:
        """All rows so far."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS)).astype({"alpha": float})

    def holds(self, curve: Curve) -> bool:
        """Whether a curve is there already."""
        wanted = tuple(curve.columns[name] for name in _IDENTITY)
        return any(tuple(row[name] for name in _IDENTITY) == wanted for row in self._rows)

    def add(self, rows: Sequence[dict[str, Any]], seconds: float) -> None:
        """Keep the rows of a whole curve."""
        self._rows += rows
        self.info.seconds = round(self.info.seconds + seconds, 1)
        self.write()

    def write(self, *, finished: bool = False) -> None:
        """Bring the folder up to date."""
        if self.folder is not None:
            self.info.finished = finished
            write_atomically(self.folder / "ber.csv", lambda path: self.table.to_csv(path, index=False))
            write_text(self.folder / "link.json", self.info.model_dump_json(indent=1) + "\n")


def read(folder: Path) -> tuple[LinkInfo, pd.DataFrame]:
    """A link's folder, finished or not.

    Raises
    ------
    RunFolderError
        No link, or a corrupt one.
    """
    refuse_irregular(folder)
    name = shown(folder)
    try:
        content = read_bytes(folder / "link.json", _MOST_BYTES)
        check_json(content)
        info, table = LinkInfo.model_validate_json(content), read_csv(folder / "ber.csv", COLUMNS)
    except FileNotFoundError as error:
        raise RunFolderError(f"{name} holds no link: expected a folder that cnncomm-bench link wrote") from error
    except ValueError as error:
        raise RunFolderError(f"{name} holds a damaged link{fault_of(error)}") from error
    if fault := _fault(table):
        raise RunFolderError(f"{shown(folder / 'ber.csv')} is damaged: {fault}")
    return info, table


def _fault(table: pd.DataFrame) -> str:
    """What no simulation writes, in words; empty where there is nothing."""
    if not table[["ber", "ber_low", "ber_high"]].apply(lambda rates: rates.between(0, 1)).all(axis=None):
        return "a bit error rate is outside of 0 to 1"
    if not np.isfinite(table.snr_db).all():
        return "an SNR is not finite"
    if table.duplicated([*_IDENTITY, "snr_db"]).any():
        return "a curve has an SNR twice"
    if len(table[_IDENTITY].drop_duplicates()) * table.snr_db.nunique() > _MOST_POINTS:
        return f"its curves and SNRs are more than {_MOST_POINTS} points"
    return ""


def system_name(modulation: str, code: str, receiver: str, interleaver: str, frame: int | str) -> str:
    """A system of the link in words; the parameters are the columns `SYSTEM`.

    Examples
    --------
    >>> system_name("bpsk", "conv", "cauchy", "none", 512)
    'bpsk, conv, cauchy receiver, 512 bits'
    """
    coded = "uncoded" if code == "none" else f"{code}, {receiver} receiver"
    return f"{modulation}, {coded}{'' if interleaver == 'none' else ', interleaved'}, {frame} bits"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed
    return found

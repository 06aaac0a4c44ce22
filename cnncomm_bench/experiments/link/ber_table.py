"""Reads and writes a link's folder: settings (link.json) and numbers (ber.csv), resumed by curve."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..._utils.atomic import is_leftover, make_folder, refuse_irregular, write_atomically, write_text
from ..._utils.errors import RunFolderError
from .link_settings import Curve, Settings

COLUMNS = (
    "alpha", "modulation", "code", "ruler", "frame", "snr_db", "bits", "errors", "ber", "ber_low", "ber_high",
    "noise", "receiver", "interleaver", "frames", "frame_errors", "fer", "fer_low", "fer_high",
    "undetected", "undetected_rate", "undetected_low", "undetected_high", "rate", "capacity",
)  # fmt: skip
SYSTEM = ["modulation", "code", "receiver", "interleaver", "frame"]
_IDENTITY = ["noise", "ruler", *SYSTEM]
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
    try:
        info = LinkInfo.model_validate_json((folder / "link.json").read_text(encoding="utf-8"))
        table = pd.read_csv(folder / "ber.csv", dtype={"alpha": float})
    except OSError as error:
        raise RunFolderError(f"{folder} holds no link: expected a folder that cnncomm-bench link wrote") from error
    except (ValidationError, ValueError) as error:
        raise RunFolderError(f"{folder} holds a damaged link: {str(error).splitlines()[0]}") from error
    if tuple(table.columns) != COLUMNS:
        raise RunFolderError(f"{folder / 'ber.csv'}: expected the columns {', '.join(COLUMNS)}")
    return info, table


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

"""Opens the folders that hold evidence: each is recognised by its files, and what is a stranger's is bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ..._utils.atomic import refuse_irregular
from ..._utils.errors import RunFolderError
from ..._utils.files import shown
from ..._utils.untrusted import check_json, fault_of, read_bytes, read_csv
from ...results import Run
from ...results.claims import Claim
from ..link import open_link

SPECIAL = {
    "alpha": float, "system": str, "ruler": str, "snr_db": float, "bits": int, "errors": int, "ber": float,
    "ber_low": float, "ber_high": float, "fer": float, "fer_low": float, "fer_high": float,
}  # fmt: skip
BANDWIDTH = {
    "side": int, "values": int, "clean_accuracy": float, "threshold_db": float, "low": float, "high": float,
    "capacity_bits": float,
}  # fmt: skip
_MOST_BYTES = 8 << 20
_MOST_CLAIMS = 1000
_MOST_POINTS = 100_000


@dataclass
class Evidence:
    """What the folders hold.

    Attributes
    ----------
    runs : list of Run
        The first is the one that the link is compared with.
    links, specials, bandwidths : list of DataFrame
        Of `ber.csv`, `special.csv` and `bandwidth.csv`.
    claims : list of Claim
        Of all folders, in their order.
    """

    runs: list[Run] = field(default_factory=list)
    links: list[pd.DataFrame] = field(default_factory=list)
    specials: list[pd.DataFrame] = field(default_factory=list)
    bandwidths: list[pd.DataFrame] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def compared(self) -> pd.DataFrame | None:
        """The link whose curves are compared with the run's: the first of several alphas, else the first."""
        several = [table for table in self.links if table.alpha.nunique() > 2]
        return next(iter([*several, *self.links]), None)


def open_evidence(run: Path, folders: Sequence[Path]) -> Evidence:
    """Open a run and the folders beside it.

    Parameters
    ----------
    run : Path
    folders : sequence of Path
        Of `run`, `link`, `section5`, `special`, `bandwidth` and `transmission`, in any order.

    Raises
    ------
    RunFolderError
        A folder holds nothing of these, or is damaged.
    """
    readers = [(read, folder) for folder in folders for read in _readers_of(folder)]
    evidence = Evidence()
    for read, folder in [(_add_run, run), *readers]:
        read(evidence, folder)
    return evidence


def _readers_of(folder: Path) -> list[Callable[[Evidence, Path], None]]:
    refuse_irregular(folder)
    found = [read for marker, read in _READERS.items() if (folder / marker).exists()]
    if not found:
        raise RunFolderError(
            f"{shown(folder)} holds no results: expected the folder of a run, link, section5, special, bandwidth "
            f"or transmission, with one of {', '.join(_READERS)}"
        )
    return found


def _add_run(evidence: Evidence, folder: Path) -> None:
    run = Run.open(folder)
    evidence.runs.append(run)
    evidence.claims += run.claims


def _add_link(evidence: Evidence, folder: Path) -> None:
    table = open_link(folder)
    if table.empty:
        raise RunFolderError(f"{shown(folder)} holds no curve yet: rerun its command to resume it")
    evidence.links.append(table)


def _add_special(evidence: Evidence, folder: Path) -> None:
    path = folder / "special.csv"
    table = read_csv(path, SPECIAL)
    if not table[["ber", "ber_low", "ber_high"]].apply(lambda rates: rates.between(0, 1)).all(axis=None):
        raise RunFolderError(f"{shown(path)} is damaged: a bit error rate is outside of 0 to 1")
    if not np.isfinite(table[["alpha", "snr_db"]]).all(axis=None) or len(table) > _MOST_POINTS:
        raise RunFolderError(f"{shown(path)} is damaged: expected at most {_MOST_POINTS} rows of finite alpha and SNR")
    evidence.specials.append(table.sort_values("snr_db", kind="stable"))


def _add_bandwidth(evidence: Evidence, folder: Path) -> None:
    table = read_csv(folder / "bandwidth.csv", BANDWIDTH, {"censored": str})
    if "censored" in table:  # the number is a bound
        table = table.assign(threshold_db=table.threshold_db.mask(table.censored.notna()))
    evidence.bandwidths.append(table)


def _add_claims(evidence: Evidence, folder: Path) -> None:
    """Add the claims of Section 5 or of a transmission."""
    path = folder / "claims.json"
    try:
        content = read_bytes(path, _MOST_BYTES)
        check_json(content)
        claims = _Claims.model_validate_json(content).claims
    except FileNotFoundError:
        raise RunFolderError(f"{shown(folder)} is not finished: rerun its command to resume it") from None
    except ValueError as error:
        raise RunFolderError(f"{shown(path)} is damaged{fault_of(error)}") from None
    if len(claims) > _MOST_CLAIMS:
        raise RunFolderError(f"{shown(path)} has {len(claims)} claims, expected at most {_MOST_CLAIMS}")
    evidence.claims += claims


class _Claims(BaseModel):
    """What `claims.json` holds."""

    model_config = ConfigDict(extra="forbid")

    claims: list[Claim]


_READERS: dict[str, Callable[[Evidence, Path], None]] = {
    "run.json": _add_run,
    "link.json": _add_link,
    "section5.json": _add_claims,
    "transmission.json": _add_claims,
    "special.csv": _add_special,
    "bandwidth.csv": _add_bandwidth,
}
"""By the file that marks a folder."""

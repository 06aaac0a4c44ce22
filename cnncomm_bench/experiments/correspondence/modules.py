"""Ge et al., Fig. 2, as a table: module of the link, part of the CNN, the experiment on it, and what it found.

The pairs of modules and parts are in our words; what was found is read from the run and the link, never assumed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ..._utils.frames import groups
from ..._utils.frames import rows as rows_of
from ...results import Run
from ..link import SYSTEM, TARGET, reaches, system_name

ABSENT = "not in these runs"


class Row(BaseModel):
    """A module of the link and its part of the CNN.

    Attributes
    ----------
    module, part : str
    experiment : str
        What to type.
    found : str
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    module: str
    part: str
    experiment: str
    found: str


class _Rate(NamedTuple):
    noise: str
    ber: float


class _Gain(NamedTuple):
    model: str
    reference: str
    attack: str
    ruler: str
    gain_db: float


def rows(run: Run, table: pd.DataFrame, likeness: str) -> list[Row]:
    """The table for a run and a link.

    Parameters
    ----------
    run : Run
    table : DataFrame
        Of `ber.csv`.
    likeness : str
        What the comparison of the noise curves found.
    """
    table_rows = [
        ("source coding and its checksum", "the label, and check bits on it", "cnncomm-bench link", _checks(table)),
        (
            "channel coding and modulation",
            "from a label to an image of that class",
            "cnncomm-bench special",
            "a curve of its own: special.csv of that command",
        ),
        ("channel: alpha-stable noise", "noise on the pixels", "cnncomm-bench correspond", likeness),
        (
            "channel: bursts, against an interleaver",
            "impulses enlarged to shapes",
            "cnncomm-bench link --burst 1,8,64 --code conv --interleaver none,block; cnncomm-bench --suite figure4",
            "; ".join(filter(None, (_bursts(table), _shapes(run)))) or ABSENT,
        ),
        (
            "channel: a jammer on the carrier or beside it",
            "noise with the features of a class",
            "cnncomm-bench link --jammer white,tone,tone:offset=0.5",
            _jammers(table),
        ),
        (
            "demodulation and decoding made for impulses",
            "features and classifier trained on noise",
            "cnncomm-bench link --receiver gaussian,cauchy; --model bundled:standard --model bundled:stable",
            "; ".join(filter(None, (_receivers(table), _gains(run)))) or ABSENT,
        ),
        (
            "bandwidth W of C = W log2(1 + S/N)",
            "resolution of the images",
            "cnncomm-bench bandwidth",
            "a table of its own: bandwidth.csv of that command",
        ),
    ]
    return [Row(module=module, part=part, experiment=typed, found=found) for module, part, typed, found in table_rows]


def _checks(table: pd.DataFrame) -> str:
    wrong, missed = int(table.frame_errors.sum()), int(table.undetected.sum())
    return f"of {wrong:,} wrong frames the checksum passed {missed:,}"


def _bursts(table: pd.DataFrame) -> str:
    bursts = table[table.noise.str.startswith("burst")]
    if bursts.empty:
        return ""
    spread = bursts.groupby("snr_db").ber.agg(lambda rates: rates.max() - rates.min())
    part = bursts[bursts.snr_db == spread.idxmax()]  # where windows differ most
    texts = (
        f"{system_name(*system)}: {', '.join(f'{row.noise[13:]}: {row.ber:.1e}' for row in rows_of(rates, _Rate))}"
        for system, rates in groups(part, SYSTEM)
    )
    return f"bit error rate by window at {spread.idxmax():g} dB: " + "; ".join(texts)


def _jammers(table: pd.DataFrame) -> str:
    tones = table[table.noise.str.startswith("tone")]
    if tones.empty:
        return ABSENT
    snr_db = tones[tones.errors > 0].snr_db.max()  # the highest at which a tone did harm
    part = table[(table.snr_db == snr_db) & (table.ruler == "realised") & (table.code == "none")]
    kinds = part[part.noise.str.startswith("tone") | (part.alpha == 2)].drop_duplicates("noise")
    rates = ", ".join(f"{row.noise} {row.ber:.2g}" for row in rows_of(kinds, _Rate))
    return f"uncoded at {snr_db:g} dB: {rates}"


def _receivers(table: pd.DataFrame) -> str:
    """How many dB the Cauchy receiver gains over the Gaussian one, by alpha, on the dispersion ruler."""
    coded = table[(table.code != "none") & (table.ruler == "dispersion") & table.receiver.isin(["gaussian", "cauchy"])]
    gains = []
    for (code, alpha), part in coded.groupby(["code", "alpha"], sort=False):
        needed = {name: reaches(curve) for name, curve in part.groupby("receiver")}
        if len(needed) < 2 or needed["gaussian"].bound == "<" or needed["cauchy"].bound == ">":
            continue  # their difference has no lower bound
        over = "over " if needed["gaussian"].bound or needed["cauchy"].bound else ""
        gains.append(f"{code}, alpha {alpha:g}: {over}{needed['gaussian'].snr_db - needed['cauchy'].snr_db:.1f} dB")
    return f"gain of the cauchy receiver at a rate of {TARGET:g}, dispersion: {', '.join(gains)}" if gains else ""


def _shapes(run: Run) -> str:
    shapes = [claim for claim in run.claims if claim.id.startswith(("shape-", "concentration-"))]
    return "; ".join(f"{claim.model}: {claim.id} {claim.summary}" for claim in shapes)


def _gains(run: Run) -> str:
    return "; ".join(
        f"{row.model} gains {row.gain_db:.1f} dB over {row.reference} against {row.attack}, {row.ruler}"
        for row in rows_of(run.gains, _Gain)
        if np.isfinite(row.gain_db)
    )

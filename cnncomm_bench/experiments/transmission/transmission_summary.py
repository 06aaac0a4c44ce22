"""Summarises a transmission as text for the screen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from ...results.claims import Claim
from ...results.claims import table as claims_table
from .transmission_folder import SYSTEM, title

FILES = ("transmission.csv", "transmissions.parquet", "claims.json", "transmission.png", "transmission.svg")


def summary(table: pd.DataFrame, folder: Path) -> str:
    """Bit error rate, accuracy and image SNR at each channel SNR, the claims, and the files.

    Parameters
    ----------
    table : DataFrame
        See `transmission_table.aggregate`.
    folder : Path
        With `claims.json`.
    """
    claims = [Claim.model_validate(claim) for claim in json.loads((folder / "claims.json").read_text())["claims"]]
    lines = ["Bit error rate / accuracy / image SNR (dB) at each SNR of the channel:"]
    for system, part in table.groupby([*SYSTEM, "ruler"], sort=False):
        cells = part.assign(shown=[_cell(*point) for point in zip(part.ber, part.accuracy, part.image_snr_db)])
        wide = cells.pivot(index="alpha", columns="snr_db", values="shown").sort_index(ascending=False).fillna("")
        every_second = wide.iloc[:, :: 2 if wide.shape[1] > 12 else 1]
        written = tabulate(every_second.reset_index().to_dict("list"), headers="keys", disable_numparse=True)
        lines += ["", f"{title(*map(str, system[:-1]))}, ruler {system[-1]}", written]
    lines += ["", *(_sentence(claim) for claim in claims)]
    return "\n".join([*lines, "", f"written: {', '.join(str(folder / file) for file in FILES)}"])


def _cell(ber: float, accuracy: float, image_snr_db: float) -> str:
    rate = "-" if np.isnan(ber) else f"{ber:.0e}" if ber else "0"
    return f"{rate} / {accuracy:.2f} / {image_snr_db:z.0f}"


def _sentence(claim: Claim) -> str:
    if claim.effect is None:
        return f"{claim.statement} {claim.model}: {claim.evidence}"
    (row,) = claims_table([claim])
    tau = f"tau {row['effect']} ({row['95 % interval']}), p {row['p']}, adjusted {row['p adjusted']}"
    return f"{claim.statement} {claim.model}: {row['verdict']}, {tau}"

"""What rounding to the levels of an image file did to the SNRs of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from .suites import Entry

_OFF_DB = 0.1  # of the SNR asked for, from which on rounding is reported
_BUDGET_DB = 1e-3
_FEW = 0.01  # share of images below which noise off its SNR is not reported


def rounding_warnings(predictions: pd.DataFrame, attacks: Collection[Entry], *, bits: int | None) -> list[str]:
    """How far rounding moved noise off its SNR, and adversaries over their budget.

    Parameters
    ----------
    predictions : DataFrame
        Columns `model`, `attack`, `ruler`, `snr_db`, `realised_snr_db`, `reached`.
    attacks : collection of Entry
        Of the run; those at a radius, which has no SNR, are left out.
    bits : int or None
        What images were rounded to; None, and nothing is reported.

    Returns
    -------
    list of str
        One line for the noises together, and one for each adversary that is over its budget.
    """
    if bits is None:
        return []
    over_grid = {entry.spec: entry.adversary for entry in attacks if not entry.at_radius}
    rows = predictions[predictions["attack"].isin(list(over_grid)) & (predictions["ruler"] == "realised")]
    rows = rows.assign(excess=rows["realised_snr_db"] - rows["snr_db"])
    hostile = rows["attack"].isin([spec for spec, adversary in over_grid.items() if adversary])
    return [*_off(rows[~hostile & rows["reached"]], bits), *_over_budget(rows[hostile], bits)]


def _off(noise: pd.DataFrame, bits: int) -> Iterator[str]:
    off = (noise["excess"].abs() > _OFF_DB).groupby(noise["snr_db"]).mean()
    off = off[off > _FEW]
    if off.empty:
        return
    worst = noise.loc[noise["snr_db"] == off.index.max(), "excess"]
    finite = worst[np.isfinite(worst)]
    moved = f", by {finite.median():+.1f} dB in the median" if len(finite) else ""
    gone = f"; {np.isinf(worst).mean():.0%} keep no noise at all" if np.isinf(worst).any() else ""
    yield (
        f"rounding to {bits} bits moves noise off its SNR from {off.index.min():g} dB on: at {off.index.max():g} dB "
        f"{off.iloc[-1]:.0%} of the images by more than {_OFF_DB:g} dB{moved}{gone}; the axis has the SNR asked for"
    )


def _over_budget(rows: pd.DataFrame, bits: int) -> Iterator[str]:
    for attack, own in rows.groupby("attack", sort=False, observed=True):
        over = own["excess"] < -_BUDGET_DB
        if over.any():
            yield (
                f"{attack}: rounding to {bits} bits puts {over.mean():.1%} of its images over the budget, by up to "
                f"{-own['excess'].min():.2f} dB, as clean images are not on the levels of such a file"
            )

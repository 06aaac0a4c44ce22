"""Tests whether errors grow as alpha shrinks (Ge et al., Fig. 1), for each system and ruler, SNR by SNR."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ...results.statistics import CONFIDENCE, Z
from .ber_table import SYSTEM


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """Every curve at every SNR: beyond the first point without an error it stays there.

    Parameters
    ----------
    table : DataFrame
        Of `ber.csv`.

    Returns
    -------
    DataFrame
        The same columns.
    """
    grid = pd.Index(sorted(table.snr_db.unique()), name="snr_db")
    curves = [
        curve.set_index("snr_db").reindex(grid).ffill().reset_index()
        for _, curve in table.groupby(["noise", "ruler", *SYSTEM], sort=False)
    ]
    return pd.concat(curves, ignore_index=True)[table.columns].astype(table.dtypes)


def alpha_order(table: pd.DataFrame) -> pd.DataFrame:
    """Compare neighbouring alphas at every SNR.

    A comparison is decided where the difference of two rates exceeds its error at 95 % for all comparisons of the
    system together (Bonferroni).

    Parameters
    ----------
    table : DataFrame
        Of `ber.csv`.

    Returns
    -------
    DataFrame
        A row for each system and ruler with several alphas: the verdict on "the smaller the alpha, the
        greater the bit error rate", how many comparisons agree and disagree, at which SNRs, and the SNR at which the
        smallest alpha is furthest above the largest.
    """
    whole = complete(table)
    stable = whole[whole.alpha.notna()]
    rows = [
        {**dict(zip([*SYSTEM, "ruler"], system, strict=True)), **_compare(part)}
        for system, part in stable.groupby([*SYSTEM, "ruler"], sort=False)
        if part.alpha.nunique() > 1
    ]
    return pd.DataFrame(rows)


def _compare(part: pd.DataFrame) -> dict[str, Any]:
    rate = part.pivot(index="snr_db", columns="alpha", values="ber")
    spread = part.assign(spread=(part.ber_high - part.ber_low) / (2 * Z)).pivot(
        index="snr_db", columns="alpha", values="spread"
    )
    excess = pd.concat([rate[low] - rate[high] for low, high in pairwise(rate.columns)], axis=1).to_numpy()
    error = pd.concat([np.hypot(spread[low], spread[high]) for low, high in pairwise(rate.columns)], axis=1).to_numpy()
    sure = float(ndtri(1 - (1 - CONFIDENCE) / 2 / excess.size)) * error
    agree, disagree = excess > sure, excess < -sure
    verdict = "undecided"
    if agree.any() or disagree.any():
        verdict = "in part" if agree.any() and disagree.any() else "supported" if agree.any() else "contradicted"
    return {
        "verdict": verdict,
        "agree": int(agree.sum()),
        "disagree": int(disagree.sum()),
        "undecided": int((~agree & ~disagree).sum()),
        "agree_db": _span(rate.index.to_numpy()[agree.any(axis=1)]),
        "disagree_db": _span(rate.index.to_numpy()[disagree.any(axis=1)]),
        "widest_db": float(rate.index[int((rate.iloc[:, 0] - rate.iloc[:, -1]).argmax())]),
    }


def _span(grid: Any) -> str:
    return " to ".join(f"{db:g}" for db in sorted({grid.min(), grid.max()})) if len(grid) else ""

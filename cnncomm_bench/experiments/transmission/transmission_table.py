"""Aggregates transmitted images to `transmission.csv`: bit error rate, accuracy and image SNR of each point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...results.statistics import effective_trials, paired_difference, wilson
from ..link import exact
from .transmission_folder import POINT, SYSTEM

COLUMNS = [
    "alpha", "modulation", "code", "snr_db", "bits", "errors", "ber", "accuracy", "accuracy_low", "accuracy_high",
    "image_snr_db", "ruler", "receiver", "interleaver", "labelling", "frame", "samples_per_value", "images", "ber_low",
    "ber_high", "drop", "drop_low", "drop_high",
]  # fmt: skip


def aggregate(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a system and SNR.

    Parameters
    ----------
    rows : DataFrame
        See `transmission_folder.COLUMNS`.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`. `ber` is NaN where amplitudes are sent, its interval is exact where bits fail
        independently, by images elsewhere; `image_snr_db` is
        formula (1) of the paper over all images together, inf where all arrived as they were.
    """
    found = [_row(part) for _, part in rows.groupby(POINT, sort=False)]
    return pd.DataFrame(found, columns=COLUMNS)


def image_snr_db(signal_power: float, noise_power: float) -> float:
    """Formula (1) of the paper: signal power over noise power in dB, inf without noise.

    Examples
    --------
    >>> round(image_snr_db(2.0, 0.02), 9)
    20.0
    """
    return 10 * float(np.log10(signal_power / noise_power)) if noise_power > 0 else np.inf


def _row(part: pd.DataFrame) -> dict[str, Any]:
    right, clean = (np.asarray(part[name] == part.label, dtype=float) for name in ("prediction", "clean"))
    low, high = wilson(right.mean(), np.array(len(part)))
    drop_low, drop_high = paired_difference(clean - right)
    first = part.iloc[0]
    return {
        **{name: first[name] for name in ("alpha", "snr_db", "ruler", *SYSTEM, "samples_per_value")},
        **_bit_errors(part),
        "images": len(part),
        "accuracy": right.mean(), "accuracy_low": float(low), "accuracy_high": float(high),
        "drop": float((clean - right).mean()), "drop_low": drop_low, "drop_high": drop_high,
        "image_snr_db": image_snr_db(float(part.signal_power.sum()), float(part.noise_power.sum())),
    }  # fmt: skip


def _bit_errors(part: pd.DataFrame) -> dict[str, Any]:
    bits, errors = int(part.bits.sum()), int(part.errors.sum())
    if bits == 0:
        return {"bits": 0, "errors": 0, "ber": np.nan, "ber_low": np.nan, "ber_high": np.nan}
    trials: float = bits
    if not part.independent.all():  # by images, or where none has an error by frames
        shares = (part.errors / part.bits).to_numpy(dtype=float)
        trials = effective_trials(shares, int(part.bits.iloc[0])) if errors else bits / float(part.frame.iloc[0])
    rate, low, high = exact(errors / bits * trials, trials)
    return {"bits": bits, "errors": errors, "ber": rate, "ber_low": low, "ber_high": high}

"""The worst case over all adversaries of a run, derived from their predictions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

WORST = "worst"


def add_worst(predictions: pd.DataFrame, adversaries: Sequence[str]) -> pd.DataFrame:
    """Per-image worst case over adversaries, as further predictions under the attack `worst`.

    An image is right at an SNR only if it is right under every adversary and seed there. Only images on which all
    the adversaries ran count, SNR by SNR.

    Parameters
    ----------
    predictions : DataFrame
        As for `score`.
    adversaries : sequence of str
        Attacks to take the worst of.

    Returns
    -------
    DataFrame
        The rows of `worst` alone, columns as in `predictions`: the prediction and realised SNR of the first
        adversary that fooled the model, else of the first one.

    Raises
    ------
    ValueError
        No adversary, or one that is not in the predictions.
    """
    known = set(predictions["attack"].unique())
    missing = [name for name in adversaries if name not in known]
    if missing or not adversaries:
        raise ValueError(
            f"no predictions under {', '.join(missing) or 'any adversary'}; there are: {', '.join(sorted(known))}"
        )
    rows = predictions[predictions["attack"].isin(list(adversaries))].copy()
    rows["attack"] = rows["attack"].astype(object)
    rows["_order"] = rows["attack"].map({name: order for order, name in enumerate(adversaries)}).astype(int)
    rows["_right"] = rows["prediction"] == rows["label"]
    key = ["model", "ruler", "snr_db", "image"]
    rows = rows.sort_values(["_right", "_order", "seed"], kind="stable")
    ran = rows.groupby(key, observed=True, sort=False)["_order"].transform("nunique")
    worst = rows[ran == len(set(adversaries))].drop_duplicates(key).sort_values(key)
    return worst.assign(attack=WORST, seed=predictions["seed"].min(), reached=True)[list(predictions.columns)]

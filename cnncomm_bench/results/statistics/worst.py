"""The worst case over all adversaries of a run, derived from their predictions; and which adversary is strongest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from .counts import CLEAN, Counts, Curve

WORST = "worst"


def add_worst(predictions: pd.DataFrame, adversaries: Sequence[str]) -> pd.DataFrame:
    """Per-image worst case over adversaries, as further predictions under the attack `worst`.

    An image is right at an SNR only if it is right under every adversary and seed there, see `_on_all_snrs` for SNRs
    at which not all of them ran. Only images on which all the adversaries ran count.

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
    rows = _on_all_snrs(predictions, adversaries)
    rows["_order"] = rows["attack"].map({name: order for order, name in enumerate(adversaries)}).astype(int)
    rows["_right"] = rows["prediction"] == rows["label"]
    key = ["model", "ruler", "snr_db", "image"]
    rows = rows.sort_values(["_right", "_order", "seed"], kind="stable")
    ran = rows.groupby(key, observed=True, sort=False)["_order"].transform("nunique")
    worst = rows[ran == len(set(adversaries))].drop_duplicates(key).sort_values(key)
    return worst.assign(attack=WORST, seed=predictions["seed"].min(), reached=True)[list(predictions.columns)]


def _on_all_snrs(predictions: pd.DataFrame, adversaries: Sequence[str]) -> pd.DataFrame:
    """Predictions of adversaries at every SNR at which any of them ran an image.

    At an SNR where an adversary did not run, its answer within the next smaller budget that it ran counts, since that
    is allowed there too; without one, the clean image's.
    """
    columns = list(predictions.columns)
    plain = {"model": object, "attack": object, "ruler": object}
    rows = predictions[predictions["attack"].isin(list(adversaries))].astype(plain)
    key = ["model", "ruler", "image"]
    asked = rows[[*key, "snr_db"]].drop_duplicates()
    runs = rows[["attack", "seed"]].drop_duplicates()
    if len(rows) == len(asked) * len(runs):
        return rows.copy()
    clean = predictions[predictions["attack"] == CLEAN].astype(plain).drop(columns=["attack", "seed", "ruler"])
    found = []
    for attack, seed in runs.itertuples(index=False):
        own = rows[(rows["attack"] == attack) & (rows["seed"] == seed)]
        ran = own[key].drop_duplicates()
        unharmed = ran.merge(clean, on=["model", "image"]).assign(attack=attack, seed=seed)
        answers = pd.concat([own, unharmed[columns]]).sort_values("snr_db", kind="stable")
        wanted = asked.merge(ran, on=key).sort_values("snr_db", kind="stable")
        found.append(pd.merge_asof(wanted, answers, on="snr_db", by=key, direction="forward")[columns])
    return pd.concat(found, ignore_index=True)


def strongest(threshold_of: Mapping[str, float], drop_of: Mapping[str, float]) -> str:
    """Name the strongest adversary: the worst case of all where it was derived, else that of the highest threshold.

    Parameters
    ----------
    threshold_of : mapping of str to float
        Adversary to its threshold in dB, infinite off the grid, NaN where there is none; at least one.
    drop_of : mapping of str to float
        Adversary to its mean drop over the grid, which decides between equal thresholds.
    """
    if WORST in threshold_of:
        return WORST
    rank = {name: (-math.inf if math.isnan(db) else db, drop_of[name]) for name, db in threshold_of.items()}
    return max(rank, key=lambda name: rank[name])


def mean_drop(counts: Counts, curve: Curve) -> float:
    """Mean drop of accuracy over a curve's SNRs, on the images that ran at all of them; NaN without such images."""
    accuracies = counts.accuracies(curve.images)[0]
    return float(accuracies[curve.clean] - accuracies[curve.cells].mean())

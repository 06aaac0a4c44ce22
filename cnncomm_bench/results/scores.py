"""Predictions to scores: accuracy curves, thresholds and jamming gains in dB, gains between models, information.

Numbers off the grid. A threshold below (above) the grid is -inf (inf) in the frames, and so is the end of an
interval that reaches beyond it. A difference of thresholds of which one is off the grid has only a bound: it is
inf (-inf), and its interval's finite end is that bound at 97.5 % confidence. Tables write these as "< 0 dB", "> 50 dB"
and "> 12.3 dB"; in files `as_numbers` writes the bound as a number with its sign in a column `censored`, and
`read_table` reads both. NaN: no such number, such as the threshold of a model no better than chance.

Intervals are at 95 %. Accuracies: Wilson's, with an effective number of trials for several seeds. Drops and
differences: Bonett and Price's for paired proportions. Thresholds and gains: bootstrap over images, all cells
of an image drawn together. Information: jackknife over images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .._utils.frames import rows
from .statistics.counts import CellRow, Counts, Curve
from .statistics.gains import gains, thresholds
from .statistics.information import information_rate
from .statistics.intervals import effective_trials, paired_difference, quantiles, wilson
from .statistics.rows import CurveRow, InformationRow, MeanRow


@dataclass(frozen=True)
class Scores:
    """Numbers that follow from predictions, each with its interval.

    Attributes
    ----------
    curves : DataFrame
        `model, attack, ruler, snr_db, images, accuracy, accuracy_low, accuracy_high, drop, drop_low, drop_high,
        snr_min, snr_max, unreached`; the drop is paired, on images that ran clean too; snr_min and snr_max are of
        the realised SNR; unreached counts images whose noise saturated before its power at any seed.
    thresholds : DataFrame
        `model, attack, ruler, level, threshold_db, low, high, jamming_gain_db, gain_low, gain_high`, in dB, on the
        images that ran at every SNR; the level is halfway from chance to their clean accuracy. The jamming gain
        is against `gaussian` on the same images, level and ruler.
    gains : DataFrame
        Every two models: `attack, ruler, level, model, reference, gain_db, low, high, snr_db, difference,
        difference_low, difference_high, p`. The robustness gain in dB of a model over an earlier one at the level
        common to all models; then, at the SNR nearest to the two thresholds, the paired difference of
        accuracies and McNemar's exact p, adjusted by Holm's method over the whole frame. The attack
        `clean` compares clean accuracies. Without rows for a single model.
    information : DataFrame
        `model, attack, ruler, snr_db, bits, low, high`: mutual information of label and prediction, in bits per
        image, mean over the seeds; NaN with its interval where images are too few for it.
    means : DataFrame
        `model, attack, ruler, images, mean, low, high`: mean accuracy over the grid, what leaderboards average.
    counts : Counts
        The counts all of it came from, with the bootstrap samples.
    """

    curves: pd.DataFrame
    thresholds: pd.DataFrame
    gains: pd.DataFrame
    information: pd.DataFrame
    means: pd.DataFrame
    counts: Counts = field(repr=False)


def score(predictions: pd.DataFrame, *, classes: int, seed: int = 0, resamples: int = 1000) -> Scores:
    """Score predictions.

    Parameters
    ----------
    predictions : DataFrame
        `model, attack, ruler, seed, snr_db, image, label, prediction, realised_snr_db, reached`; the clean ones as
        attack `clean` with an SNR of inf.
    classes : int
        How many classes there are; chance is 1 / classes.
    seed, resamples : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        Predictions that cannot be scored, see `Counts`; models that share no image.
    """
    counts = Counts(predictions, classes=classes, seed=seed, resamples=resamples)
    return Scores(
        curves=_curves(counts),
        thresholds=thresholds(counts),
        gains=gains(counts),
        information=_information(counts, predictions),
        means=pd.DataFrame([_mean(counts, curve) for curve in counts.curves], columns=MeanRow._fields),
        counts=counts,
    )


def leaderboard_score(means: pd.DataFrame, *, family: Mapping[str, str], kind: Mapping[str, str]) -> pd.DataFrame:
    """Mean accuracy over the grid, by kind of attack; what leaderboards rank by.

    Attacks of one family are averaged first, so that many similar noises count once, then the families. A
    constant classifier scores chance.

    Parameters
    ----------
    means : DataFrame
        `Scores.means`; or `Scores.curves`, over whose SNRs the mean is taken first.
    family : mapping
        Attack to its family; an attack that is missing is its own.
    kind : mapping
        Attack to its kind, such as `noise` or `adversary`; attacks that are missing count nowhere.

    Returns
    -------
    DataFrame
        `model, ruler, kind, score`.
    """
    value = "mean" if "mean" in means.columns else "accuracy"
    frame = means[means["attack"].isin(list(kind))].copy()
    frame["kind"] = frame["attack"].map(kind)
    frame["family"] = frame["attack"].map(lambda attack: family.get(attack, attack))
    keys = ["model", "ruler", "kind", "family", "attack"]
    scores = frame.groupby(keys, sort=False)[value].mean()
    while len(keys) > 3:
        keys.pop()
        scores = scores.groupby(keys, sort=False).mean()
    return scores.rename("score").reset_index()


def _curves(counts: Counts) -> pd.DataFrame:
    added = [_accuracy_and_drop(counts, cell, seeds) for cell, seeds in enumerate(counts.cells["seeds"].tolist())]
    names = ["accuracy", "accuracy_low", "accuracy_high", "drop", "drop_low", "drop_high"]
    frame = pd.concat([counts.cells, pd.DataFrame(added, columns=names)], axis=1)
    return frame.loc[counts.order, list(CurveRow._fields)].reset_index(drop=True)


def _accuracy_and_drop(counts: Counts, cell: int, seeds: int) -> tuple[float, ...]:
    clean = counts.clean(str(counts.cells.at[cell, "model"]))
    hits = counts.hits[cell][counts.ran[cell]]
    accuracy = float(hits.mean(dtype=float))
    low, high = wilson(np.array(accuracy), np.array(effective_trials(hits, seeds)))
    if cell == clean:
        return accuracy, float(low), float(high), 0.0, 0.0, 0.0
    both = counts.ran[cell] & counts.ran[clean]
    if not both.any():
        return accuracy, float(low), float(high), math.nan, math.nan, math.nan
    lost = counts.hits[clean][both] - counts.hits[cell][both]
    return accuracy, float(low), float(high), float(lost.mean(dtype=float)), *paired_difference(lost)


def _mean(counts: Counts, curve: Curve) -> MeanRow:
    name, images = (curve.model, curve.attack, curve.ruler), int(curve.images.sum())
    if not images:
        return MeanRow(*name, images, *[math.nan] * 3)
    means = counts.accuracies(curve.images)[:, curve.cells].mean(1)
    return MeanRow(*name, images, float(means[0]), *quantiles(means[1:], means[1:]))


def _information(counts: Counts, predictions: pd.DataFrame) -> pd.DataFrame:
    labels, predicted = predictions["label"].to_numpy(), predictions["prediction"].to_numpy()
    seeds = predictions["seed"].to_numpy()
    rows_by_cell = np.argsort(counts.cell_of_row, kind="stable")
    ends = np.bincount(counts.cell_of_row, minlength=len(counts.cells)).cumsum()
    found = []
    for cell, row in zip(counts.order, rows(counts.cells.loc[counts.order], CellRow), strict=True):
        mine = rows_by_cell[ends[cell - 1] if cell else 0 : ends[cell]]
        each = [mine[seeds[mine] == seed] for seed in np.unique(seeds[mine])] if row.seeds > 1 else [mine]
        rates = [information_rate(labels[part], predicted[part], counts.classes) for part in each]
        # Seeds share their images: their intervals are averaged, not narrowed.
        means = np.mean([(rate.bits, rate.low, rate.high) for rate in rates], axis=0)
        found.append(InformationRow(row.model, row.attack, row.ruler, row.snr_db, *means.tolist()))
    return pd.DataFrame(found, columns=InformationRow._fields)

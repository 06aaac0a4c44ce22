"""Tests whether accuracy orders the alphas as the bit error rate of the same transmissions does."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ...results.claims import UNKNOWN, Claim, adjust, decide
from ...results.statistics import Floats, effect_of, resample
from .transmission_folder import SYSTEM, title

CLAIM = "transmission-order"
STATEMENT = (
    "Accuracy orders the alphas as the bit error rate of the same transmissions does (Ge et al., Figs. 1 and 3, in our "
    "words)."
)
RESAMPLES = 1000


def agreements(rows: pd.DataFrame, grid: tuple[float, ...], model: str, classes: int, seed: int) -> list[Claim]:
    """A claim for each system and ruler.

    Parameters
    ----------
    rows : DataFrame
        See `transmission_folder.COLUMNS`.
    grid : tuple of float
        The SNRs, dB.
    model : str
    classes, seed : int

    Returns
    -------
    list of Claim
        The effect is Kendall's tau over pairs of alphas, mean over the SNRs where the mean drop of the alphas is 10
        to 90 % of the way from clean accuracy to chance; its interval is a bootstrap over images. The claims are
        one family.
    """
    digital = rows[rows.bits > 0]
    claims = [
        _claim(part, grid, f"{model}, {title(*map(str, system))}", str(ruler), classes, seed)
        for (ruler, *system), part in digital.groupby(["ruler", *SYSTEM], sort=False)
    ]
    return adjust(claims)


def pairwise_tau(first: Floats, second: Floats) -> Floats:
    """Kendall's tau-a of A members: pairs in the same order less those in the opposite one, over all pairs.

    Parameters
    ----------
    first, second : ndarray, shape-(A, ...)

    Returns
    -------
    ndarray, shape-(...)

    Examples
    --------
    >>> pairwise_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])).round(3)
    np.float64(0.333)
    """
    signs = [
        np.sign(first[one] - first[other]) * np.sign(second[one] - second[other])
        for one, other in combinations(range(len(first)), 2)
    ]
    mean: Floats = np.mean(signs, axis=0)
    return mean


def _claim(part: pd.DataFrame, grid: tuple[float, ...], about: str, ruler: str, classes: int, seed: int) -> Claim:
    alphas = sorted(set(part.alpha), reverse=True)
    if len(alphas) < 2:
        return decide(CLAIM, about, ruler, UNKNOWN, "", reason="one alpha alone has no order", statement=STATEMENT)
    errors, lost = _arrays(part, alphas, grid)
    first = part[(part.alpha == alphas[0]) & (part.snr_db == grid[0])]
    clean = float((first.clean == first.label).mean())
    share = lost.mean((0, 2)) / max(clean - 1 / classes, 1e-9)
    informative = (share > 0.1) & (share < 0.9)
    dbs = [snr_db for snr_db, here in zip(grid, informative, strict=True) if here]
    evidence = f"Kendall's tau over {len(alphas)} alphas, mean over {len(dbs)} SNRs, {lost.shape[2]} images"
    if not dbs:
        reason = "no SNR at which the accuracy is off floor and ceiling"
        return decide(CLAIM, about, ruler, UNKNOWN, evidence, reason=reason, statement=STATEMENT)
    weights = resample(lost.shape[2], RESAMPLES, seed).astype(float)
    rates, drops = (values[:, informative] @ weights.T for values in (errors, lost))
    tau = pairwise_tau(rates, drops).mean(0)
    effect = effect_of(tau, lost.shape[2])
    return decide(CLAIM, about, ruler, effect, f"{evidence}, {dbs[0]:g} to {dbs[-1]:g} dB", statement=STATEMENT)


def _arrays(part: pd.DataFrame, alphas: list[float], grid: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Wrong bits, and images lost (1) or won (-1), by alpha, SNR and image, shape-(A, K, N).

    Above the end of a curve the images arrive as they are.
    """
    count = int(part.image.max()) + 1
    errors, lost = np.zeros((2, len(alphas), len(grid), count))
    for _, point in part.groupby(["alpha", "snr_db"]):
        place = alphas.index(float(point.alpha.iloc[0])), grid.index(float(point.snr_db.iloc[0]))
        errors[place] = point.errors
        lost[place] = (point.clean == point.label).astype(float) - (point.prediction == point.label)
    return errors, lost

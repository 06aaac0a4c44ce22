"""Information that predictions carry about the labels, beside what the pixels' channel could carry."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

from .intervals import Floats, Z, wilson

MOST_UNSURE = 0.25
"""Bits that images alone with their pair of label and prediction may hold before the estimate is withheld."""

Classes = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Information:
    """Mutual information in bits per image, with its 95 % interval; `bits` is NaN where only that is known."""

    bits: float
    low: float
    high: float


def capacity(snr_db: Floats | float) -> Floats:
    """Shannon's capacity of one pixel value as a Gaussian channel: 0.5 log2(1 + 10^(SNR/10)) bits (Shannon 1948).

    Parameters
    ----------
    snr_db : array_like, dB

    Returns
    -------
    ndarray
        Bits per pixel value; an image of D values could carry D times that.

    Examples
    --------
    >>> float(capacity(0.0))
    0.5
    """
    return 0.5 * np.log2(1 + 10 ** (np.asarray(snr_db, dtype=float) / 10))


def information_rate(labels: Classes, predictions: Classes, classes: int) -> Information:
    """Mutual information I(label; prediction) in bits per image.

    The plug-in estimate, its bias removed and its spread found by the jackknife over images (Quenouille 1956,
    Tukey 1958): with 500 images and ten classes a bias of 0.12 bits becomes 0.04 or less. An image that is alone with
    its pair of label and prediction looks as if its prediction determined the label, which one image cannot show: such
    images may be wrong by log2(classes) bits each. So the interval is that much wider, but begins at Fano's bound where
    that is higher, H(label) - h(e) - e log2(classes - 1) at the upper end of the error rate e (Fano 1961); and where
    they may be wrong by more than 0.25 bits in the mean, images are too few against the pairs, and the estimate is
    withheld.
    All are in [0, log2(classes)].

    Parameters
    ----------
    labels, predictions : ndarray, shape-(N,), int
        One seed: the images have to be independent.
    classes : int

    Raises
    ------
    ValueError
        No images, or unequal numbers of labels and predictions.

    Examples
    --------
    >>> round(information_rate(np.array([0, 1] * 500), np.array([0, 1] * 500), 2).bits, 3)
    1.0
    """
    if len(labels) != len(predictions) or not len(labels):
        raise ValueError(f"{len(labels)} labels and {len(predictions)} predictions: expected as many, at least one")
    # A model may predict more classes than the labels have.
    width = max(classes, int(np.max(predictions)) + 1)
    joint = np.asarray(labels, dtype=np.int64) * width + predictions
    pairs, of_pair = np.unique(joint, return_counts=True)
    n = len(joint)
    ceiling = float(np.log2(classes))
    if n == 1:
        return Information(0.0, 0.0, ceiling)
    of_label, of_prediction = np.bincount(pairs // width, of_pair), np.bincount(pairs % width, of_pair)
    marginal = of_label[pairs // width], of_prediction[pairs % width]

    total = _c_log_c(of_label).sum() + _c_log_c(of_prediction).sum() - _c_log_c(of_pair).sum()
    plug_in = np.log(n) - total / n
    lost = _step(marginal[0]) + _step(marginal[1]) - _step(of_pair)
    without_one = np.log(n - 1) - (total - lost) / (n - 1)  # an image of each pair left out in turn
    mean = (of_pair * without_one).sum() / n
    spread = (n - 1) / n * (of_pair * np.square(without_one - mean)).sum()

    bits = (n * plug_in - (n - 1) * mean) / np.log(2)
    # The jackknife knows the first order only; the second has the spread of chi^2 / (2 n) under independence.
    freedom = (np.count_nonzero(of_label) - 1) * (np.count_nonzero(of_prediction) - 1)
    half = Z * np.sqrt(spread + 2 * freedom / (2 * n) ** 2) / np.log(2)
    unsure = np.count_nonzero(of_pair == 1) / n * ceiling
    error = float(np.mean(labels != predictions))
    most_errors = float(wilson(np.array(error), np.array(n))[1])
    least = _fano(of_label / n, most_errors, classes)
    if error > 0:  # the jackknife has no spread for what did not happen
        # Of a few errors it takes the spread for symmetric; the interval of their number is not.
        skewed = max(1.0, (most_errors - error) / (Z * math.sqrt(max(error * (1 - error), 0.25 / n) / n)))
        least = max(least, bits - skewed * half - unsure)
    known, low, high = np.clip([bits, least, bits + half + unsure], 0, ceiling).tolist()
    return Information(math.nan if unsure > MOST_UNSURE else known, min(low, high), high)


def _fano(label_shares: Floats, error: float, classes: int) -> float:
    """Bits at least, by Fano's inequality at an error rate."""
    worst = min(error, 1 - 1 / classes)
    return float(entropy(label_shares, base=2) - entropy([worst, 1 - worst], base=2) - worst * np.log2(classes - 1))


def _c_log_c(counts: npt.NDArray[np.integer]) -> Floats:
    values: Floats = counts * np.log(np.maximum(counts, 1))
    return values


def _step(counts: npt.NDArray[np.integer]) -> Floats:
    return _c_log_c(counts) - _c_log_c(counts - 1)

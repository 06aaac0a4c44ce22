"""Information that predictions carry about the labels, beside what the pixels' channel could carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .intervals import Floats, Z

Classes = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Information:
    """Mutual information in bits per image, with its 95 % interval."""

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
    Tukey 1958): with 500 images and ten classes a bias of 0.12 bits becomes 0.04 or less. Where few images fall on
    each pair of unequal classes, as with few images and high accuracy, the interval covers at some 80 to 90 %
    instead of 95 %. All are in [0, log2(classes)].

    Parameters
    ----------
    labels, predictions : ndarray, shape-(N,), int
        One seed: the images have to be independent.
    classes : int

    Returns
    -------
    Information

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
    bits, low, high = np.clip([bits, bits - half, bits + half], 0, ceiling).tolist()
    return Information(bits, low, high)


def _c_log_c(counts: npt.NDArray[np.integer]) -> Floats:
    values: Floats = counts * np.log(np.maximum(counts, 1))
    return values


def _step(counts: npt.NDArray[np.integer]) -> Floats:
    return _c_log_c(counts) - _c_log_c(counts - 1)

"""Rows of the frames that scores consist of: their columns, in order, with types."""

from __future__ import annotations

from typing import NamedTuple


class CurveRow(NamedTuple):
    """Accuracy and drop at one SNR."""

    model: str
    attack: str
    ruler: str
    snr_db: float
    images: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    drop: float
    drop_low: float
    drop_high: float
    snr_min: float
    snr_max: float
    unreached: int


class ThresholdRow(NamedTuple):
    """Threshold and jamming gain of one curve, dB."""

    model: str
    attack: str
    ruler: str
    level: float
    threshold_db: float
    low: float
    high: float
    jamming_gain_db: float
    gain_low: float
    gain_high: float


class GainRow(NamedTuple):
    """A model against a reference under one attack: robustness gain in dB, and difference of accuracies at one SNR."""

    attack: str
    ruler: str
    level: float
    model: str
    reference: str
    gain_db: float
    low: float
    high: float
    snr_db: float
    difference: float
    difference_low: float
    difference_high: float
    p: float


class InformationRow(NamedTuple):
    """Mutual information of label and prediction at one SNR, bits per image."""

    model: str
    attack: str
    ruler: str
    snr_db: float
    bits: float
    low: float
    high: float


class MeanRow(NamedTuple):
    """Mean accuracy of one curve over the grid."""

    model: str
    attack: str
    ruler: str
    images: int
    mean: float
    low: float
    high: float


class ScoreRow(NamedTuple):
    """Mean accuracy over the grid under one kind of attack."""

    model: str
    ruler: str
    kind: str
    score: float

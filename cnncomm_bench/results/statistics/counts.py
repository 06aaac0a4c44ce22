"""Predictions counted once: right or wrong per cell and image, from which every score is derived.

A cell here is one (model, attack, ruler, SNR); the seeds of an image are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..._utils.frames import groups
from .intervals import RESAMPLES, Floats, ragged_means, resample

COLUMNS = (
    "model",
    "attack",
    "ruler",
    "seed",
    "snr_db",
    "image",
    "label",
    "prediction",
    "realised_snr_db",
    "reached",
)
CLEAN = "clean"
Mask = npt.NDArray[np.bool_]
_CHUNK = 1 << 24  # weights turned into floats at a time


@dataclass(frozen=True)
class Curve:
    """Cells of one (model, attack, ruler), in rising order of SNR.

    Attributes
    ----------
    model, attack, ruler : str
    snr_db : ndarray, shape-(K,)
    cells : ndarray, shape-(K,), int
        Rows of `Counts.cells`.
    images : ndarray, shape-(N,), bool
        Images that ran at any of its SNRs and clean.
    clean : int
        Row of the model's clean predictions.
    """

    model: str
    attack: str
    ruler: str
    snr_db: Floats
    cells: npt.NDArray[np.intp]
    images: Mask
    clean: int


class CellRow(NamedTuple):
    """One (model, attack, ruler, SNR): how many images and seeds ran, and the range of their realised SNRs."""

    model: str
    attack: str
    ruler: str
    snr_db: float
    images: int
    seeds: int
    snr_min: float
    snr_max: float
    unreached: int


class Counts:
    """Which images are right in which cells, and bootstrap samples of the images.

    Parameters
    ----------
    predictions : DataFrame
        Columns as `COLUMNS`; clean predictions as attack `clean` with an SNR of inf.
    classes : int
    seed, resamples : int
        Of the bootstrap.

    Attributes
    ----------
    cells : DataFrame
        One row a cell, columns as in `CellRow`.
    hits : ndarray, shape-(cells, N), float32
        Share of the seeds at which an image was right; 0 where it did not run.
    ran : ndarray, shape-(cells, N), bool
    chance : float
        Accuracy of guessing, 1 / classes.

    Raises
    ------
    ValueError
        Columns are missing, no rows, a model without clean predictions, labels that are no class, an SNR that
        is NaN, or duplicate rows.
    """

    def __init__(self, predictions: pd.DataFrame, *, classes: int, seed: int = 0, resamples: int = RESAMPLES) -> None:
        _check(predictions, classes)
        self.classes, self.chance, self.seed, self.resamples = classes, 1 / classes, seed, resamples
        keys = {name: _codes(predictions[name]) for name in ("model", "attack", "ruler", "snr_db", "seed")}
        image, self.images = _codes(predictions["image"])
        cell = _combine([keys[name] for name in ("model", "attack", "ruler", "snr_db")])
        present, self.cell_of_row = np.unique(cell, return_inverse=True)
        count, images = len(present), len(self.images)

        right = (predictions["prediction"].to_numpy() == predictions["label"].to_numpy()).astype(np.float32)
        place = self.cell_of_row * images + image
        runs = np.bincount(place, minlength=count * images).reshape(count, images)
        sums = np.bincount(place, weights=right, minlength=count * images).reshape(count, images)
        self.ran: Mask = runs > 0
        self.hits = np.divide(sums, runs, out=np.zeros(sums.shape, np.float32), where=self.ran, casting="same_kind")

        seeds = len(keys["seed"][1])
        in_cell = np.bincount(self.cell_of_row * seeds + keys["seed"][0], minlength=count * seeds).reshape(count, seeds)
        seeds_of_cell = (in_cell > 0).sum(1)
        if (runs.max(1) > seeds_of_cell).any():
            raise ValueError(
                "duplicate predictions: expected one row for each model, attack, ruler, seed, SNR and image"
            )
        self.cells = self._describe(predictions, keys, present, place, seeds_of_cell)
        self.models = [str(name) for name in keys["model"][1]]
        clean = self.cells[self.cells["attack"] == CLEAN]
        self._clean: dict[str, int] = dict(zip(clean["model"], clean.index, strict=True))
        without = [name for name in self.models if name not in self._clean]
        if without:
            raise ValueError(
                f"no clean predictions of {', '.join(without)}: scores need the attack 'clean' of every model"
            )
        self._accuracies: dict[bytes, Floats] = {}

    def clean(self, model: str) -> int:
        """Find the row of a model's clean predictions in `cells`."""
        return self._clean[model]

    @cached_property
    def curves(self) -> list[Curve]:
        """Every (model, attack, ruler) but the clean ones, in order of appearance."""
        disturbed = self.cells[self.cells["attack"] != CLEAN]
        found = []
        for (model, attack, ruler), group in groups(disturbed, ["model", "attack", "ruler"]):
            rows = group.sort_values("snr_db").index.to_numpy()
            images = self.ran[rows].any(0) & self.ran[self._clean[model]]
            snr_db = self.cells["snr_db"].to_numpy()[rows]
            found.append(Curve(model, attack, ruler, snr_db, rows, images, self._clean[model]))
        return found

    def curve(self, model: str, attack: str, ruler: str) -> Curve | None:
        """Find the curve of a model under an attack and a ruler, if it was run."""
        return self._by_key.get((model, attack, ruler))

    @property
    def order(self) -> list[int]:
        """Rows of `cells` model by model, the clean one first, then curve by curve in rising order of SNR."""
        return [
            cell
            for model in self.models
            for cell in (
                self._clean[model],
                *(c for curve in self.curves if curve.model == model for c in curve.cells),
            )
        ]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str, str], Curve]:
        return {(curve.model, curve.attack, curve.ruler): curve for curve in self.curves}

    @cached_property
    def _weights(self) -> npt.NDArray[np.uint8]:
        return resample(len(self.images), self.resamples, self.seed)

    def accuracies(self, images: Mask) -> Floats:
        """Accuracy of every cell on a set of images, in the sample and in every bootstrap sample.

        All cells of an image are drawn together, so that differences between cells are paired.

        Parameters
        ----------
        images : ndarray, shape-(N,), bool

        Returns
        -------
        ndarray, shape-(1 + resamples, cells)
            Row 0 is the sample. A cell that lacks some of the images is scored on the others: in a sequential design
            the images run at an SNR are chosen without regard to their answers. NaN where it lacks them all.
        """
        key = images.tobytes()
        if key not in self._accuracies:
            whole = images.all()
            covering = self.ran[:, images].all(1)
            hits = self.hits[covering] if whole else self.hits[np.ix_(covering, images)]
            columns = hits.T.copy()
            values = np.full((1 + self.resamples, len(self.cells)), np.nan)
            rows = max(1, _CHUNK // max(1, len(self.images)))
            for start in range(0, 1 + self.resamples, rows):
                drawn = self._weights[start : start + rows]
                weights = (drawn if whole else drawn[:, images]).astype(np.float32)
                with np.errstate(invalid="ignore"):
                    means = (weights @ columns) / weights.sum(1, keepdims=True)
                values[start : start + rows, covering] = means
                if not covering.all():
                    some = np.ix_(~covering, images)
                    values[start : start + rows, ~covering] = ragged_means(weights, self.hits[some], self.ran[some])
            self._accuracies[key] = values
        return self._accuracies[key]

    def _describe(
        self,
        predictions: pd.DataFrame,
        keys: dict[str, tuple[npt.NDArray[np.intp], pd.Index]],
        present: npt.NDArray[np.intp],
        place: npt.NDArray[np.intp],
        seeds: npt.NDArray[np.intp],
    ) -> pd.DataFrame:
        names = ("model", "attack", "ruler", "snr_db")
        parts = np.unravel_index(present, [len(keys[name][1]) for name in names])
        frame = pd.DataFrame({name: keys[name][1].take(part) for name, part in zip(names, parts, strict=True)})
        frame[["model", "attack", "ruler"]] = frame[["model", "attack", "ruler"]].astype(object)
        frame["snr_db"] = frame["snr_db"].astype(float)
        frame["images"], frame["seeds"] = self.ran.sum(1), seeds
        realised = predictions["realised_snr_db"].astype(float).groupby(self.cell_of_row, sort=True)
        frame["snr_min"], frame["snr_max"] = realised.min().to_numpy(), realised.max().to_numpy()
        missed = place[~predictions["reached"].to_numpy(dtype=bool)]
        images = len(self.images)
        frame["unreached"] = np.bincount(np.unique(missed) // images, minlength=len(frame)).astype(int)
        return frame


def _check(predictions: pd.DataFrame, classes: int) -> None:
    missing = [name for name in COLUMNS if name not in predictions.columns]
    if missing:
        raise ValueError(f"predictions lack the column {', '.join(missing)}; expected {', '.join(COLUMNS)}")
    if not len(predictions):
        raise ValueError("there are no predictions to score")
    if classes < 2:
        raise ValueError(f"classes={classes}: accuracy needs at least two classes")
    if predictions["snr_db"].isna().any():
        raise ValueError("an SNR is NaN")
    lowest, highest = predictions["label"].min(), predictions["label"].max()
    if lowest < 0 or highest >= classes:
        raise ValueError(
            f"labels go from {lowest} to {highest}, but there are {classes} classes: expected 0 to {classes - 1}"
        )


def _codes(column: pd.Series) -> tuple[npt.NDArray[np.intp], pd.Index]:
    """Return the number of each value in order of appearance, and the values."""
    codes, values = pd.factorize(column)
    return codes.astype(np.intp, copy=False), pd.Index(values)


def _combine(parts: list[tuple[npt.NDArray[np.intp], pd.Index]]) -> npt.NDArray[np.intp]:
    combined = parts[0][0]
    for codes, values in parts[1:]:
        combined = combined * len(values) + codes
    return combined

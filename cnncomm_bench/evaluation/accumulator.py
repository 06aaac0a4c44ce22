"""The accumulator: collects the predictions of a cell batch by batch, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from torch import Tensor

from ..attacks import Perturbed
from ..data import Indices
from .cells import Cell


class Accumulator:
    """The predictions of one cell; a batch that is put twice replaces its earlier values."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._shape = (len(cell.snr_db), len(cell.images))
        self._predictions = np.empty(self._shape, dtype=np.int64)
        self._realised = np.empty(self._shape, dtype=np.float64)
        self._reached = np.empty(self._shape, dtype=np.bool_)
        self._facts: dict[str, npt.NDArray[np.float64]] = {}

    def put(self, perturbed: Perturbed, rows: slice, predictions: Tensor, realised_snr_db: Tensor) -> None:
        """Store one batch at one SNR."""
        place = perturbed.step, rows
        self._predictions[place] = predictions.cpu().numpy()
        self._realised[place] = realised_snr_db.cpu().numpy()
        self._reached[place] = perturbed.reached.cpu().numpy()
        for fact, values in perturbed.facts.items():
            self._facts.setdefault(fact, np.full(self._shape, np.nan))[place] = values.double().cpu().numpy()

    def columns(self, model: str, labels: Indices | None) -> dict[str, Any]:
        """The cell as columns of `results.reader.PREDICTIONS`, SNR by SNR."""
        steps, count = self._shape
        rows = steps * count
        constant = {"model": model, "attack": self._cell.attack.spec, "ruler": self._cell.ruler}
        return {
            **{name: pa.repeat(value, rows).dictionary_encode() for name, value in constant.items()},
            "seed": np.full(rows, self._cell.seed),
            "snr_db": np.repeat(self._cell.snr_db, count),
            "image": np.tile(self._cell.images, steps),
            "label": np.tile(self._predictions[0] if labels is None else labels, steps),
            "prediction": self._predictions.ravel(),
            "realised_snr_db": self._realised.ravel(),
            "reached": self._reached.ravel(),
        }

    def mean_facts(self) -> dict[str, dict[str, float]]:
        """Mean of each fact over the cell's images, by SNR."""
        return {
            fact: {
                f"{self._cell.snr_db[step]:g}": float(np.mean(row[~np.isnan(row)]))
                for step, row in enumerate(values)
                if not np.isnan(row).all()
            }
            for fact, values in self._facts.items()
        }

"""Reads the families of curves that are compared: accuracy drops and bit error rates of the same alphas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ..._utils.errors import UsageError
from ...attacks import StableNoise, parse
from ...results import Run
from ...results.statistics import Counts, Floats, Z
from ..link import SYSTEM, complete, system_name

DROP = ("drop", "drop_low", "drop_high")
RATE = ("ber", "ber_low", "ber_high")
RESAMPLES = 200

MOST_ALPHAS = 7
"""Every pairing of the alphas is tried: 5,040 of seven."""


@dataclass(frozen=True)
class Family:
    """Curves of several alphas.

    Attributes
    ----------
    name : str
        A model, or a system of the link.
    ruler : str
    curves : dict of float to DataFrame
        By alpha, rising SNR; the columns `snr_db`, `value`, `low`, `high`.
    samples : dict of float to ndarray, shape-(B, K)
        Bootstrap samples of each curve's values: of a model over images, of a link over its errors.
    """

    name: str
    ruler: str
    curves: dict[float, pd.DataFrame]
    samples: dict[float, Floats]

    @property
    def snr_db(self) -> Floats:
        """The grid, which all curves share."""
        return np.asarray(next(iter(self.curves.values())).snr_db, dtype=float)

    def values(self, alphas: list[float]) -> Floats:
        """Shape-(A, K)."""
        return np.array([self.curves[alpha].value.to_numpy() for alpha in alphas])

    def resampled(self, alphas: list[float]) -> Floats:
        """The values, then bootstrap samples of them, shape-(1 + B, A, K)."""
        drawn = np.stack([self.samples[alpha] for alpha in alphas], axis=1)
        return np.concatenate([self.values(alphas)[None], drawn])

    def at(self, snr_db: float, alphas: list[float]) -> Floats:
        """Value and interval of each alpha at one SNR of the grid, shape-(A, 3)."""
        rows = [self.curves[alpha].set_index("snr_db").loc[snr_db, ["value", "low", "high"]] for alpha in alphas]
        return np.array(rows, dtype=float)


@dataclass(frozen=True)
class Pair:
    """A model's family and a link's on the same ruler, with the alphas and SNRs that both have."""

    model: Family
    link: Family

    @property
    def alphas(self) -> list[float]:
        """Falling."""
        return sorted(set(self.model.curves) & set(self.link.curves), reverse=True)

    @property
    def snr_db(self) -> list[float]:
        """Rising."""
        return sorted(set(self.model.snr_db.tolist()) & set(self.link.snr_db.tolist()))


def pairs(run: Run, table: pd.DataFrame) -> list[Pair]:
    """Every model of a run with every system of a link, ruler by ruler.

    Raises
    ------
    UsageError
        They have no ruler, fewer than three alphas or no SNR in common.
    """
    whole = complete(table)
    systems = [system_name(*row) for row in whole[SYSTEM].itertuples(index=False)]
    links = list(_families(whole.assign(system=systems), "system", RATE, _link_samples))
    models = list(_families(_with_alphas(run.curves), "model", DROP, partial(_model_samples, run.scores.counts)))
    found = [Pair(model, link) for model in models for link in links if model.ruler == link.ruler]
    found = [pair for pair in found if len(pair.alphas) > 2 and pair.snr_db]
    if any(len(pair.alphas) > MOST_ALPHAS for pair in found):
        raise UsageError(f"run and link have more than {MOST_ALPHAS} alphas in common: expected at most that many")
    if not found:
        raise UsageError(
            "run and link have no ruler with three alphas and an SNR in common: "
            "expected a run of the suite figure3 and a link of the same alphas"
        )
    return found


def _with_alphas(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of symmetric alpha-stable noise, with a column `alpha`."""
    return curves.assign(alpha=curves["attack"].map({spec: _alpha(spec) for spec in curves["attack"].unique()}))


def _alpha(spec: str) -> float:
    attack = None if spec in ("clean", "worst") else parse(spec)
    plain = isinstance(attack, StableNoise) and attack.beta == 0 and attack.channels == "independent"
    return attack.alpha if plain and isinstance(attack, StableNoise) else np.nan


def _families(
    table: pd.DataFrame, name: str, columns: tuple[str, str, str], draw: Callable[[pd.DataFrame], Floats]
) -> Iterator[Family]:
    finite = table[table.alpha.notna() & np.isfinite(table.snr_db)]
    renamed = finite.rename(columns=dict(zip(columns, ("value", "low", "high"), strict=True)))
    for (title, ruler), part in renamed.groupby([name, "ruler"], sort=False):
        curves = {float(str(alpha)): curve.sort_values("snr_db") for alpha, curve in part.groupby("alpha")}
        samples = {alpha: draw(curve) for alpha, curve in curves.items()}
        shown = {alpha: curve[["snr_db", "value", "low", "high"]] for alpha, curve in curves.items()}
        yield Family(str(title), str(ruler), shown, samples)


def _model_samples(counts: Counts, rows: pd.DataFrame) -> Floats:
    """Accuracy drops in bootstrap samples of the images, which all alphas share, shape-(B, K)."""
    curve = counts.curve(*(str(rows[name].iloc[0]) for name in ("model", "attack", "ruler")))
    if curve is None:
        raise ValueError("a curve without predictions")
    accuracy = counts.accuracies(curve.images)[1 : 1 + RESAMPLES]
    return accuracy[:, [curve.clean]] - accuracy[:, curve.cells]


def _link_samples(rows: pd.DataFrame) -> Floats:
    """Error rates drawn from their intervals, shape-(B, K)."""
    spread = ((rows.high - rows.low) / (2 * Z)).to_numpy()
    normal = np.random.default_rng(0).standard_normal((RESAMPLES, len(rows)))
    return (rows.value.to_numpy() + spread * normal).clip(0, 1)

"""A finished run: its predictions, and everything that is derived from them without the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import pandas as pd

from .._utils.errors import RunFolderError
from .claims.judging import Claim, judge
from .claims.shape_tests import Comparison, compare_shapes
from .reader import read_info, read_predictions
from .schema import RunInfo
from .scores import Scores, score
from .statistics.worst import WORST, add_worst
from .warnings import run_warnings


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    Attributes
    ----------
    info : RunInfo
        What was run, on what, with every version and hash.
    predictions : DataFrame
        One row for every image, attack, ruler, seed and SNR.
    output_failures : list of str
        Which pictures could not be drawn, and why; warnings too.
    curves, thresholds, gains : DataFrame
        See `score`.
    """

    info: RunInfo
    predictions: pd.DataFrame
    output_failures: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a run's folder; nothing in it is executed.

        Raises
        ------
        RunFolderError
            No run, one that is not finished, or a corrupt one: where is named.
        """
        path = Path(folder)
        info = read_info(path)
        # Column by column, each freed once it is converted: the rows of a large run would not fit twice.
        return cls(info, read_predictions(path, info).to_pandas(split_blocks=True, self_destruct=True))

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The predictions, and those of `worst` where several adversaries ran over the grid."""
        ran = set(self.predictions["attack"].unique())
        over_grid = [entry for entry in self.info.suite.attacks if entry.adversary and not entry.at_radius]
        rivals = [entry.spec for entry in over_grid if entry.spec in ran]
        return _with_worst(self.predictions, rivals) if len(rivals) > 1 else self.predictions

    @cached_property
    def scores(self) -> Scores:
        """Everything that is derived from the predictions.

        Raises
        ------
        RunFolderError
            The predictions contradict each other or `run.json`.
        """
        try:
            return score(self.scored, classes=self.info.data.classes)
        except ValueError as error:
            raise RunFolderError(f"predictions.parquet is corrupt: {error}") from error

    @property
    def curves(self) -> pd.DataFrame:
        """Accuracy and drop with intervals, by model, attack, ruler and SNR."""
        return self.scores.curves

    @property
    def thresholds(self) -> pd.DataFrame:
        """SNR at which accuracy crosses its level, and the jamming gain, with intervals."""
        return self.scores.thresholds

    @property
    def gains(self) -> pd.DataFrame:
        """Robustness gains between models in dB, with intervals."""
        return self.scores.gains

    @cached_property
    def claims(self) -> list[Claim]:
        """The paper's claims, judged on this run."""
        values = math.prod(self.info.data.shape)
        return judge(
            self.scores, whole_impulses=self._whole_impulses, adversaries=self.adversaries, pixel_values=values
        )

    @cached_property
    def shape_comparisons(self) -> list[Comparison]:
        """Every shaped noise against both baselines, model by model, see `compare_shapes`."""
        counts = self.scores.counts
        return [found for model in counts.models for found in compare_shapes(counts, model, self._whole_impulses)]

    @cached_property
    def _whole_impulses(self) -> dict[tuple[str, float], float]:
        return {
            (attack, float(snr_db)): whole
            for by_attack in self.info.facts.values()  # the same for all models: impulses ask none
            for attack, facts in by_attack.items()
            for snr_db, whole in facts.get("impulses", {}).items()
        }

    @property
    def adversaries(self) -> set[str]:
        """Spec strings of the run's adversaries, and `worst`, the per-image worst case of several."""
        return {entry.spec for entry in self.info.suite.attacks if entry.adversary} | {WORST}

    @property
    def sign_attacks(self) -> set[str]:
        """Spec strings of the adversaries along the gradient's sign, whose budget is an L-infinity radius too."""
        return {entry.spec for entry in self.info.suite.attacks if entry.norm == "linf"}

    def radius(self, snr_db: float, attack: str) -> str:
        """An SNR in the field's other units: L2 at the median norm, and L-infinity for attacks along the sign.

        Returns
        -------
        str
            Empty where the SNR is no finite number.
        """
        if not math.isfinite(snr_db):
            return ""
        l2 = self.info.data.median_norm * 10 ** (-snr_db / 20)
        linf = f", Linf {l2 / math.sqrt(math.prod(self.info.data.shape)):.2g}" if attack in self.sign_attacks else ""
        return f"L2 {l2:.3g}{linf}"

    @property
    def warnings(self) -> list[str]:
        """Warnings on the run, one line each."""
        return [*self._findings, *self.output_failures]

    @cached_property
    def _findings(self) -> list[str]:
        return run_warnings(self.info, self.predictions, self.curves, self.thresholds)


def _with_worst(predictions: pd.DataFrame, adversaries: Sequence[str]) -> pd.DataFrame:
    worst = add_worst(predictions, adversaries)
    # One dtype: columns of text would cost a large run several times its memory.
    attacks = pd.CategoricalDtype([*predictions["attack"].astype("category").cat.categories, WORST])
    return pd.concat([frame.astype({"attack": attacks}) for frame in (predictions, worst)], ignore_index=True)

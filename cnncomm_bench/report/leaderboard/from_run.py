"""From a run to a leaderboard's entries, one for each of its models."""

from __future__ import annotations

import math
import ntpath
import re
import shlex
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..._utils.errors import DataError
from ..._utils.frames import groups, rows
from ...attacks import parameters
from ...results import ModelInfo, Run, leaderboard_score, suites
from ...results.statistics import CLEAN, CurveRow, Floats, ScoreRow, ThresholdRow, quantiles
from .entry import (
    AttackRecord,
    CellRecord,
    CleanRecord,
    CurveRecord,
    DataRecord,
    Entry,
    Kind,
    ModelRecord,
    ScoreRecord,
    SuiteRecord,
    ThresholdRecord,
)

IMAGES_A_CELL = 256
"""Small, so that a share of the cells is a share of every curve; a multiple of the usual batches, so that they are
the same batches when a cell is rerun."""

_FEWEST_IMAGES = 30
_OUTSIDE = re.compile(r"/|\\|~|\.\.[/\\]|[A-Za-z]:[/\\]")


def entries_of(run: Run) -> list[Entry]:
    """Entries of a run's models.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of Entry

    Raises
    ------
    DataError
        The run cannot be in a leaderboard: cells that failed, images without labels, too few of them, a model
        without a file.
    """
    data = run.info.data
    if run.info.failures:
        raise DataError(f"{len(run.info.failures)} cells of the run failed: rerun its command until none does")
    if not data.labelled:
        raise DataError(f"{data.name} has no labels: a leaderboard ranks by accuracy, and needs them")
    if not _over_the_grid(run):
        raise DataError("no attack of the run goes over an SNR grid, and a leaderboard's score is a mean over one")
    fewest = int(run.curves.images.min())
    if fewest < _FEWEST_IMAGES:
        raise DataError(f"an attack ran on {fewest} images, and a leaderboard needs {_FEWEST_IMAGES} at least")
    return [_entry(run, model) for model in run.info.models]


def portable(command: str) -> str:
    """A command as a stranger can use it: without `--out`, and files outside the working folder by their names.

    Parameters
    ----------
    command : str

    Returns
    -------
    str

    Examples
    --------
    >>> portable("cnncomm-bench --model /home/ada/net.pt --arch ../nets.py:net --out runs/1")
    'cnncomm-bench --model net.pt --arch nets.py:net'
    """
    words = shlex.split(command)
    kept: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if "--out" in (before, word) or word.startswith("--out="):
            continue
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        kept.append(option + equals + _inside(value))
    return shlex.join(kept)


def settings(attack: suites.Entry) -> dict[str, bool | int | float | str]:
    """Every parameter of an attack with its value, defaults too.

    Examples
    --------
    >>> settings(suites.Entry(spec="cauchy"))
    {'alpha': 1.0, 'beta': 0.0, 'channels': 'independent'}
    """
    values = {field.name: getattr(attack.attack, field.name) for field in parameters(attack.attack)}
    plain = (bool, int, float, str)
    return {name: v if isinstance(v, plain) else str(v) for name, v in values.items() if v is not None}


def _inside(value: str) -> str:
    """Shorten a path that leads out of the working folder to its last part; it may follow NAME:."""
    if _OUTSIDE.match(value):
        return ntpath.basename(value.rstrip("/\\")) or "."
    name, colon, path = value.rpartition(":")
    return f"{name}:{_inside(path)}" if colon and _OUTSIDE.match(path) and "://" not in value else value


def _entry(run: Run, model: ModelInfo) -> Entry:
    info = run.info
    if not model.sha256:
        raise DataError(f"{model.name} has no file, so no SHA-256 identifies it: a leaderboard cannot hold it")
    curves = run.curves[run.curves.model == model.name]
    clean = next(rows(curves[curves.attack == CLEAN], CurveRow))
    attacks = _over_the_grid(run)
    specs = {attack.spec for attack in attacks}
    predictions = run.predictions[run.predictions.model == model.name]
    thresholds = run.thresholds[(run.thresholds.model == model.name) & run.thresholds.attack.isin(specs)]
    how = model.preprocessing
    labels = run.predictions.drop_duplicates("image")["label"]
    return Entry(
        model=ModelRecord(
            name=model.name,
            sha256=model.sha256,
            **{key: how[key] for key in ("mean", "std", "size", "resize", "interpolation") if key in how},
        ),
        data=DataRecord(
            name=info.data.name,
            sha256=info.data.sha256,
            images=info.data.images,
            shape=info.data.shape,
            classes=info.data.classes,
            commonest=round(float(labels.value_counts(normalize=True).max()), 6),
        ),
        suite=SuiteRecord(
            title=info.suite.title,
            snr_db=list(info.suite.snr_db),
            rulers=list(info.suite.rulers),
            samples=info.suite.samples,
            attacks=[
                AttackRecord(
                    spec=attack.spec,
                    kind=_kind(attack.adversary),
                    family=attack.family,
                    samples=attack.samples,
                    parameters=settings(attack),
                )
                for attack in attacks
            ],
        ),
        seeds=info.seeds,
        bits=info.bits,
        batch_size=info.batch_size,
        device=info.device,
        command=portable(info.command),
        versions=info.versions,
        findings=model.findings,
        clean=CleanRecord(
            accuracy=round(clean.accuracy, 6),
            low=round(clean.accuracy_low, 6),
            high=round(clean.accuracy_high, 6),
            images=clean.images,
        ),
        scores=list(_scores(run, model.name)),
        thresholds=[_threshold(row) for row in rows(thresholds, ThresholdRow)],
        curves=list(_curves(curves[curves.attack.isin(specs)])),
        cells=list(_cells(predictions[predictions.attack.isin(specs | {CLEAN})])),
    )


def _over_the_grid(run: Run) -> list[suites.Entry]:
    """The attacks that a score is made of: not those at one radius, nor what is derived, such as `worst`."""
    return [attack for attack in run.info.suite.attacks if not attack.at_radius]


def _kind(adversary: bool) -> Kind:
    return "adversary" if adversary else "noise"


def _scores(run: Run, model: str) -> Iterator[ScoreRecord]:
    """Score by kind and ruler, in the run's images and in every bootstrap sample of them."""
    attacks = {entry.spec: entry for entry in _over_the_grid(run)}
    curves = run.scores.means
    means = leaderboard_score(
        curves[curves.model == model],
        family={spec: entry.family for spec, entry in attacks.items()},
        kind={spec: _kind(entry.adversary) for spec, entry in attacks.items()},
    )
    counts = run.scores.counts
    for row in rows(means, ScoreRow):
        families: dict[str, list[Floats]] = {}
        for curve in counts.curves:
            entry = attacks.get(curve.attack)
            if entry and (curve.model, curve.ruler, _kind(entry.adversary)) == (model, row.ruler, row.kind):
                values = counts.accuracies(curve.images)[1:, curve.cells].mean(1)
                families.setdefault(entry.family, []).append(values)
        replicates = np.mean([np.mean(values, axis=0) for values in families.values()], axis=0).round(5)
        low, high = quantiles(replicates, replicates)
        yield ScoreRecord(
            kind=_kind(row.kind == "adversary"),
            ruler=row.ruler,
            score=round(row.score, 6),
            low=low,
            high=high,
            replicates=replicates.tolist(),
        )


def _curves(curves: pd.DataFrame) -> Iterator[CurveRecord]:
    for (attack, ruler), curve in groups(curves, ["attack", "ruler"]):
        rising = curve.sort_values("snr_db").round(6)
        yield CurveRecord(
            attack=attack,
            ruler=ruler,
            images=rising.images.tolist(),
            accuracy=rising.accuracy.tolist(),
            low=rising.accuracy_low.tolist(),
            high=rising.accuracy_high.tolist(),
        )


def _threshold(row: ThresholdRow) -> ThresholdRecord:
    def number(value: float) -> float | None:
        return round(float(value), 3) if math.isfinite(value) else None

    value = row.threshold_db
    return ThresholdRecord(
        attack=row.attack,
        ruler=row.ruler,
        level=number(row.level),
        threshold_db=number(value),
        low=number(row.low),
        high=number(row.high),
        side="none" if math.isnan(value) else "on" if math.isfinite(value) else "below" if value < 0 else "above",
    )


def _cells(predictions: pd.DataFrame) -> Iterator[CellRecord]:
    """Counts of right answers in blocks of images, in rising order of the images."""
    right = predictions.assign(right=predictions["prediction"] == predictions["label"])
    for (attack, ruler, seed), part in groups(right, ["attack", "ruler", "seed"]):
        table = part.pivot(index="image", columns="snr_db", values="right").sort_index(axis=0).sort_index(axis=1)
        hits = table.to_numpy()
        for start in range(0, len(hits), IMAGES_A_CELL):
            block = hits[start : start + IMAGES_A_CELL]
            yield CellRecord(
                attack=attack, ruler=ruler, seed=int(seed), images=len(block), correct=block.sum(0).astype(int).tolist()
            )

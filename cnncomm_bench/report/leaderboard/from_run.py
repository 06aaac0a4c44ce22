"""From a run to a leaderboard's entries, one for each of its models."""

from __future__ import annotations

import ntpath
import re
import shlex
from collections.abc import Iterator

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ..._utils.errors import DataError
from ..._utils.files import shown
from ..._utils.frames import groups
from ...attacks import parameters
from ...results import ModelInfo, Run, suites
from ...results.statistics import CLEAN
from .correctness import IMAGES_A_CELL, pack_hits, pack_indices
from .derived import derive
from .entry import MOST_COMMAND, AttackRecord, CellRecord, DataRecord, Entry, Kind, ModelRecord, SuiteRecord
from .faults import size_faults

_FEWEST_IMAGES = 30
_OUTSIDE = re.compile(r"/|\\|~|\.\.[/\\]|[A-Za-z]:[/\\]")


def entries_of(run: Run) -> list[Entry]:
    """Entries of a run's models.

    Raises
    ------
    DataError
        The run cannot be in a leaderboard: cells that failed, images without labels, too few of them or more than
        can be recomputed, a model without a file.
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
    try:
        return [_entry(run, model) for model in run.info.models]
    except ValidationError as error:  # a stranger's run may hold anything that JSON can
        first = error.errors(include_url=False)[0]
        where = shown(".".join([error.title, *map(str, first["loc"])]), 80)
        raise DataError(f"the run cannot be in a leaderboard: {where}: {shown(first['msg'])}") from None


def portable(command: str) -> str:
    """A command as a stranger can use it: without `--out`, and files outside the working folder by their names.

    Examples
    --------
    >>> portable("cnncomm-bench --model /home/ada/net.pt --arch ../nets.py:net --out runs/1")
    'cnncomm-bench --model net.pt --arch nets.py:net'
    """
    if len(command) > MOST_COMMAND:  # splitting takes its square
        raise DataError(f"the run's command has {len(command)} characters, expected at most {MOST_COMMAND}")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise DataError(f"the run's command is no command line: {error}") from None
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
    grid = info.suite.snr_db
    if isinstance(grid, str):
        raise DataError(
            "a pilot laid the run's SNRs, and a leaderboard needs one grid: rerun with the suite leaderboard"
        )
    attacks = _over_the_grid(run)
    specs = {attack.spec for attack in attacks}
    predictions = run.predictions[(run.predictions.model == model.name) & run.predictions.attack.isin(specs | {CLEAN})]
    suite = SuiteRecord(
        title=info.suite.title,
        snr_db=list(grid),
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
    )
    cells = list(_cells(predictions))
    for fault in size_faults(suite, cells):
        raise DataError(f"{model.name} cannot be in a leaderboard: {fault}; rerun with fewer samples or seeds")
    numbers = derive(suite, info.data.classes, cells)
    how = model.preprocessing
    labels = run.predictions.drop_duplicates("image")["label"]
    return Entry(
        schema_version=2,
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
        suite=suite,
        seeds=info.seeds,
        bits=info.bits,
        batch_size=info.batch_size,
        device=info.device,
        command=portable(info.command),
        versions=info.versions,
        findings=model.findings,
        clean=numbers.clean,
        scores=numbers.scores,
        thresholds=numbers.thresholds,
        curves=numbers.curves,
        cells=cells,
    )


def _over_the_grid(run: Run) -> list[suites.Entry]:
    """The attacks that a score is made of: not those at one radius, nor what is derived, such as `worst`."""
    return [attack for attack in run.info.suite.attacks if not attack.at_radius]


def _kind(adversary: bool) -> Kind:
    return "adversary" if adversary else "noise"


def _cells(predictions: pd.DataFrame) -> Iterator[CellRecord]:
    """Which images were right, in blocks of them in rising order."""
    right = predictions.assign(right=predictions["prediction"] == predictions["label"])
    for (attack, ruler, seed), part in groups(right, ["attack", "ruler", "seed"]):
        table = part.pivot(index="snr_db", columns="image", values="right").sort_index(axis=0).sort_index(axis=1)
        if table.isna().to_numpy().any():
            raise DataError(f"{shown(attack)} did not run on the same images at every SNR")
        images, hits = table.columns.to_numpy(dtype=np.int64), table.to_numpy(dtype=bool)
        for start in range(0, len(images), IMAGES_A_CELL):
            block = slice(start, start + IMAGES_A_CELL)
            yield CellRecord(
                attack=attack,
                ruler=ruler,
                seed=int(seed),
                images=len(images[block]),
                correct=hits[:, block].sum(1).tolist(),
                which=pack_indices(images[block]),
                right=pack_hits(hits[:, block]),
            )

"""Runs put side by side: their models, on the same images, in one run that can be scored and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .._utils.errors import UsageError
from .._utils.files import shown
from ..results import Grid, Plan, Run, RunInfo, write_run
from .outputs import write_outputs


def compare(folders: Sequence[Path], out: Path) -> Run:
    """Join finished runs on the same images into one.

    Parameters
    ----------
    folders : sequence of Path
        Two or more runs; of an attack and ruler that not all of them have, those that have it are compared.
    out : Path
        Folder of the joint run; new, or one that holds the same comparison.

    Raises
    ------
    UsageError
        Fewer than two runs, other images, bits or SNRs, or the same model twice.
    RunFolderError
        A folder holds no finished run, or `out` holds something else.
    """
    write_run(out, *join([Run.open(folder) for folder in folders], [shown(folder) for folder in folders]))
    result = Run.open(out)
    write_outputs(result, out)
    return result


def join(runs: Sequence[Run], called: Sequence[str]) -> tuple[RunInfo, pd.DataFrame]:
    """Metadata and predictions of finished runs on the same images as one; see `compare`.

    Parameters
    ----------
    runs : sequence of Run
    called : sequence of str
        What to call each in an error.
    """
    if len(runs) < 2:
        raise UsageError("a comparison takes two runs or more: pass another one")
    first, where = runs[0], called[0]
    for run, other_name in zip(runs[1:], called[1:], strict=True):
        for what, one, other in (
            ("images", first.info.data.sha256, run.info.data.sha256),
            ("SNRs", first.info.suite.snr_db, run.info.suite.snr_db),
            ("bits", first.info.bits, run.info.bits),
        ):
            if one != other:
                raise UsageError(
                    f"{where} and {other_name} have other {what}: only runs that agree in them are compared"
                )
    models = [model for run in runs for model in run.info.models]
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{', '.join(twice)} is in more than one of the runs: expected each model once; "
            "pass evaluate a name for each"
        )
    entries = {entry.spec: entry for run in runs for entry in run.info.suite.attacks}
    rulers = dict.fromkeys(ruler for run in runs for ruler in run.info.suite.rulers)
    info = first.info.model_copy(
        update={
            "config": None,
            "models": models,
            "suite": first.info.suite.model_copy(
                update={"attacks": tuple(entries.values()), "rulers": tuple(rulers), "title": "A comparison of runs"}
            ),
            "plan": _joint_plan(runs),
            "seeds": sorted({seed for run in runs for seed in run.info.seeds}),
            "command": "; ".join(run.info.command for run in runs),
            "seconds": {},
            "failures": [failure for run in runs for failure in run.info.failures],
            "notes": [note for run in runs for note in run.info.notes],
            "facts": {model: facts for run in runs for model, facts in run.info.facts.items()},
        }
    )
    return info, pd.concat([run.predictions for run in runs], ignore_index=True)


def _joint_plan(runs: Sequence[Run]) -> Plan | None:
    """Every SNR of every run, where their pilots laid the grids."""
    if not isinstance(runs[0].info.suite.snr_db, str):
        return None
    laid: dict[tuple[str, str], set[float]] = {}
    for run in runs:
        for curve in run.scores.counts.curves:
            laid.setdefault((curve.attack, curve.ruler), set()).update(run.info.grid(curve.attack, curve.ruler))
    return Plan(grids=tuple(Grid(attack=a, ruler=r, snr_db=tuple(sorted(dbs))) for (a, r), dbs in laid.items() if dbs))

"""Runs experiments one after another, and stores the result of each in a folder as soon as it is done.

`section5.json` holds the inputs, and each part's claims and text; beside it are `claims.json`, one
CSV a table, the figures as PNG and SVG, and the page, `section5.html` and `section5.md`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..._utils.atomic import make_folder, write_text
from ..._utils.errors import BenchError, RunFolderError
from ...evaluation import versions
from ...report import plots
from ...results.claims import Claim, adjust
from ...results.claims import table as claims_table
from ...results.claims import write as write_claims
from . import results_page as page
from .experiment_result import ExperimentResult
from .names import EXPERIMENTS
from .results_schema import Part, Results
from .setting import Setting

FILE = "section5.json"


def execute(
    names: Sequence[str],
    setting: Setting,
    identity: dict[str, Any],
    folder: Path,
    *,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> Results:
    """Run experiments, those that the folder does not hold yet; one that fails leaves the others alone.

    Parameters
    ----------
    names : sequence of str
        Of `EXPERIMENTS`.
    setting : Setting
    identity : dict
        See `Results`.
    folder : Path
    command : str
        What was typed, for `section5.json`.
    report : callable
        Gets a line before and after each experiment.

    Raises
    ------
    RunFolderError
        The folder holds results of something else, or cannot be written.
    """
    results = _opened(folder, identity, command)
    for name in names:
        if name in results.parts:
            report(f"{name}: already done, kept")
            continue
        report(f"{name}: running")
        began = time.monotonic()
        try:
            outcome = import_module(f".{name}", __package__).run(setting)
        except BenchError as error:
            results.failures[name] = " ".join(str(error).split())
            report(f"{name}: failed: {results.failures[name]}")
        else:
            seconds = time.monotonic() - began
            results.parts[name] = _keep(outcome, folder, seconds, setting.device)
            results.failures.pop(name, None)
            report(f"{name}: done in {seconds:.0f} s")
        _write(results, folder)
    return results


def adjusted_claims(results: Results) -> dict[str, list[Claim]]:
    """Claims by experiment, adjusted for each other: those of a folder are one family."""
    found = {name: results.parts[name].claims for name in EXPERIMENTS if name in results.parts}
    adjusted = iter(adjust([claim for claims in found.values() for claim in claims]))
    return {name: list(islice(adjusted, len(claims))) for name, claims in found.items()}


def all_claims(results: Results) -> list[Claim]:
    """The same, one after another."""
    return list(chain.from_iterable(adjusted_claims(results).values()))


def summary(results: Results, folder: Path) -> str:
    """The claims with their verdicts, and the path of the page."""
    from tabulate import tabulate

    rows = [{key: row[key] for key in row if key != "ruler"} for row in claims_table(all_claims(results))]
    title = (
        "claims of Section 5 (effects speak for the claim where positive; verdicts are adjusted for all claims of the\n"
        "folder by Holm's method; a control belongs to no family and is to come out undecided)"
    )
    return f"{title}\n\n{tabulate(rows, headers='keys', disable_numparse=True)}\n\n{folder / 'section5.html'}"


def _opened(folder: Path, identity: dict[str, Any], command: str) -> Results:
    results = Results(identity=identity, versions=versions(), command=command)
    path = folder / FILE
    make_folder(folder)
    try:
        if not path.exists():
            return results
        earlier = Results.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror}; pass another folder", "out") from error
    except ValidationError as error:
        raise RunFolderError(f"{path} is corrupt: {error.errors()[0]['msg']}; pass another folder", "out") from error
    differing = [key for key in identity if earlier.identity.get(key) != identity[key]]
    if differing:
        raise RunFolderError(
            f"{folder} holds results that differ in {', '.join(differing)}: pass another folder", "out"
        )
    return results.model_copy(update={"parts": earlier.parts, "failures": earlier.failures})


def _keep(outcome: ExperimentResult, folder: Path, seconds: float, device: str) -> Part:
    def stem(key: str) -> str:
        return key if key == outcome.name else f"{outcome.name}-{key}"

    for key, table in outcome.tables.items():
        write_text(folder / f"{stem(key)}.csv", table.round(6).to_csv(index=False))
    for key, figure in outcome.figures.items():
        plots.save(figure, folder, stem(key))
    return Part(
        seconds=round(seconds, 1),
        device=device,
        text=outcome.text,
        claims=outcome.claims,
        tables=[stem(key) for key in outcome.tables],
        figures=[stem(key) for key in outcome.figures],
    )


def _write(results: Results, folder: Path) -> None:
    write_text(folder / FILE, results.model_dump_json(indent=2) + "\n")
    write_claims(all_claims(results), folder / "claims.json")
    page.write(results, adjusted_claims(results), folder)

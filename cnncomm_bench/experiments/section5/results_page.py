"""Writes the page of Section 5: `section5.html`, one file that needs no network, and `section5.md`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..._utils.atomic import write_text
from ...report import TEMPLATES, environment, sections
from ...results.claims import Claim
from ...results.statistics import SIGNS, in_column
from .results_schema import Part, Results

TITLES = {
    "features": "5.1 Adversarial examples are features",
    "samples": "5.2 Robust learning needs more data",
    "tradeoff": "5.3 Robustness may be at odds with accuracy",
    "checkbits": "5.4 Check bits",
    "decoding": "Fig. 2: the fully connected layer decodes",
}
_LONG = 16  # rows; a longer table is folded


def write(results: Results, claims: Mapping[str, list[Claim]], folder: Path) -> None:
    """Write `section5.html` and `section5.md` from results and the files beside them.

    Parameters
    ----------
    results : Results
    claims : mapping of str to list of Claim
        By experiment, as `runner.adjusted_claims` gives them.
    folder : Path

    Raises
    ------
    RunFolderError
        A file cannot be written.
    """
    parts = [_part(name, TITLES[name], results.parts[name], found, folder) for name, found in claims.items()]
    family = sum(claim.p_adjusted is not None for found in claims.values() for claim in found)
    context = {"results": results, "parts": parts, "titles": TITLES, "family": family}
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    write_text(folder / "section5.html", environment().get_template("section5.html").render(context, style=style))
    write_text(folder / "section5.md", environment().get_template("section5.md").render(context))


def _part(name: str, title: str, part: Part, claims: list[Claim], folder: Path) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "sentences": [line for line in part.text.splitlines() if line.strip()],
        "claims": sections.claims(claims),
        "figures": [(stem, _inlined(folder / f"{stem}.svg")) for stem in part.figures],
        "tables": [_table(folder / f"{stem}.csv") for stem in part.tables],
        "seconds": part.seconds,
        "device": part.device,
    }


def _inlined(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _table(path: Path) -> dict[str, Any]:
    frame = _with_bounds(pd.read_csv(path))
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    heads = [str(column).replace("_", " ") for column in frame.columns]
    return {"name": path.stem, "heads": heads, "rows": rows, "long": len(rows) > _LONG}


def _with_bounds(frame: pd.DataFrame) -> pd.DataFrame:
    """The table of a file with the sign of a bound beside its number, and a word."""
    signs = {estimate: sign for estimate, sign in SIGNS.items() if {estimate, sign} <= set(frame.columns)}
    for estimate, sign in signs.items():
        bounded = frame[sign].isin(["<", ">"])
        shown = [in_column(f"{frame[sign][row]} {frame[estimate][row]:.4g}") for row in frame.index[bounded]]
        frame[estimate] = frame[estimate].astype(object)
        frame.loc[bounded, estimate] = shown
    return frame.drop(columns=list(signs.values()))


def _cell(value: object) -> tuple[str, bool]:
    """A value as text, and whether it is a number."""
    if isinstance(value, float):
        return ("" if pd.isna(value) else f"{value:.4g}"), True
    return str(value), isinstance(value, int) and not isinstance(value, bool)

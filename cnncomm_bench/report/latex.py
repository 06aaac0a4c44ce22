"""A run for a paper: `tables.tex` with booktabs, and the curves as PDF with their fonts inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .._utils.atomic import write_text
from .._utils.files import shown
from ..results.statistics import CLEAN
from . import sections
from .outputs import draw

if TYPE_CHECKING:
    from ..results import Run

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}

_MINUS = re.compile(r"(?<![\w=:,.-])-(?=\d)")


def write(run: Run, folder: Path) -> list[Path]:
    """Write `tables.tex`, `curves.pdf` and, of several models, `models.pdf` into a run's folder.

    Returns
    -------
    list of Path
        What was written.
    """
    tables = folder / "tables.tex"
    write_text(tables, text(run))
    return [tables, *draw(run, folder, ("pdf",))]


def text(run: Run) -> str:
    """The tables of thresholds, gains between models and claims, in LaTeX."""
    head = (
        "% For the preamble: \\usepackage{booktabs}, and a font that has the letters of all names.\n"
        f"% Made by: {shown(run.info.command or 'cnncomm_bench.evaluate', 1000)}"
    )
    several = len(run.info.suite.rulers) > 1
    return "\n\n".join([head, *_thresholds(run, several), *_gains(run, several), *_claims(run, several)]) + "\n"


def _thresholds(run: Run, several: bool) -> Iterator[str]:
    """A table for each model; `several` rulers have a column."""
    data = run.info.data
    for model in sections.models(run):
        body = [
            [*_named(row, several), _bare(row["threshold"]), row["interval"], _bare(row["gain"]), row["gain_interval"]]
            for row in model["thresholds"]
        ]
        caption = (
            f"{model['name']} on {data.name}: SNR at which {data.scored_by} is {model['level']} (clean "
            f"{model['clean']}, {model['images']} images), and dB saved over white noise; 95 % intervals. The lower "
            "the threshold, the more robust the model."
        )
        yield _table(caption, [*_head(several), "threshold (dB)", "95 %", "jamming gain (dB)", "95 %"], body)


def _gains(run: Run, several: bool) -> Iterator[str]:
    """A table where there are several models."""
    body = [
        [*_named(row, several), row["model"], row["reference"], _bare(row["gain"]), row["interval"], row["p"]]
        for row in sections.comparison(run)
        if row["attack"] != CLEAN
    ]
    if body:
        caption = (
            "Robustness gain in dB of a model over another at one level of accuracy; p of McNemar's exact test on the "
            "difference of accuracies at the nearest SNR, adjusted by Holm's method."
        )
        yield _table(caption, [*_head(several), "model", "over", "gain (dB)", "95 %", "p"], body)


def _claims(run: Run, several: bool) -> Iterator[str]:
    """A table where claims were judged."""
    body = [
        [row["id"], row["model"], *([row["ruler"]] if several else []), row["shown"],
         f"{row['effect']} {row['unit'] if row['effect'] else ''}".strip(), row["interval"]]
        for rows in sections.claims(run.claims) for row in rows
    ]  # fmt: skip
    if body:
        caption = "Claims of the paper; verdicts are adjusted for all claims of the run by Holm's method."
        head = ["claim", "model", *(["ruler"] if several else []), "verdict", "effect", "95 %"]
        yield _table(caption, head, body)


def escaped(name: object) -> str:
    """Text from outside as LaTeX prints it: no command, no comment, no second line or column."""
    return "".join(_SPECIAL.get(sign, sign) for sign in shown(" ".join(str(name).split()), 1000))


def _table(caption: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(_MINUS.sub("$-$", escaped(cell)) for cell in row) + r" \\" for row in (head, *body)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(head)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _head(several: bool) -> list[str]:
    return ["attack", "ruler"] if several else ["attack"]


def _named(row: sections.Row, several: bool) -> list[str]:
    return [row["attack"], row["ruler"]] if several else [row["attack"]]


def _bare(decibels: str) -> str:
    """A number whose unit is in the head of its column."""
    return decibels.replace(" dB", "")

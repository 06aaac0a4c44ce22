"""Writes the correspondence: for the screen, as Markdown and as CSV."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd

from ...report import environment
from .correspondence_schema import Correspondence, Likeness
from .finding import Finding
from .paper_pairs import Row

_RULE = (
    "A pair's verdict is what all its sources say, and undecided where they differ; a source says what more than half "
    "of its findings say, if none says the opposite. A finding is decided where its 95 % interval excludes zero; "
    "effects speak for the pair where positive. (-) stands beside the others and has no say."
)
_TITLES = {False: "Fig. 2 of the paper, pair by pair", True: "Ours, beside the paper's pairs"}
_LEAST, _MOST = 60, 120
_HEADS = ["model", "link", "ruler", "alike", "mean tau", "pairs alike : not : undecided", "shift, dB", "stretch",
          "residual (95 %)", "random spacings: 5 %, median", "p"]  # fmt: skip
_LIKENESS_RULE = (
    "Pairs of alphas count as alike or not where their intervals are apart in both. The shift and stretch are one for "
    "all alphas. Random spacings keep the order of the link's alphas and place those between the first and the last "
    "anywhere; each gets its own best shift and stretch. Supported needs the order, p at most 0.05, and an interval of "
    "the residual below the 5 % of random spacings."
)


def as_text(result: Correspondence, columns: int) -> str:
    """The pairs for a screen of some width: the paper's sentence, then a line a finding."""
    width = min(max(columns, _LEAST), _MOST)
    lines = []
    for ours, title in _TITLES.items():
        lines.append(f"{title} (part of the CNN / module of the link)")
        for row in (row for row in result.pairs if row.ours is ours):
            lines += ["", f"{row.cnn} / {row.link}: {row.verdict}"]
            lines += _wrapped(f'"{row.quote}"', width, "  ") if row.quote else []
            for verdict, text in _lines(row):
                lines += _wrapped(text, width, f"  {verdict:<13}", " " * 17)
        lines.append("")
    return "\n".join([*lines, *_wrapped(_RULE, width)])


def _wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of some width; a command or a name is not broken in a word."""
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=first if rest is None else rest,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def as_markdown(result: Correspondence) -> str:
    """The correspondence as a page: one row a pair, then the likeness of the curves."""
    parts = [f"Run `{_cell(result.run)}`, beside {', '.join(f'`{_cell(folder)}`' for folder in result.folders)}.", ""]
    for ours, title in _TITLES.items():
        rows = [_cells(row) for row in result.pairs if row.ours is ours]
        parts += [f"## {title}", "", *_table(["CNN / link", "the paper", "found", "verdict"], rows), ""]
    parts += [_RULE, ""]
    if result.likenesses:
        parts += ["## The curves of the run and the link", "", *_table(_HEADS, map(_likeness, result.likenesses)), "",
                  _LIKENESS_RULE, ""]  # fmt: skip
    return "\n".join(["# A CNN and a communication link", "", *parts])


def as_frame(result: Correspondence) -> pd.DataFrame:
    """A row for each finding and each command that is missing, with the numbers."""
    found = [
        {"cnn": row.cnn, "link": row.link, "ours": row.ours, "pair_verdict": row.verdict, **finding}
        for row in result.pairs
        for finding in [
            *({**one.model_dump(), "missing": ""} for one in row.findings),
            *({"missing": command} for command in row.missing),
        ]
    ]
    columns = ["cnn", "link", "ours", "pair_verdict", *Finding.model_fields, "missing"]
    return pd.DataFrame(found, columns=columns)


def _lines(row: Row) -> list[tuple[str, str]]:
    """Verdict and text of each finding, and of each that is missing."""
    lines = []
    for one in row.findings:
        about = ": ".join(filter(None, (f"{one.claim}, {one.about}", one.interval)))
        lines.append((one.verdict or "(-)", "; ".join(filter(None, (about, one.note, one.caveat)))))
    return [*lines, *(("not measured", command) for command in row.missing)]


def _cells(row: Row) -> list[str]:
    found = "<br>".join(f"{verdict}: {_cell(text)}" for verdict, text in _lines(row))
    return [f"{row.cnn} / {row.link}", f'"{_cell(row.quote)}"' if row.quote else "", found, f"**{row.verdict}**"]


def _likeness(one: Likeness) -> list[str]:
    return [
        _cell(one.model), _cell(one.system), one.ruler, one.verdict,
        "" if one.tau_mean is None else f"{one.tau_mean:z.2f}",
        f"{one.concordant} : {one.discordant} : {one.undecided}", f"{one.shift_db:+.1f}", f"{one.stretch:.2f}",
        f"{one.residual:.3f} ({one.residual_low:.3f} to {one.residual_high:.3f})",
        f"{one.random_low:.3f}, {one.random_median:.3f}", f"{one.p:.3f}",
    ]  # fmt: skip


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def _cell(text: str) -> str:
    """Text from outside for a cell: no markup."""
    return str(environment().filters["cell"](text))

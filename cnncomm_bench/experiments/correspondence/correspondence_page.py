"""Writes the correspondence: for the screen, as Markdown and as CSV."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from ...report import environment
from .correspondence_schema import Correspondence, Likeness
from .finding import Finding
from .paper_pairs import Row

_RULE = (
    "A pair's verdict is what all its sources say, and undecided where they differ; a source says what more than half "
    "of its findings say, if none says the opposite. A finding is decided where its 95 % interval excludes zero, a "
    "claim where it still is after the adjustment for all claims of its folder; effects speak for the pair where "
    "positive. (-) stands beside the others and has no say."
)
_TITLES = {False: "Fig. 2 of the paper, pair by pair", True: "Ours, beside the paper's pairs"}
_NO_SAY = "(-)"
_MOST_KINDS = 4
"""Of findings in a summary; more are grouped by the first word of their claims."""
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
    """The pairs for a screen of some width: a line for each kind of measurement; the page has every single finding."""
    width = min(max(columns, _LEAST), _MOST)
    lines = []
    for ours, title in _TITLES.items():
        lines.append(f"{title} (part of the CNN / module of the link)")
        for row in (row for row in result.pairs if row.ours is ours):
            lines += ["", f"{row.cnn} / {row.link}: {row.verdict}"]
            for text in _summaries(row):
                lines += _wrapped(text, width, "  ", " " * 4)
        lines.append("")
    return "\n".join([*lines, *_wrapped(_RULE, width)])


def _wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of some width; a command or a name is not broken in a word."""
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=first if rest is None else rest,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def as_markdown(result: Correspondence) -> str:
    """The correspondence as a page: a table of the pairs, each with its findings, then the likeness of the curves."""
    parts = [f"Run `{_cell(result.run)}`, beside {', '.join(f'`{_cell(folder)}`' for folder in result.folders)}.", ""]
    for ours, title in _TITLES.items():
        rows = [row for row in result.pairs if row.ours is ours]
        parts += [f"## {title}", "", *_table(["CNN / link", "measured", "verdict"], map(_cells, rows)), ""]
    parts += ["## What was measured on each pair", "", *(line for row in result.pairs for line in _listed(row))]
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


def _lines(row: Row) -> Iterator[tuple[str, str]]:
    """Verdict and text of each finding."""
    for one in row.findings:
        about = ": ".join(filter(None, (f"{one.claim}, {one.about}", one.interval)))
        yield one.verdict or _NO_SAY, "; ".join(filter(None, (about, one.note, one.caveat)))


def _summaries(row: Row) -> list[str]:
    """A text for each kind of finding, with the effect of a single one or the verdicts of several, and what is missing.

    No finding is picked out, so that the text cannot be kinder than all of them.
    """
    kinds = _grouped((one.claim, one) for one in row.findings)
    if len(kinds) > _MOST_KINDS:
        kinds = _grouped((one.claim.partition("-")[0], one) for one in row.findings)
    texts = []
    for claim, found in kinds.items():
        said = Counter(one.verdict or _NO_SAY for one in found)
        caveats = dict.fromkeys(one.caveat for one in found if one.caveat)
        if len(found) == 1:
            what = ", ".join(filter(None, (*said, found[0].interval or found[0].note)))
        else:
            what = ", ".join(f"{count} {verdict}" for verdict, count in said.items())
        texts.append("; ".join([f"{claim}: {what}", *caveats]))
    return [*texts, *(f"not measured: {command}" for command in row.missing)]


def _grouped(named: Iterable[tuple[str, Finding]]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for name, finding in named:
        groups.setdefault(name, []).append(finding)
    return groups


def _cells(row: Row) -> list[str]:
    measured = "<br>".join(map(_cell, _summaries(row)))
    return [f"{row.cnn} / {row.link}", measured, f"**{row.verdict}**"]


def _listed(row: Row) -> list[str]:
    """The paper's sentence and every finding of a pair, under a heading."""
    quote = [f"> {_cell(row.quote)}", ""] if row.quote else []
    found = [f"- {verdict}: {_cell(text)}" for verdict, text in _lines(row)]
    missing = [f"- not measured: {_cell(command)}" for command in row.missing]
    return [f"### {row.cnn} / {row.link}", "", *quote, *found, *missing, ""]


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

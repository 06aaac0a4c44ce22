"""The tables of the leaderboards: Markdown, and one self-contained HTML page whose columns sort.

Everything that comes from an entry is a stranger's text: it is escaped in both, and shown on one line.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..._utils.files import shown
from ...results import leaderboard_score
from ...results.statistics import format_db, in_column
from .entry import CurveRecord, Entry, ThresholdRecord
from .ranking import Board, Standing

_KINDS = {"noise": "noises", "adversary": "adversaries"}
_DRAWN = 8  # curves that a chart can distinguish

INTRODUCTION = (
    "The score is the mean accuracy over the SNR grid of the suite: the height, on average, of the accuracy curve. "
    "Attacks of one family, such as all the alpha-stable noises, are averaged first and count once; noises and "
    "adversaries are ranked apart. A constant classifier scores chance, and whatever is no better than chance on clean "
    "images comes last. Only runs of the same suite on the same images share a table.",
    "Ties are shown as ties: a place such as 2\N{EN DASH}3 means that the entry does not differ from a neighbour. Each "
    "entry carries its score in bootstrap samples of the images; all entries of a table drew the same samples, and two "
    "of them differ where the 95 % interval of the difference of their scores, sample by sample (a paired bootstrap), "
    "excludes zero. Each pair is judged on its own.",
    "An entry carries which images were right: verify recomputes every number from that, and reruns a share of it. "
    "Entries of schema version 1 carry counts alone: their accuracies and scores are recomputed, and they are marked "
    "\N{DAGGER} because their intervals, places and thresholds are not. Names of models and suites, commands, "
    "versions, devices and warnings are shown as stated.",
)

UNVERIFIED = "numbers not recomputed by verify: intervals, places and thresholds"

Links = Mapping[str, str]
"""An entry's identity to its file, relative to the page."""


def markdown(boards: Sequence[Board], links: Links) -> str:
    """The tables as Markdown.

    Parameters
    ----------
    boards : sequence of Board
    links : mapping
    """
    parts = [
        "# Leaderboards",
        "<!-- Rendered from the entries in this folder by `cnncomm-bench leaderboard render`: do not edit. -->",
        *INTRODUCTION,
        "[index.html](index.html) has the same tables, sortable, with curves. Add a run with "
        "`cnncomm-bench leaderboard add RUN`; check anyone's numbers with `cnncomm-bench leaderboard verify ENTRY`.",
    ]
    for board in boards:
        about = _about(board)
        parts.append(f"## {_plain(about['data'])}: {_plain(about['title'])}")
        parts.append(_plain(about["facts"]))
        for (kind, ruler), standings in board.rankings.items():
            parts.append(f"### Against {_ranking_name(board, kind, ruler)}")
            parts.append(_plain(about["attacks"][kind]))
            rows = ["| place | model | score | 95 % | clean accuracy |", "|---|---|---:|---|---:|"]
            rows += [
                f"| {at.place} | [{_plain(at.entry.model.name)}]({quote(links[at.entry.identity])}){_mark(at.entry)} "
                f"| {at.score.score:.3f} | {at.score.low:.3f} to {at.score.high:.3f} | {at.entry.clean.accuracy:.3f} |"
                for at in standings
            ]
            parts.append("\n".join(rows))
            if any(_mark(at.entry) for at in standings):
                parts.append(f"\N{DAGGER} {UNVERIFIED}")
    return "\n\n".join(parts) + "\n"


def html(boards: Sequence[Board], links: Links) -> str:
    """The tables as one HTML page that needs no network.

    Parameters
    ----------
    boards : sequence of Board
    links : mapping
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("leaderboard.html")
    content = [_view(number, board, links) for number, board in enumerate(boards, 1)]
    page = template.render(boards=content, introduction=INTRODUCTION, script_digest="SCRIPT-DIGEST")
    # The page's own script may run and no other, should something in an entry ever slip through the escaping.
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    return page.replace("SCRIPT-DIGEST", digest, 1)


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing but text: whatever could be markup is written by its number."""
    return re.sub(r"[^\w ,;:.()=\u2013-]|_|\.(?!\d)", lambda found: f"&#{ord(found[0])};", text)


def _mark(entry: Entry) -> str:
    return "" if entry.recomputable else " \N{DAGGER}"


def _ranking_name(board: Board, kind: str, ruler: str) -> str:
    several = sum(other == kind for other, _ in board.rankings) > 1
    return f"{_KINDS[kind]} ({shown(ruler)} ruler)" if several else _KINDS[kind]


def _about(board: Board) -> dict[str, Any]:
    entry = board.entries[0]
    suite, data = entry.suite, entry.data
    # Titles don't distinguish boards, so entries of one board may differ in them.
    title = min(shown(other.suite.title) for other in board.entries)
    families: dict[str, dict[str, list[str]]] = {"noise": {}, "adversary": {}}
    for attack in suite.attacks:
        few = f" (on {attack.samples} images)" if attack.samples and attack.samples < data.images else ""
        families[attack.kind].setdefault(attack.family, []).append(shown(attack.spec) + few)
    grid = ", ".join(f"{db:g}" for db in suite.snr_db)
    rounding = f"; perturbed images rounded to {entry.bits} bits" if entry.bits else ""
    return {
        "data": shown(data.name),
        "title": title or "suite without a title",
        "facts": f"{data.images} images of {' x '.join(map(str, data.shape))}, {data.classes} classes; "
        f"SHA-256 {data.sha256[:12]}; at {grid} dB{rounding}",
        "attacks": {
            kind: f"{len(found)} {'families' if len(found) > 1 else 'family'}: "
            + "; ".join(", ".join(members) for members in found.values())
            for kind, found in families.items()
        },
    }


def _view(number: int, board: Board, links: Links) -> dict[str, Any]:
    places = {key: {at.entry.identity: at for at in standings} for key, standings in board.rankings.items()}
    entries = []
    for index, entry in enumerate(board.entries):
        entries.append(
            {
                "id": f"entry-{number}-{index + 1}",
                "style": index if index < _DRAWN else None,
                "name": shown(entry.model.name),
                "file": links[entry.identity],
                "link": quote(links[entry.identity]),
                "warned": bool(entry.findings),
                "unverified": "" if entry.recomputable else UNVERIFIED,
                "clean": entry.clean,
                "standings": [
                    _standing(places[key].get(entry.identity), order) for key, order in _orders(board).items()
                ],
                "facts": _facts(entry),
                "command": shown(entry.command, 4000),
                "curves": [_curve(entry, curve) for curve in entry.curves],
            }
        )
    charts = [
        {
            "name": _ranking_name(board, kind, ruler),
            "lines": [_line(entry, kind, ruler, style) for style, entry in enumerate(board.entries[:_DRAWN])],
        }
        for kind, ruler in board.rankings
    ]
    about = _about(board)
    ranked = {kind for kind, _ in board.rankings}
    attacks = [(_KINDS[kind], text) for kind, text in about.pop("attacks").items() if kind in ranked]
    grid = board.entries[0].suite.snr_db
    return {
        **about,
        "attacks": attacks,
        "rankings": [_ranking_name(board, *key) for key in board.rankings],
        "entries": entries,
        "charts": charts,
        "ticks": [{"x": _x(db, grid), "label": f"{db:g}"} for db in _ticks(grid)],
        "grid": [f"{db:g}" for db in grid],
    }


def _orders(board: Board) -> dict[tuple[str, str], dict[str, int]]:
    return {key: {at.entry.identity: n for n, at in enumerate(found)} for key, found in board.rankings.items()}


def _standing(at: Standing | None, order: Mapping[str, int]) -> dict[str, Any] | None:
    if at is None:
        return None
    score = at.score
    return {"place": at.place, "order": order[at.entry.identity], "score": score.score, "low": score.low,
            "high": score.high}  # fmt: skip


def _facts(entry: Entry) -> list[tuple[str, str]]:
    model = entry.model
    numbers = ", ".join(f"{value:.4g}" for value in model.mean), ", ".join(f"{value:.4g}" for value in model.std)
    return [
        ("model", f"SHA-256 {model.sha256}"),
        ("preparation", f"mean {numbers[0]}; std {numbers[1]}" + (f"; size {model.size}" if model.size else "")),
        ("data", f"SHA-256 {entry.data.sha256}"),
        ("seeds", ", ".join(map(str, entry.seeds))),
        ("verify", "recomputes every number" if entry.recomputable else UNVERIFIED),
        ("device, as stated", shown(entry.device)),
        *(("warning, as stated", shown(finding, 2000)) for finding in entry.findings),
        ("versions, as stated", ", ".join(f"{shown(name)} {shown(number)}" for name, number in entry.versions.items())),
    ]


def _curve(entry: Entry, curve: CurveRecord) -> dict[str, Any]:
    found = [t for t in entry.thresholds if (t.attack, t.ruler) == (curve.attack, curve.ruler)]
    several = len(entry.suite.rulers) > 1
    return {
        "name": shown(curve.attack) + (f" ({shown(curve.ruler)})" if several else ""),
        "images": max(curve.images, default=0),
        "accuracy": curve.accuracy,
        "threshold": _threshold(found[0], entry) if found else "",
    }


def _threshold(threshold: ThresholdRecord, entry: Entry) -> str:
    beyond = {"below": float("-inf"), "above": float("inf"), "none": float("nan"), "on": float("nan")}
    value = beyond[threshold.side] if threshold.threshold_db is None else threshold.threshold_db
    return in_column(format_db(value, (entry.suite.snr_db[0], entry.suite.snr_db[-1])))


def _line(entry: Entry, kind: str, ruler: str, style: int) -> dict[str, Any]:
    """Mean accuracy over the families by SNR, whose mean is the score."""
    grid, suite = entry.suite.snr_db, entry.suite
    rows = [
        {"model": db, "attack": curve.attack, "ruler": curve.ruler, "accuracy": accuracy}
        for curve in entry.curves
        if curve.ruler == ruler
        for db, accuracy in zip(grid, curve.accuracy, strict=False)
    ]
    means = leaderboard_score(
        pd.DataFrame(rows, columns=["model", "attack", "ruler", "accuracy"]),
        family={attack.spec: attack.family for attack in suite.attacks},
        kind={attack.spec: attack.kind for attack in suite.attacks if attack.kind == kind},
    )
    points = [
        (_x(float(db), grid), 100 * (1 - score)) for db, score in zip(means["model"], means["score"], strict=True)
    ]
    return {"style": style, "name": shown(entry.model.name), "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in points)}


def _x(db: float, grid: Sequence[float]) -> float:
    """Place of an SNR on a chart that is 200 wide."""
    return 200 * (db - grid[0]) / ((grid[-1] - grid[0]) or 1)


def _ticks(grid: Sequence[float]) -> Sequence[float]:
    return grid[:: max(1, (len(grid) + 5) // 6)]

"""The correspondence: how alike a CNN's accuracy drop and a link's bit error rate are under the same noise.

a run's folder, a link's folder -> families.pairs   the curves of the same alphas on the same ruler
                                -> likeness         their order at each SNR; one shift and stretch for all alphas
                                -> modules          Ge et al., Fig. 2, with what these runs say to each row
                                -> figure
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict
from tabulate import tabulate

from ..._utils.atomic import make_folder, write_text
from ...report import plots
from ...results import Run
from ...results.claims import Verdict
from ..link import open_link
from . import modules
from . import overlay_figure as figure
from .families import Pair, pairs
from .likeness import Overlay, Spacings, order, overlay, random_spacings


class AtSnr(BaseModel):
    """The order of the alphas at one SNR, see `likeness.Order`."""

    model_config = ConfigDict(extra="forbid")

    snr_db: float
    tau: float | None
    concordant: int
    discordant: int
    undecided: int


class Likeness(BaseModel):
    """How alike a model and a system of the link are, on one ruler.

    Attributes
    ----------
    model, system, ruler : str
    alphas : list of float
    verdict : {"supported", "contradicted", "undecided"}
        Whether a CNN's drop and a link's error rate depend alike on alpha and SNR: supported where at least three
        quarters of the decided pairs are ordered alike and the spacings fit better than random ones, by more than
        the residual is uncertain (`likeness.Spacings`); contradicted where as many are ordered the other way round
        and most wrong pairings of the alphas fit better.
    tau_mean : float, optional
        Kendall's tau, mean over the SNRs.
    concordant, discordant, undecided : int
        Pairs of alphas, over the SNRs.
    shift_db, stretch, residual, permuted_best, permuted_mean, rank, pairings
        See `likeness.Overlay`.
    residual_low, residual_high, random_low, random_median, p
        See `likeness.Spacings`.
    orders : list of AtSnr
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    system: str
    ruler: str
    alphas: list[float]
    verdict: Verdict
    tau_mean: float | None
    concordant: int
    discordant: int
    undecided: int
    shift_db: float
    stretch: float
    residual: float
    permuted_best: float
    permuted_mean: float
    rank: int
    pairings: int
    residual_low: float
    residual_high: float
    random_low: float
    random_median: float
    p: float
    orders: list[AtSnr]


class Correspondence(BaseModel):
    """What `correspondence.json` holds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[2] = 2
    run: str
    links: list[str]
    likenesses: list[Likeness]
    modules: list[modules.Row]


def correspond(run: str | Path, link: str | Path, out: str | Path, others: Sequence[str | Path] = ()) -> Correspondence:
    """Measure how alike a run and a link are, and write it down.

    Parameters
    ----------
    run : str or Path
        A run's folder with alpha-stable noise, as of `--suite figure3`.
    link : str or Path
        A link's folder.
    others : sequence of str or Path
        Folders of more links, with jammers or bursts, for the table of modules.
    out : str or Path
        Folder for `correspondence.json`, `correspondence.md` and the figure.

    Returns
    -------
    Correspondence
        The figure shows the system of the link that fits the first model best; the tables have all.

    Raises
    ------
    BenchError
        A folder holds something else, or they have too little in common.
    """
    stored, table, folder = Run.open(run), open_link(link), Path(out)
    found = [(pair, overlay(*_curves(pair))) for pair in pairs(stored, table)]
    likenesses = [_likeness(pair, laid, _spacings(pair)) for pair, laid in found]
    best = _best(found)
    evidence = "; ".join(
        f"{one.system}, {one.ruler}: {one.verdict}, residual {one.residual:.3f}"
        for one in likenesses
        if one.model == best[0][0].model.name
    )
    everything = pd.concat([table, *map(open_link, others)], ignore_index=True)
    links = [str(link), *map(str, others)]
    rows = modules.rows(stored, everything, evidence)
    result = Correspondence(run=str(run), links=links, likenesses=likenesses, modules=rows)
    make_folder(folder)
    write_text(folder / "correspondence.json", result.model_dump_json(indent=1) + "\n")
    write_text(folder / "correspondence.md", as_markdown(result))
    plots.save(figure.plot(*zip(*best, strict=True)), folder, "correspondence")
    return result


def as_markdown(result: Correspondence) -> str:
    """The correspondence as a page: likenesses, and the table of modules."""
    heads = ["model", "link", "ruler", "alike", "mean tau", "pairs alike : not : undecided", "shift, dB", "stretch",
             "residual (95 %)", "random spacings: 5 %, median", "p"]  # fmt: skip
    rows = [
        [
            one.model, one.system, one.ruler, one.verdict, "" if one.tau_mean is None else f"{one.tau_mean:z.2f}",
            f"{one.concordant} : {one.discordant} : {one.undecided}", f"{one.shift_db:+.1f}", f"{one.stretch:.2f}",
            f"{one.residual:.3f} ({one.residual_low:.3f} to {one.residual_high:.3f})",
            f"{one.random_low:.3f}, {one.random_median:.3f}", f"{one.p:.3f}",
        ]
        for one in result.likenesses
    ]  # fmt: skip
    parts = [[row.module, row.part, f"`{row.experiment}`", row.found] for row in result.modules]
    return "\n".join(
        [
            "# A CNN and a communication link under the same noise",
            "",
            f"Run `{result.run}`, link `{'`, `'.join(result.links)}`.",
            "",
            tabulate(rows, headers=heads, tablefmt="github", disable_numparse=True),
            "",
            "Pairs of alphas count as alike or not where their intervals are apart in both. The shift and stretch are "
            "one for all alphas. Random spacings keep the order of the link's alphas and place those between the first "
            "and the last anywhere; each gets its own best shift and stretch. Supported needs the order, p at most "
            "0.05, and an interval of the residual below the 5 % of random spacings.",
            "",
            "## Modules (Ge et al., Fig. 2, in our words)",
            "",
            tabulate(parts, headers=["link", "CNN", "experiment", "found"], tablefmt="github", disable_numparse=True),
            "",
        ]
    )


def _likeness(pair: Pair, laid: Overlay, spacings: Spacings) -> Likeness:
    orders = {db: order(pair.model.at(db, pair.alphas), pair.link.at(db, pair.alphas)) for db in pair.snr_db}
    taus = [one.tau for one in orders.values() if math.isfinite(one.tau)]
    like = sum(one.concordant for one in orders.values())
    unlike = sum(one.discordant for one in orders.values())
    verdict: Verdict = "undecided"
    if like > 0 and like >= 3 * unlike and spacings.alike:
        verdict = "supported"
    elif unlike > 0 and unlike >= 3 * like and 2 * laid.rank > laid.pairings:
        verdict = "contradicted"
    return Likeness(
        model=pair.model.name,
        system=pair.link.name,
        ruler=pair.model.ruler,
        alphas=pair.alphas,
        verdict=verdict,
        tau_mean=float(np.mean(taus)) if taus else None,
        concordant=like,
        discordant=unlike,
        undecided=sum(one.undecided for one in orders.values()),
        orders=[
            AtSnr(snr_db=db, **{**vars(one), "tau": one.tau if math.isfinite(one.tau) else None})
            for db, one in orders.items()
        ],
        **vars(laid),
        **vars(spacings),
    )


def _curves(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    alphas = pair.alphas
    return pair.model.values(alphas), pair.model.snr_db, pair.link.values(alphas), pair.link.snr_db


def _spacings(pair: Pair) -> Spacings:
    alphas = pair.alphas
    return random_spacings(
        pair.model.resampled(alphas), pair.model.snr_db, pair.link.resampled(alphas), pair.link.snr_db
    )


def _best(found: Sequence[tuple[Pair, Overlay]]) -> list[tuple[Pair, Overlay]]:
    """The system that is nearest to the first model, over all its rulers."""
    systems: dict[str, list[tuple[Pair, Overlay]]] = {}
    for pair, laid in found:
        if pair.model.name == found[0][0].model.name:
            systems.setdefault(pair.link.name, []).append((pair, laid))
    return min(systems.values(), key=lambda rulers: float(np.mean([laid.residual for _, laid in rulers])))

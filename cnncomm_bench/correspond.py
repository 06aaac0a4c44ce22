"""The correspondence: how alike a CNN's accuracy drop and a link's bit error rate are under the same noise.

a run's folder, a link's folder -> families.pairs   the curves of the same alphas on the same ruler
                                -> likeness         their order at each SNR; one shift and stretch for all alphas
                                -> modules          Ge et al., Fig. 2, with what these runs say to each row
                                -> figure
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from tabulate import tabulate

from . import plots
from .atomic import write_text
from .correspondence import figure, modules
from .correspondence.families import Pair, pairs
from .correspondence.likeness import Overlay, order, overlay
from .link import open_link
from .run import Run

Verdict = Literal["supported", "contradicted", "undecided"]


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
        On "a CNN's drop and a link's error rate answer alike to alpha and SNR": supported where more pairs are
        ordered alike than not and no wrong pairing of the alphas fits as well as the right one; contradicted where
        more pairs are ordered the other way round and half of the wrong pairings or more fit better.
    tau_mean : float, optional
        Kendall's tau, mean over the SNRs.
    concordant, discordant, undecided : int
        Pairs of alphas, over the SNRs.
    shift_db, stretch, residual, permuted_best, permuted_mean, rank, pairings
        See `likeness.Overlay`.
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
    orders: list[AtSnr]


class Correspondence(BaseModel):
    """What `correspondence.json` holds."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    run: str
    link: str
    likenesses: list[Likeness]
    modules: list[modules.Row]


def correspond(run: str | Path, link: str | Path, out: str | Path) -> Correspondence:
    """Measure how alike a run and a link are, and write it down.

    Parameters
    ----------
    run : str or Path
        A run's folder with alpha-stable noise, as of `--suite figure3`.
    link : str or Path
        A link's folder.
    out : str or Path
        Folder for `correspondence.json`, `correspondence.md` and the figure.

    Returns
    -------
    Correspondence

    Raises
    ------
    BenchError
        A folder holds something else, or they have too little in common.
    """
    stored, table, folder = Run.open(run), open_link(link), Path(out)
    found = [(pair, overlay(*_curves(pair))) for pair in pairs(stored, table)]
    likenesses = [_likeness(pair, laid) for pair, laid in found]
    first = [(pair, laid) for pair, laid in found if _names(pair) == _names(found[0][0])]
    told = "; ".join(
        f"{entry.model}, {entry.system}, {entry.ruler}: {entry.verdict}" for entry in likenesses[: len(first)]
    )
    result = Correspondence(
        run=str(run), link=str(link), likenesses=likenesses, modules=modules.rows(stored, table, told)
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "correspondence.json", result.model_dump_json(indent=1) + "\n")
    write_text(folder / "correspondence.md", as_markdown(result))
    plots.save(figure.plot(*zip(*first, strict=True)), folder, "correspondence")
    return result


def as_markdown(result: Correspondence) -> str:
    """The correspondence as a page: likenesses, and the table of modules."""
    heads = ["model", "link", "ruler", "alike", "mean tau", "pairs alike : not : undecided", "shift, dB", "stretch",
             "residual", "alphas permuted: best, mean", "rank"]  # fmt: skip
    rows = [
        [
            one.model, one.system, one.ruler, one.verdict, "" if one.tau_mean is None else f"{one.tau_mean:.2f}",
            f"{one.concordant} : {one.discordant} : {one.undecided}", f"{one.shift_db:+.1f}", f"{one.stretch:.2f}",
            f"{one.residual:.3f}", f"{one.permuted_best:.3f}, {one.permuted_mean:.3f}", f"{one.rank} of {one.pairings}",
        ]
        for one in result.likenesses
    ]  # fmt: skip
    parts = [[row.module, row.part, f"`{row.experiment}`", row.found] for row in result.modules]
    return "\n".join(
        [
            "# A CNN and a communication link under the same noise",
            "",
            f"Run `{result.run}`, link `{result.link}`.",
            "",
            tabulate(rows, headers=heads, tablefmt="github", disable_numparse=True),
            "",
            "Pairs of alphas count as alike or not where both intervals tell them apart. The shift and stretch are "
            "one for all alphas; wrong pairings of alphas each get their own best.",
            "",
            "## Modules (Ge et al., Fig. 2, in our words)",
            "",
            tabulate(parts, headers=["link", "CNN", "experiment", "found"], tablefmt="github", disable_numparse=True),
            "",
        ]
    )


def _likeness(pair: Pair, laid: Overlay) -> Likeness:
    orders = {db: order(pair.model.at(db, pair.alphas), pair.link.at(db, pair.alphas)) for db in pair.snr_db}
    taus = [one.tau for one in orders.values() if math.isfinite(one.tau)]
    like = sum(one.concordant for one in orders.values())
    unlike = sum(one.discordant for one in orders.values())
    verdict: Verdict = "undecided"
    if like > unlike and laid.rank == 1:
        verdict = "supported"
    elif unlike > like and 2 * laid.rank > laid.pairings:
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
    )


def _curves(pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    alphas = pair.alphas
    return pair.model.values(alphas), pair.model.snr_db, pair.link.values(alphas), pair.link.snr_db


def _names(pair: Pair) -> tuple[str, str]:
    return pair.model.name, pair.link.name

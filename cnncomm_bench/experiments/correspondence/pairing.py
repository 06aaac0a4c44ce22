"""The correspondence: how alike a CNN's accuracy drop and a link's bit error rate are, and Fig. 2 pair by pair.

the folders of a run, a link, ... -> evidence_folders   what each holds
                                  -> families           the curves of the same alphas on the same ruler
                                  -> likeness           their order at each SNR; one shift and stretch for all alphas
                                  -> paper_pairs        Ge et al., Fig. 2, with what the folders say to each pair
                                  -> correspondence_page, overlay_figure
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..._utils.atomic import make_folder, write_text
from ...report import plots
from ...results.claims import Verdict
from . import overlay_figure as figure
from . import paper_pairs
from .correspondence_page import as_frame, as_markdown
from .correspondence_schema import AtSnr, Correspondence, Likeness
from .evidence_folders import open_evidence
from .families import Pair, pairs
from .likeness import Overlay, Spacings, order, overlay, random_spacings


def correspond(run: str | Path, folders: Sequence[str | Path], out: str | Path) -> Correspondence:
    """Say what a run and the folders beside it show of each pair of the paper's Fig. 2, and write it down.

    Parameters
    ----------
    run : str or Path
        A run's folder; one with alpha-stable noise, as of `--suite figure3`, is compared with the first link.
    folders : sequence of str or Path
        Of `link`, `section5`, `special`, `bandwidth`, `transmission` and more runs, in any order.
    out : str or Path
        Folder for `correspondence.json`, `.md`, `.csv`, and the figure where there is a link.

    Returns
    -------
    Correspondence
        The figure shows the system of the link that fits the first model best; the tables have all.

    Raises
    ------
    BenchError
        A folder holds something else, or run and link have too little in common.
    """
    evidence, folder = open_evidence(Path(run), [Path(beside) for beside in folders]), Path(out)
    link = evidence.compared
    found = [] if link is None else [(pair, overlay(*_curves(pair))) for pair in pairs(evidence.runs[0], link)]
    likenesses = [_likeness(pair, laid, _spacings(pair)) for pair, laid in found]
    rows = paper_pairs.rows(evidence, [one.finding for one in likenesses])
    result = Correspondence(run=str(run), folders=[*map(str, folders)], likenesses=likenesses, pairs=rows)
    make_folder(folder)
    write_text(folder / "correspondence.json", result.model_dump_json(indent=1) + "\n")
    write_text(folder / "correspondence.md", as_markdown(result))
    write_text(folder / "correspondence.csv", as_frame(result).to_csv(index=False))
    if found:
        plots.save(figure.plot(*zip(*_best(found), strict=True)), folder, "correspondence")
    return result


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

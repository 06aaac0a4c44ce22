"""The gallery's pictures in rows, each with what the models answered when it was scored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..results.statistics import CLEAN
from .sections import Row, class_name

if TYPE_CHECKING:
    from ..results import Run
    from .gallery import Gallery


def rows_by_image(run: Run, found: Gallery | None) -> list[Row]:
    """Pictures in rows by attack, with what each model answers.

    Parameters
    ----------
    run : Run
    found : Gallery or None

    Returns
    -------
    list of dict
        One an image.
    """
    if found is None or not found.originals:
        return []
    names = list(dict.fromkeys(run.thresholds["model"]))
    images = [original.image for original in found.originals]
    rows = run.predictions[run.predictions["image"].isin(images) & (run.predictions["seed"] == run.info.seeds[0])]
    keys = zip(*(rows[name] for name in ("model", "attack", "ruler", "snr_db", "image")), strict=True)
    said = dict(zip(keys, zip(rows["prediction"], rows["label"], strict=True), strict=True))
    snr_db = sorted({tile.snr_db for tile in found.tiles})

    def answers(attack: str, ruler: str, db: float, image: int, whom: list[str]) -> list[Row]:
        found = [(place, said.get((names[place], attack, ruler, db, image))) for place, _ in enumerate(names)]
        return [
            {"model": place, "name": names[place], "said": class_name(run, pair[0]), "right": pair[0] == pair[1]}
            for place, pair in found
            if pair is not None and names[place] in whom
        ]

    sections = []
    for original in found.originals:
        image = original.image
        lines: dict[tuple[str, str, str], Row] = {}
        for tile in found.tiles:
            if tile.image != image or (tile.model and tile.model not in names):
                continue
            line = lines.setdefault(
                (tile.attack, tile.ruler, tile.model),
                {
                    "attack": tile.attack,
                    "ruler": tile.ruler,
                    "model": names.index(tile.model) if tile.model else None,
                    "cells": dict.fromkeys(snr_db),
                },
            )
            whom = [tile.model] if tile.model else names
            told = answers(tile.attack, tile.ruler, tile.snr_db, image, whom)
            line["cells"][tile.snr_db] = {"picture": tile.picture, "noise": tile.noise, "answers": told}
        label = "" if original.label is None else class_name(run, original.label)
        clean = answers(CLEAN, "realised", math.inf, image, names)
        shown = {"image": image, "label": label, "picture": original.picture}
        sections.append({**shown, "answers": clean, "rows": list(lines.values())})
    return sections

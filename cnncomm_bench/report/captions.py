"""The gallery's pictures in rows, each with the models' predictions when it was scored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..results.statistics import CLEAN
from .sections import Row, class_name

if TYPE_CHECKING:
    from ..results import Run
    from .gallery import Gallery


def rows_by_image(run: Run, found: Gallery | None) -> list[Row]:
    """For each image, its pictures in rows by attack, with each model's prediction."""
    if found is None or not found.originals:
        return []
    names = list(dict.fromkeys(run.thresholds["model"]))
    images = [original.image for original in found.originals]
    rows = run.predictions[run.predictions["image"].isin(images) & (run.predictions["seed"] == run.info.seeds[0])]
    keys = zip(*(rows[name] for name in ("model", "attack", "ruler", "snr_db", "image")), strict=True)
    predicted = dict(zip(keys, zip(rows["prediction"], rows["label"], strict=True), strict=True))
    snr_db = sorted({tile.snr_db for tile in found.tiles})

    def answers(attack: str, ruler: str, db: float, image: int, models: list[str]) -> list[Row]:
        found = [(place, predicted.get((names[place], attack, ruler, db, image))) for place, _ in enumerate(names)]
        return [
            {"model": place, "name": names[place], "prediction": class_name(run, pair[0]), "right": pair[0] == pair[1]}
            for place, pair in found
            if pair is not None and names[place] in models
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
            models = [tile.model] if tile.model else names
            predictions = answers(tile.attack, tile.ruler, tile.snr_db, image, models)
            line["cells"][tile.snr_db] = {"picture": tile.picture, "noise": tile.noise, "answers": predictions}
        label = "" if original.label is None else class_name(run, original.label)
        clean = answers(CLEAN, "realised", math.inf, image, names)
        shown = {"image": image, "label": label, "picture": original.picture}
        sections.append({**shown, "answers": clean, "rows": list(lines.values())})
    return sections

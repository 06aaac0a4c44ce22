"""Sends images by every system at every SNR, classifies what arrives, and writes tables, claims and the figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from ..._utils.atomic import write_text
from ..._utils.devices import pick_device
from ..._utils.errors import UsageError
from ...attacks import Logits, predict
from ...data import check_labels, chunks, open_images
from ...evaluation import versions
from ...models import open_model
from ...report import plots
from ...results.claims import write as write_claims
from ...snr import power
from .alpha_agreement import agreements
from .systems import System
from .transmission_folder import TransmissionFolder, TransmissionInfo
from .transmission_settings import TransmissionSettings
from .transmission_table import aggregate

SAMPLES = 100
_BATCH = 250


@dataclass(frozen=True)
class Inputs:
    """A classifier and the images it is sent.

    Attributes
    ----------
    predict : callable
        Images in [0, 1] to logits.
    images : Tensor, shape-(N, C, H, W), uint8
        None of them black, which has no SNR.
    labels : Tensor, shape-(N,), int64
    classes : int
    model, data : dict of str to str
        Name and SHA-256.
    device : str
    """

    predict: Logits
    images: Tensor
    labels: Tensor
    classes: int
    model: dict[str, str]
    data: dict[str, str]
    device: str = "cpu"


def open_inputs(
    model: str,
    *,
    arch: str | None = None,
    data: str | None = None,
    classes: str | None = None,
    size: int | None = None,
    mean: str | None = None,
    std: str | None = None,
    trust: bool = False,
    samples: int = SAMPLES,
    device: str = "auto",
) -> Inputs:
    """Open a model and its images; the parameters are those of a run.

    Raises
    ------
    BenchError
        What a run refuses, or images without labels.
    """
    where = pick_device(device)
    opened = open_model(model, arch=arch, mean=mean, std=std, size=size, trust=trust, device=where)
    found = open_images(
        data, channels=opened.channels, size=size or opened.size, preprocessing=opened.preprocessing, classes=classes,
        model_classes=opened.classes, samples=samples,
    )  # fmt: skip
    check_labels(opened, found)
    if found.labels is None:
        raise UsageError("a transmission needs labels: expected a folder with one folder a class", "data")
    pixels = torch.from_numpy(np.concatenate(list(chunks(found.images))))
    nonzero = (pixels.flatten(1) > 0).any(1)
    return Inputs(
        opened.predict, pixels[nonzero], torch.from_numpy(found.labels)[nonzero], opened.classes,
        {"name": opened.name, "sha256": opened.sha256}, {"name": found.name, "sha256": found.sha256}, where,
    )  # fmt: skip


def send_images(
    inputs: Inputs, settings: TransmissionSettings, out: str | Path, *, command: str = "", quiet: bool = False
) -> pd.DataFrame:
    """Send images over the link and as amplitudes, and classify what arrives.

    A curve of bits ends at the first SNR without a wrong bit, above which the images arrive as they are.

    Parameters
    ----------
    inputs : Inputs
    settings : TransmissionSettings
    out : str or Path
        Folder for `transmission.csv`, `transmissions.parquet` (a row an image and point), `claims.json`, the figure
        and `transmission.json`; one that holds a part of the same is resumed.
    command : str
        What was typed, for `transmission.json`.
    quiet : bool
        Show no progress.

    Returns
    -------
    DataFrame
        A row for each system and SNR, see `transmission_table.aggregate`.

    Raises
    ------
    RunFolderError
        The folder holds something else.
    """
    info = TransmissionInfo(
        settings=settings, model=inputs.model, data=inputs.data, images=len(inputs.images), classes=inputs.classes,
        versions=versions(), command=command,
    )  # fmt: skip
    kept = TransmissionFolder(Path(out), info)
    clean = _classify(inputs, inputs.images.float() / 255)
    systems, grid = settings.systems(), settings.link.snr_db
    with tqdm(total=len(systems) * len(grid), unit="point", disable=quiet, mininterval=0.5) as progress:
        for place, system in enumerate(systems, 1):
            progress.set_description(f"{system.columns['noise']}, {system.columns['modulation']}")
            for snr_db in grid:
                rows = kept.point(system.columns, snr_db)
                if rows is None:
                    rows = _point(inputs, system, snr_db, settings.link.seed, clean)
                    kept.add(rows)
                progress.update()
                if rows.bits.iloc[0] and not rows.errors.any():
                    break
            progress.update(place * len(grid) - progress.n)
    table = aggregate(kept.rows)
    claims = agreements(kept.rows, grid, inputs.model["name"], inputs.classes, settings.link.seed)
    write_text(kept.folder / "transmission.csv", table.to_csv(index=False))
    write_claims(claims, kept.folder / "claims.json")
    from . import transmission_figure as figure

    title = f"{inputs.model['name']}: {len(inputs.images)} images of {inputs.data['name']} over the link"
    plots.save(figure.plot(table, title), kept.folder, "transmission")
    kept.finish()
    return table


def _point(inputs: Inputs, system: System, snr_db: float, seed: int, clean: Tensor) -> pd.DataFrame:
    arrived = system.send(inputs.images, snr_db, seed)
    sent = inputs.images.float() / 255
    measured: dict[str, Any] = {
        "image": np.arange(len(sent)),
        "label": inputs.labels.numpy(),
        "clean": clean.numpy(),
        "prediction": _classify(inputs, arrived.images).numpy(),
        "bits": arrived.bits,
        "errors": arrived.errors,
        "signal_power": power(sent).numpy(),
        "noise_power": power(arrived.images - sent).numpy(),
    }
    samples = system.samples_per_value(tuple(sent.shape[1:]))
    about = {**system.columns, "snr_db": snr_db, "samples_per_value": samples, "independent": system.independent}
    return pd.DataFrame({**about, **measured})


def _classify(inputs: Inputs, images: Tensor) -> Tensor:
    return torch.cat([predict(inputs.predict, batch.to(inputs.device)).cpu() for batch in torch.split(images, _BATCH)])

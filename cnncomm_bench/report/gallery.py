"""The gallery: a few images under every attack at several SNRs, and the noise alone.

Noise comes from the images' own streams, so the pictures are those that were scored. Adversaries are rerun on the
images shown. The pictures are kept in `gallery.json`, so that a report can be rewritten without images and models.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from .. import snr
from .._utils.atomic import write_text
from .._utils.errors import RunFolderError
from .._utils.untrusted import read_bytes
from ..attacks import ImageBatch, predict
from ..data import Dataset
from ..results.statistics import CLEAN

if TYPE_CHECKING:
    from ..data import Images
    from ..models import Model
    from ..results import Entry, Run

FILE = "gallery.json"
BUDGET = 2_000_000
"""Characters that the pictures may take: with the drawing library the page stays under 8 MB."""

_SIDE = 112  # larger images are thinned out to this
_SMALL = 64  # up to this side pictures are lossless, and several images are shown
_IMAGES = 3
_SNRS = 6
_PASSES = 3000  # adversaries that need more forward passes an image are not rerun for a picture

Picture = Annotated[str, Field(pattern=r"^data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$")]


class Original(BaseModel):
    """A clean image of the gallery; `image` is its index in the data."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    image: int
    label: int | None
    picture: Picture


class Tile(BaseModel):
    """An image under an attack at an SNR, and the noise alone, stretched to full contrast.

    Attributes
    ----------
    attack, ruler : str
    model : str
        Whom an adversary attacks; empty for noise.
    snr_db : float
        As asked for.
    image : int
    picture, noise : str
        Data URIs; in `noise`, mid-grey is no change.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    attack: str
    ruler: str
    model: str
    snr_db: float
    image: int
    picture: Picture
    noise: Picture


class Gallery(BaseModel):
    """All pictures of a run, as `gallery.json` holds them."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    data_sha256: str
    stride: int
    originals: list[Original]
    tiles: list[Tile]
    notes: list[str] = Field(default_factory=list)


def render(run: Run, data: Images, models: Sequence[Model] = ()) -> Gallery:
    """Draw the gallery of a run.

    Parameters
    ----------
    run : Run
    data : Images
        The run's own images.
    models : sequence of Model
        The run's own models; adversaries against those that are missing are not shown.
    """
    side = max(data.images.shape[2:])
    chosen = _chosen(run, _IMAGES if side <= _SMALL else 1)
    clean = Dataset(data.images, data.labels, chosen).floats(chosen)
    stride = -(-side // _SIDE)
    gallery = Gallery(data_sha256=data.sha256, stride=stride, originals=[], tiles=[])
    for place, image in enumerate(chosen.tolist()):
        label = None if data.labels is None else int(data.labels[image])
        gallery.originals.append(Original(image=image, label=label, picture=_encoded(clean[place], stride)))
    left = BUDGET
    for entry in run.info.suite.attacks:
        try:
            found = list(_tiles(run, entry, clean, chosen, data, models, stride))
        except _Skipped as reason:
            gallery.notes.append(str(reason))
            continue
        left -= sum(len(tile.picture) + len(tile.noise) for tile in found)
        if left < 0:
            gallery.notes.append(f"{entry.spec} and the attacks after it are not shown: the page would grow too large")
            break
        gallery.tiles += found
    return gallery


def save(gallery: Gallery, folder: Path) -> None:
    """Keep a gallery in the run's folder."""
    write_text(folder / FILE, gallery.model_dump_json())


def load(run: Run, folder: Path) -> Gallery | None:
    """The gallery of an earlier report, if it is valid and of this run's data."""
    try:
        gallery = Gallery.model_validate_json(read_bytes(folder / FILE, 4 * BUDGET))
    except (FileNotFoundError, RunFolderError, ValidationError):
        return None
    return gallery if gallery.data_sha256 == run.info.data.sha256 else None


class _Skipped(Exception):
    """An attack has no pictures; the message is the reason."""


def _chosen(run: Run, count: int) -> np.ndarray:
    """One image a class, of those that every attack ran on; first choice are images that every model gets right."""
    counts = run.scores.counts
    everywhere = counts.ran.all(0)
    right = everywhere & (counts.hits[[counts.clean(model) for model in counts.models]] == 1).all(0)
    pools = (right, everywhere) if everywhere.any() else (np.ones_like(right),)
    indices = counts.images.to_numpy()
    images = np.concatenate([indices[pool] for pool in pools])
    rows = run.predictions[run.predictions["attack"] == CLEAN].drop_duplicates("image").set_index("image")["label"]
    return np.sort(rows.reindex(images).drop_duplicates().index.to_numpy()[:count])


def _tiles(
    run: Run,
    entry: Entry,
    clean: Tensor,
    chosen: np.ndarray,
    data: Images,
    models: Sequence[Model],
    stride: int,
) -> Iterator[Tile]:
    counts = (facts.get(entry.spec, {}).get("forward_passes", {}) for facts in run.info.facts.values())
    passes = max((sum(by_snr.values()) for by_snr in counts), default=0)
    if entry.adversary and not models:
        raise _Skipped(f"{entry.spec} is not shown: the report was written without the models")
    if entry.adversary and passes > _PASSES:
        raise _Skipped(f"{entry.spec} is not shown: it needs {passes:.0f} forward passes an image")
    common = run.info.common_snr_db
    shown = [common[i] for i in np.unique(np.linspace(0, len(common) - 1, _SNRS).round().astype(int))]
    device = run.info.device if entry.adversary else "cpu"
    try:
        attack = entry.attack
        known = [ruler for ruler in run.info.suite.rulers if ruler in attack.rulers] or ["realised"]
        for model in models if entry.adversary else (None,):
            images, labels = clean.to(device), None
            if model is not None:
                own = None if data.labels is None else torch.from_numpy(data.labels[chosen]).to(device)
                labels = predict(model.predict, images) if own is None else own
            for ruler in known:
                # An adversary walks its whole grid, as it did when it was scored; noise has no memory of other SNRs.
                grid = run.info.grid(entry.spec, ruler) if entry.adversary else shown
                asked = torch.tensor(grid, dtype=torch.float64)
                predictor = None if model is None else model.predict
                batch = ImageBatch(images, seed=run.info.seeds[0])
                for perturbed in attack.sweep(batch, asked.to(device), ruler=ruler, labels=labels, model=predictor):
                    snr_db = float(asked[perturbed.step])
                    if snr_db not in shown:
                        continue
                    within = images if attack.needs_model else None
                    result = snr.quantise(perturbed.images, run.info.bits, within=within).cpu()
                    for place, image in enumerate(chosen.tolist()):
                        yield Tile(
                            attack=entry.spec,
                            ruler=ruler,
                            model="" if model is None else model.name,
                            snr_db=snr_db,
                            image=image,
                            picture=_encoded(result[place], stride),
                            noise=_encoded(_stretched(result[place] - clean[place]), stride),
                        )
    except Exception as error:  # a picture is not worth a run that is finished
        raise _Skipped(f"{entry.spec} is not shown: {' '.join(str(error).split())[:200]}") from error


def _stretched(noise: Tensor) -> Tensor:
    largest = noise.abs().max()
    return 0.5 + noise / (2 * largest) if largest > 0 else torch.full_like(noise, 0.5)


def _encoded(image: Tensor, stride: int) -> str:
    """A data URI. Every `stride`-th pixel is taken: an average of neighbours would make noise look weaker."""
    from PIL import Image

    pixels = (image[:, ::stride, ::stride].clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    shown = pixels[0] if len(pixels) != 3 else pixels.transpose(1, 2, 0)
    small = max(shown.shape[:2]) <= _SMALL
    buffer = io.BytesIO()
    if small:
        Image.fromarray(shown).save(buffer, "PNG", optimize=True)
    else:
        Image.fromarray(shown).save(buffer, "JPEG", quality=85, subsampling=0)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"

"""Tests whether the fully connected layer decodes (Fig. 2): it alone is trained on noise, the features are kept.

A link's decoder made for impulses needs fewer dB than one made for Gaussian noise. Here the last layer of a network is
trained anew on the same images without noise, and on images under noise; what decoding gains are the dB between them.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import chain

import numpy as np
import pandas as pd
from torch import Tensor, nn

from ..._utils.errors import ModelError
from ...attacks import parse
from ...evaluation import evaluate
from ...results.claims import Claim, decide
from ...results.statistics import Counts, Floats, common_level, estimate, threshold, with_signs
from ..training import at_snr
from .association import Ladder, gain
from .experiment_result import ExperimentResult
from .setting import Setting

NOISES = ("gaussian", "cauchy")
TRAINING_DB = 15.0
RULER = "dispersion"
GRID_DB = tuple(float(db) for db in range(-5, 45, 5))
TESTS, FULL_TESTS = 500, 2000
EPOCHS, FULL_EPOCHS = 2, 10

NETWORKS = 3
"""Trained alike, from different seeds: the interval covers trainings as well as images."""

REFERENCE = "without noise"


class LastLayer(nn.Module):
    """A network of which only the last linear layer is trained; all else stays as it is, in eval mode.

    Parameters
    ----------
    network : nn.Module
        Trained; it is copied.

    Raises
    ------
    ModelError
        It has no linear layer.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        layers = [module for module in self.network.modules() if isinstance(module, nn.Linear)]
        if not layers:
            raise ModelError("the network has no linear layer: section5 decoding needs one at its end")
        layers[-1].requires_grad_(True)

    def train(self, mode: bool = True) -> LastLayer:
        """Stay in eval mode, so that the statistics of the batch normalisation do not move."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Images of shape-(N, C, H, W) to logits of shape-(N, K)."""
        logits: Tensor = self.network(images)
        return logits


def run(setting: Setting) -> ExperimentResult:
    """Train last layers with and without noise, and measure the dB that noise in training gains.

    Parameters
    ----------
    setting : Setting
        Its `source`, or a network trained on its images, gives the features.

    Returns
    -------
    ExperimentResult
        Table `decoding`, a row a network and noise.

    Raises
    ------
    BenchError
        Too few images, a network without a linear layer, a training that diverges.
    """
    setting.need("decoding", train=20 * setting.classes, test=10 * setting.classes)
    source = setting.source or setting.trained("source", setting.train_images, setting.train_labels)
    images, labels = setting.tests(FULL_TESTS if setting.full else TESTS)
    layers = train_layers(setting, source)
    predictions = [
        evaluate(layer, images, labels, attacks=NOISES, snr_db=GRID_DB, ruler=RULER, seed=setting.seed,
                 device=setting.device, name=name).predictions
        for names in layers.values() for name, layer in names.items()
    ]  # fmt: skip
    counts = Counts(pd.concat(predictions, ignore_index=True), classes=setting.classes, seed=setting.seed)
    claims = [
        claim for noise in NOISES for claim in _judge(counts, {name: list(layers[name]) for name in layers}, noise)
    ]
    return ExperimentResult("decoding", tables={"decoding": _table(counts)}, claims=claims, text=_text(claims))


def train_layers(setting: Setting, source: nn.Module) -> dict[str, dict[str, nn.Module]]:
    """Last layers on the features of one network: without noise, twice as many for the control, and under each noise.

    Returns
    -------
    dict of str to dict of str to nn.Module
        By training, then by name.
    """
    mine = replace(setting, factory=lambda: LastLayer(source), epochs=FULL_EPOCHS if setting.full else EPOCHS)
    images, labels = mine.train_images, mine.train_labels
    trained: dict[str, dict[str, nn.Module]] = {REFERENCE: {}}
    for seed in range(2 * NETWORKS):
        name = f"{REFERENCE} #{seed}"
        trained[REFERENCE][name] = mine.trained(f"decoding {name}", images, labels, seed=seed)
    for noise in NOISES:
        trained[noise] = {}
        for seed in range(NETWORKS):
            name = f"{noise} #{seed}"
            disturb = at_snr(parse(noise), TRAINING_DB, seed, RULER)
            trained[noise][name] = mine.trained(f"decoding {name}", images, labels, disturb=disturb, seed=seed)
    return trained


def _judge(counts: Counts, names: dict[str, list[str]], noise: str) -> list[Claim]:
    """What the layers trained on a noise gain under it, and the same of layers that were trained alike."""
    alike = names[REFERENCE]
    found = []
    for claim, second in (("decoding", names[noise]), ("decoding-control", alike[NETWORKS:])):
        compared = [alike[:NETWORKS], second]
        accuracy = {name: _clean(counts, name) for name in chain(*compared)}
        effect, reason = gain(Ladder.of(counts, compared, noise, accuracy), counts.seed)
        what = f"trained on {noise}" if claim == "decoding" else f"trained {REFERENCE}"
        evidence = (
            f"dB that {NETWORKS} last layers {what} gain over {NETWORKS} trained {REFERENCE} under {noise} noise, "
        )
        evidence += f"{len(counts.images)} images; interval over images and trainings"
        about = f"{what}, under {noise}"
        found.append(decide(claim, about, RULER, effect, evidence, reason=reason, statement=_STATEMENTS[claim]))
    return found


def _clean(counts: Counts, name: str) -> Floats:
    return counts.accuracies(np.ones(len(counts.images), dtype=np.bool_))[:, counts.clean(name)]


def _table(counts: Counts) -> pd.DataFrame:
    """Clean accuracy and threshold of each network under each noise, at the level common to all."""
    found = []
    for curve in counts.curves:
        crossed = estimate(threshold(counts, curve, curve.images, common_level(counts, curve.images)))
        found.append((curve.model, curve.attack, float(_clean(counts, curve.model)[0]), *crossed))
    table = pd.DataFrame(found, columns=["network", "attack", "clean", "threshold_db", "low", "high"])
    return with_signs(table, GRID_DB[0], GRID_DB[-1])


_STATEMENTS = {
    "decoding": (
        "The fully connected layer decodes (Ge et al., Fig. 2, in our words): trained alone on a noise, it withstands "
        "more of it."
    ),
    "decoding-control": "Control, to come out undecided: layers that were trained alike gain nothing over each other.",
}


def _text(claims: list[Claim]) -> str:
    found = "; ".join(
        f"{claim.model} {claim.effect:+.1f} dB ({claim.low:+.1f} to {claim.high:+.1f})"
        for claim in claims
        if claim.effect is not None and claim.low is not None and claim.high is not None
    )
    return f"Gain of the last layer over one trained {REFERENCE}, ruler {RULER}: {found}."

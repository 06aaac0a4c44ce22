"""Tests whether adversarial examples are features (Section 5.1).

The data set of Ilyas et al. 2019, "Adversarial examples are not bugs, they are features", is D_rand: training images
moved towards a class drawn uniformly from all classes, and labelled with that class. To the eye the labels are random;
a classifier trained on these images alone knows real images as far as the adversarial noise carries the class.

The paper relabels with "the results given by a classifier": untargeted examples, each with the class that the source
gives it. Those that keep their class are left out, so that no image has its true label, and what the eye sees
teaches wrong classes. The carriers have a module of their own, `carriers`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...attacks import Logits, parse, predict
from ...results.claims import UNKNOWN, Claim, Interval, decide
from ...results.statistics import Effect, quantiles, wilson
from ..training import at_snr
from . import carriers, samples
from . import curve_figures as figures
from .experiment_result import ExperimentResult
from .setting import Setting

ATTACK = "pgd:steps=10"
SNRS_DB = (20.0,)
FULL_SNRS_DB = (15.0, 20.0, 25.0, 30.0)
_PERMUTATIONS = 10_000
_BATCH = 125

ADVERSARIAL = "adversarial, relabelled"
WHITE = "white noise, same labels"
SHUFFLED = "adversarial, labels shuffled"
GIVEN = "adversarial, the classifier's labels"
GIVEN_WHITE = "white noise, the classifier's labels of the adversarial images"
EXAMPLES = (ADVERSARIAL, GIVEN)
"""What is trained on adversarial examples with the labels that they were made for; the rest are controls."""


def run(setting: Setting) -> ExperimentResult:
    """Train on adversarial examples alone, test on real images; then draw the map of carriers.

    Parameters
    ----------
    setting : Setting
        Its `source`, or a network trained on its images, is what the examples are adversarial to.

    Returns
    -------
    ExperimentResult
        Tables `features`, `carriers` and `spectrum`.

    Raises
    ------
    BenchError
        Data too small, a factory that does not fit, a training that diverges.
    """
    setting.need("features", train=10 * setting.classes, test=10 * setting.classes)
    source = (setting.source or setting.trained("source", setting.train_images, setting.train_labels)).to(
        setting.device
    )
    tests, truth = setting.tests()
    rows, claims = [], []
    for snr_db in FULL_SNRS_DB if setting.full else SNRS_DB:
        for name, (images, labels) in training_sets(setting, source, snr_db).items():
            if len(images) < 10 * setting.classes:
                few = f"{len(images)} of {len(setting.train_images)} images fooled the classifier: too few to train on"
                claims.append(_claim(name, snr_db, UNKNOWN, setting.classes, few))
                continue
            model = setting.trained(f"features {name} {snr_db:g} dB", images, labels)
            predictions, effect = _judged(model, tests, truth, setting)
            agree = _share(_predictions(source, images.float() / 255, setting.device), labels)
            rows.append({"trained_on": name, "snr_db": snr_db, "images": len(images), "source_agrees": agree,
                         **_accuracy(predictions, truth, effect, setting.classes)})  # fmt: skip
            claims.append(_claim(name, snr_db, effect, setting.classes))
    table = pd.DataFrame(rows)
    robust = samples.network(setting, "robust", len(setting.train_images))
    studies = [
        carriers.study(name, model, *setting.tests(carriers.IMAGES), device=setting.device, classes=setting.classes,
                       seed=setting.seed)
        for name, model in (("standard", source), ("robust", robust))
    ]  # fmt: skip
    return ExperimentResult(
        "features",
        tables={
            "features": table,
            "carriers": pd.concat([study.map for study in studies]),
            "spectrum": pd.concat([study.spectrum for study in studies]),
        },
        claims=[*claims, *(claim for study in studies for claim in study.claims)],
        figures={"features": figures.features(table, setting.classes, EXAMPLES), "carriers": figures.carriers(studies)},
        text=_text(table, setting.classes, studies),
    )


def training_sets(setting: Setting, source: nn.Module, snr_db: float) -> dict[str, tuple[Tensor, Tensor]]:
    """D_rand and its two controls, untargeted examples with the classifier's labels and their control.

    The controls are the same labels on images under white noise, and D_rand with its labels shuffled.

    Returns
    -------
    dict of str to (Tensor, Tensor)
        uint8 images as the training images, and int64 labels.
    """
    generator = torch.Generator().manual_seed(setting.seed)
    count = len(setting.train_images)
    targets = torch.randint(0, setting.classes, (count,), generator=generator)
    white = at_snr(parse("gaussian"), snr_db, setting.seed)
    push = at_snr(parse(ATTACK), snr_db, setting.seed)
    moved, free, noisy = [], [], []
    for first in range(0, count, _BATCH):
        rows = slice(first, first + _BATCH)
        clean = setting.train_images[rows].to(setting.device).float() / 255
        target, label = (labels[rows].to(setting.device) for labels in (targets, setting.train_labels))
        moved.append(_bytes(push(towards(source, target), clean, torch.zeros_like(target), 0)))
        free.append(_bytes(push(source, clean, label, 0)))
        noisy.append(_bytes(white(source, clean, target, 0)))
    towards_target, untargeted, under_white = (torch.cat(parts) for parts in (moved, free, noisy))
    given = _predictions(source, untargeted.float() / 255, setting.device)
    fooled = given != setting.train_labels
    return {
        ADVERSARIAL: (towards_target, targets),
        WHITE: (under_white, targets),
        SHUFFLED: (towards_target, targets[torch.randperm(count, generator=generator)]),
        GIVEN: (untargeted[fooled], given[fooled]),
        GIVEN_WHITE: (under_white[fooled], given[fooled]),
    }


def towards(model: Logits, targets: Tensor) -> Logits:
    """A classifier of two classes, against the target or for it, so that leaving class 0 is to reach the target.

    Its log-odds are those of the target, as in a targeted attack on the cross-entropy.

    Parameters
    ----------
    model : callable
    targets : Tensor, shape-(N,), int64
        Of the images that it will classify.
    """

    def two(images: Tensor) -> Tensor:
        logits = model(images)
        own = logits.gather(1, targets[:, None])
        others = logits.scatter(1, targets[:, None], -torch.inf).logsumexp(1, keepdim=True)
        return torch.cat([others, own], 1)

    return two


def against_chance(labels: Tensor, predictions: Tensor, classes: int, *, seed: int) -> Effect:
    """Accuracy beyond chance, against the law it has where the classifier's names of the classes mean nothing.

    A classifier trained on random labels still separates images, and may give some classes their right name by luck. So
    accuracies of random one-to-one renamings of its predictions are the null: a permutation test, given as an interval.

    Parameters
    ----------
    labels, predictions : Tensor, shape-(N,), int64
    classes : int
        Fewer than five have too few renamings for a decision.
    seed : int

    Returns
    -------
    Effect
        Accuracy less 1 / classes; its interval holds zero unless at most 5 % of the renamings are as far off, and its
        p values count the renamings that are.
    """
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    confusion.index_put_((labels, predictions), torch.tensor(1), accumulate=True)
    counts = confusion.numpy()
    generator = np.random.default_rng(seed)
    names = generator.permuted(np.tile(np.arange(classes), (_PERMUTATIONS, 1)), axis=1)
    null = counts[np.arange(classes), names].sum(1) / len(labels)
    low, high = quantiles(null, null)
    accuracy = counts.trace() / len(labels)
    above, below = (float((1 + beyond.sum()) / (1 + _PERMUTATIONS)) for beyond in (null >= accuracy, null <= accuracy))
    return Effect(accuracy - 1 / classes, accuracy - high, accuracy - low, above, below)


def _judged(model: nn.Module, tests: Tensor, truth: Tensor, setting: Setting) -> tuple[Tensor, Effect]:
    predictions = _predictions(model, tests, setting.device)
    return predictions, against_chance(truth.cpu(), predictions, setting.classes, seed=setting.seed)


def _predictions(model: nn.Module, images: Tensor, device: str) -> Tensor:
    parts = (images[first : first + _BATCH] for first in range(0, len(images), _BATCH))
    return torch.cat([predict(model, part.to(device)).cpu() for part in parts])


def _share(predictions: Tensor, labels: Tensor) -> float:
    return float((predictions == labels.cpu()).double().mean())


def _accuracy(predictions: Tensor, truth: Tensor, effect: Effect, classes: int) -> dict[str, float]:
    accuracy = _share(predictions, truth)
    low, high = wilson(np.array(accuracy), np.array(len(truth)))
    return {"accuracy": accuracy, "accuracy_low": float(low), "accuracy_high": float(high), "chance": 1 / classes,
            "null_low": accuracy - effect.high, "null_high": accuracy - effect.low}  # fmt: skip


def _claim(name: str, snr_db: float, effect: Effect | Interval, classes: int, reason: str = "") -> Claim:
    evidence = (
        f"accuracy on real test images beyond chance ({1 / classes:.3f}) of a classifier trained on {name} at "
        f"{snr_db:g} dB; interval from random renamings of the classes"
    )
    if classes < 5 and not reason:
        reason = "fewer than five classes have too few renamings"
    statement = _NO_TRUE_LABELS if name == GIVEN_WHITE else ""
    return decide(
        "features" if name in EXAMPLES else "features-control", name, "realised", effect, evidence, reason=reason,
        statement=statement,
    )  # fmt: skip


_NO_TRUE_LABELS = (
    "Control, not to be supported: without the adversary's features nothing is learned; what is seen teaches the wrong "
    "classes, since no image has its true label."
)


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8).cpu()


def _text(table: pd.DataFrame, classes: int, studies: list[carriers.Study]) -> str:
    lines = [
        f"Trained on {row.trained_on} at {row.snr_db:g} dB: accuracy {row.accuracy:.3f} on real images (95 % interval "
        f"{row.accuracy_low:.3f} to {row.accuracy_high:.3f}; chance {1 / classes:.3f}, renamed classes "
        f"{row.null_low:.3f} to {row.null_high:.3f})."
        for row in table.itertuples()
    ]
    lines += [study.summary for study in studies]
    return "\n".join(lines)

"""Warnings: models built to mask their gradients earn them, honest ones do not."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnncomm_bench import bundled
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.evaluation.gradient_probe import probe
from cnncomm_bench.results.gradient_warnings import gradient_warnings
from cnncomm_bench.results.suites import Entry, build

GRID = torch.tensor([0.0, 20.0, 30.0], dtype=torch.float64)
COLUMNS = ["model", "attack", "ruler", "seed", "snr_db", "image", "label", "prediction"]


@pytest.fixture(scope="module")
def standard() -> nn.Module:
    return bundled.load("standard").requires_grad_(False)


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels, _ = bundled.images()
    return torch.from_numpy(pixels[::40]).float() / 255, torch.from_numpy(labels[::40])


# As an attack by another model's gradient declares itself.
TRANSFER = Entry(spec="transfer", adversary=True, family="transfer", norm="l2", iterative=True, uses_gradient=False)


def warnings(predictions: pd.DataFrame) -> list[str]:
    """Those of a run of these attacks."""
    specs = [spec for spec in predictions.attack.unique() if spec != "worst"]
    known = build("test", attacks=[{"spec": spec} for spec in specs if spec != "transfer"]).attacks
    return gradient_warnings(predictions, [*known, TRANSFER])


def run(model, data, *specs: str) -> pd.DataFrame:
    """Predictions as a run stores them."""
    images, labels = data
    rows = [
        ("m", spec, "realised", 0, float(GRID[disturbed.step]), image, int(labels[image]), int(prediction))
        for spec in specs
        for disturbed in parse(spec).over(AdversaryBatch(images, labels, model), GRID)
        for image, prediction in enumerate(disturbed.predictions)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_an_honest_model_earns_no_warning(standard, data):
    assert probe(standard, *data) == []
    specs = ["fgsm", "pgd:steps=10", "square-attack:queries=50"]
    assert warnings(run(standard, data, *specs)) == []


def test_quantised_input_masks_the_gradient(standard, data):
    def quantised(images: torch.Tensor) -> torch.Tensor:
        return standard((images * 15).round() / 15)

    (line,) = probe(quantised, *data)
    assert "exactly zero for 50 of 50" in line
    assert "Athalye" in line
    specs = ["pgd:steps=5", "square-attack:queries=150"]
    lines = warnings(run(quantised, data, *specs))
    assert any(line.startswith("m: square-attack:queries=150, which uses no gradient, fools") for line in lines)


def test_huge_logits_saturate(standard, data):
    lines = probe(lambda images: 1e4 * standard(images), *data)
    assert len(lines) == 1
    assert "saturate" in lines[0]
    assert "1607.04311" in lines[0]


def test_random_resizing_is_noticed(standard, data):
    torch.manual_seed(0)

    def resized(images: torch.Tensor) -> torch.Tensor:
        size = int(torch.randint(20, 29, ()))
        left = int(torch.randint(0, 29 - size, ()))
        small = F.interpolate(images, (size, size), mode="bilinear")
        return standard(F.pad(small, (left, 28 - size - left, left, 28 - size - left)))

    lines = probe(resized, *data)
    assert any("answers differently when asked twice" in line and "eot" in line for line in lines)


def test_no_and_nan_gradients_are_told(standard, data):
    (line,) = probe(lambda images: standard(images.detach()), *data)
    assert "passes no gradient" in line
    (line,) = probe(lambda images: standard(images) + 0 * (0 * images.sum((1, 2, 3))[:, None]).sqrt(), *data)
    assert "NaN" in line


def frame(wrong: dict[str, int], snr_db: float = 20.0) -> pd.DataFrame:
    """A run in which each attack fools the first so many of 100 images of 10 classes."""
    rows = [
        ("m", attack, "realised", 0, snr_db, image, image % 10, image % 10 if image >= count else -1)
        for attack, count in wrong.items()
        for image in range(100)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_one_step_beats_many():
    (line,) = warnings(frame({"fgsm": 60, "pgd": 40}))
    assert line.startswith("m: fgsm is stronger than pgd: at 20 dB it fools 20 images that pgd misses, and misses 0")
    assert warnings(frame({"fgsm": 43, "pgd": 40})) == []
    # In L2 one step may beat many in L-infinity.
    assert warnings(frame({"fgm": 60, "pgd-linf": 40})) == []


def test_blind_attacks_beat_the_gradient():
    (line,) = warnings(frame({"pgd": 40, "transfer": 50}))
    assert line.startswith("m: transfer, which uses no gradient, fools 10 of 100 images at 20 dB that pgd do not")
    (line,) = warnings(frame({"pgd": 40, "gaussian": 50}))
    assert "gaussian" in line
    # The worst case is no attack of its own, and an attack of one step says nothing about the gradient.
    assert warnings(frame({"pgd": 40, "worst": 50})) == []
    assert warnings(frame({"fgsm": 40, "gaussian": 50})) == []


def test_accuracy_that_does_not_fall():
    (line,) = warnings(frame({"pgd": 60}, snr_db=0.0))
    assert "accuracy does not fall: at 0 dB" in line
    assert "40% of 100" in line
    assert warnings(frame({"pgd": 85}, snr_db=0.0)) == []
    assert warnings(frame({"pgd": 60}, snr_db=20.0)) == []


def test_a_backward_pass_that_raises_is_reported(standard, data):
    def broken(images: torch.Tensor) -> torch.Tensor:
        if images.requires_grad:
            raise RuntimeError("no derivative here")
        return standard(images)

    (said,) = probe(broken, *data)
    assert said == "the model cannot be differentiated, gradient attacks will fail: RuntimeError: no derivative here"

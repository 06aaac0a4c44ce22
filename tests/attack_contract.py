"""What holds for every attack, in the registry or in an adapter: its declarations are true, its SNR and budget kept."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cnncomm_bench import snr
from cnncomm_bench.attacks import Adversary, Attack, ImageBatch, Logits, Noise, Perturbed, parse
from cnncomm_bench.attacks.query import Counted, predict

GRID = torch.tensor([12.0, 40.0], dtype=torch.float64)
RESISTED = torch.tensor([90.0], dtype=torch.float64)
"""An SNR at which no image is fooled."""


def sweep(
    attack: Attack, images: Tensor, labels: Tensor, model: Logits, grid: Tensor = GRID, seed: int = 0
) -> dict[int, Perturbed]:
    """Perturbed images by step of the grid."""
    found = attack.sweep(ImageBatch(images, seed=seed), grid, labels=labels, model=model)
    return {perturbed.step: perturbed for perturbed in found}


def check_declarations(attack: Attack, images: Tensor, labels: Tensor, model: Logits) -> None:
    """Declared properties are of their type, and true of what the attack does."""
    assert isinstance(attack.family, str) and attack.family
    assert attack.needs_model == isinstance(attack, Adversary) != isinstance(attack, Noise)
    assert attack.rulers[0] == "realised"
    assert attack.norm in (("l2", "linf", None) if attack.needs_model else (None,))
    counted = Counted(model)
    one, two = (sweep(attack, images, labels, asked) for asked in (counted, model))
    assert (counted.backward > 0) == attack.uses_gradient
    assert all(torch.equal(two[step].images, one[step].images) for step in one)  # it repeats itself


def check_seeds(attack: Attack, images: Tensor, labels: Tensor, model: Logits) -> None:
    """Another seed gives other images if, and only if, the attack says so."""
    one, two = (sweep(attack, images, labels, model, seed=seed) for seed in (0, 1))
    assert any(not torch.equal(two[step].images, one[step].images) for step in one) == attack.stochastic


def check_spec(attack: Attack) -> None:
    """The spec string names the same attack again."""
    assert parse(attack.spec).spec == attack.spec
    assert attack.at_radius or parse(attack.spec) == attack


def check_snr(attack: Attack, images: Tensor, labels: Tensor, model: Logits) -> None:
    """Noise meets its SNR to 1e-4 dB; an adversary stays within its budget, and its curve only rises with SNR."""
    found = sweep(attack, images, labels, model)
    assert sorted(found) == list(range(len(GRID)))
    for step, perturbed in found.items():
        assert perturbed.images.shape == images.shape
        assert perturbed.images.min() >= 0 and perturbed.images.max() <= 1
        measured = snr.measure(images, perturbed.images)
        if not attack.needs_model:
            assert (measured - GRID[step])[perturbed.reached].abs().max() < 1e-4
            continue
        assert (measured > GRID[step] - 1e-3).all()
        assert torch.equal(perturbed.predictions, predict(model, perturbed.images))
        left = (perturbed.images == images).flatten(1).all(1) & (perturbed.predictions == labels)
        assert torch.equal(perturbed.facts["unperturbed"], left)
    if attack.needs_model:
        low, high = ((found[step].predictions == labels).sum() for step in (0, 1))
        assert low <= high <= (predict(model, images) == labels).sum()


def check_radius(attack: Attack, images: Tensor, labels: Tensor, model: Logits, eps: float) -> None:
    """At a radius no image is further from the clean one than that, in the norm declared."""
    found = sweep(attack, images, labels, model)
    assert len(found) == 1
    noise = (found[0].images - images).flatten(1)
    assert (noise.norm(p={"l2": 2.0, "linf": math.inf}[attack.norm], dim=1) <= eps * (1 + 1e-5)).all()


def check_batches(attack: Attack, images: Tensor, labels: Tensor, model: Logits) -> None:
    """Neither batch size nor order changes an image's noise, but for rounding."""
    whole = sweep(attack, images, labels, model)
    for rows in torch.arange(len(images)).flip(0).split(5):
        for step, part in sweep(attack, images[rows], labels[rows], model).items():
            torch.testing.assert_close(part.images, whole[step].images[rows], rtol=0, atol=1e-5)


def check_levels(attack: Attack, images: Tensor) -> None:
    """An image read as floats draws the same as one of 8 bits: what is below their rounding does not count."""
    rounded, nudged = ((images * 255).round().to(torch.uint8).float() / 255, images + 1e-4)
    one, two = (attack.draw(snr.digests(x), tuple(x.shape[1:]), seed=0) for x in (rounded, nudged))
    assert torch.equal(one, two)


def check_passes(attack: Attack, images: Tensor, labels: Tensor, model: Logits, rel: float = 0.2) -> None:
    """The passes declared are those counted, for images that resist; the clean answer is not the attack's."""
    classes = model(images[:1]).shape[1]
    counted = Counted(model)
    (perturbed,) = sweep(attack, images, labels, counted, grid=RESISTED).values()
    assert (perturbed.predictions == labels).all()
    forward, backward = attack.passes(classes)
    assert forward == pytest.approx(counted.forward / len(images) - 1, rel=rel)
    assert backward == pytest.approx(counted.backward / len(images), rel=rel)


def check_library(spec: str, kind: str, images: Tensor, labels: Tensor, model: Logits) -> None:
    """What holds for an attack of another library besides: its kind, and that it leaves the global generators alone."""
    attack = parse(spec)
    assert attack.spec == spec
    assert attack.needs_model and attack.stochastic and attack.family == "library"
    assert attack.minimum_norm == (kind == "minimum")
    assert attack.note == ("rescaled" if kind == "rescaled" else "")
    torchs, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    check_spec(attack)
    check_declarations(attack, images, labels, model)
    check_snr(attack, images, labels, model)
    assert torch.equal(torchs, torch.get_rng_state())
    assert np.array_equal(numpys, np.random.get_state()[1])  # noqa: NPY002

"""Noise as the projection of the adversarial direction: exact where the boundary is a plane."""

import math

import pytest
import torch
from torch import nn

from cnncomm_bench import bundled, evaluate
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.boundary import seen_along
from cnncomm_bench.results import flat_boundary as projection

GRID = torch.arange(0, 55, 5, dtype=torch.float64)


@pytest.fixture
def plane():
    """A model of two classes, its boundary a plane, and images on both sides at 20 dB and nearer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).requires_grad_(False)
    weight, bias = model[1].weight, model[1].bias
    normal = (weight[1] - weight[0]).double()
    images = 0.3 + 0.4 * torch.rand(300, 3, 8, 8)
    # Shifted along the normal until the distances to the plane are spread over what noise of 0 to 30 dB reaches.
    gap = (images.flatten(1).double() @ normal + (bias[1] - bias[0])) / normal.norm()
    wanted = torch.linspace(-0.6, 0.6, 300, dtype=torch.float64)
    images = images + ((wanted - gap)[:, None] * normal / normal.norm()).view_as(images).float()
    nearest = images - (1.001 * wanted[:, None] * normal / normal.norm()).view_as(images).float()
    return model, images, nearest


def test_a_plane_is_predicted_exactly(plane):
    model, images, nearest = plane
    labels = model(images).argmax(1)
    batch = AdversaryBatch(images, labels, model, bounds=(-math.inf, math.inf))
    budgets = GRID[:, None].expand(-1, len(images))
    seen = list(seen_along(batch, nearest, torch.ones(len(images), dtype=torch.bool), budgets))
    disagreeing = 0
    for disturbed in parse("gaussian").over(batch.for_noise(), budgets):
        right = model(disturbed.images).argmax(1) == labels
        disagreeing += int((right != seen[disturbed.step]["flat_right"].bool()).sum())
    assert disagreeing <= 3  # of 3,300; the example lies a thousandth beyond the plane
    # Share of power along a fixed direction: mean 1/D, standard deviation sqrt(2)/D an image; five deviations.
    assert float(seen[0]["white_along"].mean()) * 192 == pytest.approx(1, abs=5 * math.sqrt(2 / len(images)))


def test_no_example_no_projection(plane):
    model, images, _ = plane
    batch = AdversaryBatch(images, model(images).argmax(1), model=model)
    (seen,) = seen_along(batch, images, torch.arange(300) < 100, torch.full((1, 300), 20.0, dtype=torch.float64))
    assert seen["nearest_found"].sum() == seen["white_along"].sum() == 0
    assert seen["flat_right"].sum() == 100


def test_a_run_tells_it(plane):
    model, images, _ = plane
    labels = model(images).argmax(1)
    inside = ((images >= 0) & (images <= 1)).flatten(1).all(1)
    run = evaluate(model, images[inside], labels[inside], attacks=["gaussian", "fmn"], snr_db="0:50:5")
    assert "the plane is not contradicted" in projection.sentence(run, "model")
    pixels, labels, _ = bundled.images()
    alone = evaluate(bundled.load("standard"), pixels[:50], labels[:50], attacks=["gaussian", "fgm"], snr_db="0:40:10")
    assert projection.sentence(alone, "model") == ""

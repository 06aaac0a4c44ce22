"""Fast minimum norm: exact on a linear model, against Foolbox, and a whole curve from one run."""

import pytest
import torch
from torch import nn

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import AdversaryBatch, parse

GRID = torch.arange(0, 55, 5, dtype=torch.float64)


def real(name: str, count: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A bundled model, and bundled images of all classes with their labels."""
    pixels, labels, _ = bundled.images()
    rows = slice(None, None, len(pixels) // count)
    model = bundled.load(name).requires_grad_(False)
    return model, torch.from_numpy(pixels[rows]).float() / 255, torch.from_numpy(labels[rows])


def test_finds_the_distance_to_a_plane():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).requires_grad_(False)
    images = torch.rand(20, 3, 4, 4)
    logits = model(images)
    batch = AdversaryBatch(images, logits.argmax(1), model, bounds=(-torch.inf, torch.inf))
    distance = (logits[:, 1] - logits[:, 0]).abs() / (model[1].weight[1] - model[1].weight[0]).norm()
    found = parse("fmn").minimise(batch, None)
    torch.testing.assert_close((found - images).flatten(1).norm(dim=1), distance, rtol=5e-3, atol=1e-6)


@pytest.mark.parametrize(("name", "radius"), [("standard", 0.25), ("adversarial", 1.5)])
def test_as_strong_as_foolbox(name, radius):
    foolbox = pytest.importorskip("foolbox")
    model, images, labels = real(name, 100)
    # Foolbox 3.3's L2FMNAttack does not project (its factor is norms / norms): DDN is the stronger of the two.
    theirs, _, _ = foolbox.attacks.DDNAttack(steps=50)(
        foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu"), images, labels, epsilons=None
    )
    noise = (theirs - images).flatten(1).norm(dim=1)
    known = 1 - ((model(theirs).argmax(1) != labels) & (noise <= radius)).double().mean()
    budget = 20 * torch.log10(snr.power(images).sqrt() / radius)
    (ours,) = parse("fmn").over(AdversaryBatch(images, labels, model), budget[None])
    assert (ours.predictions == labels).double().mean() <= known + 0.005


@pytest.mark.parametrize("name", ["standard", "adversarial"])
def test_one_run_bounds_the_whole_curve_for_a_quarter_of_pgds_passes(name):
    model, images, labels = real(name, 50)
    curves, passes = {}, {}
    for spec in ("fmn", "pgd:steps=50"):
        curve, passes[spec] = torch.empty(len(GRID)), 0.0
        for disturbed in parse(spec).over(AdversaryBatch(images, labels, model), GRID):
            curve[disturbed.step] = (disturbed.predictions == labels).float().mean()
            passes[spec] += float(disturbed.facts["backward_passes"].sum())
            assert (snr.measure(images, disturbed.images) >= GRID[disturbed.step] - 1e-4).all()
        curves[spec] = curve
    assert (curves["fmn"].diff() >= 0).all()
    assert (curves["fmn"] <= curves["pgd:steps=50"] + 0.0201).all()
    assert passes["fmn"] <= passes["pgd:steps=50"] / 4


def test_batches_do_not_matter(pictures, linear):
    labels = linear(pictures).argmax(1)
    whole = {d.step: d for d in parse("fmn:steps=20").over(AdversaryBatch(pictures, labels, linear), GRID)}
    for rows in torch.arange(12).split(5):
        for part in parse("fmn:steps=20").over(AdversaryBatch(pictures[rows], labels[rows], linear), GRID):
            torch.testing.assert_close(part.images, whole[part.step].images[rows], rtol=0, atol=1e-5)


def test_stays_clean_where_the_budget_does_not_reach(pictures, linear):
    labels = linear(pictures).argmax(1)
    torch.testing.assert_close(parse("fmn:steps=5")(pictures, labels, snr_db=150, model=linear), pictures)
    with pytest.raises(UsageError, match="steps=0"):
        parse("fmn:steps=0")

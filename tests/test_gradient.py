"""fgsm, fgm, pgd and pgd-linf: budgets, order of strength, and what they share."""

import pytest
import torch
from torch import nn

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.errors import ModelError, UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.losses import loss_and_grad, project_to_ball
from cnncomm_bench.attacks.query import predict

SPECS = ["fgsm", "fgm", "pgd:steps=8", "pgd-linf:steps=8"]
GRID = torch.arange(0, 55, 10, dtype=torch.float64)


def real(count: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """The bundled standard model, and bundled images of all classes with their labels."""
    pixels, labels, _ = bundled.images()
    rows = slice(None, None, len(pixels) // count)
    model = bundled.load("standard").requires_grad_(False)
    return model, torch.from_numpy(pixels[rows]).float() / 255, torch.from_numpy(labels[rows])


def accuracies(spec: str, batch: AdversaryBatch, grid: torch.Tensor) -> torch.Tensor:
    """Accuracy at each SNR of a grid."""
    right = torch.empty(len(grid))
    for disturbed in parse(spec).over(batch, grid):
        right[disturbed.step] = (disturbed.predictions == batch.labels).float().mean()
    return right


@pytest.mark.parametrize("spec", SPECS)
def test_noise_stays_within_the_budget(spec, pictures, linear):
    labels = linear(pictures).argmax(1)
    for disturbed in parse(spec).over(AdversaryBatch(pictures, labels, linear), GRID):
        assert (snr.measure(pictures, disturbed.images) >= GRID[disturbed.step] - 1e-4).all()
        assert disturbed.images.min() >= 0
        assert disturbed.images.max() <= 1
        torch.testing.assert_close(disturbed.predictions, predict(linear, disturbed.images))


@pytest.mark.parametrize("spec", SPECS)
def test_batches_do_not_matter(spec, pictures, linear):
    labels = linear(pictures).argmax(1)
    whole = parse(spec)(pictures, labels, snr_db=30, model=linear)
    for size in (1, 7):
        parts = [
            parse(spec)(images, chosen, snr_db=30, model=linear)
            for images, chosen in zip(pictures.split(size), labels.split(size))
        ]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=2e-6)


def test_fgsm_meets_its_budget_and_is_the_vertex_of_pgd_linf(pictures):
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(pictures[0].numel(), 2))
    labels = linear(pictures).argmax(1)
    budget = torch.full((len(pictures),), 30.0, dtype=torch.float64)
    batch = AdversaryBatch(pictures, labels, linear)
    vertex = parse("fgsm").perturb(batch, budget, None)
    torch.testing.assert_close(snr.measure(pictures, vertex), budget, rtol=0, atol=1e-4)
    attack = parse("pgd-linf")
    found = attack.perturb(batch, budget, attack.drawn(batch))
    radius = (vertex - pictures).flatten(1).abs().amax(1)
    assert ((found - pictures).flatten(1).abs().amax(1) <= radius * (1 + 1e-5)).all()
    # A linear model's worst point of that ball is the vertex.
    torch.testing.assert_close(found, vertex, rtol=0, atol=1e-5)


@pytest.mark.parametrize("spec", ["fgm", "pgd:steps=30"])
def test_a_linear_model_falls_exactly_at_its_margin(spec):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    images = torch.rand(20, 3, 4, 4)
    with torch.no_grad():
        logits = model(images)
    labels = logits.argmax(1)
    weight = model[1].weight[1] - model[1].weight[0]
    distance = (logits[:, 1] - logits[:, 0]).abs().double() / weight.norm().double()
    exact = 20 * torch.log10(snr.power(images).sqrt() / distance)
    batch = AdversaryBatch(images, labels, model, bounds=(-torch.inf, torch.inf))
    for offset, fooled in ((-0.1, True), (0.1, False)):
        (disturbed,) = parse(spec).over(batch, (exact + offset)[None])
        assert ((disturbed.predictions != labels) == fooled).all()


def test_order_of_strength_on_the_bundled_model():
    model, images, labels = real(100)
    batch, grid = AdversaryBatch(images, labels, model), torch.tensor([20.0, 30.0, 40.0], dtype=torch.float64)
    fgsm, fgm, pgd, linf = (
        accuracies(spec, batch, grid) for spec in ("fgsm", "fgm", "pgd:steps=10", "pgd-linf:steps=10")
    )
    assert (pgd <= fgm).all()
    assert (linf <= fgsm).all()
    assert pgd.mean() < fgm.mean() - 0.05
    for curve in (fgsm, fgm, pgd, linf):
        assert (curve.diff() >= 0).all()


def test_pgd_is_as_strong_as_torchattacks_at_a_radius():
    import_torchvision()
    torchattacks = pytest.importorskip("torchattacks")
    model, images, labels = real(100)
    radius = 0.35
    theirs = torchattacks.PGDL2(model, eps=radius, alpha=radius, steps=10)
    torch.manual_seed(0)
    known = (predict(model, theirs(images, labels)) == labels).float().mean()
    budget = 20 * torch.log10(snr.power(images).sqrt() / radius)
    (ours,) = parse("pgd:steps=10").over(AdversaryBatch(images, labels, model), budget[None])
    assert (ours.predictions == labels).float().mean() <= known + 0.005


def test_nearest_is_the_nearest_point_of_ball_and_box():
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(4, 1, 5, 5, generator=generator, dtype=torch.float64)
    clean[:, :, :2] = 0  # pixels at a bound, where clipping takes much
    outside = clean + torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    budget = torch.full((4,), 12.0, dtype=torch.float64)
    ours = project_to_ball(clean, outside, budget, (0, 1))
    radius = snr.radius(clean, budget)[:, None, None, None]
    # Dykstra's alternating projections converge to the same point.
    point, ball, box = outside, torch.zeros_like(clean), torch.zeros_like(clean)
    for _ in range(3000):
        shifted = point + ball - clean
        inner = clean + shifted * (radius / shifted.flatten(1).norm(dim=1)[:, None, None, None]).clamp(max=1)
        ball = point + ball - inner
        point = (inner + box).clamp(0, 1)
        box = inner + box - point
    torch.testing.assert_close(ours, point, rtol=0, atol=1e-6)
    torch.testing.assert_close(project_to_ball(clean, clean, budget, (0, 1)), clean)


def test_passes_are_counted(pictures, linear):
    labels = linear(pictures).argmax(1)
    (disturbed,) = parse("pgd:steps=5,restarts=2").over(AdversaryBatch(pictures, labels, linear), torch.tensor([90.0]))
    assert (disturbed.predictions == labels).all()
    assert disturbed.facts["backward_passes"].sum() == 2 * 5 * len(pictures)
    # Clean, five steps and the end of each restart, and the answer to the best.
    assert disturbed.facts["forward_passes"].sum() == (1 + 2 * (5 + 1) + 1) * len(pictures)


def test_expectation_over_transformations_averages(pictures, linear):
    def noisy(images: torch.Tensor) -> torch.Tensor:
        return linear(images + 0.3 * torch.randn_like(images)) ** 3

    torch.manual_seed(0)
    batch = AdversaryBatch(pictures, linear(pictures).argmax(1), model=noisy)
    once, often = (torch.stack([loss_and_grad(batch, pictures, samples=s).gradient for _ in range(5)]) for s in (1, 32))
    assert often.std(0).mean() < 0.5 * once.std(0).mean()
    (disturbed,) = parse("pgd:steps=2,eot=3").over(batch, torch.tensor([90.0]))
    assert disturbed.facts["backward_passes"].sum() <= 2 * 3 * len(pictures)
    with pytest.raises(UsageError, match="eot=0"):
        parse("pgd:eot=0")


@pytest.mark.parametrize("spec", [*SPECS, "apgd-ce:steps=4", "apgd-dlr:steps=4", "fmn:steps=4"])
def test_models_without_a_gradient_get_one_line(spec, pictures, linear):
    labels = linear(pictures).argmax(1)

    @torch.inference_mode()
    def exported(images: torch.Tensor) -> torch.Tensor:
        return linear(images)

    def detached(images: torch.Tensor) -> torch.Tensor:
        return linear(images.detach())

    def broken(images: torch.Tensor) -> torch.Tensor:
        return linear(images) + 0 * (images.flatten(1).sum(1, keepdim=True) * 0).sqrt()

    for model, words in ((exported, "no gradient"), (detached, "no gradient"), (broken, "NaN")):
        with pytest.raises(ModelError, match=words):
            parse(spec)(pictures, labels, snr_db=30, model=model)


@pytest.mark.parametrize("spec", [*SPECS, "apgd-ce:steps=4", "square-attack:queries=4", "fmn:steps=4"])
def test_images_that_are_odd(spec, pictures):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16 * 20, 2))
    grey = pictures[:1, :1]
    labels = model(grey).argmax(1)
    assert parse(spec)(grey, labels, snr_db=10, model=model).shape == grey.shape
    black = torch.cat([grey, torch.zeros_like(grey)])
    with pytest.raises(ValueError, match="image 1 has zero power"):
        parse(spec)(black, labels.repeat(2), snr_db=10, model=model)
    with pytest.raises(UsageError, match="needs model= and labels="):
        parse(spec)(grey, snr_db=10)

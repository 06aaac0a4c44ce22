"""Auto-PGD: against the implementation people know, along the grid, and where its losses are undefined."""

import pytest
import torch
from torch import nn

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.apgd import _begin, _checkpoints
from cnncomm_bench.attacks.losses import dlr, log_odds, targeted_dlr
from cnncomm_bench.attacks.query import predict


def real(name: str, count: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A bundled model, and bundled images of all classes with their labels."""
    pixels, labels, _ = bundled.images()
    rows = slice(None, None, len(pixels) // count)
    model = bundled.load(name).requires_grad_(False)
    return model, torch.from_numpy(pixels[rows]).float() / 255, torch.from_numpy(labels[rows])


def at_radius(spec: str, batch: AdversaryBatch, radius: float) -> float:
    """Robust accuracy at a fixed L2 radius."""
    budget = 20 * torch.log10(snr.power(batch.images).sqrt() / radius)
    (disturbed,) = parse(spec).over(batch, budget[None])
    return float((disturbed.predictions == batch.labels).double().mean())


@pytest.mark.parametrize(
    ("spec", "peer", "options", "seeds"),
    [
        ("apgd-ce:steps=20", "APGD", {"loss": "ce"}, (0, 1)),
        ("apgd-dlr:steps=20", "APGD", {"loss": "dlr"}, (0,)),
        ("apgd-dlr:steps=10,targeted=true", "APGDT", {"n_classes": 10}, (0,)),
    ],
)
def test_as_strong_as_torchattacks_at_a_radius(spec, peer, options, seeds):
    import_torchvision()
    torchattacks = pytest.importorskip("torchattacks")
    ours, known = [], []
    for name, radius in (("standard", 0.35), ("adversarial", 2.0)):
        model, images, labels = real(name, 100)
        for seed in seeds:
            theirs = getattr(torchattacks, peer)(
                model, norm="L2", eps=radius, steps=parse(spec).steps, seed=seed, **options
            )
            known.append(float((predict(model, theirs(images, labels)) == labels).double().mean()))
            ours.append(at_radius(spec, AdversaryBatch(images, labels, model, seed=seed), radius))
    # Of both models together: an image more or less is the start's luck.
    assert sum(ours) / len(ours) <= sum(known) / len(known) + 0.005


@pytest.mark.parametrize("spec", ["apgd-ce:steps=10", "apgd-dlr:steps=10", "apgd-dlr:steps=5,targeted=true,targets=2"])
def test_budget_and_batches(spec, pictures, linear):
    labels = linear(pictures).argmax(1)
    grid = torch.tensor([20.0, 30.0, 40.0], dtype=torch.float64)
    whole = {d.step: d for d in parse(spec).over(AdversaryBatch(pictures, labels, linear), grid)}
    for step, snr_db in enumerate(grid):
        assert (snr.measure(pictures, whole[step].images) >= snr_db - 1e-4).all()
        assert whole[step].images.min() >= 0
        assert whole[step].images.max() <= 1
    for images, chosen, rows in zip(pictures.split(5), labels.split(5), torch.arange(12).split(5)):
        for part in parse(spec).over(AdversaryBatch(images, chosen, linear), grid):
            torch.testing.assert_close(part.images, whole[part.step].images[rows], rtol=0, atol=1e-5)


def test_the_grid_drops_what_is_fooled():
    model, images, labels = real("standard", 60)
    batch = AdversaryBatch(images, labels, model)
    grid = torch.tensor([10.0, 20.0, 30.0, 40.0], dtype=torch.float64)
    right, passes = {}, {}
    for disturbed in parse("apgd-ce:steps=10").over(batch, grid):
        right[disturbed.step] = disturbed.predictions == labels
        passes[disturbed.step] = disturbed.facts["backward_passes"].sum()
    for step in range(3):
        assert not (right[step] & ~right[step + 1]).any()  # what is fooled at 30 dB is fooled at 20 dB
        assert passes[step] < passes[step + 1]
    assert passes[0] == 0  # none was left
    # An image stops where it is fooled, well before its ten steps.
    assert passes[1] < 0.5 * 10 * right[2].sum()


def test_the_second_start_is_where_the_smaller_budget_ended(pictures, linear):
    labels = linear(pictures).argmax(1)
    budget = torch.full((len(pictures),), 30.0, dtype=torch.float64)
    start = torch.randn(len(pictures), 3, 16, 20)
    near = parse("fgm").perturb(AdversaryBatch(pictures, labels, linear), budget + 10, None)
    batch = AdversaryBatch(pictures, labels, linear, warm_start=near)
    warm = _begin(batch, budget, start, warm=True)
    direction = [nn.functional.normalize((images - pictures).flatten(1)) for images in (warm, near)]
    assert ((direction[0] * direction[1]).sum(1) > 0.99).all()
    torch.testing.assert_close(snr.measure(pictures, warm), budget, rtol=0, atol=1e-4)
    # Where there is no smaller budget, as for the first, the start is the random one.
    cold = _begin(AdversaryBatch(pictures, labels, linear, warm_start=pictures), budget, start, warm=True)
    torch.testing.assert_close(cold, _begin(batch, budget, start, warm=False))


def test_ratio_is_blind_to_the_scale_of_logits():
    model, images, labels = real("standard", 60)
    plain, loud = (
        AdversaryBatch(images, labels, model),
        AdversaryBatch(images, labels, lambda x: 1e6 * model(x)),
    )
    for spec in ("apgd-dlr:steps=10", "apgd-ce:steps=10"):
        assert abs(at_radius(spec, loud, 0.35) - at_radius(spec, plain, 0.35)) <= 0.05


def test_log_odds_is_the_cross_entropy_without_saturation():
    logits = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    known = nn.functional.cross_entropy(logits, labels, reduction="none")
    odds = log_odds(logits, labels)
    torch.testing.assert_close(nn.functional.softplus(odds), known)
    (ours,), (theirs,) = (torch.autograd.grad(loss.sum(), logits, retain_graph=True) for loss in (odds, known))
    torch.testing.assert_close(nn.functional.normalize(ours), nn.functional.normalize(theirs))
    certain = torch.tensor([[1000.0, 0.0, -1.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(log_odds(certain, torch.tensor([0])).sum(), certain)
    assert gradient[0, 0] == -1


def test_ratios_by_hand():
    logits, label = torch.tensor([[5.0, 3.0, 1.0, 0.0]]), torch.tensor([0])
    torch.testing.assert_close(dlr(logits, label), torch.tensor([-(5.0 - 3) / (5 - 1)]))
    torch.testing.assert_close(
        targeted_dlr(logits, label, torch.tensor([2])), torch.tensor([-(5.0 - 1) / (5 - (1 + 0) / 2)])
    )


def test_too_few_classes_get_one_line(pictures):
    for classes, spec, words in (
        (2, "apgd-dlr", "three classes or more, this one has two: use apgd-ce"),
        (2, "apgd-dlr:targeted=true", "four classes or more, this one has 2: use apgd-ce"),
        (3, "apgd-dlr:targeted=true", "four classes or more, this one has 3: use apgd-dlr"),
    ):
        model = nn.Sequential(nn.Flatten(), nn.Linear(pictures[0].numel(), classes))
        with pytest.raises(UsageError, match=words):
            parse(spec)(pictures, model(pictures).argmax(1), snr_db=20, model=model)
    with pytest.raises(UsageError, match="steps=0"):
        parse("apgd-ce:steps=0")
    with pytest.raises(UsageError, match="targets=0"):
        parse("apgd-dlr:targets=0")


def test_checkpoints_are_the_papers():
    assert list(_checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert _checkpoints(1) == {}

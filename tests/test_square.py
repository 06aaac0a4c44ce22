"""Square attack: against the implementation people know, its budget, its streams, and models without gradients."""

import pytest
import torch
from torch import nn

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.query import predict
from cnncomm_bench.attacks.square import _pattern


def test_as_strong_as_torchattacks_at_a_radius():
    import_torchvision()
    torchattacks = pytest.importorskip("torchattacks")
    pixels, labels, _ = bundled.images()
    images, labels = torch.from_numpy(pixels[::20]).float() / 255, torch.from_numpy(labels[::20])
    model, radius = bundled.load("standard").requires_grad_(False), 1.0
    budget = 20 * torch.log10(snr.power(images).sqrt() / radius)
    ours, known = [], []
    for seed in range(2):  # the luck of a seed is worth some points
        theirs = torchattacks.Square(model, norm="L2", eps=radius, n_queries=200, seed=seed)
        known.append(float((predict(model, theirs(images, labels)) == labels).double().mean()))
        (found,) = parse("square-attack:queries=200").over(
            AdversaryBatch(images, labels, model, seed=seed), budget[None]
        )
        ours.append(float((found.predictions == labels).double().mean()))
    assert sum(ours) / 2 <= sum(known) / 2 + 0.005


def test_pattern_is_torchattacks_own():
    import_torchvision()
    torchattacks = pytest.importorskip("torchattacks")
    theirs = torchattacks.Square(nn.Identity(), norm="L2")
    theirs.device = torch.device("cpu")
    for side in (3, 5, 6, 11):
        known = theirs.eta(side)
        if (known[0] > 0).all():  # it is turned at random
            torch.testing.assert_close(_pattern(side), known)
        else:
            torch.testing.assert_close(_pattern(side), known.T)


@pytest.mark.parametrize("channels", [1, 3])
def test_budget_batches_and_no_gradient(channels, pictures):
    images = pictures[:, :channels]
    torch.manual_seed(0)
    weights = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16 * 20, 4))

    @torch.inference_mode()
    def exported(images: torch.Tensor) -> torch.Tensor:
        return weights(images)

    attack, labels = parse("square-attack:queries=40"), exported(images).argmax(1).clone()
    grid = torch.tensor([20.0, 30.0, 40.0], dtype=torch.float64)
    whole = {d.step: d for d in attack.over(AdversaryBatch(images, labels, exported), grid)}
    for step, snr_db in enumerate(grid):
        assert (snr.measure(images, whole[step].images) >= snr_db - 1e-4).all()
        assert whole[step].facts["backward_passes"].sum() == 0
        assert 0 < whole[step].facts["forward_passes"].sum() <= 42 * len(images)
    for rows in torch.arange(12).split(5):
        for part in attack.over(AdversaryBatch(images[rows], labels[rows], exported), grid):
            torch.testing.assert_close(part.images, whole[part.step].images[rows], rtol=0, atol=1e-5)
    assert not torch.equal(attack(images, labels, snr_db=40, model=exported, seed=1), whole[2].images)


def test_search_gains_on_its_first_image(pictures, linear):
    labels = linear(pictures).argmax(1)
    grid = torch.tensor([[35.0]], dtype=torch.float64)
    once, often = (
        next(parse(f"square-attack:queries={queries}").over(AdversaryBatch(pictures, labels, linear), grid)).images
        for queries in (1, 200)
    )
    margins = [linear(x).gather(1, labels[:, None]).flatten() - linear(x).amax(1) for x in (once, often)]
    assert (predict(linear, often) != labels).sum() >= (predict(linear, once) != labels).sum()
    assert margins[1].mean() <= margins[0].mean()


def test_small_and_narrow_images():
    torch.manual_seed(0)
    for height, width in ((3, 3), (4, 30), (7, 5)):
        images = torch.rand(2, 1, height, width)
        model = nn.Sequential(nn.Flatten(), nn.Linear(height * width, 2))
        found = parse("square-attack:queries=30")(images, model(images).argmax(1), snr_db=10, model=model)
        assert (snr.measure(images, found) >= 10 - 1e-4).all()
    with pytest.raises(UsageError, match="3 x 3 pixels, got 2 x 5"):
        parse("square-attack")(torch.rand(1, 1, 2, 5), torch.tensor([0]), snr_db=10, model=model)
    with pytest.raises(UsageError, match="queries=0"):
        parse("square-attack:queries=0")

"""Section 5.3: models of known features, gradients of known alignment, and carriers against their closed forms."""

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from torch import nn

from cnncomm_bench.experiments.link import exact
from cnncomm_bench.experiments.section5 import dropped_carriers, gradients, local_global
from cnncomm_bench.experiments.section5.association import over_trainings


def textured(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images with a checkerboard of pixels or without, bright on one side: a local feature and a global one."""
    generator = torch.Generator().manual_seed(seed)
    texture, side = (torch.randint(0, 2, (count,), generator=generator) for _ in range(2))
    places = torch.arange(16)
    board = ((places[:, None] + places) % 2 - 0.5) * 0.2
    bright = torch.where((places >= 8) == side.bool()[:, None], 0.6, 0.4)[:, None, None, :].expand(-1, 1, 16, 16)
    return bright + texture[:, None, None, None] * board, texture, side


def sees_texture(images: torch.Tensor) -> torch.Tensor:
    pairs = images.unflatten(3, (8, 2)).diff(dim=4).abs().mean((1, 2, 3, 4))
    return torch.stack([torch.full_like(pairs, 0.05), pairs], 1)


def sees_side(images: torch.Tensor) -> torch.Tensor:
    left, right = images.split(8, 3)
    return torch.stack([left.mean((1, 2, 3)), right.mean((1, 2, 3))], 1)


@pytest.mark.parametrize(("model", "labels", "verdict"), [
    (sees_texture, 1, "supported"), (sees_side, 2, "contradicted"),
])  # fmt: skip
def test_models_of_known_features_lean_on_them(model, labels, verdict):
    made = textured(120)
    names = ("one", "again", "robust", local_global.LEARNED_LOCAL, local_global.LEARNED_GLOBAL)
    learned = {local_global.LEARNED_LOCAL: model, local_global.LEARNED_GLOBAL: lambda x: torch.zeros(len(x), 2)}
    trained = {name: [learned.get(name, model)] * 2 for name in names}
    kept = local_global.measure(trained, made[0], made[labels])
    claims = {(claim.id, claim.model): claim for claim in local_global.judge(kept, "one", "again", "robust")}
    assert claims["local-features", "one, equal scale"].verdict == verdict
    for claim in claims.values():
        if claim.id in ("local-features-control", "robust-global", "robust-discards-local"):
            assert (claim.effect, claim.verdict) == (0, "undecided")
    table = local_global.views_table(kept)
    own = "shuffled" if verdict == "supported" else "low-passed"
    assert (table[(table.training == "one") & table["view"].isin(["whole", own])].accuracy == 1).all()


def test_a_model_that_drops_local_features_is_called_global():
    images, texture, side = textured(240)
    images, labels = images[texture == side], texture[texture == side]
    standard, robust = [sees_texture] * 2, [sees_side] * 2
    trained = {"standard": standard, "again": standard, "robust": robust,
               local_global.LEARNED_LOCAL: standard, local_global.LEARNED_GLOBAL: robust}  # fmt: skip
    found = local_global.judge(local_global.measure(trained, images, labels), "standard", "again", "robust")
    verdicts = {claim.id: claim.verdict for claim in found}
    assert verdicts["robust-discards-local"] == "supported"
    assert verdicts["robust-global"] == verdicts["local-features-calibration"] == "supported"


def test_samples_of_trainings_spread_as_their_means_do():
    """Two numbers of 3 networks of 4 trainings: Student's t of 8 degrees of freedom, of the pooled variance over 3."""
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(size=(1, 4, 3, 2)) * [1.0, 0.1], 4001, axis=0)
    sampled = over_trainings(values)
    np.testing.assert_array_equal(sampled[0], values[0].mean(1))
    pooled = values[0].var(1, ddof=1).mean(0) / 3
    # A t variate of 8 degrees of freedom has the variance 8/6 and the kurtosis 4.5: 16,000 give it to 1.5 %, times 4.
    np.testing.assert_allclose(sampled[1:].var(0).mean(0), pooled * 8 / 6, rtol=0.06)


def test_sobel_of_a_step_and_of_a_ramp():
    step = torch.zeros(1, 1, 5, 6)
    step[..., 3:] = 1
    torch.testing.assert_close(gradients.edges(step)[0], torch.tensor([0, 0, 0.5, 0.5, 0, 0]).expand(5, 6))
    ramp = (torch.arange(6.0) / 10).expand(1, 3, 5, 6)
    torch.testing.assert_close(gradients.edges(ramp)[..., 1:-1], torch.full((1, 5, 4), 0.1))
    torch.testing.assert_close(gradients.edges(ramp.mT), gradients.edges(ramp).mT)


def test_alignment_of_known_gradients(pictures):
    edges = gradients.edges(pictures)[:, None]
    found = gradients.alignments(edges.expand_as(pictures), pictures)
    np.testing.assert_allclose(found["edges"], 1)
    np.testing.assert_allclose(gradients.alignments(-3 * pictures, pictures)["image"], 1)
    across = pictures.clone()
    across[:, :, ::2] *= -(pictures[:, :, 1::2].square().sum((1, 2, 3)) / pictures[:, :, ::2].square().sum((1, 2, 3)))[
        :, None, None, None
    ]
    np.testing.assert_allclose(gradients.alignments(across, pictures)["image"], 0, atol=1e-6)
    nothing = gradients.alignments(torch.zeros_like(pictures), pictures)
    assert all((values == 0).all() for values in nothing.values())


def test_the_gradient_is_that_of_the_predicted_logit(pictures, linear):
    with torch.no_grad():
        predicted = linear(pictures).argmax(1)
    expected = linear[1].weight[predicted].reshape(pictures.shape)
    torch.testing.assert_close(gradients.input_gradients(linear, pictures), expected.detach())


def test_gradients_that_are_the_image_align_and_models_alike_do_not(pictures, linear):
    image = lambda x: torch.stack([x.square().flatten(1).sum(1), 0 * x.flatten(1).sum(1)], 1)  # noqa: E731
    trained = {"standard": [linear] * 2, "again": [linear] * 2, "robust": [image] * 2}
    aligned = gradients.measure(trained, pictures)
    verdicts = {claim.model: claim.verdict for claim in gradients.judge(aligned, "standard", "again", "robust")}
    assert verdicts["robust against standard, image"] == "supported"
    assert verdicts["again against standard, image"] == verdicts["again against standard, edges"] == "undecided"
    table = gradients.table(aligned).set_index(["training", "measure"])
    assert table.own["robust", "image"] == pytest.approx(1)
    assert table.other["robust", "image"] < 0.99  # an image of another is not its own


@pytest.mark.parametrize("noise", [dropped_carriers.WHITE, dropped_carriers.JAMMER])
@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 5.0])
def test_carriers_err_as_their_closed_forms_say(noise, snr_db):
    """Q(sqrt(SNR)) on each carrier; a jammed one has K / J times the noise. Intervals miss once in a million."""
    carriers, jammed = dropped_carriers.CARRIERS, dropped_carriers.JAMMED
    sent = dropped_carriers.send(noise, snr_db)
    ratio = 10 ** (snr_db / 10)
    white, hit = ndtr(-(ratio**0.5)), ndtr(-((ratio * jammed / carriers) ** 0.5))
    expected = {
        dropped_carriers.ALL: white if noise == dropped_carriers.WHITE else hit * jammed / carriers,
        dropped_carriers.DROP: white if noise == dropped_carriers.WHITE else 0.0,
        dropped_carriers.BLIND: white if noise == dropped_carriers.WHITE else hit * jammed / carriers,
    }
    for receiver, rate in expected.items():
        wrong = dropped_carriers.kept(sent, receiver)
        _, low, high = exact(int(wrong.sum()), wrong.size * dropped_carriers.SYMBOLS, confidence=1 - 1e-6)
        assert low <= rate <= high
    # All noise power is on the jammed ones: the mean over the carriers is that of white noise, 2 dispersion^2.
    np.testing.assert_allclose(2 * np.square(sent.dispersion).mean(1), 1 / ratio, rtol=1e-6)
    assert ((sent.dispersion > 0).sum(1) == (carriers if noise == dropped_carriers.WHITE else jammed)).all()


def test_dropping_costs_rate_in_white_noise_and_keeps_it_under_jamming():
    table, claims = dropped_carriers.run()
    assert [claim.verdict for claim in claims] == ["supported", "supported", "undecided"]
    used = 1 - dropped_carriers.JAMMED / dropped_carriers.CARRIERS
    rate = table.set_index(["noise", "receiver", "snr_db"]).rate.sort_index()
    assert (rate["jammer", "drop"] == used).all()
    entropy = lambda p: -(p * np.log2(p) + (1 - p) * np.log2(1 - p))  # noqa: E731
    white = 1 - entropy(ndtr(-1.0))
    assert rate["white noise", "all", 0] == pytest.approx(white, abs=0.012)  # 4 standard errors of the error rate
    assert rate["white noise", "drop", 0] == pytest.approx(used * white, abs=0.01)
    assert rate["jammer", "all", 10] > used  # a weak jammer's carriers are worth keeping


def test_networks_are_asked_as_modules_too(pictures):
    module = nn.Sequential(nn.Flatten(), nn.Linear(960, 2))
    assert gradients.input_gradients(module, pictures).shape == pictures.shape
    assert all(parameter.grad is None for parameter in module.parameters())

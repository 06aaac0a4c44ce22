"""Squash, routing, margin loss and reconstruction against their formulas; the experiment's claims, either way."""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cnncomm_bench._utils.errors import DataError, ModelError
from cnncomm_bench.experiments.section5 import capsnet, capsules, reception
from cnncomm_bench.experiments.section5.capsnet import CapsNet, ConvNet, margin_loss, route, squash
from cnncomm_bench.experiments.section5.capsules_claims import (
    ADVERSARY,
    ALIKE,
    CAPSULES,
    CNN,
    DRAWING,
    NOISES,
    ONCE,
    OTHER,
    OWN,
    STREAMS,
    judge,
)
from cnncomm_bench.experiments.section5.detection import Received
from cnncomm_bench.experiments.section5.reception import measure
from cnncomm_bench.experiments.section5.reconstruction import Delivering, Reconstruction
from cnncomm_bench.experiments.section5.trial import ADAPTIVE, LOW, UNAWARE, Trial
from cnncomm_bench.results.statistics import Counts, resample
from tests.section5_setting import CLASSES, check_result, small_setting

SHAPE = (1, 12, 12)


def squashed(s):
    """Formula (1) of Sabour et al. 2017, vector by vector."""
    length = np.sqrt((s**2).sum(-1, keepdims=True))
    return length**2 / (1 + length**2) * s / length


def routed(votes, iterations):
    """Procedure 1, in numpy and in the order of the paper; votes of shape-(J, I, D)."""
    logits = np.zeros(votes.shape[:2])
    for _ in range(iterations):
        couplings = np.exp(logits) / np.exp(logits).sum(0)
        capsules = squashed(np.einsum("ji,jid->jd", couplings, votes))
        logits = logits + np.einsum("jid,jd->ji", votes, capsules)
    return capsules, couplings


@pytest.fixture
def capsule_network():
    torch.manual_seed(0)
    return CapsNet(CLASSES, SHAPE).eval()


@pytest.fixture
def grey():
    return torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(5))


def test_squash_keeps_the_direction_and_has_the_lengths_of_the_formula():
    # |s| = 5, 1 and 0.1: 25/26, 1/2 and 0.01/1.01.
    vectors = torch.tensor([[3.0, 4.0], [0.0, -1.0], [0.1, 0.0]], dtype=torch.float64)
    found = squash(vectors)
    torch.testing.assert_close(found.norm(dim=1), torch.tensor([25 / 26, 1 / 2, 1 / 101], dtype=torch.float64))
    torch.testing.assert_close(found / found.norm(dim=1, keepdim=True), vectors / vectors.norm(dim=1, keepdim=True))
    np.testing.assert_allclose(found.numpy(), squashed(vectors.numpy()), rtol=1e-12)


def test_squash_of_nothing_is_nothing_and_has_a_gradient():
    vectors = torch.zeros(2, 3, requires_grad=True)
    found = squash(vectors)
    found.sum().backward()
    assert not found.any() and vectors.grad.isfinite().all()


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_routing_is_procedure_1(iterations):
    votes = torch.randn(2, 4, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found, couplings = route(votes, iterations)
    for image in range(2):
        expected = routed(votes[image].numpy(), iterations)
        np.testing.assert_allclose(found[image].numpy(), expected[0], rtol=1e-10)
        np.testing.assert_allclose(couplings[image].numpy(), expected[1], rtol=1e-10)
    torch.testing.assert_close(couplings.sum(1), torch.ones(2, 7, dtype=torch.float64))


def test_one_iteration_couples_all_alike_and_three_follow_the_agreement():
    # Three capsules vote alike for the first above, and against each other for the second.
    agreed = torch.tensor([[1.0, 0.0]] * 3)
    scattered = torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    votes = torch.stack([agreed, scattered])[None]
    once, uniform = route(votes, 1)
    torch.testing.assert_close(uniform, torch.full((1, 2, 3), 0.5))
    # s = 1.5 for the first, 0 for the second.
    torch.testing.assert_close(once.norm(dim=2), torch.tensor([[2.25 / 3.25, 0.0]]), rtol=0, atol=1e-6)
    thrice, couplings = route(votes, 3)
    assert (couplings[0, 0] > 0.7).all()
    assert thrice[0, 0].norm() > once[0, 0].norm()


def test_margin_loss_has_the_values_of_formula_4():
    lengths = torch.tensor([[0.9, 0.1, 0.1], [0.4, 0.6, 0.0]])
    # The first image costs nothing; the second (0.9 - 0.4)^2 + 0.5 (0.6 - 0.1)^2.
    assert margin_loss(lengths, torch.tensor([0, 0])) == pytest.approx((0.25 + 0.5 * 0.25) / 2)
    assert margin_loss(lengths[:1], torch.tensor([0])) == 0


def test_the_gradient_passes_through_all_iterations(capsule_network, grey):
    votes = torch.randn(1, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: route(v, 3)[0], votes)
    capsule_network.train().loss(grey, torch.arange(6) % CLASSES).backward()
    for name, value in capsule_network.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, name


def test_logits_are_the_log_odds_of_the_lengths(capsule_network, grey):
    vectors = capsule_network.vectors(grey)
    lengths = vectors.norm(dim=2)
    torch.testing.assert_close(capsule_network(grey).sigmoid(), lengths, rtol=1e-4, atol=1e-6)
    # |v| / (1 - |v|) = |s|^2: the logits of a vector s are log |s|^2.
    s = torch.tensor([[[3.0, 4.0], [0.0, 0.5]]])
    torch.testing.assert_close(capsule_network.logits(squash(s)), torch.tensor([[25.0, 0.25]]).log(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("made", [CapsNet, ConvNet])
def test_a_masked_reconstruction_depends_on_its_class_alone(made, grey):
    network = made(CLASSES, SHAPE).eval()
    vectors, classes = network.vectors(grey), torch.arange(6) % CLASSES
    drawn = network.drawn(vectors, classes)
    moved = vectors.clone()
    others = nn.functional.one_hot(classes, CLASSES) == 0
    moved[others] += 1
    torch.testing.assert_close(network.drawn(moved, classes), drawn, rtol=0, atol=0)
    assert not torch.equal(network.drawn(vectors + 1, classes), drawn)
    expected = ((drawn - grey) ** 2).mean((1, 2, 3))
    torch.testing.assert_close(network.reconstruction_error(grey, vectors, classes), expected)


def test_the_check_draws_what_is_decided_and_the_control_another(capsule_network, grey):
    vectors = capsule_network.vectors(grey)
    decided = capsule_network(grey).argmax(1)
    for other in (False, True):
        drawn = (decided + other) % CLASSES
        expected = capsule_network.reconstruction_error(grey, vectors, drawn)
        found = Reconstruction(capsule_network, other).disagreement(grey)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_what_the_knowing_adversary_attacks_are_probabilities_of_delivery(capsule_network, grey):
    target = Delivering(capsule_network, alarm=0.1, softness=0.5)
    vectors, decided = capsule_network.vectors(grey), capsule_network(grey).softmax(1)
    errors = torch.stack(
        [capsule_network.reconstruction_error(grey, vectors, torch.full((6,), k)) for k in range(CLASSES)], 1
    )
    passes = 1 / (1 + torch.exp((errors - 0.1) / 0.05))
    expected = decided * passes + (decided * (1 - passes)).sum(1, keepdim=True) / CLASSES
    torch.testing.assert_close(target(grey).exp(), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(target(grey).exp().sum(1), torch.ones(6), rtol=1e-4, atol=0)


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 192, 192), (1, 5, 9), (2, 64, 17), (1, 1, 1)])
@pytest.mark.parametrize("made", [CapsNet, ConvNet])
def test_images_of_any_size_and_channels(made, shape):
    network = made(3, shape).eval()
    images = torch.rand(2, *shape)
    vectors = network.vectors(images)
    assert network(images).shape == (2, 3) and vectors.shape == (2, 3, capsnet.DIMENSIONS)
    drawn = network.drawn(vectors, torch.tensor([0, 2]))
    assert drawn.shape == (2, shape[0], min(shape[1], 32), min(shape[2], 32))
    assert network.reconstruction_error(images, vectors, torch.tensor([0, 2])).isfinite().all()


def test_a_network_without_a_decoder_draws_nothing(grey):
    network = CapsNet(CLASSES, SHAPE, decoder=False).eval()
    with pytest.raises(ModelError, match="draws no images: expected a decoder"):
        Reconstruction(network).disagreement(grey)


SMALL = capsules.Size(networks=2, tests=12, checked=12, epochs=1, cnn_epochs=1)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """A run that is as small as can be: all that comes out, none of it decided by more than chance."""
    patch = pytest.MonkeyPatch()
    patch.setattr(capsules, "BLACK_BOX", "square-attack:queries=5")
    patch.setattr(capsules, "GRID_DB", (0.0, 15.0, 30.0))
    patch.setattr(reception, "_ADVERSARY_GRID", (15.0, 30.0))
    patch.setattr(reception, "_NOISE_GRID", (0.0, 15.0))
    patch.setattr(reception, "_KNOWING", "pgd:steps=2")
    where = small_setting(tmp_path_factory.mktemp("kept"), train=80, test=80)
    result = capsules.run(where, SMALL)
    patch.undo()
    return where, result


def test_tables_claims_and_figures(outcome):
    where, result = outcome
    check_result(result)
    ids = [claim.id for claim in result.claims]
    assert ids[:3] == ["capsules-pgd", "capsules-gaussian", "capsules-impulses"]
    assert ids.count("capsules-checkbits") == 4
    assert {"capsules-control", "capsules-accuracy-control", "capsules-control-routing", "capsules-control-decoder",
            "capsules-control-capsule", "capsules-control-cnn", "capsules-checkbits-gain",
            "capsules-checkbits-streams"} < set(ids)  # fmt: skip
    assert set(result.figures) == {"capsules", "undetected", "drawings"}
    table = result.tables["capsules"]
    assert table.groupby("kind").network.nunique().eq(SMALL.networks).all() and table.kind.nunique() == 5
    undetected = result.tables["undetected"]
    assert (undetected.undetected_error <= undetected.error_without_check).all()
    assert len(list(where.folder.glob("*.pt"))) == 6 * SMALL.networks


def test_who_knows_of_the_reconstruction_gets_more_errors_through(tmp_path, monkeypatch):
    monkeypatch.setattr(reception, "_ADVERSARY_GRID", (6.0, 9.0))
    where = small_setting(tmp_path, train=240, test=160)
    mine = replace(where, factory=lambda: CapsNet(CLASSES, SHAPE), learning_rate=0.004)
    network = mine.trained("capsules", where.train_images, where.train_labels, optimiser="adam", epochs=25,
                           objective=lambda model, images, labels: model.loss(images, labels))  # fmt: skip
    trial = measure(where, {OWN: Reconstruction(network)}, 40, ())
    unaware, knowing = (
        1 - trial.received[OWN, attack].delivered(trial.alarm[OWN]).mean(1) for attack in (UNAWARE, ADAPTIVE)
    )
    assert (knowing >= unaware).all() and knowing.sum() > unaware.sum()


IMAGES, GRID = 120, np.arange(5.0, 40, 5)
KINDS = (CAPSULES, ONCE, CNN, DRAWING, ALIKE)


@cache
def counts_of(better="", gain_db=0.0):
    """Predictions of two networks a kind that get an image right above its tolerance, which one kind's gain lowers."""
    tolerance = np.random.default_rng(0).normal(20, 4, IMAGES)
    rows = []
    for kind, network, attack in product(KINDS, range(2), ("clean", ADVERSARY, *NOISES)):
        lowered = tolerance - (gain_db if kind == better else 0) + 0.02 * network
        for db in GRID if attack != "clean" else [np.inf]:
            rows.append(pd.DataFrame({
                "model": f"{kind} #{network}", "attack": attack, "ruler": "realised", "seed": 0, "snr_db": db,
                "image": range(IMAGES), "label": 0, "prediction": (db < lowered).astype(int), "realised_snr_db": db,
                "reached": True,
            }))  # fmt: skip
    return Counts(pd.concat(rows, ignore_index=True), classes=4)


def trial_of(checks, seed):
    """A network fooled below 20 dB, and checks whose scores are larger by so much on what came attacked."""
    generator = np.random.default_rng(seed)
    attacks = (*NOISES, UNAWARE, ADAPTIVE)
    clean, alarm, received = {}, {}, {}
    tolerance = np.random.default_rng(0).normal(20, 4, IMAGES)
    grid = np.array([15.0, 20, 25])
    for check, excess in checks.items():
        clean[check], alarm[check] = generator.normal(0, 1, IMAGES), 1.645
        for attack in attacks if check != OTHER else attacks[:-1]:
            score = generator.normal(excess, 1, (len(grid), IMAGES))
            received[check, attack] = Received(grid, grid[:, None] > tolerance, score, attack in attacks[2:])
    return Trial(np.ones(IMAGES, dtype=bool), clean, alarm, received, classes=4)


def verdicts(better="", gain_db=0.0, excess=0.0, accuracy=0.8, warnings=(), levels=(1.0, 1.0, 1.0)):
    """Verdicts by id and all claims, of kinds that are alike but for what is named."""
    counts = counts_of(better, gain_db)
    weights = resample(IMAGES, counts.resamples, 0) / IMAGES
    right = {kind: np.arange(IMAGES) < IMAGES * (accuracy if kind == CAPSULES else 0.8) for kind in KINDS}
    clean = {f"{kind} #{network}": weights @ right[kind] for kind in KINDS for network in range(2)}
    trials = {
        CAPSULES: [trial_of({OWN: level + excess, OTHER: level}, seed) for seed, level in enumerate(levels)],
        DRAWING: [trial_of({OWN: 1.0}, seed) for seed in range(3, 6)],
        STREAMS: [trial_of({LOW: 1.0}, seed) for seed in range(6, 9)],
    }
    claims = judge(counts, clean, trials, warnings)
    return {claim.id: claim.verdict for claim in claims}, claims


@pytest.mark.parametrize(("gain", "verdict"), [(3.0, "supported"), (-3.0, "contradicted")])
def test_thresholds_decide_either_way(gain, verdict):
    found, claims = verdicts(CAPSULES, gain)
    ids = [f"capsules-{name}" for name in ("pgd", "gaussian", "impulses", "control-routing", "control-decoder")]
    assert {found[name] for name in ids} == {verdict}
    # Tolerances spread by 4 dB: the standard error of their median, over 120 images, is 1.25 x 4 / sqrt(120) dB.
    assert next(claim for claim in claims if claim.id == "capsules-pgd").effect == pytest.approx(gain, abs=0.46)
    assert found["capsules-control"] == "undecided"


def test_the_control_raises_the_alarm_where_networks_trained_alike_differ():
    assert verdicts(ALIKE, 3.0)[0]["capsules-control"] == "supported"
    assert verdicts()[0]["capsules-control"] == "undecided"


def test_the_accuracies_are_compared():
    assert verdicts(accuracy=0.8)[0]["capsules-accuracy-control"] == "undecided"
    assert verdicts(accuracy=0.7)[0]["capsules-accuracy-control"] == "contradicted"


# Clean scores have a standard deviation of one, attacked ones are larger by 1 + excess: an AUC of .92, and of .24.
@pytest.mark.parametrize(("excess", "verdict"), [(1.0, "supported"), (-2.0, "contradicted")])
def test_reconstructions_are_judged_either_way(excess, verdict):
    found, _ = verdicts(excess=excess)
    ids = ("capsules-checkbits", "capsules-checkbits-streams", "capsules-control-capsule", "capsules-control-cnn")
    assert {found[name] for name in ids} == {verdict}


def test_two_checks_of_a_network_are_compared_within_it():
    """The networks' own AUCs, of .57 to .92, say nothing of which of their two drawings finds more."""
    found, _ = verdicts(excess=1.0, levels=(0.25, 0.5, 1.0))
    assert found["capsules-control-capsule"] == "supported"
    assert found["capsules-control-cnn"] == "undecided"


def test_masked_gradients_leave_pgd_undecided():
    found, claims = verdicts(CAPSULES, 3.0, warnings=["a black box is stronger"])
    assert found["capsules-pgd"] == found["capsules-control-routing"] == "undecided"
    assert found["capsules-gaussian"] == "supported"
    assert "the gradient is masked" in next(claim.evidence for claim in claims if claim.id == "capsules-pgd")


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="section5 capsules needs at least 80 test images, the data have 40"):
        capsules.run(small_setting(tmp_path, test=40))

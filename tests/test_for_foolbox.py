"""Foolbox's contract for our classes (what its tests/test_attacks.py checks), and FixedSNR around its attacks."""

import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnncomm_bench import bundled, evaluate, snr
from cnncomm_bench._utils.errors import BenchError, UsageError
from cnncomm_bench.attacks import AdversaryBatch, parse
from tests import attack_contract as contract

foolbox = pytest.importorskip("foolbox")

import eagerpy as ep  # noqa: E402
from foolbox import attacks as theirs  # noqa: E402
from foolbox.attacks.base import MinimizationAttack  # noqa: E402
from foolbox.criteria import Misclassification, TargetedMisclassification  # noqa: E402

from cnncomm_bench.attacks import for_foolbox  # noqa: E402
from cnncomm_bench.attacks.adapters.budget import PerImage  # noqa: E402
from cnncomm_bench.attacks.adapters.relative_l2 import RelativeL2, epsilons_of  # noqa: E402
from cnncomm_bench.attacks.for_foolbox import AlphaStableNoise, FixedSNR, ShapedImpulseNoise  # noqa: E402

OURS = {
    "AlphaStableNoise": lambda: AlphaStableNoise(alpha=2.0),
    "ShapedImpulseNoise": ShapedImpulseNoise,
    "FixedSNR": lambda: FixedSNR(theirs.L2PGD(steps=4)),
    "FixedSNR of Linf": lambda: FixedSNR(theirs.LinfPGD(steps=4)),
    "FixedSNR of a minimum": lambda: FixedSNR(theirs.L2DeepFoolAttack(steps=4)),
}
SNRS_DB = [0.0, 10.0, 40.0]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return bundled.load("standard")


@pytest.fixture(scope="module")
def model(network: nn.Module) -> foolbox.PyTorchModel:
    return foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")


@pytest.fixture(scope="module")
def photos() -> tuple[Tensor, Tensor]:
    images, labels, _ = bundled.images()
    return torch.from_numpy(images[::160]).float() / 255, torch.from_numpy(labels[::160])


@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore:.*(saturate|no perturbation)")
def test_as_every_attack_of_foolbox(name: str, model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    before = images.clone()
    attack = OURS[name]()
    assert isinstance(attack, foolbox.Attack)
    assert type(attack).__name__ in repr(attack)
    epsilons = epsilons_of(SNRS_DB)
    raw, clipped, success = attack(model, images, labels, epsilons=epsilons)
    assert torch.equal(images, before)
    assert len(raw) == len(clipped) == len(success) == 3
    assert success.shape == (3, len(images))
    for db, found, fooled in zip(SNRS_DB, clipped, success, strict=True):
        assert found.min() >= 0
        assert found.max() <= 1
        assert torch.equal(model(found).argmax(1) != labels, fooled)
        assert (snr.measure(images, found) > db - 1e-3).all()
    missed = success.float().mean(1)
    clean = (model(images).argmax(1) != labels).float().mean()
    assert missed[0] > clean
    one, _, alone = attack(model, images, labels, epsilons=epsilons[1])
    assert one.shape == images.shape
    assert alone.shape == labels.shape


@pytest.mark.parametrize("name", ["AlphaStableNoise", "ShapedImpulseNoise"])
def test_noise_meets_the_snr_and_repeats(name: str, model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    attack = getattr(for_foolbox, name)()
    _, clipped, _ = attack(model, images, labels, epsilons=epsilons_of([15]))
    assert (snr.measure(images, clipped[0]) - 15).abs().max() < 1e-3
    assert attack.distance(images, clipped[0]).numpy() == pytest.approx(10 ** (-15 / 20), rel=1e-4)
    fresh = getattr(for_foolbox, name)(fresh=True)
    _, _, once = fresh(model, images, labels, epsilons=epsilons_of([8]))
    _, _, often = fresh.repeat(10)(model, images, labels, epsilons=epsilons_of([8]))
    assert often.float().mean() >= once.float().mean()


@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore:.*no perturbation")
def test_no_noise_changes_nothing(name: str, model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    for epsilon in (0.0, 1e-15):
        _, _, success = OURS[name]()(model, images, labels, epsilons=epsilon)
        assert torch.equal(success, model(images).argmax(1) != labels)


def test_another_ruler(model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    attack = AlphaStableNoise(alpha=1.0, ruler="dispersion")
    raw, clipped, _ = attack(model, photos[0], photos[1], epsilons=0.1)
    assert torch.equal(raw, clipped)
    assert (snr.measure(photos[0], clipped) < 20).all()  # heavy tails cost more than their dispersion says


def test_numpy_tensors_and_channels_last(photos: tuple[Tensor, Tensor]) -> None:
    class Elsewhere(foolbox.models.Model):
        """A model of another framework, here numpy's."""

        bounds = foolbox.types.Bounds(-1, 1)
        data_format = "channels_last"

        def __call__(self, inputs: ep.Tensor) -> ep.Tensor:
            x, restore = ep.astensor_(inputs)
            return restore(x.reshape((len(x), -1))[:, :3])

    x = photos[0].permute(0, 2, 3, 1).numpy() * 2 - 1
    labels = np.zeros(len(x), dtype=np.int64)
    for attack in (AlphaStableNoise(), ShapedImpulseNoise()):
        _, clipped, _ = attack(Elsewhere(), x, labels, epsilons=epsilons_of([20]))
        found = torch.from_numpy((clipped[0] + 1) / 2).permute(0, 3, 1, 2)
        assert isinstance(clipped[0], np.ndarray)
        assert (snr.measure(photos[0], found) - 20).abs().max() < 1e-3


def test_distance() -> None:
    x, y = torch.full((2, 1, 2, 2), 3.0), torch.full((2, 1, 2, 2), 3.5)
    assert RelativeL2(low=1.0)(x, y).tolist() == pytest.approx([0.25, 0.25])
    assert RelativeL2(low=1.0)(x, RelativeL2(low=1.0).clip_perturbation(x, y, 0.1)).tolist() == pytest.approx([0.1] * 2)
    assert torch.equal(RelativeL2(low=1.0).clip_perturbation(x, y, 0.3), y)


@pytest.mark.parametrize("wrong", [{"alpha": 3.0}, {"beta": 2.0}, {"ruler": "metric"}, {"seed": -1}, {"fresh": "yes"}])
def test_wrong_parameters(wrong: dict, model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(UsageError):
        AlphaStableNoise(**wrong)
    with pytest.raises(UsageError, match="point, square"):
        ShapedImpulseNoise(shape="disc")
    with pytest.raises(UsageError, match="not negative"):
        AlphaStableNoise()(model, *photos, epsilons=-0.1)
    with pytest.raises(UsageError, match="wraps a fixed-epsilon or minimisation"):
        FixedSNR(model)


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    for_foolbox.register()
    for_foolbox.register()
    assert foolbox.attacks.AlphaStableNoise is AlphaStableNoise
    monkeypatch.setattr(foolbox.attacks, "FixedSNR", int)
    with pytest.raises(UsageError, match="another FixedSNR"):
        for_foolbox.register()
    for name in ("AlphaStableNoise", "ShapedImpulseNoise", "FixedSNR"):
        monkeypatch.delattr(foolbox.attacks, name)


@pytest.mark.parametrize(
    "inner",
    [
        lambda: theirs.L2PGD(steps=4, random_start=False),
        lambda: theirs.L2FastGradientAttack(),
        lambda: theirs.L2AdamPGD(steps=3, random_start=False),
        lambda: theirs.L2MomentumIterativeFastGradientMethod(steps=3),
        lambda: theirs.L2ContrastReductionAttack(),
    ],
)
def test_each_image_gets_its_own_radius(inner: object, model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    attack = FixedSNR(inner())
    found, _, _ = attack(model, images, labels, epsilons=epsilons_of([25]))
    assert attack.kind == "budget"
    for i, radius in enumerate(snr.radius(images, 25.0).tolist()):
        alone = inner().run(model, images[i : i + 1], Misclassification(labels[i : i + 1]), epsilon=radius)
        assert (alone - found[0][i]).abs().max() < 1e-4


def test_targets(model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    targets = (photos[1] + 1) % 10
    attack = FixedSNR(theirs.L2PGD(steps=20, rel_stepsize=0.1))
    _, _, success = attack(model, photos[0], TargetedMisclassification(targets), epsilons=epsilons_of([8]))
    assert success.float().mean() > 0.7
    both = Misclassification(photos[1]) & TargetedMisclassification(targets)
    with pytest.raises(UsageError, match="takes labels"):
        attack(model, photos[0], both, epsilons=0.1)


def test_a_minimum_is_run_once(model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    calls = []

    class Counting(theirs.L2DeepFoolAttack):
        def run(self, *args: object, **kwargs: object) -> object:
            calls.append(kwargs)
            return super().run(*args, **kwargs)

    attack = FixedSNR(Counting(steps=20))
    assert isinstance(attack, MinimizationAttack)
    raw, _, success = attack(model, images, labels, epsilons=epsilons_of([10, 20, 30, 40, 50]))
    assert calls == [{}]
    norm = snr.measure(images, raw[0])
    adversarial = model(raw[0]).argmax(1) != labels
    for db, row in zip([10, 20, 30, 40, 50], success, strict=True):
        assert row[(norm >= db + 1e-3) & adversarial].all()


def test_what_finds_nothing_is_reported(model: foolbox.Model, photos: tuple[Tensor, Tensor]) -> None:
    class Idle(theirs.L2DeepFoolAttack):
        def run(self, model: object, inputs: object, *args: object, **kwargs: object) -> object:
            return inputs

    attack = FixedSNR(Idle())
    with pytest.warns(UserWarning, match="13 of 13 images got no perturbation from Idle"):
        attack(model, *photos, epsilons=0.1)
    assert attack.unperturbed.all()


HARNESS = {
    "L2PGD:steps=4": "budget",
    "L2FastGradientAttack": "budget",
    "L2AdamPGD:steps=3": "budget",
    "L2AdditiveGaussianNoiseAttack": "budget",
    "LinfPGD:steps=4": "rescaled",
    "L1PGD:steps=4": "rescaled",
    "L2CarliniWagnerAttack:binary_search_steps=2,steps=10": "minimum",
    "L2DeepFoolAttack:steps=4": "minimum",
    "L2FMNAttack:steps=10": "minimum",
    "DDNAttack:steps=10": "minimum",
    "BoundaryAttack:steps=3": "minimum",
    "LinearSearchBlendedUniformNoiseAttack:directions=2,steps=10": "minimum",
}


@pytest.mark.parametrize("spec", HARNESS)
def test_in_the_harness(spec: str, network: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    contract.check_library(f"foolbox.{spec}", HARNESS[spec], photos[0][:4], photos[1][:4], network)


@pytest.mark.parametrize(
    "spec",
    ["L2PGD:steps=5", "L2FastGradientAttack", "LinfPGD:steps=5", "DDNAttack:steps=4", "L2FMNAttack:steps=4",
     "L2AdditiveGaussianNoiseAttack"],
)  # fmt: skip
def test_passes(spec: str, network: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    contract.check_passes(parse(f"foolbox.{spec}"), photos[0], network(photos[0]).argmax(1), network)


def test_no_starting_point_leaves_the_image_clean(network: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    class Stubborn(nn.Module):
        """Fooled by nothing that is darker than the image, and one image by nothing at all."""

        def forward(self, x: Tensor) -> Tensor:
            dark = x.flatten(1).mean(1) < 0.02
            return torch.stack([torch.ones(len(x)), torch.where(dark, 0.0, 2.0)], dim=1)

    images = torch.cat([photos[0][:3], photos[0][:1] * 0.01])
    labels = Stubborn()(images).argmax(1)
    attack = parse("foolbox.BoundaryAttack:steps=2")
    (found,) = attack.over(AdversaryBatch(images, labels, Stubborn()), torch.tensor([-20.0], dtype=torch.float64))
    assert found.facts["unperturbed"].any()
    assert math.isinf(snr.measure(images, found.images)[found.facts["unperturbed"]][0])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("foolbox.L2Carlini", "did you mean 'L2CarliniWagnerAttack'"),
        ("foolbox.L2PGD:iterations=5", "no parameter 'iterations'"),
        ("foolbox.L2PGD:steps=5.5", "not a whole number"),
    ],
)
def test_wrong_specs(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(spec)


def test_without_foolbox_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cnncomm_bench.attacks.adapters.foolbox_attacks")
    monkeypatch.setitem(sys.modules, "foolbox", None)
    with pytest.raises(UsageError, match=r"pip install 'cnncomm-bench\[foolbox\]'"):
        parse("foolbox.L2PGD")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "inner",
    [
        theirs.L2AdditiveGaussianNoiseAttack(),
        theirs.LinfAdditiveUniformNoiseAttack(),
        theirs.L2ContrastReductionAttack(),
    ],
)
def test_a_model_of_numpy(inner: object, dtype: type, network: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    def logits(x: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(x.astype(np.float32))).detach().numpy()

    model = foolbox.NumPyModel(logits, bounds=(0, 1))
    x, y = photos[0].numpy().astype(dtype), photos[1].numpy()
    _, (found,), _ = FixedSNR(inner)(model, x, y, epsilons=[0.1])
    assert found.dtype == dtype
    assert (snr.measure(torch.from_numpy(x), torch.from_numpy(found)) >= 20 - 1e-3).all()


def test_sizes_multiply_batches_of_another_framework() -> None:
    sizes = PerImage(ep.astensor(np.array([1.0, 2.0], dtype=np.float32)))
    batch = ep.astensor(np.ones((2, 3), dtype=np.float32))
    assert (sizes * batch).numpy().tolist() == [[1.0] * 3, [2.0] * 3]
    assert (sizes / batch).numpy().tolist() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize("attack", [AlphaStableNoise(), FixedSNR(theirs.L2FastGradientAttack())])
def test_labels_of_another_number_are_refused(
    attack: object, model: foolbox.Model, photos: tuple[Tensor, Tensor]
) -> None:
    images, labels = photos
    for wrong in (labels[:-1], labels[:, None]):
        with pytest.raises(ValueError, match="expected one for each"):
            attack(model, images, wrong, epsilons=[0.1])


def test_what_cannot_run_is_not_offered_and_what_is_missing_is_named(
    network: nn.Module, photos: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no attack 'GenAttack'"):
        parse("foolbox.GenAttack")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(BenchError, match=r"pip install numba"):
        evaluate(network, photos[0][:2], photos[1][:2], attacks=["foolbox.L2BrendelBethgeAttack"], snr_db=[10.0])

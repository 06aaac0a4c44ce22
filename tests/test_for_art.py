"""ART's contract for our classes (what its tests/attacks/utils.py checks), and FixedSNR around its attacks."""

import art.attacks.evasion
import numpy as np
import pytest
import torch
from art.attacks.evasion import (
    AutoProjectedGradientDescent,
    DeepFool,
    FastGradientMethod,
    HopSkipJump,
    NewtonFool,
    ProjectedGradientDescent,
)
from art.defences.preprocessor import SpatialSmoothing
from art.defences.trainer import AdversarialTrainer
from art.estimators.classification import PyTorchClassifier
from art.exceptions import EstimatorError
from art.summary_writer import SummaryWriter
from torch import nn

from cnncomm_bench import bundled, evaluate, snr
from cnncomm_bench._utils.errors import BenchError, UsageError
from cnncomm_bench.attacks import for_art, parse
from cnncomm_bench.attacks.adapters.isolation import AsModule
from cnncomm_bench.attacks.for_art import AlphaStableNoise, FixedSNR, ShapedImpulseNoise
from tests import attack_contract as contract

OURS = {
    "AlphaStableNoise": lambda classifier: AlphaStableNoise(classifier, snr_db=5.0),
    "ShapedImpulseNoise": lambda classifier: ShapedImpulseNoise(classifier, snr_db=5.0),
    "FixedSNR": lambda classifier: FixedSNR(FastGradientMethod(classifier, norm=2), snr_db=15.0),
}
NOISES = ["AlphaStableNoise", "ShapedImpulseNoise"]


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return bundled.load("standard")


@pytest.fixture(scope="module")
def photos() -> tuple[np.ndarray, np.ndarray]:
    images, labels, _ = bundled.images()
    return images[::160].astype(np.float32) / 255, labels[::160]


def classifier_of(model: nn.Module, **options: object) -> PyTorchClassifier:
    options = {"clip_values": (0.0, 1.0), **options}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return PyTorchClassifier(model, nn.CrossEntropyLoss(), (1, 28, 28), 10, optimizer=optimizer, **options)


@pytest.fixture(scope="module")
def classifier(model: nn.Module) -> PyTorchClassifier:
    return classifier_of(model)


def measure(x: np.ndarray, found: np.ndarray) -> torch.Tensor:
    return snr.measure(torch.from_numpy(np.asarray(x)), torch.from_numpy(np.asarray(found)))


def accuracy(classifier: PyTorchClassifier, x: np.ndarray, y: np.ndarray) -> float:
    return float((classifier.predict(x).argmax(1) == y).mean())


@pytest.mark.parametrize("name", OURS)
def test_untargeted_images(name: str, classifier: PyTorchClassifier, photos: tuple) -> None:
    x, y = photos
    before = x.copy()
    found = OURS[name](classifier).generate(x, y)
    assert np.array_equal(x, before)
    assert not np.shares_memory(found, x)
    assert found.dtype == np.float32
    assert found.shape == x.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert accuracy(classifier, found, y) < accuracy(classifier, x, y)
    assert np.array_equal(OURS[name](classifier).generate(x=x[:1], y=y[:1]).shape, (1, 1, 28, 28))


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("shape", ["same", "one image", "one value"])
def test_masked_images(name: str, shape: str, classifier: PyTorchClassifier, photos: tuple) -> None:
    x, _ = photos
    sizes = {"same": x.shape, "one image": x.shape[1:], "one value": (1, 28, 1)}
    mask = np.random.default_rng(0).binomial(1, 0.5, sizes[shape]).astype(np.float32)
    found = getattr(for_art, name)(classifier, snr_db=15.0).generate(x, mask=mask)
    outside = np.broadcast_to(mask == 0, x.shape)
    assert np.array_equal(found[outside], x[outside])
    assert not np.array_equal(found[~outside], x[~outside])
    assert (measure(x, found) - 15).abs().max() < 1e-3


def test_an_empty_mask_leaves_the_image(classifier: PyTorchClassifier, photos: tuple) -> None:
    for name in NOISES:
        with pytest.warns(UserWarning, match="saturate"):
            found = getattr(for_art, name)(classifier).generate(photos[0], mask=np.zeros((1, 28, 28)))
        assert np.array_equal(found, photos[0])


@pytest.mark.parametrize("name", OURS)
def test_defended_images(name: str, model: nn.Module, photos: tuple) -> None:
    x, y = photos
    defended = classifier_of(
        model,
        preprocessing_defences=[SpatialSmoothing(window_size=3, channels_first=True)],
        preprocessing=(np.zeros(1, np.float32), np.ones(1, np.float32)),
    )
    found = OURS[name](defended).generate(x, y)
    assert accuracy(defended, found, y) < accuracy(defended, x, y)
    assert (measure(x, found) > (15 if name == "FixedSNR" else 5) - 1e-3).all()


@pytest.mark.parametrize("name", NOISES)
def test_random_initialisation(name: str, classifier: PyTorchClassifier, photos: tuple) -> None:
    cls = getattr(for_art, name)
    fresh, same = cls(classifier, fresh=True), cls(classifier)
    assert not np.array_equal(fresh.generate(photos[0]), fresh.generate(photos[0]))
    assert np.array_equal(same.generate(photos[0]), same.generate(photos[0]))
    assert not np.array_equal(cls(classifier, seed=1).generate(photos[0]), same.generate(photos[0]))


@pytest.mark.parametrize("name", NOISES)
def test_classifier_type_check(name: str) -> None:
    with pytest.raises(EstimatorError, match="BaseEstimator"):
        getattr(for_art, name)(estimator=object())


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *((name, wrong) for name in NOISES for wrong in ({"snr_db": "x"}, {"seed": -1}, {"fresh": 1}, {"seed": 0.5})),
        ("AlphaStableNoise", {"alpha": 0.0}),
        ("AlphaStableNoise", {"beta": -1.5}),
        ("AlphaStableNoise", {"ruler": "metric"}),
        ("ShapedImpulseNoise", {"shape": "disc"}),
        ("ShapedImpulseNoise", {"size": 0}),
        ("ShapedImpulseNoise", {"summary_writer": 0}),
    ],
)
def test_parameters_are_checked(name: str, wrong: dict, classifier: PyTorchClassifier) -> None:
    with pytest.raises(ValueError, match=r".+"):
        getattr(for_art, name)(classifier, **wrong)


def test_what_is_no_image_is_a_row_of_pixels(photos: tuple) -> None:
    x = photos[0].reshape(len(photos[0]), -1)
    linear = nn.Linear(784, 10)
    classifier = PyTorchClassifier(linear, nn.CrossEntropyLoss(), (784,), 10, clip_values=(0.0, 1.0))
    found = AlphaStableNoise(classifier, snr_db=15.0).generate(x)
    assert found.shape == x.shape
    assert (measure(x, found) - 15).abs().max() < 1e-3
    pgd = ProjectedGradientDescent(classifier, norm=2, max_iter=2, verbose=False)
    assert (measure(x, FixedSNR(pgd, snr_db=15.0).generate(*(x, photos[1]))) > 15 - 1e-3).all()


def test_set_params(classifier: PyTorchClassifier, photos: tuple) -> None:
    attack = AlphaStableNoise(classifier)
    attack.set_params(snr_db=11.0, alpha=2.0)
    assert (measure(photos[0], attack.generate(photos[0])) - 11).abs().max() < 1e-3
    with pytest.raises(ValueError, match="alpha=3"):
        attack.set_params(alpha=3.0)
    with pytest.raises(ValueError, match="cannot be set"):
        attack.set_params(targeted=True)
    assert "alpha=" in repr(AlphaStableNoise(classifier))
    assert attack.targeted is False


@pytest.mark.parametrize("db", [float("inf"), 300.0])
@pytest.mark.parametrize("name", OURS)
@pytest.mark.filterwarnings("ignore:.*no perturbation")
def test_no_noise_changes_nothing(name: str, db: float, classifier: PyTorchClassifier, photos: tuple) -> None:
    attack = OURS[name](classifier)
    attack.set_params(snr_db=db)
    assert accuracy(classifier, attack.generate(*photos), photos[1]) == accuracy(classifier, *photos)


class Recorder(SummaryWriter):
    def __init__(self) -> None:
        self._summary_writer_arg, self.updates, self.resets = False, [], 0

    def update(self, batch_id: int, global_step: int, **what: object) -> None:  # type: ignore[override]
        self.updates.append(what)

    def reset(self) -> None:
        self.resets += 1


def test_summary_writer(classifier: PyTorchClassifier, photos: tuple) -> None:
    recorder = Recorder()
    found = AlphaStableNoise(classifier, summary_writer=recorder).generate(*photos)
    assert np.array_equal(recorder.updates[0]["x"], found)
    assert recorder.resets == 1


def test_in_adversarial_training(photos: tuple) -> None:
    x, y = photos
    classifier = classifier_of(bundled.load("standard"))
    before = classifier.model.head.weight.detach().clone()
    noise = AlphaStableNoise(classifier, snr_db=10.0, fresh=True)
    AdversarialTrainer(classifier, noise, ratio=0.5).fit(x, np.eye(10, dtype=np.float32)[y], batch_size=7, nb_epochs=1)
    assert not torch.equal(before, classifier.model.head.weight)
    assert noise._call > 0


def test_in_auto_attack(classifier: PyTorchClassifier, photos: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    monkeypatch.setitem(sys.modules, "multiprocess", types.ModuleType("multiprocess"))  # imported, and not used
    x, y = photos
    noise = AlphaStableNoise(classifier, snr_db=5.0)
    wide, narrow = (
        art.attacks.evasion.AutoAttack(classifier, norm=2, eps=eps, attacks=[noise]).generate(x, y)
        for eps in (50.0, 0.1)
    )
    assert accuracy(classifier, wide, y) < accuracy(classifier, x, y)
    assert np.array_equal(narrow, x)  # AutoAttack drops what exceeds its own eps


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    for_art.register()
    for_art.register()
    assert art.attacks.evasion.AlphaStableNoise is AlphaStableNoise
    monkeypatch.setattr(art.attacks.evasion, "FixedSNR", int)
    with pytest.raises(UsageError, match="another FixedSNR"):
        for_art.register()
    for name in OURS:
        monkeypatch.delattr(art.attacks.evasion, name)


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 3.0)])
def test_each_image_gets_its_own_radius(bounds: tuple[float, float], model: nn.Module, photos: tuple) -> None:
    low, high = bounds
    shifted = AsModule(lambda z: model((z - low) / (high - low)), torch.device("cpu"))
    classifier = PyTorchClassifier(shifted, nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=bounds)
    x, y = photos[0] * (high - low) + low, photos[1]
    for options in ({"num_random_init": 0}, {"num_random_init": 1}):
        pgd = ProjectedGradientDescent(classifier, norm=2, eps=3.0, eps_step=1.0, max_iter=5, verbose=False, **options)
        found = FixedSNR(pgd, snr_db=25.0).generate(x, y)
        assert (pgd.eps, pgd.eps_step) == (3.0, 1.0)
        assert (measure(photos[0], (found - low) / (high - low)) > 25 - 1e-3).all()
        if options["num_random_init"]:
            continue
        for i, radius in enumerate(snr.radius(torch.from_numpy(photos[0]), 25.0).tolist()):
            pgd.set_params(eps=radius * (high - low), eps_step=radius * (high - low) / 3)
            assert np.abs(pgd.generate(x[i : i + 1], y[i : i + 1]) - found[i]).max() < 1e-4 * (high - low)


def test_a_minimum_counts_where_the_budget_reaches_it(classifier: PyTorchClassifier, photos: tuple) -> None:
    x, y = photos
    inner = DeepFool(classifier, max_iter=4, verbose=False)
    smallest = inner.generate(x, y)
    norm = measure(x, smallest)
    attack = FixedSNR(inner, snr_db=float(norm[norm.isfinite()].median()) - 1e-3)
    with pytest.warns(UserWarning, match="no perturbation from DeepFool"):
        found = attack.generate(x, y)
    reached = (norm >= attack.snr_db).numpy() & np.isfinite(norm.numpy())
    assert attack.kind == "minimum"
    assert np.abs(found[reached] - smallest[reached]).max() < 1e-5
    assert np.array_equal(found[~reached], x[~reached])
    assert np.array_equal(attack.unperturbed, ~reached)


def test_what_knows_no_l2_size_is_rescaled(classifier: PyTorchClassifier, photos: tuple) -> None:
    attack = FixedSNR(FastGradientMethod(classifier, norm=np.inf), snr_db=20.0)
    measured = measure(photos[0], attack.generate(*photos))
    assert attack.kind == "rescaled"
    assert (measured > 20 - 1e-4).all()
    assert ((measured - 20).abs() < 1e-4).float().mean() > 0.5


def test_kinds(classifier: PyTorchClassifier) -> None:
    kinds = {
        "budget": [AutoProjectedGradientDescent(classifier, norm=2), FastGradientMethod(classifier, norm=2)],
        "minimum": [NewtonFool(classifier), HopSkipJump(classifier), FastGradientMethod(classifier, minimal=True)],
        "rescaled": [ProjectedGradientDescent(classifier, norm=1), ProjectedGradientDescent(classifier)],
    }
    for kind, attacks in kinds.items():
        for attack in attacks:
            assert FixedSNR(attack).kind == kind
    with pytest.raises(UsageError, match="wraps an evasion attack"):
        FixedSNR(classifier)


HARNESS = {
    "ProjectedGradientDescent:max_iter=4": "budget",
    "ProjectedGradientDescent:max_iter=4,num_random_init=1": "budget",
    "FastGradientMethod": "budget",
    "AutoProjectedGradientDescent:max_iter=3,nb_random_init=1": "budget",
    "SquareAttack:max_iter=5": "budget",
    "FastGradientMethod:norm=inf": "rescaled",
    "BasicIterativeMethod:max_iter=3": "rescaled",
    "DeepFool:max_iter=3": "minimum",
    "NewtonFool:max_iter=5": "minimum",
    "CarliniL2Method:binary_search_steps=2,max_iter=3": "minimum",
    "BoundaryAttack:max_iter=2": "minimum",
    "HopSkipJump:init_eval=5,max_eval=20,max_iter=2": "minimum",
}


@pytest.mark.parametrize("spec", HARNESS)
def test_in_the_harness(spec: str, model: nn.Module, photos: tuple) -> None:
    images, labels = torch.from_numpy(photos[0][:4]), torch.from_numpy(photos[1][:4])
    contract.check_library(f"art.{spec}", HARNESS[spec], images, labels, model)


def test_passes(model: nn.Module, photos: tuple) -> None:
    images = torch.from_numpy(photos[0])
    for spec in ("FastGradientMethod", "ProjectedGradientDescent:max_iter=15"):
        contract.check_passes(parse(f"art.{spec}"), images, model(images).argmax(1), model)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("art.BoundryAttack", "did you mean 'BoundaryAttack'"),
        ("art.BoundaryAttack:iterations=5", "no parameter 'iterations'"),
        ("art.SquareAttack:eps=1", "gets eps from the SNR"),
        ("art.FastGradientMethod:targeted=true", "untargeted"),
        ("art.FastGradientMethod:norm=0.5", "FastGradientMethod:norm=0.5: "),
    ],
)
def test_wrong_specs(spec: str, says: str, model: nn.Module, photos: tuple) -> None:
    def disturb() -> None:
        parse(spec)(torch.from_numpy(photos[0]), torch.from_numpy(photos[1]), snr_db=20, model=model)

    with pytest.raises(UsageError, match=says):
        disturb()


def test_what_fails_inside_the_library_is_named(
    model: nn.Module, photos: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr(DeepFool, "generate", failing)
    attack = parse("art.DeepFool")
    with pytest.raises(BenchError, match="DeepFool failed: IndexError"):
        attack(torch.from_numpy(photos[0]), torch.from_numpy(photos[1]), snr_db=20, model=model)


@pytest.mark.parametrize("attack", [AlphaStableNoise, ShapedImpulseNoise, for_art.EnlargedStableNoise])
def test_images_outside_the_clip_values_are_refused(attack: type, classifier: PyTorchClassifier, photos: tuple) -> None:
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        attack(classifier).generate(photos[0] * 255)
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        FixedSNR(FastGradientMethod(classifier, norm=2)).generate(photos[0] * 255, photos[1])


def test_labels_as_a_column(classifier: PyTorchClassifier, photos: tuple) -> None:
    x, y = photos
    for inner in (FastGradientMethod(classifier, norm=2), FastGradientMethod(classifier)):
        attack = FixedSNR(inner, snr_db=15)
        assert np.array_equal(attack.generate(x, y[:, None]), attack.generate(x, y))


def test_a_mask_for_each_image(classifier: PyTorchClassifier, photos: tuple) -> None:
    x, y = photos
    masks = np.zeros(x.shape, dtype=np.float32)
    masks[::2, :, :14], masks[1::2, :, 14:] = 1, 1
    # Rescaled: images of one radius go to the attack together, whatever their places.
    attack = FixedSNR(ProjectedGradientDescent(classifier, max_iter=3, verbose=False), snr_db=15)
    found = attack.generate(x, y, mask=masks)
    assert np.array_equal(found[masks == 0], x[masks == 0])
    assert not np.array_equal(found[masks == 1], x[masks == 1])
    np.testing.assert_array_equal(found[::2], attack.generate(x[::2], y[::2], mask=masks[0]))


def test_images_of_another_size_than_the_estimator_says(photos: tuple) -> None:
    x, y = photos
    network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16, 10))
    estimator = PyTorchClassifier(network, nn.CrossEntropyLoss(), (1, 32, 32), 10, clip_values=(0.0, 1.0))
    found = FixedSNR(FastGradientMethod(estimator, norm=2), snr_db=15).generate(x, y)
    assert found.shape == x.shape
    assert (measure(x, found) >= 15 - 1e-3).all()
    assert not np.array_equal(found, x)


def test_a_random_size_is_below_the_budget(classifier: PyTorchClassifier, photos: tuple) -> None:
    x, y = photos
    np.random.seed(0)  # noqa: NPY002 - ART draws from it
    # Its own size is far above the budget: were it drawn by that, all images would get the whole budget.
    inner = ProjectedGradientDescent(
        classifier, norm=2, eps=1e3, eps_step=5e2, max_iter=2, random_eps=True, verbose=False
    )
    found = measure(x, FixedSNR(inner, snr_db=20).generate(x, y))
    assert found.min() >= 20 - 1e-3
    assert (found > 20.1).any()
    assert inner.eps == 1e3


@pytest.mark.parametrize(
    ("spec", "images", "fooled"),
    [
        ("art.SaliencyMapMethod:theta=0.5", 6, 0.3),
        ("art.SimBA:max_iter=100", 6, 0.3),
        ("art.VirtualAdversarialMethod:max_iter=1", 1, 0.0),
        ("art.TargetedUniversalPerturbation:max_iter=1", 6, 0.0),
    ],
)
def test_attacks_of_other_needs_run(spec: str, images: int, fooled: float, model: nn.Module, photos: tuple) -> None:
    """Targets of their own, or probabilities: with the images' labels as targets the first fooled none."""
    x, y = photos[0][:images], photos[1][:images]
    run = evaluate(model, x, y, attacks=[spec], snr_db=[5.0])
    assert not run.info.failures
    assert run.curves.set_index("attack").accuracy[parse(spec).spec] <= 1 - fooled


def test_what_needs_more_than_images_is_not_offered() -> None:
    for name in ("LowProFool", "DPatch", "CarliniWagnerASR", "DecisionTreeAttack"):
        with pytest.raises(UsageError, match="no attack"):
            parse(f"art.{name}")

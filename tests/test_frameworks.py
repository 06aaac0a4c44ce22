"""Models of TensorFlow, Keras, JAX, scikit-learn and XGBoost: the numbers of the same network in torch, budgets kept.

A library that is absent is skipped, by its name. `make test` has JAX and XGBoost; `make test-all` has TensorFlow
too, and fails without one of them (FRAMEWORKS=all).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnncomm_bench import evaluate, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks.losses import log_odds, margin
from cnncomm_bench.models.in_memory import opened
from cnncomm_bench.models.loading import open_model

foolbox = pytest.importorskip("foolbox")

WIDE = {"clip_values": (0, 255), "preprocessing": (0, 255)}
"""An estimator of ART that takes pixels to 255, while the network takes them to one."""
GRID = [15.0, 30.0]
BLACK = ["gaussian", "square-attack:queries=20"]
CLOSE_DB = 1e-3
"""Adversaries may miss their budget by this: pixels are float32."""


@pytest.fixture
def network() -> nn.Sequential:
    """Smooth, so that rounding in another library moves no image far."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 20, 16), nn.Tanh(), nn.Linear(16, 4)).eval()


@pytest.fixture
def few(network: nn.Sequential) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (24, 3, 16, 20), dtype=np.uint8)
    labels = network(torch.from_numpy(images) / 255).argmax(1).numpy()
    labels[:2] = (labels[:2] + 1) % 4
    return images, labels


def library(name: str) -> Any:
    return import_module(name) if os.environ.get("FRAMEWORKS") == "all" else pytest.importorskip(name)


def weights_of(network: nn.Sequential) -> list[np.ndarray]:
    """Kernels as most other libraries have them, inputs first, each followed by its offsets."""
    return [p.detach().numpy().T for p in network.parameters()]


# One network in every library: of channels last where that is the library's way --------------------------------------


def keras_network(network: nn.Sequential, kind: str = "sequential", outputs: str = "linear") -> Any:
    keras = library("tensorflow").keras
    layers = [keras.layers.Permute((3, 1, 2)), keras.layers.Flatten()]
    layers += [keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(4, activation=outputs)]
    given = keras.Input((16, 20, 3))
    if kind == "sequential":
        made = keras.Sequential([given, *layers])
    else:
        found = given
        for layer in layers:
            found = layer(found)
        made = keras.Model(given, found)
    made.set_weights(weights_of(network))
    return made


def art_tensorflow(network: nn.Sequential, outputs: str = "linear", loss: bool = True) -> Any:
    tensorflow = library("tensorflow")
    from art.estimators.classification import TensorFlowV2Classifier

    entropy = tensorflow.keras.losses.SparseCategoricalCrossentropy(from_logits=outputs == "linear")
    made = keras_network(network, outputs=outputs)
    return TensorFlowV2Classifier(made, 4, (16, 20, 3), loss_object=entropy if loss else None, **WIDE)


def art_keras(
    network: nn.Sequential, kind: str = "sequential", outputs: str = "linear", loss: str | None = "categorical"
) -> Any:
    tensorflow = library("tensorflow")
    from art.estimators.classification import KerasClassifier

    made = keras_network(network, kind, outputs)
    if loss is not None:
        kinds = {"categorical": "CategoricalCrossentropy", "sparse": "SparseCategoricalCrossentropy"}
        made.compile(loss=getattr(tensorflow.keras.losses, kinds[loss])(from_logits=outputs == "linear"))
    return KerasClassifier(made, use_logits=outputs == "linear", **WIDE)


def foolbox_tensorflow(network: nn.Sequential) -> Any:
    library("tensorflow")
    return foolbox.TensorFlowModel(keras_network(network), bounds=(0, 255), preprocessing={"mean": 0.0, "std": 255.0})


def foolbox_jax(network: nn.Sequential, data_format: str = "channels_last") -> Any:
    jax = library("jax")
    first, offset, second, end = (jax.numpy.asarray(w) for w in weights_of(network))

    def logits(images: Any) -> Any:
        ordered = images.transpose(0, 3, 1, 2) if data_format == "channels_last" else images
        return jax.numpy.tanh(ordered.reshape(len(images), -1) @ first + offset) @ second + end

    return foolbox.JAXModel(logits, bounds=(0, 1), data_format=data_format)


DIFFERENTIABLE: dict[str, Callable[[nn.Sequential], Any]] = {
    "TensorFlow by ART": art_tensorflow,
    "TensorFlow by ART, probabilities": lambda n: art_tensorflow(n, "softmax"),
    "TensorFlow by ART, no loss": lambda n: art_tensorflow(n, loss=False),
    "Keras by ART": art_keras,
    "Keras by ART, functional": lambda n: art_keras(n, "functional", loss="sparse"),
    "Keras by ART, probabilities": lambda n: art_keras(n, outputs="softmax"),
    "Keras by ART, not compiled": lambda n: art_keras(n, loss=None),
    "TensorFlow by Foolbox": foolbox_tensorflow,
    "JAX by Foolbox": foolbox_jax,
    "JAX by Foolbox, channels first": lambda n: foolbox_jax(n, "channels_first"),
}


def accuracies(run: Any) -> dict[tuple[str, float], float]:
    return run.curves.set_index(["attack", "snr_db"])["accuracy"].to_dict()


def kept(run: Any) -> bool:
    """Whether no image was disturbed more than asked."""
    rows = run.predictions.query("attack != 'clean'")
    return bool((rows["realised_snr_db"] >= rows["snr_db"] - CLOSE_DB).all())


@pytest.mark.parametrize("kind", DIFFERENTIABLE)
def test_curves_are_those_of_the_network(kind: str, network: nn.Sequential, few: tuple) -> None:
    attacks = ["gaussian", "pgd:steps=3", "apgd-dlr:steps=2"]
    run = evaluate(DIFFERENTIABLE[kind](network), *few, attacks=attacks, snr_db=GRID)
    found = accuracies(run)
    assert found == accuracies(evaluate(network, *few, attacks=attacks, snr_db=GRID))
    assert found["clean", np.inf] == 22 / 24
    assert found["pgd:steps=3", 15.0] < found["gaussian", 15.0] < 22 / 24
    assert kept(run)


@pytest.mark.parametrize("loss", [log_odds, margin])
@pytest.mark.parametrize("kind", DIFFERENTIABLE)
def test_gradients_are_those_of_the_network(kind: str, loss: Callable, network: nn.Sequential, few: tuple) -> None:
    images, labels = torch.from_numpy(few[0]) / 255, torch.from_numpy(few[1])
    here, there = images.clone().requires_grad_(), images.clone().requires_grad_()
    loss(network(here), labels).sum().backward()
    loss(opened(DIFFERENTIABLE[kind](network))(there), labels).sum().backward()
    assert nn.functional.cosine_similarity(here.grad.flatten(1), there.grad.flatten(1)).min() > 1 - 1e-5


@pytest.mark.parametrize("kind", ["TensorFlow by ART", "TensorFlow by Foolbox", "JAX by Foolbox"])
@pytest.mark.parametrize("attack", ["torchattacks.PGDL2:steps=3", "art.DeepFool:epsilon=0.1", "foolbox.L2PGD:steps=3"])
def test_attacks_of_other_libraries_reach_the_gradients(
    kind: str, attack: str, network: nn.Sequential, few: tuple
) -> None:
    run = evaluate(DIFFERENTIABLE[kind](network), *few, attacks=attack, snr_db=GRID)
    assert not run.info.failures
    assert accuracies(run) == accuracies(evaluate(network, *few, attacks=attack, snr_db=GRID))
    assert kept(run)


def test_a_model_of_jax_opens_from_a_file(tmp_path: Any, few: tuple) -> None:
    library("jax")
    (tmp_path / "mine.py").write_text(
        "import foolbox\nimport jax.numpy as jnp\n\ndef model():\n"
        "    return foolbox.JAXModel(lambda x: jnp.stack([x.mean((1, 2, 3)), x.max((1, 2, 3))], 1), bounds=(0, 1))\n"
    )
    model = open_model(f"foolbox:{tmp_path}/mine.py:model")
    assert (model.classes, model.differentiable) == (2, True)
    images = torch.from_numpy(few[0]) / 255
    torch.testing.assert_close(model.predict(images)[:, 0], images.mean((1, 2, 3)))


def test_a_function_of_jax_is_compiled_for_few_numbers_of_images(network: nn.Sequential, few: tuple) -> None:
    model, sizes = foolbox_jax(network), set()
    own = model._model
    model._model = lambda images: (sizes.add(len(images)), own(images))[1]
    evaluate(model, *few, attacks=["gaussian", "pgd:steps=5"], snr_db=[20.0, 30.0, 40.0])
    assert sizes <= {1, 2, 4, 8, 16, 32}


def test_keras_networks_of_any_size_take_the_images_as_they_are(few: tuple) -> None:
    keras = library("tensorflow").keras
    from art.estimators.classification import KerasClassifier

    layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]
    made = KerasClassifier(keras.Sequential([keras.Input((None, None, 3)), *layers]), use_logits=True)
    found = opened(made)(torch.from_numpy(few[0]) / 255)
    expected = made.model(few[0].transpose(0, 2, 3, 1).astype(np.float32) / 255).numpy()
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-5)


# Their attacks and ours on their models ------------------------------------------------------------------------------


def of_foolbox(kind: str, network: nn.Sequential, few: tuple) -> tuple[Any, Any, Any]:
    """A model of Foolbox, and images and labels as its framework has them."""
    images, labels = few[0].astype(np.float32) / 255, few[1]
    if kind == "torch":
        return (
            foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu"),
            torch.from_numpy(images),
            torch.tensor(labels),
        )
    ordered = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if kind == "JAX":
        jax = library("jax")
        return foolbox_jax(network), jax.numpy.asarray(ordered), jax.numpy.asarray(labels)
    tensorflow = library("tensorflow")
    return foolbox_tensorflow(network), tensorflow.constant(ordered * 255), tensorflow.constant(labels)


def in_torch(kind: str, found: Any) -> torch.Tensor:
    if kind == "torch":
        return found
    images = torch.from_numpy(np.array(found)).permute(0, 3, 1, 2)
    return images / 255 if kind == "TensorFlow" else images


ADAPTED = {
    "noise": lambda ours, theirs: ours.AlphaStableNoise(alpha=1.5),
    "impulses": lambda ours, theirs: ours.ShapedImpulseNoise(),
    "a budget": lambda ours, theirs: ours.FixedSNR(theirs.L2PGD(steps=3, random_start=False)),
    "a budget, one step": lambda ours, theirs: ours.FixedSNR(theirs.L2FastGradientAttack()),
    "a budget, rescaled": lambda ours, theirs: ours.FixedSNR(theirs.LinfPGD(steps=3, random_start=False)),
    "a minimum": lambda ours, theirs: ours.FixedSNR(theirs.L2DeepFoolAttack(steps=3)),
}


@pytest.mark.parametrize("kind", ["JAX", "TensorFlow"])
@pytest.mark.parametrize("attack", ADAPTED)
def test_adapters_for_foolbox(kind: str, attack: str, network: nn.Sequential, few: tuple) -> None:
    from cnncomm_bench.attacks import for_foolbox

    model, images, labels = of_foolbox(kind, network, few)
    epsilon = 10 ** (-20 / 20)
    _, found, fooled = ADAPTED[attack](for_foolbox, foolbox.attacks)(model, images, labels, epsilons=epsilon)
    assert type(found) is type(images)
    disturbed = in_torch(kind, found)
    clean = torch.from_numpy(few[0]) / 255
    reached = snr.measure(clean, disturbed)
    assert (reached >= 20 - CLOSE_DB).all()
    given = of_foolbox("torch", network, few)
    _, expected, as_torch = ADAPTED[attack](for_foolbox, foolbox.attacks)(*given, epsilons=epsilon)
    assert np.array(fooled).tolist() == as_torch.tolist()
    # Directions agree to float32's rounding in three steps of 2,000 products each: 1e-3 of the noise's own length.
    away = (disturbed - expected).flatten(1).norm(dim=1) / (expected - clean).flatten(1).norm(dim=1).clamp_min(1e-6)
    assert away.max() < 1e-3


@pytest.mark.parametrize("build", [art_tensorflow, art_keras])
def test_adapters_for_art(build: Callable, network: nn.Sequential, few: tuple) -> None:
    estimator = build(network)
    from art.attacks.evasion import DeepFool, FastGradientMethod, ProjectedGradientDescent

    from cnncomm_bench.attacks.for_art import AlphaStableNoise, FixedSNR

    images = few[0].transpose(0, 2, 3, 1).astype(np.float32)
    clean = torch.from_numpy(few[0]) / 255
    accuracy = {}
    for attack in (
        AlphaStableNoise(estimator, snr_db=20),
        FixedSNR(ProjectedGradientDescent(estimator, norm=2, max_iter=3, verbose=False), snr_db=20),
        FixedSNR(ProjectedGradientDescent(estimator, norm=np.inf, max_iter=3, verbose=False), snr_db=20),
        FixedSNR(FastGradientMethod(estimator, norm=2), snr_db=20),
        FixedSNR(DeepFool(estimator, max_iter=3, verbose=False), snr_db=20),
    ):
        found = attack.generate(images, few[1])
        assert (snr.measure(clean, torch.from_numpy(found).permute(0, 3, 1, 2) / 255) >= 20 - CLOSE_DB).all()
        name = type(getattr(attack, "base", attack)).__name__
        accuracy[name] = float((estimator.predict(found).argmax(1) == few[1]).mean())
    noise = accuracy.pop("AlphaStableNoise")
    assert max(accuracy.values()) < noise <= 22 / 24


# What has no gradient ------------------------------------------------------------------------------------------------


@pytest.fixture
def stripes() -> tuple[np.ndarray, np.ndarray]:
    """Sixty images of 8 x 8 grey pixels whose brightest quarter is their class: what trees tell apart."""
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 4
    images = generator.integers(0, 120, (60, 1, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 60
    return images.astype(np.uint8), labels


def xgboost_classifier(rows: np.ndarray, labels: np.ndarray) -> Any:
    return library("xgboost").XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1).fit(rows, labels)


def xgboost_booster(rows: np.ndarray, labels: np.ndarray, objective: str) -> Any:
    xgboost = library("xgboost")
    settings = {"objective": objective, "num_class": 4, "nthread": 1, "max_depth": 3}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), 10)


def art_xgboost(rows: np.ndarray, labels: np.ndarray, kind: str, nb_features: int | None = 64) -> Any:
    made = xgboost_classifier(rows, labels) if kind == "classifier" else xgboost_booster(rows, labels, kind)
    from art.estimators.classification import XGBoostClassifier

    return XGBoostClassifier(made, clip_values=(0, 255), nb_features=nb_features, nb_classes=4)


def art_forest(rows: np.ndarray, labels: np.ndarray) -> Any:
    from art.estimators.classification import SklearnClassifier
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(20, max_depth=4, random_state=0).fit(rows, labels)
    return SklearnClassifier(forest, clip_values=(0, 255))


TREES: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "XGBClassifier": lambda x, y: art_xgboost(x, y, "classifier"),
    "XGBClassifier, no number of features": lambda x, y: art_xgboost(x, y, "classifier", None),
    "Booster": lambda x, y: art_xgboost(x, y, "multi:softprob"),
    "Booster, labels alone": lambda x, y: art_xgboost(x, y, "multi:softmax"),
    "scikit-learn": art_forest,
}


@pytest.mark.parametrize("kind", TREES)
def test_trees_get_noise_and_black_box_attacks(kind: str, stripes: tuple) -> None:
    images, labels = stripes
    trees = TREES[kind](images.reshape(60, -1).astype(np.float32), labels)
    run = evaluate(trees, images, labels, attacks=BLACK, snr_db=[5.0, 40.0])
    found = accuracies(run)
    assert found["clean", np.inf] > 0.9
    assert found["gaussian", 5.0] < found["gaussian", 40.0]
    assert found["square-attack:queries=20", 5.0] < 0.9
    assert kept(run)
    with pytest.raises(UsageError, match="needs a gradient, and model has none"):
        evaluate(trees, images, labels, attacks="pgd", snr_db=GRID)

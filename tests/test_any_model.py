"""Models of other libraries, and models in memory, give the numbers that the same network gives as a torch module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cnncomm_bench import evaluate
from cnncomm_bench._utils.errors import BenchError, DataError, ModelError, UsageError
from cnncomm_bench.attacks import parse
from cnncomm_bench.attacks.losses import log_odds, margin
from cnncomm_bench.cli import main
from cnncomm_bench.data import Images
from cnncomm_bench.evaluation.models_and_data import open_models
from cnncomm_bench.models.in_memory import opened
from cnncomm_bench.models.library_model import Gradients, LibraryModel
from cnncomm_bench.models.loading import open_model
from cnncomm_bench.models.model import FixedBatch
from cnncomm_bench.results import RunConfig

ATTACKS = ["gaussian", "pgd:steps=2", "apgd-dlr:steps=2"]
GRID = [15, 30]
BLACK = ["gaussian", "square-attack:queries=5"]

NET = """
from pathlib import Path

import numpy as np
import torch
from torch import nn

def net():
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 4)).eval()
"""
FACTORIES = {
    "art": """
from art.estimators.classification import PyTorchClassifier

def classifier():
    return PyTorchClassifier(net(), loss=nn.CrossEntropyLoss(), input_shape=(3, 16, 16), nb_classes=4,
                             clip_values=(0, 1))
""",
    "foolbox": """
import foolbox

def classifier():
    return foolbox.PyTorchModel(net(), bounds=(0, 1), device="cpu")
""",
    "python": """
def classifier(images):
    with torch.no_grad():
        return net()(torch.from_numpy(images)).softmax(1).numpy()
""",
}


def curves(model, images, labels, attacks=ATTACKS, **rest):
    frame = evaluate(model, images, labels, attacks=attacks, snr_db=GRID, **rest).curves
    return frame[["attack", "snr_db", "accuracy"]].to_dict("list")


@pytest.fixture
def few(labelled):
    return labelled[0][:24], labelled[1][:24]


def pytorch_classifier(net, **options):
    from art.estimators.classification import PyTorchClassifier

    settings = {"input_shape": (3, 16, 20), "nb_classes": 4, "clip_values": (0, 255), "preprocessing": (0, 255)}
    return PyTorchClassifier(net, loss=nn.CrossEntropyLoss(), **{**settings, **options})


class TestArt:
    def test_pixels_are_brought_to_the_clip_values(self, linear, few):
        assert curves(pytorch_classifier(linear), *few) == curves(linear, *few)

    def test_channels_last_and_an_ensemble_of_one_network(self, linear, few):
        from art.estimators.classification import EnsembleClassifier

        class Last(nn.Module):
            def forward(self, images):
                return linear(images.permute(0, 3, 1, 2))

        last = pytorch_classifier(Last(), input_shape=(16, 20, 3), channels_first=False)
        assert curves(last, *few) == curves(linear, *few)
        ensemble = EnsembleClassifier(
            [pytorch_classifier(linear, clip_values=(0, 1), preprocessing=(0, 1))] * 2,
            clip_values=(0, 1),
            channels_first=True,
        )
        assert curves(ensemble, *few) == curves(linear, *few)

    @pytest.mark.parametrize(
        "loss", [log_odds, margin, lambda z, y: nn.functional.cross_entropy(z, y, reduction="none")]
    )
    @pytest.mark.parametrize("softmax", [False, True])
    def test_gradients_are_those_of_the_network(self, linear, few, loss, softmax):
        """By loss_gradient and by class_gradient; of probabilities too, whose logits are their logarithms."""
        net = nn.Sequential(linear, nn.Softmax(1)) if softmax else linear
        estimator = pytorch_classifier(net)
        if softmax:
            estimator._loss = lambda p, y: nn.functional.nll_loss(p.log(), y)
        images, labels = torch.from_numpy(few[0]) / 255, torch.from_numpy(few[1])
        here, there = images.clone().requires_grad_(), images.clone().requires_grad_()
        loss(linear(here), labels).sum().backward()
        loss(opened(estimator)(there), labels).sum().backward()
        cosine = nn.functional.cosine_similarity(here.grad.flatten(1), there.grad.flatten(1))
        assert cosine.min() > 1 - 1e-5

    def test_the_loss_gradient_is_asked_once_a_step_and_no_class_gradient(self, linear, few):
        asked = []
        estimator = pytorch_classifier(linear)
        for name in ("loss_gradient", "class_gradient"):
            function = getattr(estimator, name)
            setattr(estimator, name, lambda *a, f=function, n=name, **k: (asked.append(n), f(*a, **k))[1])
        images = (torch.from_numpy(few[0]) / 255).requires_grad_()
        log_odds(opened(estimator)(images), torch.from_numpy(few[1])).sum().backward()
        assert asked == ["loss_gradient"]

    def test_a_certain_image_has_a_gradient_still(self, linear, few):
        """The cross-entropy's gradient underflows where the softmax is one; class_gradient does not."""
        sure = nn.Sequential(linear, nn.Unflatten(1, (4, 1)), nn.Flatten())
        sure[0][1].weight.data *= 1e4
        images = (torch.from_numpy(few[0]) / 255).requires_grad_()
        labels = sure(images).argmax(1).detach()
        log_odds(opened(pytorch_classifier(sure))(images), labels).sum().backward()
        assert images.grad.flatten(1).any(1).all()

    def test_defences_are_part_of_the_model(self, linear, few):
        from art.defences.postprocessor import Rounded
        from art.defences.preprocessor import SpatialSmoothing

        smoothing = SpatialSmoothing(window_size=3, channels_first=True)
        smooth = pytorch_classifier(linear, preprocessing_defences=smoothing)
        images = torch.from_numpy(few[0]) / 255
        expected = torch.from_numpy(smooth.predict(few[0].astype(np.float32)))
        torch.testing.assert_close(opened(smooth)(images), expected, atol=1e-5, rtol=1e-5)
        assert (expected - linear(images)).abs().max() > 0.01
        coarse = opened(pytorch_classifier(linear, postprocessing_defences=Rounded(decimals=1)))(images)
        torch.testing.assert_close(coarse, linear(images).round(decimals=1), atol=1e-5, rtol=0)

    def test_scikit_learn_takes_rows_of_pixels(self, few):
        from art.estimators.classification import SklearnClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.tree import DecisionTreeClassifier

        images, labels = few
        rows = images.reshape(len(images), -1) / 255
        regression = LogisticRegression(max_iter=50).fit(rows, labels)
        as_torch = nn.Sequential(nn.Flatten(), nn.Linear(rows.shape[1], 4))
        as_torch[1].weight.data = torch.from_numpy(regression.coef_).float()
        as_torch[1].bias.data = torch.from_numpy(regression.intercept_).float()
        attacks = ["gaussian", "pgd:steps=2"]
        found = curves(SklearnClassifier(regression, clip_values=(0, 1)), *few, attacks)
        assert found == curves(as_torch, *few, attacks)
        tree = SklearnClassifier(DecisionTreeClassifier(max_depth=3).fit(rows, labels), clip_values=(0, 1))
        with pytest.raises(UsageError, match=r"pgd:steps=2: needs a gradient, and model has none: use noise, square"):
            evaluate(tree, *few, attacks=attacks)
        assert set(curves(tree, *few, BLACK)["attack"]) >= set(BLACK)

    def test_a_black_box_gets_noise_square_attack_and_decision_based_attacks(self, linear, few):
        from art.estimators.classification import BlackBoxClassifierNeuralNetwork

        def predict(x):
            with torch.no_grad():
                return linear(torch.from_numpy(x / 255).float()).softmax(1).numpy()

        box = BlackBoxClassifierNeuralNetwork(predict, (3, 16, 20), 4, clip_values=(0, 255))
        attacks = [*BLACK, "art.HopSkipJump:max_eval=20,max_iter=1,init_eval=5"]
        run = evaluate(box, *few, attacks=attacks, snr_db=GRID)
        assert not run.info.failures
        assert any(
            "has no gradient: noise, square-attack and decision-based" in note for note in run.info.models[0].notes
        )
        assert curves(box, *few, BLACK) == curves(linear, *few, BLACK)

    def test_images_of_another_shape_are_refused(self, linear, few):
        with pytest.raises(ModelError, match=r"input_shape is \(3, 8, 8\), and the images are \(3, 16, 20\)"):
            evaluate(pytorch_classifier(linear, input_shape=(3, 8, 8)), *few, attacks="gaussian")


class TestFoolbox:
    def test_bounds_and_preprocessing(self, linear, few):
        foolbox = pytest.importorskip("foolbox")
        wide = foolbox.PyTorchModel(linear, bounds=(0, 255), device="cpu", preprocessing={"mean": 0.0, "std": 255.0})
        assert curves(wide, *few) == curves(linear, *few)
        assert curves(wide.transform_bounds((0, 1)), *few) == curves(linear, *few)

    def test_numpy_models_are_black_boxes(self, linear, few):
        foolbox = pytest.importorskip("foolbox")

        def last(images):
            return linear(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).detach().numpy()

        model = foolbox.NumPyModel(last, bounds=(0, 1), data_format="channels_last")
        assert curves(model, *few, BLACK) == curves(linear, *few, BLACK)
        with pytest.raises(UsageError, match="needs a gradient"):
            evaluate(model, *few, attacks="fgsm")


class TestCommandLine:
    @pytest.mark.parametrize("kind", ["art", "foolbox", "python"])
    def test_own_code_is_opened(self, tmp_path, kind):
        if kind == "foolbox":
            pytest.importorskip("foolbox")
        (tmp_path / "mine.py").write_text(NET + FACTORIES[kind])
        model = open_model(f"{kind}:{tmp_path}/mine.py:classifier")
        assert (model.name, model.classes, model.channels) == ("classifier", 4, 3)
        assert model.differentiable == (kind != "python")
        assert len(model.sha256) == 64
        scope = {}
        exec(NET, scope)
        x = torch.rand(5, 3, 16, 16)
        with torch.no_grad():
            expected, found = scope["net"]()(x).log_softmax(1), model.predict(x).log_softmax(1)
        torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ("art:mine.py:nothing", "defines no nothing; there are"),
            ("art:mine.py:number", r"returned a int, expected a model of art"),
            ("art:mine.py:broken", r"calling it failed \(RuntimeError: not today\)"),
            ("python:mine.py", "expected python:FILE.py:function"),
            ("foolbox:nowhere.py:f", r"there is no file .*nowhere.py; expected FILE.py:function"),
            ("python:mine.py:text", "the model returned a str, expected an array of logits or probabilities"),
            ("python:mine.py:one", r"returned shape \(1, 4\) for 2 images"),
        ],
    )
    def test_what_is_none_is_refused_in_one_line(self, tmp_path, monkeypatch, spec, said):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.py").write_text(
            "import numpy as np\ndef number(): return 3\ndef broken(): raise RuntimeError('not today')\n"
            "def text(x): return 'cat'\ndef one(x): return np.zeros((1, 4))\n"
        )
        with pytest.raises((UsageError, ModelError), match=said):
            open_model(spec)

    def test_it_runs_from_the_command_line(self, tmp_path, capsys):
        (tmp_path / "mine.py").write_text(
            "import numpy as np\ndef means(x):\n    m = x.mean((1, 2, 3))[:, None]\n"
            "    return np.concatenate([m * k for k in range(10)], 1)\n"
        )
        line = ["--model", f"python:{tmp_path}/mine.py:means", "--samples", "20", "--data", "bundled:fashion-mnist"]
        line += ["--size", "28", "--attack", "gaussian", "--snr", "10,20", "--out", str(tmp_path / "run"), "--dry-run"]
        main(line)
        assert "has no gradient: noise, square-attack" in capsys.readouterr().out
        with pytest.raises(SystemExit) as refused:
            main([*line, "--attack", "pgd"])
        assert refused.value.code == 2
        said = capsys.readouterr().err
        assert "pgd: needs a gradient, and means has none" in said
        assert said.count("\n") == 1


def test_a_black_box_is_attacked_under_a_progress_bar(linear, few, capsys):
    """The bar weighs an adversary by a short attack, which must need no gradient either."""
    from foolbox.models import NumPyModel

    def scores(images):
        with torch.no_grad():
            return linear(torch.from_numpy(images)).numpy()

    run = evaluate(NumPyModel(scores, bounds=(0, 1)), *few, attacks=BLACK, snr_db=GRID, progress=True)
    assert set(run.curves.attack) == {"clean", *BLACK}
    assert "square-attack" in capsys.readouterr().err


def test_a_loss_gradient_alone_serves_losses_of_one_label():
    weights = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)

    def loss(images, labels):
        p = torch.from_numpy(images.reshape(len(images), -1) @ weights).softmax(1).numpy()
        return ((p - np.eye(3)[labels]) @ weights.T).reshape(images.shape)

    model = LibraryModel(lambda x: x.reshape(len(x), -1) @ weights, Gradients(loss=loss))
    images, labels = torch.rand(4, 3, 2, 2).requires_grad_(), torch.tensor([0, 1, 2, 0])
    log_odds(model(images), labels).sum().backward()
    assert images.grad.any()
    with pytest.raises(ModelError, match="the gradient of its loss alone"):
        margin(model(images), labels).sum().backward()


# What evaluate takes ---------------------------------------------------------------------------------------------


class Wrapped(nn.Module):
    def __init__(self, net, how):
        super().__init__()
        self.net, self.how = net, how

    def forward(self, images):
        return self.how(self.net(images))


class Output:
    def __init__(self, logits):
        self.logits = logits


@pytest.mark.parametrize(
    "how", [Output, lambda z: {"logits": z}, lambda z: {"out": z}, lambda z: (z, z.sum()), lambda z: [z]]
)
def test_outputs_that_hold_logits(linear, few, how):
    assert curves(Wrapped(linear, how), *few) == curves(linear, *few)


def test_a_dict_without_logits_names_its_keys(linear, few):
    with pytest.raises(ModelError, match=r"returned a dict of a, b, expected logits .* holds them as logits"):
        evaluate(Wrapped(linear, lambda z: {"a": z, "b": z}), *few, attacks="gaussian", snr_db=GRID)


@pytest.mark.parametrize("strict", [False, True])
def test_functions_of_numpy_arrays_are_black_boxes(linear, few, strict):
    def function(images):
        images = images.astype(np.float32) if strict else np.asarray(images)  # a tensor has no astype
        with torch.no_grad():
            return linear(torch.from_numpy(images)).numpy()

    run = evaluate(function, *few, attacks=BLACK, snr_db=GRID)
    assert run.curves[["attack", "snr_db", "accuracy"]].to_dict("list") == curves(linear, *few, BLACK)
    assert any("has no gradient" in note for note in run.info.models[0].notes)
    with pytest.raises(UsageError, match="pgd: needs a gradient, and model has none"):
        evaluate(function, *few, attacks="pgd", snr_db=GRID)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_of_another_dtype(linear, few, dtype):
    import copy

    run = evaluate(copy.deepcopy(linear).to(dtype), *few, attacks=["gaussian", "pgd:steps=2"], snr_db=GRID)
    assert not run.info.failures
    whole = evaluate(linear, *few, attacks=["gaussian", "pgd:steps=2"], snr_db=GRID)
    assert (run.curves.accuracy - whole.curves.accuracy).abs().max() <= 2 / 24  # two images near the border
    assert bool(run.info.models[0].notes) == (dtype != torch.float64)


def test_normalisation_is_part_of_the_model(linear, few):
    class Inverse(nn.Module):
        def forward(self, images):
            return linear(images * 0.25 + 0.5)

    assert curves(Inverse(), *few, mean=0.5, std=0.25) == curves(linear, *few)
    assert curves(Inverse(), *few, mean="0.5,0.5,0.5", std=[0.25] * 3) == curves(linear, *few)


def test_a_checkpoint_and_a_name(tmp_path):
    from cnncomm_bench import bundled

    images, labels, _ = bundled.images()
    images, labels = images[:20], labels[:20]
    run = evaluate("bundled:standard", images, labels, attacks="gaussian", snr_db=GRID)
    expected = curves(bundled.load("standard"), images, labels, "gaussian")
    assert run.curves[["attack", "snr_db", "accuracy"]].to_dict("list") == expected
    assert run.info.models[0].name == "bundled:standard"
    path = tmp_path / "weights.safetensors"
    path.write_bytes((bundled.path("standard")).read_bytes())
    options = {"arch": "cnncomm_bench.bundled.network:SmallResNet", "mean": 0, "std": 1, "name": "mine"}
    named = evaluate(path, images, labels, attacks="gaussian", snr_db=GRID, **options)
    assert named.curves.accuracy.tolist() == run.curves.accuracy.tolist()
    assert named.info.models[0].name == "mine"


def test_compiled_modules_get_batches_of_one_size(linear, few):
    sizes = set()

    def backend(graph, examples):
        sizes.update(tuple(e.shape) for e in examples if e.ndim == 4)
        return graph.forward

    torch._dynamo.reset()
    found = curves(torch.compile(linear, backend=backend, dynamic=False), *few, batch_size=7)
    assert found == curves(linear, *few, batch_size=7)
    assert sizes == {(7, 3, 16, 20)}


def test_filled_batches_have_the_gradients_of_their_images(linear, few):
    images = torch.from_numpy(few[0][:5]) / 255
    here, there = images.clone().requires_grad_(), images.clone().requires_grad_()
    linear(here)[:, 1].sum().backward()
    FixedBatch(linear, 4)(there)[:, 1].sum().backward()
    torch.testing.assert_close(here.grad, there.grad)


@pytest.mark.parametrize("form", ["one-hot", "list", "column"])
def test_labels_in_other_forms(linear, few, form):
    labels = few[1]
    given = {"one-hot": np.eye(4)[labels], "list": labels.tolist(), "column": labels[:, None]}[form]
    assert curves(linear, few[0], given, ["gaussian"]) == curves(linear, *few, ["gaussian"])


def test_without_labels_agreement_with_the_clean_predictions_counts(linear, few):
    run = evaluate(linear, few[0], attacks="gaussian", snr_db=GRID)
    assert not run.info.data.labelled
    assert run.curves.accuracy[0] == 1
    as_labels = linear(torch.from_numpy(few[0]) / 255).argmax(1)
    assert (
        run.curves.accuracy.tolist()
        == evaluate(linear, few[0], as_labels, attacks="gaussian", snr_db=GRID).curves.accuracy.tolist()
    )


@pytest.mark.parametrize("form", ["dataset", "loader", "dicts", "opened", "channels last", "integers", "iterable"])
def test_images_in_other_forms(linear, few, form):
    images, labels = few
    tensors = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter([(image, int(label)) for image, label in zip(images, labels, strict=True)])

    dicts = [{"pixel_values": image, "labels": int(label)} for image, label in zip(images, labels, strict=True)]
    given = {
        "dataset": (tensors,),
        "dicts": (torch.utils.data.DataLoader(dicts, batch_size=5),),
        "opened": (Images("images", images, labels, (), ""),),
        "loader": (torch.utils.data.DataLoader(tensors, batch_size=5),),
        "channels last": (images.transpose(0, 2, 3, 1), labels),
        "integers": (images.astype(np.int64), labels),
        "iterable": (Stream(),),
    }[form]
    run = evaluate(linear, *given, attacks="gaussian", snr_db=GRID)
    assert run.curves[["attack", "snr_db", "accuracy"]].to_dict("list") == curves(linear, *few, ["gaussian"])


def test_samples_radii_and_progress(linear, labelled, capsys):
    run = evaluate(linear, *labelled, attacks="pgd:steps=2", snr_db=GRID, samples=12, eps_l2=0.5, progress=True)
    assert run.curves[run.curves.attack == "clean"].images.tolist() == [12]
    assert "pgd:steps=2@l2=0.5" in set(run.curves.attack)
    assert "pgd" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (
            np.zeros((4, 3, 9, 9), np.uint8),
            r"cannot classify images of shape \(3, 9, 9\) \(RuntimeError: mat1 and",
        ),
        (np.full((4, 3, 16, 20), 2.0), r"values from 2 to 2: expected floats in \[0, 1\].*pass its mean and std"),
        (np.full((4, 3, 16, 20), np.nan), r"images that hold NaN: .* leave those images out"),
        (torch.utils.data.Subset([{"a": 1, "b": 2}], [0]), r"gives dicts of a, b: expected pairs"),
        ("photos", r"images photos: expected an array, .* pass what .*open_images gives"),
        (np.zeros((4, 5)), r"images of shape \(4, 5\): expected \(N, C, H, W\)"),
        (np.zeros((0, 3, 16, 20)), r"images of shape \(0, 3, 16, 20\)"),
        (np.full((4, 3, 16, 20), "a"), r"expected uint8, or floats"),
    ],
)
def test_wrong_images_get_one_line(linear, images, said):
    with pytest.raises(BenchError, match=said) as caught:
        evaluate(linear, images, np.arange(len(images)) % 4, attacks="gaussian", snr_db=GRID)
    assert "\n" not in str(caught.value)


def test_what_is_no_model_is_refused(few):
    with pytest.raises(ModelError, match=r"3 is no model: expected a module"):
        evaluate(3, *few, attacks="gaussian")


class TestConfiguredAttacks:
    def test_torchattacks(self, linear, few):
        import torchattacks

        attack = torchattacks.PGDL2(linear, eps=2.0, alpha=0.8, steps=3, random_start=False)
        assert parse(attack).spec == "torchattacks.PGDL2:alpha=0.4,random_start=false,steps=3"  # its eps is 1
        as_text = curves(linear, *few, [parse(attack).spec])
        assert curves(linear, *few, attack) == as_text
        assert parse(torchattacks.PGD(linear)).spec == "torchattacks.PGD"

    def test_art(self, linear, few):
        from art.attacks.evasion import HopSkipJump, ProjectedGradientDescent

        estimator = pytorch_classifier(linear)
        attack = ProjectedGradientDescent(estimator, norm=2, eps=100, eps_step=10, max_iter=3, verbose=False)
        assert parse(attack).spec == "art.ProjectedGradientDescent:eps_step=0.03,max_iter=3"  # its eps is 0.3
        assert parse(HopSkipJump(estimator, max_iter=2, verbose=False)).spec == "art.HopSkipJump:max_iter=2"
        with pytest.raises(UsageError, match="is targeted"):
            parse(ProjectedGradientDescent(estimator, targeted=True))

    def test_foolbox(self):
        attacks = pytest.importorskip("foolbox.attacks")
        assert parse(attacks.DDNAttack(steps=5)).spec == "foolbox.DDNAttack:steps=5"
        with pytest.raises(UsageError, match=r"init_attack is a \w+, expected a number"):
            parse(attacks.BoundaryAttack(init_attack=attacks.DDNAttack()))

    def test_our_noise_in_their_shape(self, linear):
        from cnncomm_bench.attacks.for_torchattacks import AlphaStableNoise

        assert parse(AlphaStableNoise(linear, alpha=1.0)).spec == "cauchy"

    def test_what_is_no_attack(self):
        with pytest.raises(UsageError, match="int is no attack: expected a spec string"):
            parse(3)


# Several models ----------------------------------------------------------------------------------------------------

SEVERAL = """
import torch
from torch import nn

def net(num_classes=3, side=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * side * side, num_classes))

def small(num_classes=3):
    return net(num_classes, 8)

def large(num_classes=3):
    return net(num_classes, 12)

def any_size(num_classes=3):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))
"""


@pytest.fixture
def several(tmp_path, monkeypatch):
    """Checkpoints that take 8 x 8, 12 x 12 and any images, and a folder of images of 16 x 16 in three classes."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(SEVERAL)
    scope = {}
    exec(SEVERAL, scope)
    for name in ("small", "large", "any_size"):
        torch.manual_seed(3)
        torch.save(scope[name]().state_dict(), f"{name}.pt")
    random = np.random.default_rng(4)
    for label in ("ant", "bee", "cow"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(4):
            Image.fromarray(random.integers(1, 256, (16, 16, 3), np.uint8)).save(f"data/{label}/{index}.png")
    return tmp_path


def prepared(models, **settings):
    from cnncomm_bench.evaluation import prepare
    from cnncomm_bench.results import RunConfig

    given = {"data": "data", "attacks": ["gaussian", "pgd:steps=2"], "snr": [10, 20], "device": "cpu", "mean": "0.5"}
    return prepare(RunConfig.of(models=models, **{**given, "std": "0.5", **settings}))


def test_models_of_different_sizes_get_their_own_images(several):
    from cnncomm_bench.evaluation import execute

    archs = ["nets.py:small", "nets.py:large", "nets.py:any_size"]
    request = prepared(["small.pt", "large.pt", "any_size.pt"], arch=archs, size=["8", "12", "none"], out="run")
    shapes = [request.dataset.view(model).shape for model in range(3)]
    assert shapes == [(12, 3, 8, 8), (12, 3, 12, 12), (12, 3, 8, 8)]  # what takes any size takes the first one's
    run = execute(request, quiet=True, outputs=False)
    assert not run.info.failures
    noisy = run.predictions[(run.predictions.attack == "gaussian") & run.predictions.reached]
    assert (noisy.realised_snr_db - noisy.snr_db).abs().max() < 1e-4
    alone = execute(prepared(["large.pt"], arch="nets.py:large", size="12", out="alone"), quiet=True, outputs=False)
    both = run.curves[run.curves.model == "large"]
    assert both.accuracy.tolist() == alone.curves.accuracy.tolist()
    assert any(line.startswith("large: the models get images of their own sizes, this one of") for line in run.warnings)


def test_a_stated_size_agrees_with_none_stated(several):
    (several / "small.json").write_text('{"size": 8, "mean": [0.5], "std": [0.5]}')
    request = prepared(["any_size.pt", "small.pt"], arch=["nets.py:any_size", "nets.py:small"], mean=None, std=None)
    assert request.dataset.views == ()
    assert request.dataset.images.shape == (12, 3, 8, 8)
    assert not any(model.findings for model in request.info.models)


def test_options_are_given_once_or_once_a_model(several):
    once = prepared(["small.pt", "small.pt"], arch="nets.py:small", size=8)
    assert [model.preprocessing.mean for model in once.models] == [(0.5, 0.5, 0.5)] * 2
    each = prepared(["small.pt", "small.pt"], arch="nets.py:small", size=8, mean=["0.25", "0.1,0.2,0.3"])
    assert [model.preprocessing.mean for model in each.models] == [(0.25, 0.25, 0.25), (0.1, 0.2, 0.3)]
    with pytest.raises(UsageError, match=r"3 values of mean for 2 models: expected one for all, or one a model"):
        prepared(["small.pt", "small.pt"], arch="nets.py:small", size=8, mean=["0.1", "0.2", "0.3"])


def test_an_architecture_given_once_is_not_that_of_named_models(several, capsys):
    (several / "named.py").write_text(SEVERAL + "\ndef black(images):\n    return images.mean((2, 3))\n")
    request = prepared(["small.pt", "python:named.py:black"], arch="nets.py:small", attacks=["gaussian"], size=8)
    assert [model.name for model in request.models] == ["small", "black"]
    line = ["--model", "small.pt", "--model", "large.pt", "--arch", "nets.py:small", "--arch", "nets.py:large"]
    line += ["--size", "8", "--size", "12"]
    main([*line, "--data", "data", "--mean", "0.5", "--std", "0.5", "--attack", "gaussian", "--snr", "10", "--dry-run"])
    assert "large: the models get images of their own sizes, this one of 3 x 12 x 12" in capsys.readouterr().out


def test_a_suites_gradient_attacks_are_left_out_for_a_black_box(several):
    (several / "named.py").write_text("def black(images):\n    return images.mean((2, 3))\n")
    request = prepared(["python:named.py:black"], attacks=[], suite="adversarial", mean=None, std=None)
    specs = [entry.spec for entry in request.info.suite.attacks]
    assert "gaussian" in specs
    assert not any(entry.uses_gradient for entry in request.info.suite.attacks)
    (finding,) = request.info.models[0].findings
    assert finding.startswith("it has no gradient: left out ")
    assert "apgd-ce" in finding


# Mistakes found early ------------------------------------------------------------------------------------------------


def test_other_classes_than_the_models_are_refused_at_opening(several, linear):
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(192, 40)).state_dict(), "many.pt")
    said = r"data has 3 classes \(ant, \.\.\.\) and many has 40: expected images of its classes"
    with pytest.raises(DataError, match=said):
        prepared(["many.pt"], arch="nets.py:small", size=8)
    (several / "map.txt").write_text("bee,7\nant,3\ncow,0\n")
    assert prepared(["many.pt"], arch="nets.py:small", size=8, classes="map.txt").data.labels.max() == 7


def test_near_chance_is_reported_after_the_clean_cells(several, capsys):
    from cnncomm_bench.evaluation import execute

    execute(prepared(["small.pt"], arch="nets.py:small", size=8, out="run", attacks=["gaussian"]), outputs=False)
    assert "warning: small: clean accuracy" in capsys.readouterr().err


def test_near_chance_is_a_warning_of_evaluate(linear, few):
    with pytest.warns(RuntimeWarning, match=r"model: clean accuracy 0\.0.* is near chance"):
        evaluate(linear, few[0], (few[1] + 1) % 4, attacks="gaussian", snr_db=GRID)


# Architectures and formats -------------------------------------------------------------------------------------------


def test_timm_is_found_by_name(tmp_path):
    from cnncomm_bench._utils.torchvision_operators import import_torchvision
    from cnncomm_bench.models.architectures import find, from_file_name

    import_torchvision()
    pytest.importorskip("timm")
    assert find("vit_tiny_patch16_224").name == "timm:vit_tiny_patch16_224"
    assert from_file_name(tmp_path / "flowers_vit_tiny_patch16_224.best.pt").name == "timm:vit_tiny_patch16_224"
    assert from_file_name(tmp_path / "resnet18.pt").name == "resnet18"  # both have it
    with pytest.raises(UsageError, match="torchvision has no such classifier"):
        find("torchvision:vit_tiny_patch16_224")


@pytest.mark.parametrize("kind", ["keras", "h5", "tflite"])
def test_keras_and_tensorflow_lite_get_a_hint(tmp_path, kind):
    import zipfile

    path = tmp_path / f"model.{kind}"
    if kind == "keras":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("metadata.json", "config.json", "model.weights.h5"):
                archive.writestr(name, "{}")
    else:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99) if kind == "h5" else b"\x1c\0\0\0TFL3" + bytes(99))
    with pytest.raises(ModelError, match=r"export the model to ONNX .* or pass python:FILE.py:function"):
        open_model(str(path))


def test_torchvisions_operators_are_there_before_own_code_and_trusted_pickles(tmp_path, monkeypatch):
    from cnncomm_bench.models import formats, own_code

    called = []
    for module in (own_code, formats):
        monkeypatch.setattr(module, "import_torchvision", lambda: called.append(1))
    (tmp_path / "mine.py").write_text("def f(x): return x.mean((2, 3))\n")
    own_code.own_function(f"{tmp_path}/mine.py:f", "models", "")
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pt")
    formats.read_weights(tmp_path / "whole.pt", "torch", True)
    assert len(called) == 2


# The table of the docs -----------------------------------------------------------------------------------------------

ROWS = {
    "state dict": "test_models.py::test_torchvision_architecture_and_classes_from_file",
    "... of an architecture of your own": "test_models.py::test_state_dict_of_a_factory",
    "TorchScript, torch.export": "test_models.py::test_torchscript",
    "ONNX": "test_models.py::test_onnx",
    "Keras": "test_any_model.py::test_keras_and_tensorflow_lite_get_a_hint",
    "a folder of the Hugging Face hub": "test_hugging_face.py::test_a_classifier_of_transformers",
    "... of timm": "test_hugging_face.py::test_a_model_of_timm",
    "such a folder on the hub": "test_hugging_face.py::test_the_hub_gives_such_a_folder",
    "zero-shot by open_clip": "test_zero_shot.py::test_a_zero_shot_classifier",
    "a name": "test_any_model.py::test_a_checkpoint_and_a_name",
    "an estimator of ART": "test_any_model.py::TestArt",
    "... of TensorFlow (`TensorFlowV2Classifier`)": "test_frameworks.py::test_curves_are_those_of_the_network",
    "... of scikit-learn": "test_frameworks.py::test_trees_get_noise_and_black_box_attacks",
    "... of XGBoost": "test_frameworks.py::test_trees_get_noise_and_black_box_attacks",
    "a model of Foolbox": "test_any_model.py::TestFoolbox",
    "... of TensorFlow and Keras": "test_frameworks.py::test_curves_are_those_of_the_network",
    "... of JAX": "test_frameworks.py::test_a_model_of_jax_opens_from_a_file",
    "any function of numpy arrays": "test_any_model.py::test_functions_of_numpy_arrays_are_black_boxes",
    "a torch module": "test_any_model.py::test_outputs_that_hold_logits",
    "... in half precision": "test_any_model.py::test_modules_of_another_dtype",
    "... that `torch.compile` made": "test_any_model.py::test_compiled_modules_get_batches_of_one_size",
}


def test_every_row_of_the_table_has_a_test():
    root = Path(__file__).parents[1]
    text = (root / "docs" / "models-and-data.md").read_text("utf-8")
    table = text.split("## Models")[1].split("\n## ")[0].split("\n\n")[1]
    rows = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    assert len(rows) == len(ROWS)
    for row, (start, test) in zip(rows, ROWS.items(), strict=True):
        assert row.startswith(start)
        file, _, name = test.partition("::")
        kind = "class" if name[0] == "T" else "def"
        assert f"\n{kind} {name}" in (root / "tests" / file).read_text("utf-8")


def test_an_architecture_that_no_model_takes_is_refused():
    """The default models have their own: given once, it is that of files, and there is none."""
    with pytest.raises(UsageError, match="has its own architecture"):
        open_models(RunConfig(models=("bundled:standard", "bundled:adversarial"), arch="resnet18"), "cpu")

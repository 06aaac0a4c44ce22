"""Every format a model comes in opens, and every mistake gets one line that says what to type instead."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from cnncomm_bench._utils.errors import ModelError, UsageError
from cnncomm_bench._utils.files import sha256_of
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.models.architectures import find, from_file_name
from cnncomm_bench.models.loading import open_model
from cnncomm_bench.models.model import Model
from cnncomm_bench.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, numbers, overridden

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_classes=10, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv1(x))).mean((2, 3)))

def net(num_classes=10):
    return Net(num_classes)

def fixed():
    return Net(7)

def insists(num_classes):
    return Net(num_classes)

def wrapped():
    return nn.ModuleDict({"model": Net(7)})["model"]

def number():
    return 3

def broken():
    raise RuntimeError("no weights today")
"""


class Net(nn.Module):
    """The network of FACTORY, here."""

    def __init__(self, classes: int = 7, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, classes)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv1(x))).mean((2, 3)))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def arch(tmp_path: Path) -> str:
    path = tmp_path / "mynet.py"
    path.write_text(FACTORY)
    return f"{path}:net"


def images(channels: int = 3, side: int = 20) -> torch.Tensor:
    return torch.rand(3, channels, side, side, generator=torch.Generator().manual_seed(1))


def agrees(model: Model, net: nn.Module, mean=IMAGENET_MEAN, std=IMAGENET_STD, side: int = 20) -> None:
    x = images(model.channels or 3, side)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (mean, std))
    with torch.no_grad():
        torch.testing.assert_close(model.predict(x), net((x - mean) / std).float(), atol=1e-4, rtol=1e-3)


# Formats -------------------------------------------------------------------------------------------------------


def test_state_dict_of_a_factory(net, arch, tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(net.state_dict(), path)
    model = open_model(str(path), arch=arch)
    assert (model.name, model.classes, model.channels, model.size) == ("weights", 7, 3, None)
    assert model.differentiable
    assert model.sha256 == sha256_of(path)
    assert any("ImageNet mean and std" in note and "mean 0 and std 1" in note for note in model.notes)
    agrees(model, net)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3, "best": np.float64(0.5), "args": argparse.Namespace(lr=0.1)},
        lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": []}},
        lambda s: {"model_state_dict": s},
        lambda s: {"checkpoint": 1, "ema": s, "model": {k: v * 0 for k, v in s.items()}},
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}},
        lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
        lambda s: {f"module.model.{k}": v for k, v in s.items()},
        # Lightning: the network under an attribute, other parts and hyperparameters beside it
        lambda s: {
            "state_dict": {**{f"net.{k}": v for k, v in s.items()}, "criterion.weight": torch.ones(7)},
            "pytorch-lightning_version": "2.0",
            "hyper_parameters": {"path": Path("runs"), "lr": 0.1},
        },
    ],
)
@pytest.mark.parametrize("old_format", [False, True])
def test_wrapped_and_prefixed_weights(net, arch, tmp_path, wrap, old_format):
    path = tmp_path / "last.ckpt"
    torch.save(wrap(net.state_dict()), path, _use_new_zipfile_serialization=not old_format)
    agrees(open_model(str(path), arch=arch), net)


def test_safetensors(net, arch, tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(net.state_dict(), path)
    agrees(open_model(str(path), arch=arch), net)


def test_bfloat16_weights_run_in_float32(net, arch, tmp_path):
    path = tmp_path / "half.pt"
    torch.save({key: value.bfloat16() for key, value in net.state_dict().items()}, path)
    model = open_model(str(path), arch=arch)
    assert model.predict(images()).dtype == torch.float32
    x = images()
    torch.testing.assert_close(model.predict(x), open_model(str(path), arch=arch).predict(x))


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, torch.rand(1, 3, 32, 32))])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript(net, tmp_path, make):
    path = tmp_path / "scripted.pt"
    torch.jit.save(make(net), str(path))
    with pytest.raises(ModelError, match=r"is TorchScript, whose operators can write any file: refused.*pass trust"):
        open_model(str(path))
    model = open_model(str(path), mean="0.5", std="0.25", trust=True)
    assert model.classes == 7
    assert any("TorchScript, opened because you trust it" in note for note in model.notes)
    agrees(model, net, (0.5,), (0.25,))
    with pytest.raises(UsageError, match="leave resnet18 out"):
        open_model(str(path), arch="resnet18")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_export_needs_trust(net, tmp_path):
    path = tmp_path / "exported.pt2"
    batch = torch.export.Dim("batch", min=1, max=64)
    torch.export.save(torch.export.export(net, (torch.rand(2, 3, 32, 32),), dynamic_shapes=({0: batch},)), path)
    with pytest.raises(ModelError, match=r"can run any code: refused.*pass trust"):
        open_model(str(path))
    model = open_model(str(path), trust=True)
    assert (model.classes, model.size) == (7, 32)
    agrees(model, net, side=32)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("batch", [1, 4])
def test_torch_export_without_dynamic_shapes_takes_batches_of_its_own_size(net, tmp_path, batch):
    path = tmp_path / "exported.pt2"
    torch.export.save(torch.export.export(net, (torch.rand(batch, 3, 32, 32),)), path)
    model = open_model(str(path), trust=True)
    assert any(f"exported for {batch} images at a time" in note for note in model.notes)
    agrees(model, net, side=32)


@pytest.mark.parametrize("batch", ["n", 1])
def test_onnx(net, tmp_path, batch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = {key: value.numpy() for key, value in net.state_dict().items() if "num_batches" not in key}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node(
                "BatchNormalization", ["a", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["b"]
            ),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["d"]),
            helper.make_node("Flatten", ["d"], ["e"]),
            helper.make_node("Gemm", ["e", "fc.weight", "fc.bias"], ["f"], transB=1),
        ],
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 3, 20, 20])],
        [helper.make_tensor_value_info("f", onnx.TensorProto.FLOAT, [batch, 7])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), path)
    model = open_model(str(path))
    assert (model.classes, model.channels, model.size, model.differentiable) == (7, 3, 20, False)
    assert any("no gradients" in note and "PyTorch model" in note for note in model.notes)
    agrees(model, net)


def test_onnx_without_onnxruntime_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"pip install 'cnncomm-bench\[onnx\]'"):
        open_model(str(path))


def test_whole_pickled_module_needs_trust(tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), path)
    with pytest.raises(ModelError, match=r"wants to run .*torch\.nn\.modules.*refused.*state_dict.*pass trust"):
        open_model(str(path))
    model = open_model(str(path), trust=True)
    assert (model.classes, model.channels, model.size) == (4, 3, 32)


# Architectures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["resnet18.pt", "resnet18-f37072fd.pth", "flowers_resnet18.best.pt", "ResNet-18.pth"])
def test_torchvision_architecture_and_classes_from_file(tmp_path, file):
    torchvision = import_torchvision()
    path = tmp_path / file
    resnet = torchvision.models.resnet18(num_classes=5).eval()
    torch.save(resnet.state_dict(), path)
    model = open_model(str(path))
    assert (model.classes, model.channels, model.size) == (5, 3, None)
    assert "torchvision's resnet18" in model.preprocessing.source
    agrees(model, resnet, side=40)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mobilenet_v3_small-047dcff4.pth", "mobilenet_v3_small"),
        ("vit_b_16.pt", "vit_b_16"),
        ("wide_resnet50_2.pt", "wide_resnet50_2"),
        ("my-vgg16-bn.pt", "vgg16_bn"),
        ("checkpoint.pt", None),
    ],
)
def test_file_names(tmp_path, file, name):
    found = from_file_name(tmp_path / file)
    assert (found.name if found else None) == name


def test_grey_resnet(tmp_path):
    torchvision = import_torchvision()
    resnet = torchvision.models.resnet18(num_classes=10)
    resnet.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pt")
    with pytest.raises(UsageError, match=r"3 numbers .* 1 channel"):
        open_model(str(tmp_path / "resnet18.pt"))
    model = open_model(str(tmp_path / "resnet18.pt"), mean="0.5", std="0.5")
    assert (model.channels, model.classes) == (1, 10)


@pytest.mark.parametrize("factory", ["net", "fixed", "insists", "Net"])
def test_factories_with_and_without_num_classes(net, arch, tmp_path, factory):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    agrees(open_model(str(tmp_path / "w.pt"), arch=arch.replace(":net", f":{factory}")), net)


def test_factory_of_a_module(net, tmp_path, monkeypatch):
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "nets.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(tmp_path)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    agrees(open_model(str(tmp_path / "w.pt"), arch="my_package.nets:net"), net)


@pytest.mark.parametrize(
    ("factory", "kind", "said"),
    [
        (":nett", UsageError, r"defines no nett; did you mean 'net'"),
        (":number", ModelError, r"returned a int, expected a torch.nn.Module"),
        (":broken", ModelError, r"calling broken failed \(RuntimeError: no weights today\)"),
    ],
)
def test_factories_that_fail(net, arch, tmp_path, factory, kind, said):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    with pytest.raises(kind, match=said):
        open_model(str(tmp_path / "w.pt"), arch=arch.replace(":net", factory))


@pytest.mark.parametrize(
    ("arch", "said"),
    [
        ("resnet81", r"torchvision has no such classifier; did you mean 'resnet\d+'"),
        ("nowhere.py:net", r"there is no file nowhere.py"),
        ("mynet.py", r"written FILE.py:factory"),
        ("no.such.module:net", r"No module named 'no'"),
    ],
)
def test_architectures_that_are_not_there(arch, said):
    with pytest.raises(UsageError, match=said):
        find(arch)


def test_own_file_that_cannot_be_imported(tmp_path):
    (tmp_path / "bad.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(ModelError, match=r"cannot be imported.*nothing_of_that_name"):
        find(f"{tmp_path / 'bad.py'}:net")


def test_timm(tmp_path):
    import_torchvision()  # before timm, which imports it too
    timm = pytest.importorskip("timm")
    path = tmp_path / "w.pt"
    network = timm.create_model("resnet10t", num_classes=6).eval()
    torch.save(network.state_dict(), path)
    model = open_model(str(path), arch="timm:resnet10t")
    assert (model.classes, model.size, model.preprocessing.source) == (6, None, "timm")
    with pytest.raises(UsageError, match="timm has no such model; did you mean"):
        open_model(str(path), arch="timm:resnet10x")


def test_timm_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'cnncomm-bench\[timm\]'"):
        find("timm:resnet18")


# Preprocessing -------------------------------------------------------------------------------------------------


def test_preprocessing_command_line_before_json_before_library(tmp_path):
    torchvision = import_torchvision()
    path = tmp_path / "resnet18.pt"
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), path)
    assert open_model(str(path)).preprocessing.mean == IMAGENET_MEAN
    (tmp_path / "model.json").write_text(
        json.dumps({"mean": [0.1], "std": [0.2], "size": 64, "resize": 80, "class_names": ["a", "b", "c"]})
    )
    model = open_model(str(path))
    assert (model.preprocessing.mean, model.preprocessing.std) == ((0.1,) * 3, (0.2,) * 3)
    assert (model.size, model.preprocessing.resize, model.class_names) == (64, 80, ("a", "b", "c"))
    assert model.preprocessing.source == "model.json"
    model = open_model(str(path), mean="0.3", size=32)
    assert (model.preprocessing.mean, model.preprocessing.std) == ((0.3,) * 3, (0.2,) * 3)
    assert (model.size, model.preprocessing.resize) == (32, 40)
    assert model.preprocessing.source == "as passed"
    with pytest.raises(UsageError, match=r"mean has 2 numbers \(as passed\) and the model takes 3 channels"):
        open_model(str(path), mean="0.3,0.4")


def test_architecture_from_model_json_but_no_code(net, arch, tmp_path):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    (tmp_path / "w.json").write_text(json.dumps({"architecture": arch}))
    with pytest.raises(ModelError, match="code of its own: pass it yourself if you trust it"):
        open_model(str(tmp_path / "w.pt"))
    torch.save(import_torchvision().models.resnet18(num_classes=4).state_dict(), tmp_path / "w.pt")
    (tmp_path / "w.json").write_text(json.dumps({"architecture": "resnet18"}))
    assert open_model(str(tmp_path / "w.pt")).classes == 4


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"mean": ["x"]}',
        '{"size": -3}',
        '{"mean": 0.5, "interpolation": 3}',
        '{"mean": 0.5, "interpolation": "x"}',
    ],
)
def test_broken_model_json(net, arch, tmp_path, text):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ModelError, match=r"model.json beside the model"):
        open_model(str(tmp_path / "w.pt"), arch=arch)


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        (
            "mean",
            "123.7,116.3,103.5",
            r"pixels from 0 to 255; for pixels in \[0, 1\] pass 0.4851,0.4561,0.4059",
        ),
        ("std", "0.2,0,0.2", "every number must be above 0"),
        ("mean", "a,b", "expected numbers with commas between"),
        ("mean", "nan", "expected finite numbers"),
    ],
)
def test_numbers_that_make_no_sense(argument, value, said):
    with pytest.raises(UsageError, match=said) as caught:
        numbers(argument, value)
    assert caught.value.arguments == (argument,)


def test_size_out_of_range():
    with pytest.raises(UsageError, match="size 0: expected"):
        overridden(find("resnet18").preprocessing, None, None, 0)


def test_mean_of_wrong_length(net, arch, tmp_path):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    with pytest.raises(UsageError, match=r"mean has 2 numbers .* takes 3 channels"):
        open_model(str(tmp_path / "w.pt"), arch=arch, mean="0.5,0.5")


def test_model_is_frozen_and_differentiable_in_the_image(net, arch, tmp_path):
    torch.save(net.state_dict(), tmp_path / "w.pt")
    model = open_model(str(tmp_path / "w.pt"), arch=arch)
    x = images().requires_grad_()
    model.predict(x).sum().backward()
    assert x.grad is not None
    assert not any(p.requires_grad for p in model.predict.parameters())
    assert not model.predict.training


# What does not fit ---------------------------------------------------------------------------------------------


def test_weights_of_another_architecture_name_the_keys(tmp_path):
    torchvision = import_torchvision()
    torch.save(torchvision.models.resnet34(num_classes=5).state_dict(), tmp_path / "resnet18.pt")
    with pytest.raises(
        ModelError,
        match=r"resnet18.pt does not fit resnet18: .*left over \(layer1.2.conv1.weight.*trained with: torch",
    ):
        open_model(str(tmp_path / "resnet18.pt"))
    with pytest.raises(ModelError, match=r"does not fit resnet50: .*missing \(layer1.0.conv3.weight"):
        open_model(str(tmp_path / "resnet18.pt"), arch="resnet50")


def test_shapes_that_differ_are_named(net, arch, tmp_path):
    state = net.state_dict()
    state["bn.weight"] = torch.ones(5)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=r"bn.weight is \(5,\), expected \(4,\)"):
        open_model(str(tmp_path / "w.pt"), arch=arch)


def test_no_architecture(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "best.pt")
    with pytest.raises(UsageError, match=r"best.pt holds weights only.*pass NAME .*resnet18.*FILE.py:factory"):
        open_model(str(tmp_path / "best.pt"))


@pytest.mark.parametrize(("key", "value"), [("fc.bias", float("nan")), ("conv1.weight", float("inf"))])
def test_broken_weights_are_named(net, arch, tmp_path, key, value):
    state = net.state_dict()
    state[key].view(-1)[1] = value
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=rf"w.pt: {key} has 1 weights that are NaN or infinite"):
        open_model(str(tmp_path / "w.pt"), arch=arch)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1)), r"returned shape \(2, 4, 32, 32\) for 2 images, expected \(2, classes\)"),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1)), "returned 1 number an image"),
        (nn.Sequential(nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Linear(5, 3)), "cannot classify images"),
    ],
)
def test_modules_that_are_no_classifiers(tmp_path, network, said):
    torch.jit.save(torch.jit.script(network), str(tmp_path / "m.pt"))
    with pytest.raises(ModelError, match=said):
        open_model(str(tmp_path / "m.pt"), trust=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_model_that_returns_nan(tmp_path):
    class Broken(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) * float("nan")

    torch.jit.save(torch.jit.script(Broken()), str(tmp_path / "m.pt"))
    with pytest.raises(ModelError, match="returned NaN or infinity"):
        open_model(str(tmp_path / "m.pt"), trust=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_probabilities_are_noticed(tmp_path):
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4), nn.Softmax(1))
    torch.jit.save(torch.jit.script(network), str(tmp_path / "m.pt"))
    assert any("returns probabilities" in note for note in open_model(str(tmp_path / "m.pt"), trust=True).notes)


def test_size_that_the_model_does_not_take(tmp_path):
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(784, 4)), tmp_path / "m.pt")
    model = open_model(str(tmp_path / "m.pt"), trust=True)
    assert (model.channels, model.size) == (1, 28)
    with pytest.raises(ModelError, match=r"30 x 30 pixels .* another size"):
        open_model(str(tmp_path / "m.pt"), trust=True, size=30)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("nowhere.pt", r"nowhere.pt: there is no such file .*bundled:NAME"),
        ("bundeld:standard", r"no kind of model is called bundeld; there are bundled, torchvision"),
        ("torchvision:resnet81:IMAGENET1K_V1", r"torchvision has no such classifier; did you mean"),
        ("torchvision:resnet18:IMAGENET", r"did you mean 'IMAGENET1K_V1'"),
    ],
)
def test_names_and_files_that_are_not_there(spec, said):
    with pytest.raises(UsageError, match=said):
        open_model(spec)


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(UsageError, match="is a folder: pass the checkpoint file in it"):
        open_model(str(tmp_path))


def test_robustbench_asks_for_trust():
    with pytest.raises(ModelError, match=r"robustbench:Standard: .*unpickles.*Pass trust"):
        open_model("robustbench:Standard")


def test_torchvision_weights_bring_their_preprocessing(monkeypatch, tmp_path):
    torchvision = import_torchvision()
    weights = torchvision.models.get_model_weights("resnet18").IMAGENET1K_V1
    state = torchvision.models.resnet18().state_dict()
    # No network here: the address becomes a file of our own, whose name has no hash to check.
    path = tmp_path / "resnet18.pth"
    torch.save(state, path)
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, **_: torch.load(path, weights_only=True))
    model = open_model("torchvision:resnet18:IMAGENET1K_V1", device="cpu")
    assert (model.classes, model.size, model.preprocessing.resize) == (1000, 224, 256)
    assert model.class_names is not None
    assert model.class_names[1] == "goldfish"


def test_bundled_by_name():
    bundled = pytest.importorskip("cnncomm_bench.bundled")
    if not list(getattr(bundled, "MODELS", ())):
        pytest.skip("no bundled models yet")
    model = open_model("bundled:standard")
    assert (model.name, model.classes, model.channels, model.size) == ("bundled:standard", 10, 1, 28)
    with pytest.raises(UsageError, match="did you mean 'standard'"):
        open_model("bundled:standart")


@pytest.mark.skipif(not (SHARED / "cifar10_resnet20.th").is_file(), reason="needs ../shared/data")
def test_cifar_resnet20_scores_as_published():
    example = Path(__file__).resolve().parents[1] / "examples" / "resnet20.py"
    model = open_model(str(SHARED / "cifar10_resnet20.th"), arch=f"{example}:resnet20")
    with np.load(SHARED / "cifar10_sample.npz") as sample:
        x = torch.from_numpy(sample["x"][:500]).permute(0, 3, 1, 2).float() / 255
        y = torch.from_numpy(sample["y"][:500])
    with torch.no_grad():
        accuracy = float((model.predict(x).argmax(1) == y).float().mean())
    assert accuracy == pytest.approx(0.81, abs=0.04)

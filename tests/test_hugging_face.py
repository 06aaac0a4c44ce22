"""Folders of the Hugging Face hub, made here from tiny configurations, open; what is hostile in them is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cnncomm_bench._utils.errors import ModelError, UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.models import hugging_face
from cnncomm_bench.models.loading import open_model

import_torchvision()
TINY = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "image_size": 16,
        "patch_size": 8}  # fmt: skip
PROCESSOR = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "size": {"height": 16, "width": 16},
             "resample": 3}  # fmt: skip


@pytest.fixture
def vit(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(**TINY, id2label={0: "ant", 1: "bee", 2: "cow"})
    network = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path / "vit", network


def edited(folder: Path, **changes) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return str(folder)


def test_a_classifier_of_transformers(vit):
    folder, network = vit
    model = open_model(str(folder))
    assert (model.name, model.classes, model.channels, model.size) == ("vit", 3, 3, 16)
    assert model.class_names == ("ant", "bee", "cow")
    assert model.preprocessing.interpolation == "bicubic"
    assert model.preprocessing.source == "preprocessor_config.json"
    assert any("transformers would stretch them" in note for note in model.notes)
    x = torch.rand(2, 3, 16, 16)
    mean, std = (torch.tensor(PROCESSOR[key]).view(1, 3, 1, 1) for key in ("image_mean", "image_std"))
    with torch.no_grad():
        torch.testing.assert_close(model.predict(x), network((x - mean) / std).logits, atol=1e-5, rtol=1e-4)
    with pytest.raises(UsageError, match="has its own architecture: leave resnet18 out"):
        open_model(str(folder), arch="resnet18")


def test_the_hub_gives_such_a_folder(vit, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    asked = []
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **options: (asked.append((name, options)), vit[0])[1])
    assert open_model("hf-hub:org/vit@v2").name == "hf-hub:org/vit@v2"
    assert asked == [("org/vit", {"revision": "v2", "allow_patterns": list(hugging_face.FILES)})]

    def fails(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(hub, "snapshot_download", fails)
    with pytest.raises(ModelError, match=r"hf-hub:org/vit could not be fetched \(OSError: no network\).*its folder"):
        open_model("hf-hub:org/vit")


def test_a_model_of_timm(tmp_path):
    timm = pytest.importorskip("timm")
    network = timm.create_model("resnet10t", num_classes=3).eval()
    stated = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 32, 32], "crop_pct": 0.5,
              "interpolation": "bicubic", "label_names": ["ant", "bee", "cow"]}  # fmt: skip
    config = {"architecture": "resnet10t", "num_classes": 3, "pretrained_cfg": stated}
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    model = open_model(str(tmp_path))
    assert (model.classes, model.size, model.preprocessing.resize, model.class_names[2]) == (3, 32, 64, "cow")
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.predict(x), network((x - 0.5) / 0.25), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"size": 20, "do_center_crop": True, "crop_size": 16}, ((0.0,), (1.0,), 16, 20)),
        ({"size": {"shortest_edge": 16}, "crop_pct": 0.5, "image_mean": [0.5], "image_std": [0.5]},
         ((0.5,), (0.5,), 16, 32)),
        ({"do_resize": False, "do_normalize": False, "image_mean": [9, 9, 9]}, ((0.0,), (1.0,), 16, None)),
        # pixels of 0 to 255 times 1 / 127.5, less one, come to [-1, 1]
        ({"size": {"height": 16, "width": 16}, "rescale_factor": 1 / 127.5, "rescale_offset": True},
         ((0.5,), (0.5,), 16, 16)),
    ],
)  # fmt: skip
def test_preprocessors(tmp_path, content, expected):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(content))
    known, _ = hugging_face._preprocessing(tmp_path, {"image_size": 16}, "m")
    assert (pytest.approx(known.mean), pytest.approx(known.std), known.size, known.resize) == expected


class TestHostile:
    def test_no_code_weights_or_kernels_are_taken_from_a_config(self, vit):
        folder, _ = vit
        (folder / "evil.py").write_text("raise SystemExit('executed')\n")
        spec = edited(
            folder,
            auto_map={"AutoConfig": "evil.Config", "AutoModelForImageClassification": "evil.Model"},
            _attn_implementation="someone/kernels",
            attn_implementation="someone/kernels",
            torch_dtype="bfloat16",
        )
        model = open_model(spec)
        assert model.predict(torch.rand(1, 3, 16, 16)).dtype == torch.float32
        assert model.predict.network.config._attn_implementation in ("eager", "sdpa")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"hidden_size": 10**9}, r"hidden_size is 1000000000, expected at most 16384"),
            ({"num_hidden_layers": 10**6}, r"num_hidden_layers is 1000000, expected at most 500"),
            (
                {"hidden_size": 2**14, "num_attention_heads": 1},
                r"describes [\d,]+ weights, and its file holds [\d,]+: refused",
            ),
            ({"hidden_size": 10}, r"the weights of vit do not fit its config.json: \d+ of another shape"),
            ({"hidden_size": "x"}, r"cannot build what config.json says"),
            ({"model_type": "bert"}, r"is a bert, which is no image classifier of transformers"),
            ({"model_type": "timm_wrapper"}, r"is no image classifier"),
            ({"model_type": ["vit"]}, r"is no image classifier"),
            ({"quantization_config": {}}, r"has quantised weights"),
            ({"architecture": "../evil"}, r"timm has no such model|names no architecture|timm cannot be imported"),
            ({"architecture": 3}, r"names no architecture of timm"),
        ],
    )
    def test_configs_that_claim_too_much(self, vit, changes, said):
        with pytest.raises((ModelError, UsageError), match=said) as caught:
            open_model(edited(vit[0], **changes))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("file", "text", "said"),
        [
            ("config.json", "{", "config.json of vit cannot be read"),
            ("config.json", "[]", "it holds no object"),
            ("config.json", '{"a": ' * 40 + "1" + "}" * 40, "nested more than 20 deep"),
            ("config.json", '{"x": 1, "x": 2}', "is there twice"),
            ("config.json", " " * 2**23, "larger than 4 MiB"),
            ("preprocessor_config.json", '{"size": 99999}', "a side of 99999"),
            ("preprocessor_config.json", '{"size": {"height": "x"}}', "a side of x"),
            ("preprocessor_config.json", '{"rescale_factor": 0}', "ZeroDivisionError"),
            ("preprocessor_config.json", '{"image_std": [0, 1, 1]}', "every number must be above 0"),
            ("model.safetensors", "", "model.safetensors is empty"),
        ],
    )
    def test_broken_files(self, vit, file, text, said):
        (vit[0] / file).write_text(text)
        with pytest.raises(ModelError, match=said):
            open_model(str(vit[0]))

    def test_weights_that_are_not_there(self, vit):
        (vit[0] / "model.safetensors").unlink()
        with pytest.raises(ModelError, match=r"holds neither model.safetensors nor pytorch_model.bin"):
            open_model(str(vit[0]))

    def test_transformers_missing_says_what_to_install(self, vit, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "transformers", None)
        with pytest.raises(ModelError, match=r"pip install 'cnncomm-bench\[transformers\]'"):
            open_model(str(vit[0]))

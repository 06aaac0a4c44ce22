"""Train torchvision's ResNet-18 on a folder of images and save a state dict that cnncomm-bench opens.

    python examples/finetune_resnet18.py --data flower_photos/train --val flower_photos/val --out resnet18.pt
    cnncomm-bench --model resnet18.pt --data flower_photos/val

The folder has one folder a class. `--pretrained` starts from torchvision's ImageNet weights (a download of 45 MB, and
far better on few images); without it the network learns from nothing, in some ten minutes on two cores. Beside the
weights it writes resnet18.json, which gives cnncomm-bench the size and normalisation the network was trained with.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.data.images import Images, open_images
from cnncomm_bench.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD


def augmented(images: np.ndarray, side: int, generator: torch.Generator) -> Tensor:
    """Cut a random square out of every image (30 to 100 % of its area), mirror half of them, normalise."""
    batch = torch.empty(len(images), 3, side, side)
    for index, pixels in enumerate(images):
        height, width = pixels.shape[1:]
        area, across, down, mirror = torch.rand(4, generator=generator).tolist()
        cut = round(min(height, width) * (0.3 + 0.7 * area) ** 0.5)
        top, left = int(down * (height - cut + 1)), int(across * (width - cut + 1))
        square = torch.from_numpy(pixels[:, top : top + cut, left : left + cut]).float()[None]
        square = functional.interpolate(square, (side, side), mode="bilinear", antialias=True)[0]
        batch[index] = square.flip(-1) if mirror < 0.5 else square
    return normalised(batch)


def normalised(batch: Tensor) -> Tensor:
    """Normalise pixels from 0 to 255 by the ImageNet statistics."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((batch - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def accuracy(model: nn.Module, data: Images) -> float:
    """Share of images classified right."""
    model.eval()
    right = 0
    for start in range(0, len(data.images), 64):
        logits = model(normalised(torch.from_numpy(data.images[start : start + 64]).float()))
        right += int((logits.argmax(1).numpy() == data.labels[start : start + 64]).sum())
    return right / len(data.images)


def build(classes: int, pretrained: bool) -> nn.Module:
    """Make the network, with a new last layer where the others come from ImageNet."""
    models = import_torchvision().models
    if not pretrained:
        model = models.resnet18(num_classes=classes, zero_init_residual=True)
    else:
        model = models.resnet18(weights=models.ResNet18_Weights.IMAGENET1K_V1)
        model.fc = nn.Linear(model.fc.in_features, classes)
    return model.to(memory_format=torch.channels_last)


def train(model: nn.Module, data: Images, args: argparse.Namespace) -> None:
    """Stochastic gradient descent on one cycle; small images at first, which is faster and no worse."""
    generator = torch.Generator().manual_seed(args.seed)
    steps = len(data.images) // args.batch_size
    # Norms and biases are not decayed: it costs accuracy and regularises nothing.
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": args.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=args.lr, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, args.epochs * steps, pct_start=0.25)
    started = time.time()
    for epoch in range(args.epochs):
        share = min(1.0, 0.6 + 0.4 * epoch / max(1, 0.7 * args.epochs))
        side = round(args.size * share / 16) * 16
        model.train()
        losses = []
        order = torch.randperm(len(data.images), generator=generator)[: steps * args.batch_size]
        for batch in order.split(args.batch_size):
            chosen = batch.numpy()
            with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
                logits = model(augmented(data.images[chosen], side, generator))
            loss = functional.cross_entropy(logits.float(), torch.from_numpy(data.labels[chosen]), label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(
            f"epoch {epoch + 1}/{args.epochs}: {side} px, loss {np.mean(losses):.3f}, {time.time() - started:.0f} s",
            flush=True,
        )


def main() -> None:
    """Train, save, and say how to score the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder to train on, one folder a class")
    parser.add_argument("--val", help="folder to measure the accuracy on")
    parser.add_argument("--out", type=Path, default=Path("resnet18.pt"))
    parser.add_argument("--pretrained", action="store_true", help="start from torchvision's ImageNet weights")
    parser.add_argument("--size", type=int, default=96, help="side of the images the network is trained for")
    parser.add_argument("--epochs", type=int, default=None, help="14, or 4 with --pretrained")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=None, help="0.05, or 0.01 with --pretrained")
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--bf16", action="store_true", help="twice as fast on processors with AVX-512 BF16 or AMX")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.epochs = args.epochs or (4 if args.pretrained else 14)
    args.lr = args.lr or (0.01 if args.pretrained else 0.05)
    torch.manual_seed(args.seed)

    # Twice the size: enough pixels for the smallest crops.
    data = open_images(args.data, channels=3, size=2 * args.size)
    if data.labels is None:
        parser.error(f"{args.data} has no labels: expected one folder a class")
    model = build(len(data.class_names), args.pretrained)
    train(model, data, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({key: value.contiguous() for key, value in model.state_dict().items()}, args.out)
    description = {
        "architecture": "resnet18",
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "size": args.size,
        "class_names": data.class_names,
    }
    args.out.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
    if args.val:
        validation = open_images(args.val, channels=3, size=args.size)
        reached = accuracy(model, validation)
        print(f"accuracy {reached:.3f} on {len(validation.images)} images of {args.val} at {args.size} px")
    print(f"wrote {args.out}: cnncomm-bench --model {args.out} --data {args.val or 'FOLDER'}")


if __name__ == "__main__":
    main()

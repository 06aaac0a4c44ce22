"""Go on training a checkpoint on images that are disturbed by an attack at a fixed SNR, and save a state dict.

    python examples/robust_finetune.py --model cifar10_resnet20.th --arch examples/resnet20.py:resnet20 \
        --data cifar10/train.npz --attack fgm --snr 30 --epochs 3 --out resnet20_adversarial.safetensors
    cnncomm-bench --model cifar10_resnet20.th --model resnet20_adversarial.safetensors \
        --arch examples/resnet20.py:resnet20 --data cifar10

The models of the leaderboards were made so: from cifar10_resnet20.th with `--attack fgm --snr 30 --epochs 3` and with
`--attack gaussian --snr 20 --epochs 2`; and from the ResNet-18 of finetune_resnet18.py on the flowers' training folder,
with `--attack fgm --snr 35` and with `--attack gaussian --snr 20`, both with `--epochs 2 --batch-size 32 --lr 0.02`.

The attack is any spec of `cnncomm-bench attacks`: an adversary makes it adversarial training (of one gradient step with
fgm), a noise makes it training on noise. A JSON file beside the weights holds size and normalisation for cnncomm-bench.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from cnncomm_bench.attacks import parse
from cnncomm_bench.data.images import open_images
from cnncomm_bench.experiments.training import at_snr, train
from cnncomm_bench.models.loading import open_model


def main() -> None:
    """Open, train, save, and say how to score the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="checkpoint to start from, as for cnncomm-bench")
    parser.add_argument("--arch", help="its architecture, as for cnncomm-bench")
    parser.add_argument("--data", required=True, help="images to train on, as for cnncomm-bench")
    parser.add_argument("--attack", required=True, help="spec of the attack that disturbs them")
    parser.add_argument("--snr", type=float, required=True, help="dB")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    args = parser.parse_args()

    opened = open_model(args.model, arch=args.arch, device=args.device)
    data = open_images(args.data, channels=opened.channels, size=opened.size)
    if data.labels is None:
        parser.error(f"{args.data} has no labels")
    model = opened.predict.requires_grad_(True)
    train(
        model,
        torch.from_numpy(data.images),
        torch.from_numpy(data.labels),
        disturb=at_snr(parse(args.attack), args.snr, args.seed),
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.lr,
        seed=args.seed,
        device=args.device,
        title=f"{args.attack} at {args.snr:g} dB",
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    weights = model.network.state_dict() if hasattr(model, "network") else model.state_dict()
    save_file({key: value.contiguous().cpu() for key, value in weights.items()}, args.out)
    preprocessing = opened.preprocessing
    description = {"mean": preprocessing.mean, "std": preprocessing.std, "size": opened.size or data.images.shape[-1]}
    if opened.class_names:
        description["class_names"] = opened.class_names
    args.out.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
    print(f"wrote {args.out}: cnncomm-bench --model {args.out} --arch {args.arch or 'SPEC'} --data FOLDER")


if __name__ == "__main__":
    main()

"""Train the four bundled models on Fashion-MNIST and write what cnncomm_bench/bundled holds.

    python examples/train_bundled.py --data FOLDER [--only-images] [MODEL ...]

FOLDER holds the four gzipped IDX files of Fashion-MNIST: Debian's package dataset-fashion-mnist puts them in
/usr/share/datasets/fashion-mnist, and torchvision.datasets.FashionMNIST downloads them. Takes about half an hour
on two cores. The test images bundled are the first 200 of each class, the training images 600 of each class, drawn
at random.
"""

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from cnncomm_bench import bundled
from cnncomm_bench.attacks import parse
from cnncomm_bench.attacks.query import predict
from cnncomm_bench.bundled.network import SmallResNet
from cnncomm_bench.experiments.training import at_snr, train

RECIPES = {
    "standard": {},
    "adversarial": {"attack": "pgd:steps=1,step=1.25", "snr_db": 20.0},
    "gaussian": {"attack": "gaussian", "snr_db": 10.0},
    "stable": {"attack": "stable:alpha=0.5", "snr_db": 10.0},
}
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images, shape-(N, 1, 28, 28), and labels of `train` or `t10k`."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)


def write_images(folder: Path, out: Path) -> None:
    """The bundled test and training images, balanced over the classes."""
    for part, name, count in (("t10k", "fashion_mnist", 200), ("train", "fashion_mnist_train", 600)):
        images, labels = read(folder, part)
        generator = np.random.default_rng(0)
        of_class = [np.flatnonzero(labels == k) for k in range(len(CLASSES))]
        drawn = [rows[:count] if part == "t10k" else generator.choice(rows, count, replace=False) for rows in of_class]
        chosen = np.sort(np.concatenate(drawn))
        np.savez_compressed(out / f"{name}.npz", x=images[chosen], y=labels[chosen], classes=np.array(CLASSES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(RECIPES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=bundled.FOLDER)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only-images", action="store_true", help="write the images, train nothing")
    arguments = parser.parse_args()

    write_images(arguments.data, arguments.out)
    if arguments.only_images:
        return
    with np.load(arguments.out / "fashion_mnist.npz") as file:
        test, truth = torch.from_numpy(file["x"]).float() / 255, file["y"]
    images, labels = (torch.tensor(part) for part in read(arguments.data, "train"))
    for name in arguments.models or RECIPES:
        recipe = RECIPES[name]
        disturb = at_snr(parse(recipe["attack"]), recipe["snr_db"]) if recipe else None
        torch.manual_seed(0)
        model = train(SmallResNet(), images, labels, disturb=disturb, epochs=arguments.epochs, title=name)
        right = (predict(model, test).numpy() == truth).mean()
        print(f"{name}: {right:.4f} clean accuracy on the bundled images")
        about = {**{k: str(v) for k, v in recipe.items()}, "epochs": str(arguments.epochs), "seed": "0"}
        weights = {key: value.contiguous() for key, value in model.state_dict().items()}
        save_file(weights, arguments.out / f"{name}.safetensors", metadata={"recipe": json.dumps(about)})


if __name__ == "__main__":
    main()

"""Our adversaries beside the implementations people know, at one L2 radius: robust accuracy, the lower the stronger.

    python examples/benchmarks/strength.py [MODEL ...]

500 images, seed 0, equal steps or queries; torchattacks for APGD and Square, Foolbox's DDN (50 steps) for fmn.
"""

import argparse

import foolbox
import torch
from tabulate import tabulate

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.query import predict

import_torchvision()
import torchattacks  # noqa: E402

IMAGES = 500
# Radii at which gradient attacks leave about a fifth of the images, and Square about half.
GRADIENT, BLACK_BOX = {"standard": 0.35, "adversarial": 2.0}, {"standard": 1.0, "adversarial": 2.5}


def peers(model: torch.nn.Module, radius: dict[str, float], name: str) -> list[tuple[str, float, object]]:
    """Our spec, the radius, and a function from images and labels to the other library's adversarial images."""
    eps, far = radius[name], BLACK_BOX[name]

    def ddn(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        network = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        found, _, _ = foolbox.attacks.DDNAttack(steps=50)(network, images, labels, epsilons=None)
        near = (found - images).flatten(1).norm(dim=1) <= eps
        return torch.where(near[:, None, None, None], found, images)

    return [
        ("apgd-ce:steps=20", eps, torchattacks.APGD(model, norm="L2", eps=eps, steps=20, loss="ce", seed=0)),
        ("apgd-dlr:steps=20", eps, torchattacks.APGD(model, norm="L2", eps=eps, steps=20, loss="dlr", seed=0)),
        (
            "apgd-dlr:steps=10,targeted=true",
            eps,
            torchattacks.APGDT(model, norm="L2", eps=eps, steps=10, n_classes=10, seed=0),
        ),
        ("square-attack:queries=500", far, torchattacks.Square(model, norm="L2", eps=far, n_queries=500, seed=0)),
        ("fmn", eps, ddn),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(GRADIENT), metavar="MODEL")
    pixels, classes, _ = bundled.images()
    stride = len(pixels) // IMAGES
    images, labels = torch.from_numpy(pixels[::stride]).float() / 255, torch.from_numpy(classes[::stride])
    rows = []
    for name in parser.parse_args().models:
        model = bundled.load(name).requires_grad_(False)
        for spec, radius, theirs in peers(model, GRADIENT, name):
            budget = 20 * torch.log10(snr.power(images).sqrt() / radius)
            (ours,) = parse(spec).over(AdversaryBatch(images, labels, model), budget[None])
            accuracies = [
                float((answers == labels).double().mean())
                for answers in (ours.predictions, predict(model, theirs(images, labels)))
            ]
            rows.append([name, radius, spec, *(f"{accuracy:.3f}" for accuracy in accuracies)])
            print(rows[-1], flush=True)
    print(tabulate(rows, headers=["model", "L2 radius", "attack", "ours", "peer"], disable_numparse=True))


if __name__ == "__main__":
    main()

"""An existing Foolbox pipeline with our noise added: two lines, marked with <<<. Epsilons are SNRs.

python examples/foolbox_pipeline.py
"""

import torch
from foolbox import PyTorchModel
from foolbox.attacks import L2PGD, L2AdditiveGaussianNoiseAttack

from cnncomm_bench import bundled
from cnncomm_bench.attacks.adapters.relative_l2 import epsilons_of  # <<<
from cnncomm_bench.attacks.for_foolbox import AlphaStableNoise, FixedSNR, ShapedImpulseNoise

SNRS_DB = (30, 20, 10)


def main(count: int = 100) -> dict[str, list[float]]:
    model = PyTorchModel(bundled.load("standard"), bounds=(0, 1), device="cpu")
    pixels, classes, _ = bundled.images()
    images = torch.from_numpy(pixels[:: len(pixels) // count]).float() / 255
    labels = torch.from_numpy(classes[:: len(classes) // count])

    _, _, fooled = L2AdditiveGaussianNoiseAttack()(model, images, labels, epsilons=[0.5, 1, 2])
    print("Foolbox's own noise at three radii:", [f"{1 - row.float().mean().item():.3f}" for row in fooled])
    attacks = {
        "Cauchy noise": AlphaStableNoise(alpha=1.0),  # <<<
        "square impulses": ShapedImpulseNoise(shape="square"),
        "L2PGD": FixedSNR(L2PGD(steps=10)),  # the library's attack, on the same ruler as the noise
    }
    accuracies = {}
    for name, attack in attacks.items():
        _, _, fooled = attack(model, images, labels, epsilons=epsilons_of(SNRS_DB))
        accuracies[name] = [1 - row.float().mean().item() for row in fooled]
        shown = ", ".join(f"{a:.3f} at {db} dB" for a, db in zip(accuracies[name], SNRS_DB, strict=True))
        print(f"{name:20} accuracy {shown}")
    return accuracies


if __name__ == "__main__":
    main()

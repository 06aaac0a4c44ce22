"""An existing torchattacks pipeline with our noise added: two lines, marked with <<<.

python examples/torchattacks_pipeline.py
"""

import torch
import torchattacks

from cnncomm_bench import bundled
from cnncomm_bench.attacks.for_torchattacks import AlphaStableNoise, FixedSNR, ShapedImpulseNoise  # <<<

SNR_DB = 20.0


def main(count: int = 100) -> dict[str, float]:
    model = bundled.load("standard")
    pixels, classes, _ = bundled.images()
    images, labels = torch.from_numpy(pixels[:: len(pixels) // count]).float() / 255, torch.from_numpy(classes)
    labels = labels[:: len(classes) // count]

    attacks = [
        torchattacks.FGSM(model, eps=8 / 255),
        torchattacks.PGDL2(model, eps=1.0),
        *(AlphaStableNoise(model, alpha=1.0, snr_db=SNR_DB), ShapedImpulseNoise(model, snr_db=SNR_DB)),  # <<<
        FixedSNR(torchattacks.PGDL2(model), snr_db=SNR_DB),  # the library's attack, on the same ruler as the noise
    ]
    accuracies = {}
    for attack in attacks:
        disturbed = attack(images, labels)
        accuracies[attack.attack] = (model(disturbed).argmax(1) == labels).float().mean().item()
        print(f"{attack.attack:20} accuracy {accuracies[attack.attack]:.3f}")
    return accuracies


if __name__ == "__main__":
    main()

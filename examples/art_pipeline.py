"""An existing ART pipeline with our noise added: two lines, marked with <<<.

python examples/art_pipeline.py
"""

import numpy as np
from art.attacks.evasion import FastGradientMethod, ProjectedGradientDescent
from art.estimators.classification import PyTorchClassifier
from torch import nn

from cnncomm_bench import bundled
from cnncomm_bench.attacks.for_art import AlphaStableNoise, FixedSNR, ShapedImpulseNoise  # <<<

SNR_DB = 20.0


def main(count: int = 100) -> dict[str, float]:
    pixels, classes, names = bundled.images()
    x, y = pixels[:: len(pixels) // count].astype(np.float32) / 255, classes[:: len(classes) // count]
    classifier = PyTorchClassifier(
        bundled.load("standard"),
        loss=nn.CrossEntropyLoss(),
        input_shape=x.shape[1:],
        nb_classes=len(names),
        clip_values=(0.0, 1.0),
    )
    pgd = ProjectedGradientDescent(classifier, norm=2, eps=1.0, eps_step=0.2, max_iter=10, verbose=False)
    attacks = {
        "FGM": FastGradientMethod(classifier, norm=2, eps=1.0),
        "PGD": pgd,
        "Cauchy noise": AlphaStableNoise(classifier, alpha=1.0, snr_db=SNR_DB),  # <<<
        "square impulses": ShapedImpulseNoise(classifier, shape="square", snr_db=SNR_DB),
        f"PGD at {SNR_DB:g} dB": FixedSNR(pgd, snr_db=SNR_DB),  # the library's attack, on the same ruler as the noise
    }
    accuracies = {}
    for name, attack in attacks.items():
        answers = classifier.predict(attack.generate(x, y)).argmax(1)
        accuracies[name] = float((answers == y).mean())
        print(f"{name:20} accuracy {accuracies[name]:.3f}")
    return accuracies


if __name__ == "__main__":
    main()

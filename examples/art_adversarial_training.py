"""Training with our noise by ART's AdversarialTrainer, and what it buys at a fixed SNR.

`fresh=True` matters: without it an image's noise is always the same, and the model learns it by heart.

    python examples/art_adversarial_training.py
"""

import numpy as np
import torch
from art.attacks.evasion import ProjectedGradientDescent
from art.defences.trainer import AdversarialTrainer
from art.estimators.classification import PyTorchClassifier
from torch import nn

from cnncomm_bench import bundled
from cnncomm_bench.attacks.for_art import AlphaStableNoise

SNR_DB = 10.0


def main(count: int = 200, epochs: int = 1) -> dict[str, float]:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - ART shuffles with it
    pixels, classes, names = bundled.images()
    x, y = pixels.astype(np.float32) / 255, np.eye(len(names), dtype=np.float32)[classes]
    # A demonstration: half of the bundled images to train on, a part of the others to test on.
    train, test = slice(0, 2 * count, 2), slice(1, 2 * count, 2)
    model = bundled.load("standard")
    classifier = PyTorchClassifier(
        model,
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9),
        input_shape=x.shape[1:],
        nb_classes=len(names),
        clip_values=(0.0, 1.0),
    )
    noise = AlphaStableNoise(classifier, alpha=1.0, snr_db=SNR_DB)

    def accuracy(images: np.ndarray) -> float:
        return float((classifier.predict(images).argmax(1) == classes[test]).mean())

    accuracies = {"before, clean": accuracy(x[test]), "before, noise": accuracy(noise.generate(x[test]))}
    attacks = [
        ProjectedGradientDescent(classifier, norm=2, eps=0.5, eps_step=0.2, max_iter=3, verbose=False),
        AlphaStableNoise(classifier, alpha=1.0, snr_db=SNR_DB, fresh=True),
    ]
    AdversarialTrainer(classifier, attacks, ratio=0.5).fit(x[train], y[train], batch_size=32, nb_epochs=epochs)
    accuracies |= {"after, clean": accuracy(x[test]), "after, noise": accuracy(noise.generate(x[test]))}
    for name, value in accuracies.items():
        print(f"{name:15} accuracy {value:.3f}")
    return accuracies


if __name__ == "__main__":
    main()

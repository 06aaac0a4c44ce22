"""What a whole robust-accuracy curve costs: fmn, which runs once, with a quarter of the gradients of pgd over the grid.

    python examples/benchmarks/passes.py [MODEL ...]

Prints, for each bundled model, the passes through the model that an image took over the default grid, and by how much
the attack's accuracy curve lies above pgd-50's at worst (0: nowhere above).
"""

import argparse

from tabulate import tabulate

from cnncomm_bench import bundled, evaluate

PGD = "pgd:steps=50"
IMAGES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["standard", "adversarial"], metavar="MODEL")
    images, labels, _ = bundled.images()
    stride = len(images) // IMAGES
    rows = []
    for name in parser.parse_args().models:
        accuracy, steps = {}, 0
        for attack in (PGD, "apgd-ce", "fmn"):
            spec = f"fmn:steps={steps}" if attack == "fmn" else attack
            run = evaluate(bundled.load(name), images[::stride], labels[::stride], attacks=[spec], name=name)
            ((spec, facts),) = run.info.facts[name].items()
            forward, backward = (sum(facts[f"{kind}_passes"].values()) for kind in ("forward", "backward"))
            steps = steps or int(backward / 4)
            accuracy[spec] = run.curves[run.curves.attack == spec].set_index("snr_db").accuracy
            above = (accuracy[spec] - accuracy[PGD]).max()
            rows.append([name, spec, round(forward), round(backward), f"{above:+.3f}"])
    print(tabulate(rows, headers=["model", "attack", "forward", "backward", "above pgd-50 by at most"]))


if __name__ == "__main__":
    main()

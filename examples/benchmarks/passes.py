"""What a whole robust-accuracy curve costs: fmn, which runs once, and the attacks that walk over the grid.

    python examples/benchmarks/passes.py [MODEL ...]

Prints, for each bundled model, the passes through the model that an image took over the default grid, and by how much
the attack's accuracy curve lies above pgd-50's at worst (0: nowhere above).
"""

import argparse

from tabulate import tabulate

from cnncomm_bench import bundled, evaluate

PGD = "pgd:steps=50"
IMAGES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["standard", "adversarial"], metavar="MODEL")
    images, labels, _ = bundled.images()
    stride = len(images) // IMAGES
    rows = []
    for name in parser.parse_args().models:
        accuracy = {}
        for spec in (PGD, "apgd-ce", "fmn"):
            chosen = images[::stride], labels[::stride]
            run = evaluate(bundled.load(name), *chosen, attacks=[spec], snr_db="0:50:5", name=name)
            facts = run.info.facts[name][spec]
            forward, backward = (sum(facts[f"{kind}_passes"].values()) for kind in ("forward", "backward"))
            accuracy[spec] = run.curves[run.curves.attack == spec].set_index("snr_db").accuracy
            above = (accuracy[spec] - accuracy[PGD]).max()
            rows.append([name, spec, round(forward), round(backward), f"{above:+.3f}"])
    print(tabulate(rows, headers=["model", "attack", "forward", "backward", "above pgd-50 by at most"]))


if __name__ == "__main__":
    main()

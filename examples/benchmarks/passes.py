"""What a whole robust-accuracy curve costs: passes of fmn, which runs once, beside those of pgd over the grid.

    python examples/benchmarks/passes.py [MODEL ...]

Prints, for each bundled model, passes through the model an image took over the default grid, and by how much the
curve of each attack lies above pgd-50's at worst (negative: everywhere below).
"""

import argparse

from tabulate import tabulate

from cnncomm_bench import bundled, evaluate

ATTACKS = ["pgd:steps=50", "fmn", "apgd-ce"]
IMAGES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["standard", "adversarial"], metavar="MODEL")
    images, labels, _ = bundled.images()
    stride = len(images) // IMAGES
    rows = []
    for name in parser.parse_args().models:
        run = evaluate(bundled.load(name), images[::stride], labels[::stride], attacks=ATTACKS, name=name)
        curves = run.curves.pivot_table(index="snr_db", columns="attack", values="accuracy", observed=True)
        for attack in ATTACKS:
            facts = run.info.facts[name][attack]
            forward, backward = (sum(facts[f"{kind}_passes"].values()) for kind in ("forward", "backward"))
            above = (curves[attack] - curves[ATTACKS[0]]).max()
            rows.append([name, attack, round(forward), round(backward), f"{above:+.3f}"])
    print(tabulate(rows, headers=["model", "attack", "forward", "backward", "above pgd-50 by at most"]))


if __name__ == "__main__":
    main()

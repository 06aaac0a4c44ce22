"""Figs. 3 and 4 of the paper from stored runs: accuracy drop under noise, a panel for each run, model and ruler.

python examples/paper_figures.py runs/figure3 --out paper-figure3.png
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from cnncomm_bench import Run

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SHAPES = {"square": "#D55E00", "triangle": "#009E73", "rhombus": "#CC79A7"}
BASELINES = {"salt-pepper": "#000000", "impulse-point": "#7F7F7F"}


def look(attack, place, shaped):
    """Colour by shape and dashes for saturating impulses where there are shapes, else colour by place."""
    if not shaped:
        return {"color": COLOURS[place % len(COLOURS)]}
    colour = BASELINES.get(attack) or SHAPES.get(attack.rpartition("-")[2], COLOURS[0])
    return {"color": colour, "ls": "--" if attack.startswith("impulse") else "-"}


def draw(runs):
    """One row of panels that share their axes."""
    panels = [(run, model.name, ruler) for run in runs for model in run.info.models for ruler in run.info.suite.rulers]
    figure = Figure(figsize=(3.1 * len(panels) + 1.7, 3.5), layout="constrained")
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (run, model, ruler) in zip(row, panels, strict=True):
        drawn = (run.curves.model == model) & (run.curves.ruler == ruler) & (run.curves.attack != "clean")
        curves = run.curves[drawn]
        attacks = list(dict.fromkeys(curves.attack))
        shaped = any(attack.startswith("enlarged") for attack in attacks)
        for place, attack in enumerate(attacks):
            curve, style = curves[curves.attack == attack], look(attack, place, shaped)
            axes.plot(curve.snr_db, curve["drop"], label=attack, marker="o", ms=3, lw=1.4, **style)
            axes.fill_between(curve.snr_db, curve.drop_low, curve.drop_high, color=style["color"], alpha=0.1, lw=0)
        axes.set_title(f"{model}, {ruler}", fontsize=10)
        axes.set_xlabel("SNR (dB)")
        axes.grid(alpha=0.25)
    row[0].set_ylabel("accuracy drop")
    row[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw([Run.open(folder) for folder in arguments.runs]).savefig(arguments.out, dpi=130)

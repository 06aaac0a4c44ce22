"""How the cost of a sweep grows with images, SNRs, attacks and image size, beside its forward passes; and its memory.

    python examples/benchmarks/growth.py [--out examples/figures/growth.png]

A small network with random weights on random images. Processor time of one thread, each point the median of three, the
sweep and its bare passes turn by turn; memory is the peak of a fresh process for each number of images
(Linux).
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from cnncomm_bench import evaluate
from cnncomm_bench.bundled.network import SmallResNet

BATCH = 64
ATTACKS = ["gaussian", "stable:alpha=1.5", "cauchy", "salt-pepper", "impulse-square", "impulse-triangle"]
START = {"images": 128, "SNRs": 5, "attacks": 2, "pixels on a side": 28}
LADDERS = {
    "images": [128, 256, 512, 1024],
    "SNRs": [1, 5, 10, 20],
    "attacks": [1, 2, 4, 6],
    "pixels on a side": [16, 28, 56, 112],
}
MEMORY = [1024, 4096, 16384, 65536]


def sides(size: dict[str, int]) -> tuple[Callable[[], object], Callable[[], object]]:
    """The sweep of a size, and its bare forward passes."""
    side = size["pixels on a side"]
    images = np.random.default_rng(0).integers(0, 256, (size["images"], 1, side, side), dtype=np.uint8)
    labels = np.arange(len(images)) % 10
    model = SmallResNet().eval().requires_grad_(False)
    grid = np.linspace(5, 50, size["SNRs"]).tolist()

    def sweep() -> None:
        evaluate(model, images, labels, attacks=ATTACKS[: size["attacks"]], snr_db=grid, batch_size=BATCH)

    @torch.inference_mode()
    def bare() -> None:
        floats = torch.from_numpy(images).float().div_(255)
        for _ in range(1 + size["attacks"] * size["SNRs"]):
            for part in floats.split(BATCH):
                model(part)

    return sweep, bare


def seconds(size: dict[str, int]) -> tuple[float, float]:
    """Median processor time of both sides, after a turn that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(4):
        for side, kept in zip(sides(size), times, strict=True):
            started = time.process_time()
            side()
            kept.append(time.process_time() - started)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def peak_megabytes(images: int) -> float:
    """Peak memory of a process that sweeps so many images, less that of one that sweeps a single batch."""
    peaks = [
        int(subprocess.run([sys.executable, __file__, "--peak", str(n)], check=True, capture_output=True).stdout)
        for n in (BATCH, images)
    ]
    return (peaks[1] - peaks[0]) / 1024


def main() -> None:
    """Measure every ladder, print it and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("growth.png"))
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.peak:
        sides({**START, "images": args.peak, "SNRs": 2})[0]()
        # Not resource.getrusage, whose peak begins with that of the parent.
        print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
        return
    figure = Figure(figsize=(15, 3.2), layout="constrained")
    *panels, memory = figure.subplots(1, len(LADDERS) + 1)
    for axes, (name, ladder) in zip(panels, LADDERS.items(), strict=True):
        times = np.array([seconds({**START, name: value}) for value in ladder])
        for value, (ours, bare) in zip(ladder, times, strict=True):
            print(f"{name} {value}: {ours / bare:.2f} times its forward passes", flush=True)
        axes.loglog(ladder, times[:, 0] / times[0, 1], "o-", label="sweep")
        axes.loglog(ladder, times[:, 1] / times[0, 1], "k--", label="its forward passes")
        axes.set_xlabel(name)
        axes.set_xticks(ladder, [str(value) for value in ladder])
        axes.minorticks_off()
    panels[0].set_ylabel("cost, least passes = 1")
    panels[0].legend(frameon=False)
    megabytes = [peak_megabytes(value) for value in MEMORY]
    pixels = [value * START["pixels on a side"] ** 2 / 2**20 for value in MEMORY]
    print("memory beyond one batch's, MB:", dict(zip(MEMORY, [round(value) for value in megabytes], strict=True)))
    memory.plot(MEMORY, megabytes, "o-", label="peak beyond one batch's")
    memory.plot(MEMORY, pixels, "k--", label="the images themselves")
    memory.set_xlabel("images")
    memory.set_ylabel("MB")
    memory.legend(frameon=False)
    for axes in (*panels, memory):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(args.out, dpi=110)
    print(f"drawn: {args.out}")


if __name__ == "__main__":
    main()

"""What the noise, the attacks and the harness cost beside what people use now: ratios of times, each pair interleaved.

    python examples/benchmarks/speed.py --model cifar10_resnet20.th [--data cifar10_sample.npz] [--rounds 5] [ROW ...]

Both sides of a row do the same work in this process, turn by turn; the ratio is that of the medians. Times are of the
processor, all threads of this process together, so that another program's load moves them little; one thread is used.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rivals
import torch
from tabulate import tabulate

from cnncomm_bench import evaluate, snr
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.attacks.stable import AlphaStable
from cnncomm_bench.data.images import open_images
from cnncomm_bench.models.loading import open_model
from cnncomm_bench.report import write_outputs
from cnncomm_bench.results.run import Run
from cnncomm_bench.snr.streams import digests

NOISES = ["gaussian", "stable:alpha=1.5", "cauchy", "salt-pepper", "impulse-square"]
GRID = list(range(5, 55, 5))
BATCH = 64

Row = tuple[str, str, Callable[[], object], Callable[[], object], float]
"""What is measured, beside what, our side, the other side, and how often its work goes into ours."""


def rows(small: torch.nn.Module, pixels: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], list[Row]]]:
    """Each row's set-up, made when it is asked for."""
    images = torch.from_numpy(pixels).float() / 255
    grid = torch.tensor(GRID, dtype=torch.float64)

    def sampling() -> list[Row]:
        count = 300_000
        law, noise, generator = AlphaStable(1.5, 0.0, 0.0, 1.0), parse("stable:alpha=1.5"), torch.Generator()
        shape = tuple(images.shape[1:])
        few = images[: count // images[0].numel()]
        keys, values = digests(few), few.numel()
        return [
            ("stable samples", "scipy", lambda: law.sample((count,)), lambda: rivals.scipy_stable(count // 10), 10),
            (
                "stable samples",
                "torch.randn",
                lambda: law.sample((count,)),
                lambda: torch.randn(count, generator=generator),
                1,
            ),
            (
                "... from a stream for each image",
                "torch.randn",
                lambda: noise.draw(keys, shape, seed=0),
                lambda: torch.randn(values, generator=generator),
                1,
            ),
        ]

    def projection() -> list[Row]:
        many = images[:1000]
        direction = torch.randn(many.shape, generator=torch.Generator().manual_seed(0))
        epsilons = [float(snr.radius(many, db).median()) for db in GRID]
        return [
            (
                f"{len(many)} images on {len(GRID)} SNRs",
                f"{len(GRID)} calls of Foolbox",
                lambda: snr.project(many, direction, grid),
                lambda: rivals.foolbox_rescaled(many, direction, epsilons),
                1,
            )
        ]

    def sweep() -> list[Row]:
        large = rivals.resnet18()
        big = torch.nn.functional.interpolate(images[:16], 192, mode="bilinear").clamp(0, 1)
        return [
            _swept("ResNet-20 at 32 x 32", small, images[:256], labels[:256], BATCH),
            _swept("ResNet-18 at 192 x 192", large, big, labels[:16], 8),
        ]

    def pgd() -> list[Row]:
        some, target = images[:256], torch.from_numpy(labels[:256])
        radius = float(snr.radius(some, 30.0).median())
        attack, budget = parse("pgd:steps=20"), torch.tensor([30.0], dtype=torch.float64)

        def ours() -> None:
            for part, own in zip(some.split(BATCH), target.split(BATCH), strict=True):
                list(attack.over(AdversaryBatch(part, own, small), budget))

        theirs = rivals.torchattacks_pgd(small, some, target, radius, BATCH)
        return [
            ("pgd, 20 steps, 256 images", "torchattacks.PGDL2", ours, theirs, 1),
            ("pgd, 20 steps, 256 images", "ART's", ours, rivals.art_pgd(small, some, target, radius, BATCH), 1),
        ]

    def gaussian() -> list[Row]:
        some = images[:256]
        target = torch.from_numpy(labels[:256])
        epsilons = [float(snr.radius(some, db).median()) for db in GRID]

        def ours() -> None:
            evaluate(small, some, target, attacks=["gaussian"], snr_db=GRID, batch_size=BATCH)

        return [
            ("gaussian on 10 SNRs", "Foolbox", ours, rivals.foolbox_gaussian(small, some, target, epsilons, BATCH), 1),
            ("gaussian on 10 SNRs", "ART", ours, rivals.art_gaussian(small, some, epsilons, BATCH), 1),
        ]

    def report() -> list[Row]:
        some = images[:256]
        folder = Path(tempfile.mkdtemp())

        def measured() -> None:
            evaluate(small, some, labels[:256], attacks=NOISES, snr_db=GRID, batch_size=BATCH, out=folder / "run")

        measured()
        return [
            (
                "scores, pictures and report again",
                "the run itself, 256 images",
                lambda: write_outputs(Run.open(folder / "run"), folder / "run"),
                lambda: evaluate(small, some, labels[:256], attacks=NOISES, snr_db=GRID, batch_size=BATCH),
                1,
            )
        ]

    return {
        "sampling": sampling,
        "projection": projection,
        "sweep": sweep,
        "pgd": pgd,
        "gaussian": gaussian,
        "report": report,
    }


def _swept(name: str, model: torch.nn.Module, images: torch.Tensor, labels: np.ndarray, batch: int) -> Row:
    passes = 1 + len(NOISES) * len(GRID)

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(passes):
            for part in images.split(batch):
                model(part)

    return (
        f"{len(NOISES)} noises x {len(GRID)} SNRs, {name}",
        "the bare forward passes",
        lambda: evaluate(model, images, labels, attacks=NOISES, snr_db=GRID, batch_size=batch),
        bare,
        1,
    )


def compare(row: Row, rounds: int) -> list[str]:
    """Median times of both sides, turn by turn, after one turn that is not counted."""
    what, other, *sides, share = row
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for side, kept in zip(sides, times, strict=True):
            started = time.process_time()
            side()
            if turn:
                kept.append(time.process_time() - started)
    ours, theirs = (statistics.median(kept) for kept in times)
    ratio = ours / (theirs * share)
    compared = f"{ratio:.2f} times its cost" if ratio > 0.95 else f"{1 / ratio:.1f} times faster"
    return [what, other, compared, f"{ratio:.3f}"]


def started_in() -> list[str]:
    """Seconds until `--help` has answered, the fastest of five."""
    code = "from cnncomm_bench.cli import main; main(['--help'])"
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return ["cnncomm-bench --help", "one second", "under it" if min(times) < 1 else "over it", f"{min(times):.3f}"]


MEMORY = """
import re, sys, torch
from pathlib import Path
from cnncomm_bench import snr
from cnncomm_bench.data import open_images

def megabytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

torch.set_num_threads(1)
images = torch.from_numpy(open_images(sys.argv[1]).images[:1000]).float() / 255
direction, grid = torch.randn(images.shape), torch.arange(5.0, 55.0, 5.0)
snr.project(images[:10], direction[:10], grid)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
before = megabytes("VmRSS")
result, _ = snr.project(images, direction, grid)
batch = images.numel() * 4 / 2**20
print((megabytes("VmHWM") - before) / batch - result.numel() / images.numel())
"""


def memory(data: str) -> list[str]:
    """Peak memory of projecting 1,000 images on ten SNRs, beyond the result, in units of the batch (Linux)."""
    printed = subprocess.run([sys.executable, "-c", MEMORY, data], check=True, capture_output=True, text=True).stdout
    peak = float(printed)
    return [
        "1000 images on 10 SNRs: peak memory",
        "the batch",
        f"{peak:.1f} times it, beyond the result",
        f"{peak:.3f}",
    ]


def main() -> None:
    """Measure the rows that are asked for and print them as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help="sampling, projection, sweep, pgd, gaussian, report, memory, start"
    )
    parser.add_argument("--model", required=True, help="a checkpoint of examples/resnet20.py's ResNet-20")
    parser.add_argument("--data", default="cifar10", help="images of CIFAR-10, as for cnncomm-bench")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = open_images(args.data)
    opened = open_model(args.model, arch=f"{Path(__file__).parents[1] / 'resnet20.py'}:resnet20", size=32)
    made = rows(opened.predict.to(memory_format=torch.contiguous_format), data.images, data.labels)
    table = []
    for name in args.rows or [*made, "memory", "start"]:
        alone = {"start": started_in, "memory": lambda: memory(args.data)}
        lines = [alone[name]()] if name in alone else [compare(row, args.rounds) for row in made[name]()]
        print("\n".join(" | ".join(line) for line in lines), flush=True)
        table += lines
    print("\n" + tabulate(table, headers=["what", "beside", "measured", "ratio"], disable_numparse=True))


if __name__ == "__main__":
    main()

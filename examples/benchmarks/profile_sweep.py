"""Where the time of a sweep goes: seconds of processor by stage, a share of the whole each.

    python examples/benchmarks/profile_sweep.py --model cifar10_resnet20.th --data cifar10 [--out profile.txt]

Five noises on ten SNRs, each stage timed in the thread that runs it, nested stages counted once; one torch thread.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from speed import BATCH, GRID, NOISES
from tabulate import tabulate

from cnncomm_bench import evaluate, snr
from cnncomm_bench.attacks import impulse, stable
from cnncomm_bench.data.images import open_images
from cnncomm_bench.evaluation import worker
from cnncomm_bench.models.loading import open_model
from cnncomm_bench.results import writer

STAGES: list[tuple[str, Any, str]] = [
    ("drawing alpha-stable noise", stable.StableNoise, "draw"),
    ("drawing impulses", impulse.ImpulseNoise, "draw"),
    ("placing impulses, all SNRs at once", impulse.ImpulseNoise, "over"),
    ("scales that meet the SNRs, all at once", snr, "scales"),
    ("adding noise and clipping", snr, "apply"),
    ("measuring the realised SNR", snr, "measure"),
    ("digests of the images", worker, "digests"),
    ("storing cells", writer.Store, "write_cell"),
    ("merging cells", writer.Store, "merge"),
    ("querying models and checking their logits", worker, "predict"),
]


class Clock:
    """Seconds of each stage, those of the stages inside it taken off."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = threading.local()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        outer = getattr(self._inside, "inner", 0.0)
        self._inside.inner = 0.0
        started = time.thread_time()
        try:
            yield
        finally:
            spent = time.thread_time() - started
            self.seconds[name] += spent - self._inside.inner
            self._inside.inner = outer + spent

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                result = function(*args, **kwargs)
            return self._each(name, result) if isinstance(result, Iterator) else result

        return call

    def _each(self, name: str, results: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.stage(name):
                result = next(results, self)
            if result is self:
                return
            yield result


def main() -> None:
    """Run the sweep under the clock and print its stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--out", type=Path, help="file to write the table to as well")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = open_model(args.model, arch=f"{Path(__file__).parents[1] / 'resnet20.py'}:resnet20", size=32).predict
    data = open_images(args.data)
    clock = Clock()
    with contextlib.ExitStack() as stack:
        for name, owner, attribute in STAGES:
            stack.enter_context(mock.patch.object(owner, attribute, clock.timed(name, getattr(owner, attribute))))
        timed = torch.nn.Module()
        timed.forward = clock.timed("the model", model.forward)  # type: ignore[method-assign]
        started = time.process_time()
        evaluate(
            timed, data.images[: args.images], data.labels[: args.images], attacks=NOISES, snr_db=GRID,
            batch_size=BATCH,
        )  # fmt: skip
        whole = time.process_time() - started
    rest = whole - sum(clock.seconds.values())
    stages = sorted([*clock.seconds.items(), ("all else", rest)], key=lambda row: -row[1])
    table = tabulate([[name, f"{seconds:.2f}", f"{seconds / whole:.1%}"] for name, seconds in stages],
                     headers=["stage", "seconds", "share"], disable_numparse=True)  # fmt: skip
    text = f"{args.images} images, {len(NOISES)} noises on {len(GRID)} SNRs, batches of {BATCH}\n\n{table}\n"
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()

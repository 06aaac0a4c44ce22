"""Coverage-guided fuzzing (atheris) of everything that opens a stranger's file: `python tests/fuzz/fuzz.py TARGET`.

A finding is an exception that is none of ours, or code that was executed; atheris writes the input to `crash-*`. It
becomes a row of `tests/hostile` or a test. `make fuzz` runs every target for FUZZ_SECONDS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cnncomm_bench", "zipfile", "pickletools", "json", "csv"]):
    from cnncomm_bench import Run, models
    from cnncomm_bench._utils.errors import BenchError
    from cnncomm_bench.data import open_images
    from cnncomm_bench.data.decode import UnreadableImage, read_image
    from cnncomm_bench.report import leaderboard

ENDINGS = (".pt", ".safetensors", ".bin")
HISTORIC = Path(__file__).parents[1] / "historic"
DATA = ("d.npz", "t10k-images-idx3-ubyte", "d.csv", "d.parquet", "a.png", "c.json", "d.tar", "d.tfrecord", "d.npy")
EXECUTED = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"}


class Executed(BaseException):
    """A file made the process run something."""


def _audit(event: str, _: object) -> None:
    if event in EXECUTED and not _IGNORED[0]:
        raise Executed(event)


_IGNORED = [True]


def checkpoint(folder: Path, content: bytes) -> None:
    """A checkpoint; the first byte chooses its ending."""
    path = folder / f"w{ENDINGS[content[0] % len(ENDINGS)]}"
    path.write_bytes(content[1:])
    models.open_model(str(path), arch=f"{Path(__file__).with_name('net.py')}:net")


def images(folder: Path, content: bytes) -> None:
    """A data set, an image or a class map; the first byte chooses which."""
    path = folder / DATA[content[0] % len(DATA)]
    path.write_bytes(content[1:])
    if path.suffix == ".png":
        read_image(path, 3, 8)
    elif path.suffix == ".json":
        (folder / "d.csv").write_text("path,label\na.png,x\nb.png,y\n")
        open_images(folder / "d.csv", classes=path)
    else:
        open_images(path, size=8, samples=4)


def run_folder(folder: Path, content: bytes) -> None:
    """A run's folder; the first byte chooses the file that is replaced."""
    shutil.copytree(HISTORIC / "run-v2", folder, dirs_exist_ok=True)
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    (folder / names[content[0] % len(names)]).write_bytes(content[1:])
    stored = Run.open(folder)
    _ = stored.curves, stored.claims


def entry(folder: Path, content: bytes) -> None:
    """An entry of a leaderboard."""
    board = folder / "board"
    board.mkdir()
    (board / "entry.json").write_bytes(content)
    leaderboard.check(folder)
    leaderboard.render(folder)


TARGETS: dict[str, Callable[[Path, bytes], None]] = {
    "checkpoint": checkpoint,
    "images": images,
    "run_folder": run_folder,
    "entry": entry,
}


def corpus(target: str, folder: Path) -> None:
    """Write small valid inputs to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds: list[bytes] = []
    if target in ("checkpoint", "images"):
        from tests.hostile import checkpoints
        from tests.hostile import images as pictures

        if target == "checkpoint":
            state = checkpoints.weights()
            files = [checkpoints.saved(state), checkpoints.saved({"state_dict": state, "epoch": 3}, True),
                     checkpoints.safetensors.torch.save(state), checkpoints.old_file(b"\x80\x02}.")]  # fmt: skip
            seeds = [bytes([kind]) + content for content in files for kind in range(len(ENDINGS))]
        else:
            csv, classes = b"path,label\na.png,0\nb.png,1.0\n", b'{"x": 0, "y": 1}'
            idx = checkpoints.struct.pack(">4I", 0x803, 2, 3, 3) + bytes(18)
            npz = pictures.saved(x=pictures.pixels, y=pictures.labels)
            files = [npz, idx, csv, b"PAR1", pictures.picture(), classes]
            seeds = [bytes([kind]) + content for kind, content in enumerate(files)]
            seeds += [
                bytes([4]) + pictures.picture(0, ending) for ending in ("JPEG", "GIF", "TIFF", "BMP", "WEBP", "TGA")
            ]
    elif target == "run_folder":
        files = sorted((HISTORIC / "run-v2").iterdir())
        seeds = [bytes([index]) + path.read_bytes() for index, path in enumerate(files)]
    else:
        seeds = [path.read_bytes() for path in HISTORIC.glob("leaderboard-*.json")]
    for index, content in enumerate(seeds):
        (folder / str(index)).write_bytes(content)


def main() -> None:
    """Run a target until -max_total_time is over; its corpus is under `runs/fuzz`."""
    target = sys.argv[1]
    folder = Path("runs") / "fuzz" / target
    corpus(target, folder)
    work = Path(tempfile.mkdtemp())
    os.environ["CNNCOMM_BENCH_CACHE"] = str(work / "cache")

    def once(content: bytes) -> None:
        if not content:
            return
        place = work / "place"
        place.mkdir()
        _IGNORED[0] = False
        try:
            with contextlib.suppress(BenchError, UnreadableImage):
                TARGETS[target](place, content)
        finally:
            _IGNORED[0] = True
            shutil.rmtree(place, ignore_errors=True)

    sys.addaudithook(_audit)
    atheris.Setup([sys.argv[0], *sys.argv[2:], "-timeout=60", "-rss_limit_mb=4096", str(folder)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()

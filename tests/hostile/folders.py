"""Folders of a stranger's: links, pipes, devices and folders where files belong; names that no program expects."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cnncomm_bench import cli
from cnncomm_bench.results.reader import read_info

from .attempt import Attempt, canary

STORED = Path(__file__).parents[1] / "historic" / "run-v2"
RUN_FILES = ("run.json", "predictions.parquet", "curves.csv", "thresholds.csv", "gains.csv", "claims.json",
             "curves.png", "curves.svg", "report.html", "report.md", "gallery.json", ".lock")  # fmt: skip
SMALL = ["--model", "bundled:standard", "--samples", "20", "--snr", "20", "--attack", "gaussian"]
LINK = ["link", "--alpha", "2", "--snr", "0", "--max-bits", "2000", "--code", "none", "--ruler", "realised"]
OUTPUTS = {
    "link": (LINK, ("link.json", "ber.csv", "ber.png", "ber.svg")),
    "section5": (["section5", "features"], ("section5.json", "section5.html", "claims.json", "features.csv", "x.pt")),
    "special": (["special", "--steps", "1", "--max-bits", "10"], ("special.csv", "special.png", "special.svg")),
    "special-images": (
        ["special", "--size", "8", "--steps", "1", "--max-bits", "10", "--alpha", "2", "--ruler", "dispersion"],
        ("special-images.csv", "special-images-order.csv", "special-images.png", "special-images.svg"),
    ),
    "bandwidth": (
        ["bandwidth", "--samples", "20", "--side", "7", "--snr", "20"],
        ("bandwidth.csv", "bandwidth_curves.csv", "bandwidth.png"),
    ),
}


def link_to_the_canary(path: Path, folder: Path) -> None:
    path.symlink_to(canary(folder))


def relative_link(path: Path, folder: Path) -> None:
    path.symlink_to(os.path.relpath(canary(folder), path.parent))


def dangling_link(path: Path, folder: Path) -> None:
    path.symlink_to(folder.parent / "appears")


def loop_of_links(path: Path, folder: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_device(path: Path, folder: Path) -> None:
    path.symlink_to("/dev/zero")


def pipe(path: Path, folder: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path, folder: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


LINKS = (link_to_the_canary, relative_link, dangling_link, loop_of_links, link_to_a_device)
KINDS = (*LINKS, pipe, unix_socket)


def put(kind: Callable[[Path, Path], None], path: Path, folder: Path) -> None:
    """Put something else where a file belongs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    kind(path, folder)


@cache
def one_model_each() -> tuple[bytes, ...]:
    """The stored run as two runs of a model each: run.json and predictions."""
    table, info = pq.read_table(STORED / "predictions.parquet"), read_info(STORED)
    content: list[bytes] = []
    for model in info.models:
        own = table.filter(pc.equal(table["model"].cast("string"), model.name))
        sink = pa.BufferOutputStream()
        pq.write_table(own, sink)
        content.append(info.model_copy(update={"models": [model]}).model_dump_json().encode())
        content.append(sink.getvalue().to_pybytes())
    return tuple(content)


def two_runs(folder: Path) -> list[str]:
    stored = one_model_each()
    for name, info, predictions in (("a", *stored[:2]), ("b", *stored[2:])):
        (folder / name).mkdir()
        (folder / name / "run.json").write_bytes(info)
        (folder / name / "predictions.parquet").write_bytes(predictions)
    return ["compare", "a", "b", "--out", "out"]


def stored_run(folder: Path, name: str = "run") -> Path:
    return Path(shutil.copytree(STORED, folder / name))


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield from _instead_of_files()
    yield from _instead_of_folders()
    yield from _cells()
    yield from _predictable_names()
    yield from _leaderboards()
    yield from _places()
    yield from _names()


def _instead_of_files() -> Iterator[Attempt]:
    def reported(kind: Callable[[Path, Path], None], file: str, folder: Path) -> list[str]:
        put(kind, stored_run(folder) / file, folder)
        return ["report", "run"]

    def resumed(kind: Callable[[Path, Path], None], file: str, folder: Path) -> list[str]:
        put(kind, folder / "run" / file, folder)
        return [*SMALL, "--out", "run"]

    def compared(kind: Callable[[Path, Path], None], file: str, folder: Path) -> list[str]:
        command = two_runs(folder)
        put(kind, folder / file, folder)
        return command

    def written(command: list[str], kind: Callable[[Path, Path], None], file: str, folder: Path) -> list[str]:
        put(kind, folder / "out" / file, folder)
        return [*command, "--out", "out"]

    def corresponding(kind: Callable[[Path, Path], None], file: str, folder: Path) -> list[str]:
        stored_run(folder)
        put(kind, folder / file, folder)
        return ["correspond", "run", "link", "--out", "out"]

    for kind in KINDS:
        what = kind.__name__.replace("_", " ")
        for file in RUN_FILES:
            yield Attempt("folders", f"report: {file} is a {what}", partial(reported, kind, file), says=file)
        for file in ("run.json", ".lock", "curves.png"):
            yield Attempt("folders", f"resume: {file} is a {what}", partial(resumed, kind, file), says=file)
        for file in ("a/run.json", "b/predictions.parquet", "out/run.json", "out/.lock", "out/report.md"):
            name = f"compare: {file} is a {what}"
            yield Attempt("folders", name, partial(compared, kind, file), says=Path(file).name)
        for name, (command, files) in OUTPUTS.items():
            for file in files:
                row = f"{name}: {file} is a {what}"
                yield Attempt("folders", row, partial(written, command, kind, file), says=file)
        for file in ("link.json", "ber.csv", "special.csv", "bandwidth.csv", "section5.json", "claims.json"):
            name = f"correspond: {file} is a {what}"
            yield Attempt("folders", name, partial(corresponding, kind, f"link/{file}"), says=file)


def _instead_of_folders() -> Iterator[Attempt]:
    def folder_for_file(file: str, folder: Path) -> list[str]:
        path = stored_run(folder) / file
        path.unlink(missing_ok=True)
        path.mkdir()
        return ["report", "run"]

    for file in RUN_FILES:
        if file not in (".lock", "gallery.json"):  # those are not opened by a report of a run without images
            yield Attempt("folders", f"report: {file} is a folder", partial(folder_for_file, file), says=file)

    def parts(make: Callable[[Path, Path], None], folder: Path) -> list[str]:
        (folder / "elsewhere").mkdir()
        cli_run = folder / "run"
        cli_run.mkdir()
        make(cli_run / "parts", folder)
        shutil.copy(STORED / "run.json", cli_run)
        return [*SMALL, "--out", "run"]

    def elsewhere(path: Path, folder: Path) -> None:
        path.symlink_to(folder / "elsewhere")

    def plain_file(path: Path, folder: Path) -> None:
        path.write_text("no folder")

    for make in (elsewhere, plain_file, pipe, loop_of_links, dangling_link):
        what = make.__name__.replace("_", " ")
        yield Attempt("folders", f"resume: parts is a {what}", partial(parts, make), says="run")

    def cell(kind: Callable[[Path, Path], None], folder: Path) -> list[str]:
        put(kind, folder / "run" / "parts" / "000000.parquet", folder)
        shutil.copy(STORED / "run.json", folder / "run")
        return [*SMALL, "--out", "run"]

    for kind in KINDS:
        what = kind.__name__.replace("_", " ")
        yield Attempt("folders", f"resume: a cell is a {what}", partial(cell, kind), says="000000.parquet")


def _cells() -> Iterator[Attempt]:
    """Cells of a run that is resumed: a damaged one is computed again, one that contradicts the plan is refused."""
    good = b'{"facts":{},"seconds":1,"halved":null}'

    def resumed(change: Callable[[pa.Table], pa.Table], about: bytes, folder: Path) -> list[str]:
        small = [*SMALL, "--out", "run"]
        with contextlib.suppress(SystemExit):
            cli.main([*SMALL, "--out", str(folder / "run")])
        info, table = folder / "run" / "run.json", pq.read_table(folder / "run" / "predictions.parquet")
        info.write_text(info.read_text().replace('"finished": true', '"finished": false'))
        (folder / "run" / "parts").mkdir()
        for place, attack in enumerate(("clean", "gaussian")):
            cell = change(table.filter(pc.equal(table["attack"].cast("string"), attack)))
            path = folder / "run" / "parts" / f"{place:06d}.parquet"
            pq.write_table(cell.replace_schema_metadata({"cell": about}), path)
        return small

    def repeated(table: pa.Table) -> pa.Table:
        return pa.concat_tables([table] * 1001)

    for name, about in {
        "no JSON": b"x", "nothing": b"{}", "deep lists": b"[" * 100_000, "NaN": good.replace(b"1", b"NaN"),
        "text for numbers": good.replace(b"1", b'"s"'), "a batch of -5": good.replace(b"null", b"-5"),
    }.items():  # fmt: skip
        yield Attempt("folders", f"resume: a cell's metadata is {name}", partial(resumed, lambda t: t, about),
                      accepted=True)  # fmt: skip
    for name, change, accepted in (
        ("as it was", lambda t: t, True),
        ("without rows", lambda t: t.slice(0, 0), True),
        ("of other columns", lambda t: t.select(["image"]), True),
        ("of text", lambda t: t.set_column(7, "prediction", pa.array(["x"] * len(t))), True),
        ("of a thousand times its rows", repeated, True),
        ("of some of its rows", lambda t: t.slice(0, 3), False),
        ("of twice its rows", lambda t: pa.concat_tables([t, t]), False),
    ):
        yield Attempt("folders", f"resume: a cell {name}", partial(resumed, change, good), accepted=accepted)


def _predictable_names() -> Iterator[Attempt]:
    """Temporary names of earlier versions: a link there was followed."""

    def before(file: str, kind: Callable[[Path, Path], None], folder: Path) -> list[str]:
        name = f".{file}.partial{Path(file).suffix}"
        put(kind, stored_run(folder) / name, folder)
        return ["report", "run"]

    def leftover(folder: Path) -> list[str]:
        (stored_run(folder) / ".partial-0123456789abcdef.csv").symlink_to(canary(folder))
        return ["report", "run"]

    for file in RUN_FILES[:-1]:
        for kind in (link_to_the_canary, pipe):
            name = f"report: the old temporary name of {file} is a {kind.__name__.replace('_', ' ')}"
            yield Attempt("folders", name, partial(before, file, kind), says=".partial")
    yield Attempt("folders", "report: a leftover that is a link", leftover, says=".partial")


def _leaderboards() -> Iterator[Attempt]:
    def added(kind: Callable[[Path, Path], None], place: str, folder: Path) -> list[str]:
        stored_run(folder)
        put(kind, folder / place, folder)
        return ["leaderboard", "add", "run", "--folder", "boards"]

    def rendered(command: str, kind: Callable[[Path, Path], None], place: str, folder: Path) -> list[str]:
        (folder / "boards" / "fashion-mnist").mkdir(parents=True)
        shutil.copy(STORED.parent / "leaderboard-v1.json", folder / "boards" / "fashion-mnist" / "m.json")
        put(kind, folder / "boards" / place, folder)
        return ["leaderboard", command, "--folder", "boards"]

    def verified(kind: Callable[[Path, Path], None], folder: Path) -> list[str]:
        put(kind, folder / "entry.json", folder)
        return ["leaderboard", "verify", "entry.json"]

    for kind in KINDS:
        what = kind.__name__.replace("_", " ")
        for place in ("boards/fashion-mnist", "boards/fashion-mnist/standard.json"):
            yield Attempt("folders", f"add: {place} is a {what}", partial(added, kind, place), says=Path(place).name)
        for command in ("render", "check"):
            for place in ("README.md", "index.html", "fashion-mnist/other.json"):
                name = f"{command}: {place} is a {what}"
                says = Path(place).name
                yield Attempt("folders", name, partial(rendered, command, kind, place), says=says)
        yield Attempt("folders", f"verify: the entry is a {what}", partial(verified, kind), says="entry.json")


def _places() -> Iterator[Attempt]:
    """Folders that cannot be made, written or read."""
    commands = {
        "run": SMALL,
        **{name: command for name, (command, _) in OUTPUTS.items()},
        "compare": ["compare", str(STORED), str(STORED)],
    }

    def taken(command: list[str], folder: Path) -> list[str]:
        (folder / "out").write_text("a file")
        return [*command, "--out", "out"]

    def below_a_file(command: list[str], folder: Path) -> list[str]:
        (folder / "out").write_text("a file")
        return [*command, "--out", "out/run"]

    def looping(command: list[str], folder: Path) -> list[str]:
        (folder / "out").symlink_to("out")
        return [*command, "--out", "out/run"]

    for name, command in commands.items():
        if name != "compare":  # its runs are opened before its folder
            for what, make in (("a file", taken), ("below a file", below_a_file), ("a loop of links", looping)):
                yield Attempt("folders", f"{name}: --out is {what}", partial(make, command), says="out")
            for place in ("/proc/cnncomm", "/dev/null/run", "/dev/full", "/sys/kernel/run", "o" * 256, "o/" * 2100):
                row = f"{name}: --out {place[:20]}"
                yield Attempt("folders", row, lambda _, c=command, p=place: [*c, "--out", p])
    readers = (["report"], ["compare", str(STORED)], ["correspond", str(STORED)], ["leaderboard", "add"],
               ["leaderboard", "verify"], ["--model"], ["--data"], ["--suite"], ["--classes"])  # fmt: skip

    def irregular(reader: list[str], kind: Callable[[Path, Path], None], folder: Path) -> list[str]:
        put(kind, folder / "thing", folder)
        return [*reader, "thing"]

    for reader in readers:
        name = " ".join(part for part in reader if not part.startswith("/"))
        for place in (
            "",
            "/dev/null",
            "/dev/zero",
            "/proc/self/mem",
            "n" * 256,
            "\udcff\udcfe",
            "n/" * 2100,
            "~nouser/x",
        ):
            yield Attempt("folders", f"{name}: {place[:12]!r}", lambda _, r=reader, p=place: [*r, p])
        for kind in (pipe, unix_socket, loop_of_links):
            row = f"{name}: a {kind.__name__.replace('_', ' ')}"
            yield Attempt("folders", row, partial(irregular, reader, kind))


def _names() -> Iterator[Attempt]:
    """Names that are legal, and that terminals, plots and encodings stumble over."""
    names = {
        "escape codes": "a\x1b[2J\x1b]0;owned\x07b",
        "a newline": "a\nb",
        "a bell and a backspace": "\a\b\b",
        "no UTF-8": "a\udcff",
        "text turned around": "a\u202egnp.exe",
        "a dollar": "$x^{",
        "a percent": "%s%n{0}",
        "an option": "--out",
        "255 bytes": "ä" * 127,
    }

    def reported(name: str, folder: Path) -> list[str]:
        stored_run(folder, name)
        return ["report", f"./{name}"]

    def made(name: str, folder: Path) -> list[str]:
        return [*SMALL, "--out", f"./{name}"]

    def missing(name: str, folder: Path) -> list[str]:
        return ["report", f"./missing{name[:100]}"]

    def model_of(name: str, folder: Path) -> list[str]:
        path = stored_run(folder) / "run.json"
        safe = name.encode("unicode_escape").decode() if "\udcff" in name else name
        info = read_info(STORED)
        renamed = info.models[0].model_copy(update={"name": safe})
        path.write_text(info.model_copy(update={"models": [renamed, *info.models[1:]]}).model_dump_json())
        return ["report", "run"]

    def typed(option: str, name: str, folder: Path) -> list[str]:
        return [option, f"./{name}"]

    yield Attempt("folders", "run: --out is no UTF-8", partial(made, "a\udcff"), says="no UTF-8 name")
    for what, name in names.items():
        yield Attempt("folders", f"report: a name with {what}", partial(reported, name), accepted=True)
        yield Attempt("folders", f"report: a missing name with {what}", partial(missing, name), says="holds no run")
        yield Attempt("folders", f"report: a model renamed to {what}", partial(model_of, name), accepted=None)
        if name.isprintable():
            yield Attempt("folders", f"run: --out with {what}", partial(made, name), accepted=True)
        for option in ("--model", "--data", "--suite"):
            yield Attempt("folders", f"{option}: {what}", partial(typed, option, name))

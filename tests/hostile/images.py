"""Data sets that are broken, claim too much, count images twice or would permute their labels."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .attempt import Attempt

MODEL = ["--model", "bundled:standard", "--samples", "8", "--attack", "gaussian", "--snr", "20", "--dry-run"]


def row(name: str, make: Callable[[Path], object], data: str, *options: str, **expected: Any) -> Attempt:
    """Return a row that makes a data set and opens it for the bundled model."""

    def prepare(folder: Path) -> list[str]:
        make(folder)
        return [*MODEL, "--data", data, *options]

    return Attempt("images", name, prepare, **expected)


def file(name: str, content: bytes, called: str, *options: str, **expected: Any) -> Attempt:
    """Return a row of one file."""
    return row(name, lambda folder: (folder / called).write_bytes(content), called, *options, **expected)


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    yield from image_files()
    yield from folders()
    yield from archives_of_numpy()
    yield from idx_files()
    yield from tables()
    yield from label_columns()
    yield from parquet_files()
    yield from class_maps()
    yield from places()
    yield from damaged()


# Files that this table starts from ------------------------------------------------------------------------------------


@functools.cache
def picture(seed: int = 0, ending: str = "PNG") -> bytes:
    """A grey image of 28 x 28 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)
    image = Image.fromarray(pixels).convert("RGB" if ending == "QOI" else "L")
    image.save(buffer := io.BytesIO(), ending)
    return buffer.getvalue()


def classes(folder: Path, count: int = 2, each: int = 4) -> Path:
    """A folder of folders with images in it."""
    for label in range(count):
        (folder / "d" / f"c{label}").mkdir(parents=True)
        for index in range(each):
            (folder / "d" / f"c{label}" / f"{index}.png").write_bytes(picture(label * each + index))
    return folder / "d"


@functools.cache
def saved(**arrays: Any) -> bytes:
    """What np.savez writes."""
    np.savez(buffer := io.BytesIO(), **{name: make() for name, make in arrays.items()})
    return buffer.getvalue()


def pixels() -> Any:
    """Twelve grey images."""
    return np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)


def labels() -> Any:
    """Their labels."""
    return np.arange(12) % 10


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int = 8, kind: int = 0, body: bytes = b"", *more: bytes) -> bytes:
    """A PNG whose header says what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# Single images --------------------------------------------------------------------------------------------------------


def image_files() -> Iterator[Attempt]:
    """Images that claim too much or are none: more than one in ten, so the data set is refused."""
    broken = {
        "60,000 x 60,000 pixels": png(60_000, 60_000),
        "2^31 x 2^31 pixels": png(2**31 - 1, 2**31 - 1),
        "no pixels": png(0, 0),
        "100 million pixels and one": png(100_000_001, 1),
        "a depth of 3": png(28, 28, 3),
        "a kind of colour that is none": png(28, 28, 8, 5),
        "fewer pixels than it says": png(28, 28, 8, 0, bytes(10)),
        "text of 100 MB": png(28, 28, 8, 0, bytes(29 * 28), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))),
        "a profile of 100 MB": png(28, 28, 8, 0, bytes(10), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))),
        "an EPS, which Ghostscript would run": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(executed) (w) file\n",
        "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>",
        "a PDF": b"%PDF-1.4\n",
        "HTML": b"<!DOCTYPE html><html>",
        "a pickle": pickle.dumps(functools.partial(os.mkdir, "executed")),
        "a GIF without images": b"GIF89a\x10\x00\x10\x00\x00\x00\x00;",
        "a GIF of 65,535 x 65,535": b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        "a JPEG of 1,000 scans": b"\xff\xd8" + b"\xff\xda\x00\x02" * 1000 + b"\xff\xd9",
        "a JPEG without end": picture(0, "JPEG")[:-100],
        "a JPEG of markers": b"\xff\xd8" + b"\xff" * 10_000,
        "a BMP of 2^31 x 2^31": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 1, 1, 0, 0),
        "a TIFF whose directory is itself": b"II*\0\x08\0\0\0\x00\x00\x08\0\0\0",
        "a TIFF of 2^32 entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(50),
        "a PPM of 10^9 x 10^9": b"P6 1000000000 1000000000 255\n",
        "a PPM of 10^300": b"P6 " + b"9" * 300 + b" 1 255\n",
        "a PGM of text": b"P2 28 28 255\n" + b"x " * 784,
        "a WebP of nothing": b"RIFF\x04\0\0\0WEBP",
        "a TGA of noise": random.Random(0).randbytes(18) + bytes(10),
        "a QOI of 2^32 x 2^32": b"qoif" + b"\xff" * 8 + b"\x03\0",
        "a PCX of noise": b"\x0a\x05\x01\x08" + random.Random(0).randbytes(124),
        "nothing": b"",
        "one byte": b"\x89",
        "a megabyte of zeros": bytes(10**6),
        "a megabyte of noise": random.Random(0).randbytes(10**6),
    }  # fmt: skip
    for name, content in broken.items():

        def make(folder: Path, content: bytes = content) -> None:
            (classes(folder) / "c1" / "x.png").write_bytes(content)

        yield row(f"an image: {name}", make, "d", says="more than 10 %")
    for ending in ("JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA", "QOI", "PCX"):
        content = picture(0, ending)
        for step in (1, 3, 7):

            def cut(folder: Path, content: bytes = content[: len(content) * step // 8], ending: str = ending) -> None:
                (classes(folder) / "c1" / f"x.{ending.lower()}").write_bytes(content)

            yield row(f"a {ending} cut at {step}/8", cut, "d", accepted=None)
        for seed in range(5):
            turned = bytearray(content)
            changes = random.Random(seed)
            for _ in range(4):
                turned[changes.randrange(len(turned))] ^= 1 << changes.randrange(8)

            def turn(folder: Path, content: bytes = bytes(turned), ending: str = ending) -> None:
                (classes(folder) / "c1" / f"x.{ending.lower()}").write_bytes(content)

            yield row(f"a {ending} with bits of seed {seed}", turn, "d", accepted=None)


# Folders --------------------------------------------------------------------------------------------------------------


def folders() -> Iterator[Attempt]:
    """Folders that are no data set, loop, or count images twice."""

    def deep(folder: Path) -> None:
        place = classes(folder) / "c1"
        for _ in range(100):
            place = place / "x"
            place.mkdir()

    def very_deep(folder: Path) -> None:
        before = Path.cwd()
        os.chdir(classes(folder) / "c1")
        try:
            for _ in range(400):
                Path("y" * 8).mkdir()
                os.chdir("y" * 8)
        finally:
            os.chdir(before)

    def link(name: str, target: str, *sizes: int) -> Callable[[Path], object]:
        return lambda folder: (classes(folder, *sizes) / name).symlink_to(target)

    def hard(folder: Path) -> None:
        place = classes(folder)
        (place / "c1" / "9.png").hardlink_to(place / "c0" / "0.png")

    def flat(folder: Path) -> None:
        (folder / "d").mkdir()
        (folder / "d" / "a.png").write_bytes(picture())
        (folder / "d" / "b.png").symlink_to("a.png")

    yield row("folders 100 deep", deep, "d", says="deep")
    yield row("folders 400 deep", very_deep, "d", says="deep")
    yield row("a class that is a link to another one", link("c2", "c0"), "d", says="counts an image twice")
    yield row("an image that is a link to another one", link("c1/9.png", "0.png"), "d", says="counts an image twice")
    yield row(
        "an image that is a link to one of another class",
        link("c1/9.png", "../c0/0.png"),
        "d",
        says="counts an image twice",
    )
    yield row("two names of one file", hard, "d", says="counts an image twice")
    yield row("two names of one file without classes", flat, "d", says="counts an image twice")
    yield row("a class that links to the folder above", link("c1/up", ".."), "d", says="counts an image twice")
    yield row("a class that links to itself", link("c1/self", ".", 10, 1), "d", accepted=True)
    yield row("a class that is a loop of links", link("c10", "c10", 10, 1), "d", accepted=True)
    yield row("a link to the root", link("c2", "/proc/self/fd"), "d", accepted=None)
    yield row("a link to nothing", link("c1/9.png", "gone"), "d", says="a link to a file that is not there")
    yield row("a link to /dev/zero", link("c1/9.png", "/dev/zero"), "d", says="no regular file")
    yield row("a link to /etc/passwd", link("c1/9.png", "/etc/passwd"), "d", says="no image format")
    yield row("a pipe", lambda f: os.mkfifo(classes(f) / "c1" / "9.png"), "d", says="no regular file")
    yield row("a folder called as an image", lambda f: (classes(f, 10, 1) / "c1" / "9.png").mkdir(), "d", accepted=True)
    yield row("one class", lambda f: classes(f, 1), "d", says="one class only")
    yield row(
        "two classes for a model of ten", classes, "d", says="has 2 classes (c0, ...) and bundled:standard has 10"
    )
    yield row("eleven classes", lambda f: classes(f, 11, 1), "d", says="has 10 classes and")
    yield row("no images", lambda f: (f / "d").mkdir(), "d", says="no images")
    yield row(
        "classes without images", lambda f: [(f / "d" / x).mkdir(parents=True) for x in "ab"], "d", says="no images"
    )
    yield row("train and val", lambda f: [classes(f), (f / "d" / "c0").rename(f / "d" / "train"), (f / "d" / "c1").rename(f / "d" / "val")], "d", says="not classes")  # fmt: skip
    for name in (
        "\x1b[2J",
        "\x1b]0;title\x07",
        "a\nb",
        "a\rb",
        "\udcff",
        "x" * 255,
        "$x^{2$",
        "<script>alert(1)",
        "\u202egnp",
        "|",
        "`id`",
        "%s",
    ):

        def renamed(folder: Path, name: str = name) -> None:
            (classes(folder, 10, 1) / "c1").rename(folder / "d" / name)

        def broken(folder: Path, name: str = name) -> None:
            (classes(folder) / "c1" / f"{name[:250]}.png").write_bytes(b"x")

        yield row(f"a class called {name[:20]!r}", renamed, "d", accepted=True)
        yield row(f"a class called {name[:20]!r} that the map does not name", lambda f, renamed=renamed: [renamed(f), (f / "c.txt").write_text("c0\nc9\n")], "d", "--classes", "c.txt")  # fmt: skip
        yield row(f"a broken image called {name[:20]!r}", broken, "d", accepted=None)
    yield row(
        "images of two sizes",
        lambda f: (classes(f, 10, 1) / "c1" / "x.png").write_bytes(png(9, 9, 8, 0, bytes(90))),
        "d",
        accepted=True,
    )


# Arrays ---------------------------------------------------------------------------------------------------------------


def _header(shape: Any, descr: Any = "|u1", order: bool = False, version: int = 1) -> bytes:
    text = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text


def _npz(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def archives_of_numpy() -> Iterator[Attempt]:
    """Headers that claim, arrays that are no images, labels that are none."""
    for name, header in {
        "a shape of 10^15": _header((10**6, 10**6, 10**3)),
        "a shape of 10^300": _header((10**300, 28, 28)),
        "a negative shape": _header((-1, 28, 28)),
        "two negative sides": _header((-12, -28, 28)),
        "a shape of text": _header("12"),
        "a shape of floats": _header((12.0, 28, 28)),
        "no images and 10^300 sides": _header((0, 10**300)),
        "100 dimensions": _header((1,) * 100),
        "objects": _header((12,), "|O"),
        "a structure": _header((12,), [("a", "<f4"), ("b", "|O")]),
        "a type of 2 GB": _header((12, 28, 28), "<U500000000"),
        "a type that is none": _header((12, 28, 28), "<z9"),
        "a type that is code": _header((12, 28, 28), "__import__('os').mkdir('executed')"),
        "dates": _header((1, 28, 28), "<M8[s]") + bytes(28 * 28 * 8),
        "complex numbers": _header((1, 28, 28), "<c8") + bytes(28 * 28 * 8),
        "version 2 and a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
        "version 2 and a header of 100 MB": b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**8) + b" " * 10**6,
        "version 9": _header((12, 28, 28), version=9),
        "code for a header": b"\x93NUMPY\x01\x00"
        + struct.pack("<H", 40)
        + b"__import__('os').mkdir('executed')".ljust(40),
        "brackets for a header": b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"(" * 60_000,
        "nothing": b"",
        "text": b"hello",
    }.items():
        yield file(f"npz with a header of {name}", _npz(x=header, y=_header((1,), "|i1") + b"\0"), "d.npz")
        yield file(
            f"npz with labels with a header of {name}",
            _npz(x=_header((12, 28, 28)) + pixels().tobytes(), y=header),
            "d.npz",
        )
    yield file("npz: a bomb", _npz(zipfile.ZIP_DEFLATED, x=_header((12, 28, 28)) + bytes(2 * 10**7), y=b""), "d.npz")
    yield file("npz: x twice", _npz(x=_header((12, 28, 28)) + pixels().tobytes(), X=b""), "d.npz", says="twice")
    yield file("npz: a pickle", pickle.dumps(functools.partial(os.mkdir, "executed")), "d.npz")
    yield file("npz: text", b"PK\x03\x04", "d.npz")
    cases: dict[str, Callable[[], Any]] = {
        "objects": lambda: np.array([functools.partial(os.mkdir, "executed")] * 12, dtype=object),
        "two dimensions": lambda: np.zeros((12, 28)),
        "five dimensions": lambda: np.zeros((12, 1, 1, 28, 28)),
        "two channels": lambda: np.zeros((12, 28, 28, 2)),
        "no images": lambda: np.zeros((0, 28, 28)),
        "no rows": lambda: np.zeros((12, 0, 28)),
        "NaN": lambda: np.full((12, 28, 28), np.nan),
        "infinity": lambda: np.full((12, 28, 28), np.inf),
        "values up to 300": lambda: np.full((12, 28, 28), 300),
        "values up to 2": lambda: np.full((12, 28, 28), 2.0),
        "values below 0": lambda: np.full((12, 28, 28), -0.1),
        "text": lambda: np.full((12, 28, 28), "a"),
        "one row of 5,000 pixels": lambda: np.zeros((12, 1, 5000), np.uint8),
        "colour for a grey model": lambda: np.zeros((12, 28, 28, 3), np.uint8),
        "black images": lambda: np.zeros((12, 28, 28), np.uint8),
    }
    for name, make in cases.items():
        yield file(f"npz: images: {name}", saved(x=make, y=labels), "d.npz")
    bad: dict[str, Callable[[], Any]] = {
        "too few": lambda: np.arange(11) % 10,
        "too many": lambda: np.arange(13) % 10,
        "negative": lambda: labels() - 1,
        "10^9": lambda: labels() + 10**9,
        "2^64 - 1": lambda: np.full(12, 2**64 - 1, np.uint64),
        "halves": lambda: labels() / 2,
        "NaN": lambda: np.full(12, np.nan),
        "infinity": lambda: np.full(12, np.inf),
        "text": lambda: labels().astype(str),
        "bytes": lambda: labels().astype("S"),
        "objects": lambda: labels().astype(object),
        "dates": lambda: labels().astype("M8[s]"),
        "complex": lambda: labels().astype(complex),
        "soft": lambda: np.full((12, 10), 0.1),
        "two hot": lambda: np.eye(10)[labels()] + np.eye(10)[(labels() + 1) % 10] - np.eye(10)[(labels() + 2) % 10],
        "rows of zeros": lambda: np.zeros((12, 10)),
        "three dimensions": lambda: np.zeros((12, 1, 1), int),
        "one class": lambda: np.zeros(12, int),
        "eleven classes": lambda: np.arange(12) % 11,
        "a number": lambda: np.array(3),
    }
    for name, make in bad.items():
        yield file(f"npz: labels: {name}", saved(x=pixels, y=make), "d.npz")
    for name, make in {"floats": lambda: labels().astype(float), "one-hot": lambda: np.eye(10)[labels()]}.items():
        yield file(f"npz: labels as {name}", saved(x=pixels, y=make), "d.npz", accepted=True)


def idx_files() -> Iterator[Attempt]:
    """MNIST's format."""
    whole = struct.pack(">4I", 0x803, 12, 28, 28) + pixels().tobytes()
    cases = {
        "fewer bytes": whole[:-1],
        "more bytes": whole + b"x",
        "2^32 images": struct.pack(">4I", 0x803, 2**32 - 1, 28, 28),
        "2^96 bytes": struct.pack(">4I", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1),
        "no images": struct.pack(">4I", 0x803, 0, 28, 28),
        "no images of 2^32 x 2^32 pixels": struct.pack(">4I", 0x803, 0, 2**32 - 1, 2**32 - 1),  # found by fuzzing
        "labels alone": struct.pack(">2I", 0x801, 12) + bytes(12),
        "floats": struct.pack(">4I", 0xD03, 12, 28, 28) + bytes(12 * 28 * 28 * 4),
        "255 dimensions": struct.pack(">I", 0x8FF) + bytes(1020),
        "no dimensions": struct.pack(">I", 0x800),
        "half a header": whole[:7],
        "nothing": b"",
    }
    for name, content in cases.items():
        yield file(f"IDX: {name}", content, "t10k-images-idx3-ubyte")
        yield file(f"IDX: {name}, zipped", gzip.compress(content, mtime=0), "t10k-images-idx3-ubyte.gz")
    yield file(
        "IDX: a bomb",
        gzip.compress(struct.pack(">4I", 0x803, 12, 28, 28) + bytes(10**8), mtime=0),
        "t10k-images-idx3-ubyte.gz",
    )
    yield file("IDX: a cut zip", gzip.compress(whole, mtime=0)[:-20], "t10k-images-idx3-ubyte.gz")
    for name, content in {
        "of other images": struct.pack(">2I", 0x801, 5) + bytes(5),
        "cut": b"\0\0",
        "of one class": struct.pack(">2I", 0x801, 12) + bytes(12),
    }.items():

        def make(folder: Path, content: bytes = content) -> None:
            (folder / "t10k-images-idx3-ubyte").write_bytes(whole)
            (folder / "t10k-labels-idx1-ubyte").write_bytes(content)

        yield row(f"IDX: labels {name}", make, "t10k-images-idx3-ubyte")


# Tables ---------------------------------------------------------------------------------------------------------------


def _csv(folder: Path, written: list[str]) -> None:
    paths = [f"d/{p.parent.name}/{p.name}" for p in sorted(classes(folder, 3, 4).glob("*/*.png"))]
    (folder / "d.csv").write_text(
        "path,label\n" + "".join(f"{path},{label}\n" for path, label in zip(paths, written, strict=False))
    )


def label_columns() -> Iterator[Attempt]:
    """Labels that sorting as text would permute."""
    numbers = [label % 10 for label in range(12)]
    yield row("labels 0.0 to 9.0", lambda f: _csv(f, [f"{n}.0" for n in numbers]), "d.csv", accepted=True)
    yield row("labels 00 to 09", lambda f: _csv(f, [f"{n:02}" for n in numbers]), "d.csv", accepted=True)
    for name, first, says in (
        ("-1", "-1", "the label -1 is no class"), ("-1.0", "-1.0", "is no class"), ("0.5", "0.5", "is no class"), ("nan", "nan", "is no class"),
        ("inf", "inf", "is no class"), ("1e1", "1e1", "is no class"), ("10^6 + 1", "1000001", "is no class"), ("10^300", "1" + "0" * 300, "is no class"),
        ("10^10,000", "1" + "0" * 10_000, "is no class"), ("1_0", "1_0", "is no class"), ("nothing", "", "has no label"), ("a space", " ", "has no label"), ("text among numbers", "cat", "mixes"),
        ("0x1", "0x1", "mixes"), ("a superscript", "²", "mixes"), ("an escape code", "\x1b[2J", "mixes"), ("Arabic digits", "\u0663", ""), ("True", "True", "mixes"), ("None", "None", "mixes"), ("NA", "NA", "mixes"),
    ):  # fmt: skip
        yield row(
            f"a label: {name}", lambda f, first=first: _csv(f, [first, *map(str, numbers[1:])]), "d.csv", says=says
        )
    yield row("labels of text", lambda f: _csv(f, [f"class {n}" for n in numbers]), "d.csv", says="pass a class map")
    yield row("labels of text beside a map", lambda f: [_csv(f, [f"class {n}" for n in numbers]), (f / "c.txt").write_text("".join(f"class {n}\n" for n in range(10)))], "d.csv", "--classes", "c.txt", accepted=True)  # fmt: skip
    yield row("labels up to 11", lambda f: _csv(f, [str(n) for n in range(12)]), "d.csv", says="has 10 classes and")


def tables() -> Iterator[Attempt]:
    """Tables that point elsewhere, or are none."""
    for name, text in {
        "nothing": "", "a header": "path,label\n", "other columns": "name,age\nx,3\n", "no path": "path,label\n,0\n", "a path of spaces": "path,label\n  ,0\n",
        "devices": "path,label\n/dev/zero,0\n/dev/random,1\n", "itself": "path,label\nd.csv,0\n./d.csv,1\n", "a folder": "path,label\n.,0\n..,1\n",
        "a password": "path,label\n/etc/passwd,0\n/etc/passwd,1\n", "long names": "path,label\n" + "x" * 300 + ".png,0\n" + "y" * 5000 + ".png,1\n",
        "NUL": "path,label\na\0b.png,0\n", "escape codes": "path,label\n\x1b[2J.png,0\n\x1b[3J.png,1\n", "addresses": "path,label\nhttp://127.0.0.1:9/a.png,0\nhttp://127.0.0.1:9/b.png,1\n",
        "two columns of labels": "path,label,label\na.png,0,1\n", "two columns of paths": "path,PATH,label\na.png,b.png,0\n", "a short row": "path,label\na.png\n",
        "a cell of 200,000 letters": "path,label\n" + "x" * 200_000 + ",0\n", "an open quote": 'path,label\n"a.png,0\nb.png,1\n', "one line": "x" * 10**6, "a formula": "path,label\n=cmd|' /C calc'!A0,0\n",
    }.items():  # fmt: skip
        yield file(f"CSV: {name}", text.encode(), "d.csv")
    yield file("CSV: bytes that are no text", b"path,label\n\xff\xfe\x00,a\n", "d.csv")
    yield file("CSV: UTF-16", "path,label\na.png,0\n".encode("utf-16"), "d.csv")
    yield row("CSV: an image twice", lambda f: [classes(f), (f / "d.csv").write_text("path,label\nd/c0/0.png,0\nd/c0/1.png,1\nd/../d/c0/0.png,1\n")], "d.csv", says="counts an image twice")  # fmt: skip
    for called in (
        "d.zip",
        "d.tar",
        "d.tgz",
        "d.7z",
        "d.rar",
        "d.pkl",
        "d.npy",
        "d.h5",
        "d.png",
        "d.pt",
        "d.json",
        "d",
    ):
        yield file(f"a file called {called}", b"PK\x03\x04" if called == "d.zip" else b"\x80\x04N.", called)


def parquet_files() -> Iterator[Attempt]:
    """Parquet files that unpack to far more than they are."""

    def write(columns: Callable[[], dict[str, Any]], **options: Any) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            import pyarrow
            from pyarrow import parquet

            parquet.write_table(pyarrow.table(columns()), folder / "d.parquet", **options)

        return make

    def runs(rows: int, value: Any, label: Any = 0) -> Callable[[], dict[str, Any]]:
        import pyarrow

        def column(one: Any) -> Any:
            return pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(rows, np.int32)), [one])

        return lambda: {"path": column(value), "label": column(label)}

    yield row("Parquet: 3 million rows", write(runs(3_000_000, "a.png")), "d.parquet", says="refused as a bomb")
    yield row(
        "Parquet: 20,000 rows of one megabyte",
        write(runs(20_000, "x" * 10**6), compression="zstd"),
        "d.parquet",
        says="refused as a bomb",
    )
    yield row(
        "Parquet: one cell of 100 MB",
        write(lambda: {"path": ["x" * 10**8], "label": [0]}, compression="zstd"),
        "d.parquet",
        says="refused as a bomb",
    )
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        "no rows": lambda: {"path": np.array([], str), "label": np.array([], int)},
        "other columns": lambda: {"a": [1]},
        "numbers for paths": lambda: {"path": [1, 2], "label": [0, 1]},
        "lists for paths": lambda: {"path": [[1], [2]], "label": [0, 1]},
        "structures without bytes": lambda: {"image": [{"x": 1}, {"x": 2}], "label": [0, 1]},
        "bytes that are no images": lambda: {"image": [{"bytes": b"x"}, {"bytes": b"y"}], "label": [0, 1]},
        "an image of 60,000 x 60,000": lambda: {"image": [{"bytes": png(60_000, 60_000)}] * 2, "label": [0, 1]},
        "empty labels": lambda: {"path": ["a", "b"], "label": [0, None]},
        "lists for labels": lambda: {"path": ["a", "b"], "label": [[0], [1]]},
        "dates for labels": lambda: {"path": ["a", "b"], "label": np.array([0, 1], "M8[s]")},
        "negative labels": lambda: {"path": ["a", "b"], "label": [0, -1]},
        "labels of 2^63": lambda: {"path": ["a", "b"], "label": [0, 2**63 - 1]},
        "halves for labels": lambda: {"path": ["a", "b"], "label": [0.0, 0.5]},
        "NaN for labels": lambda: {"path": ["a", "b"], "label": [0.0, float("nan")]},
        "bytes for labels": lambda: {"path": ["a", "b"], "label": [b"\xff", b"\xfe"]},
        "a column name of escape codes": lambda: {"\x1b[2J": [1]},
    }
    for name, columns in cases.items():
        yield row(f"Parquet: {name}", write(columns), "d.parquet")

    def twice(folder: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(
            pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 2, names=["path", "path"]), folder / "d.parquet"
        )

    yield row("Parquet: two columns of one name", twice, "d.parquet", says="two columns of one name")
    yield file("Parquet: zeros", b"PAR1" + bytes(50) + b"PAR1", "d.parquet")
    yield file("Parquet: a footer of 2 GB", b"PAR1" + struct.pack("<I", 2**31 - 1) + b"PAR1", "d.parquet")
    yield file(
        "Parquet: noise", b"PAR1" + random.Random(0).randbytes(500) + struct.pack("<I", 400) + b"PAR1", "d.parquet"
    )
    yield file("Parquet: encrypted", b"PARE" + bytes(50) + struct.pack("<I", 20) + b"PARE", "d.parquet")


def class_maps() -> Iterator[Attempt]:
    """Class maps that contradict themselves, or are none."""
    cases: dict[str, str | bytes] = {
        "a gap": "c0\n\nc1\n", "a class called #": "#\nc0\nc1\n", "a comment between": "c0\n# c2\nc1\n", "nothing": "", "a class twice": "c0\nc1\nc0\n", "two labels": "c0,0\nc0,1\nc1,2\n", "two names": "c0,0\nc1,0\n", "no c1": "c0\nc2\n",
        "-1": "c0,-1\nc1,0\n", "10^9": "c0,1000000000\nc1,0\n", "halves": "c0,0.5\nc1,1\n", "noise": random.Random(0).randbytes(200), "UTF-16": "c0\nc1\n".encode("utf-16"),
        "escape codes": "\x1b[2J\nc1\n", "5 MB": "x\n" * 2_500_000, "eleven labels": "c0,0\nc1,10\n", "a superscript": "c0,²\nc1,³\n",
    }  # fmt: skip
    for name, text in cases.items():
        content = text if isinstance(text, bytes) else text.encode()
        yield row(
            f"class map: {name}",
            lambda f, content=content: [classes(f), (f / "c.txt").write_bytes(content)],
            "d",
            "--classes",
            "c.txt",
        )
    for index, text in enumerate((
        "", "{", "[]", "{}", "7", "null", '"x"', "[" * 100_000, '["c0", "c1", "c0"]', '{"c0": 0, "c0": 1, "c1": 2}', '{"c0": 0, "c1": 0}', '{"0": "c0", "1": "c0", "2": "c1"}',
        '{"0": "c0", "0": "c1"}', '{"c0": 0, "c1": 1e999}', '{"c0": 0, "c1": NaN}', '{"c0": 0, "c1": 0.5}', '{"c0": -1, "c1": 0}', '{"c0": true, "c1": false}', '{"c0": null, "c1": 1}',
        '{"0": ["c0"], "1": ["c0"], "2": ["c1"]}', '{"x": ["c0"], "1": ["c1"]}', '{"0": [["c0"]], "1": ["c1"]}', '{"0": [], "1": ["c1"]}', '{"c0": ' + "9" * 5000 + ', "c1": 0}',
        '{"' + "9" * 5000 + '": "c0", "1": "c1"}', '["c0", null]', json.dumps({"c0": 0, "c1": 10**6 + 1}), '{"1": "0", "0": "c0"}',
    )):  # fmt: skip
        yield row(
            f"class map of JSON {index}: {text[:30]!r}",
            lambda f, text=text: [classes(f), (f / "c.json").write_text(text)],
            "d",
            "--classes",
            "c.json",
        )
    for name in ("gone.txt", ".", "/dev/zero", "x" * 300, "~nobody-of-that-name/c.txt", "\x1b[2J", "", "\ud8ff"):
        yield row(f"class map at {name[:20]!r}", classes, "d", "--classes", name)
    yield row("class map: a pipe", lambda f: [classes(f), os.mkfifo(f / "c.txt")], "d", "--classes", "c.txt")
    yield row(
        "class map: a loop of links",
        lambda f: [classes(f), (f / "c.txt").symlink_to("c.txt")],
        "d",
        "--classes",
        "c.txt",
    )


def places() -> Iterator[Attempt]:
    """Paths and names that are no data set."""
    for data in ("gone", "x" * 300, "y" * 5000, "a/" * 3000, "~nobody-of-that-name/d", "\ud8ff", "\x1b[2J", "a\nb", "", " ", "/dev/zero", "/dev/null",
                 "/proc/self/mem", "bundled:", "bundled:x", "bundled:../x", "torchvision:", "torchvision:MNIST", "torchvision:MNIST:gone", "torchvision:datasets:.",
                 "torchvision:ImageFolder:.", "torchvision:LSUN:.", "torchvision:LSUNClass:.", "torchvision:FakeData:gone", "torchvision:\x1b[2J:.", "torchvision:__all__:.",
                 "torchvision:CIFAR10:.", "torchvision:VisionDataset:.", "torchvision:DatasetFolder:.", "http://127.0.0.1:9/", "file:///etc", "cifar10:x", "tf_flowers/x"):  # fmt: skip
        yield row(f"the data set {data[:40]!r}", lambda folder: None, data)
    yield row("a pipe as the data set", lambda f: os.mkfifo(f / "d.npz"), "d.npz", says="no regular file")
    yield row("a loop of links as the data set", lambda f: (f / "d").symlink_to("d"), "d", says="link")
    yield row("LSUN with a cache that runs code", _lsun, "torchvision:LSUNClass:.", says="unpickles")
    yield row("CIFAR-10 that runs code", _cifar, "torchvision:CIFAR10:.")
    for size in ("0", "-1", "4097", "100000000", "1e3", "x", ""):
        yield row(f"a size of {size!r}", classes, "d", "--size", size)
    yield row("a size that the model does not take", classes, "d", "--size", "1", accepted=None)


def _lsun(folder: Path) -> None:
    (folder / "_cache_x").write_bytes(pickle.dumps(functools.partial(os.mkdir, "executed")))


def _cifar(folder: Path) -> None:
    place = folder / "cifar-10-batches-py"
    place.mkdir()
    for name in ("batches.meta", "test_batch", *(f"data_batch_{index}" for index in range(1, 6))):
        (place / name).write_bytes(b"cos\nmkdir\n(X\x08\0\0\0executedtR.")


# Damage ---------------------------------------------------------------------------------------------------------------


def damaged() -> Iterator[Attempt]:
    """Containers that were cut off, or have a few bits turned over."""
    plain = saved(x=pixels, y=labels)
    np.savez_compressed(buffer := io.BytesIO(), x=pixels(), y=labels())
    formats = {
        "d.npz": plain,
        "c.npz": buffer.getvalue(),
        "t10k-images-idx3-ubyte": struct.pack(">4I", 0x803, 12, 28, 28) + pixels().tobytes(),
    }
    for called, content in formats.items():
        for step in range(12):
            yield file(f"{called} cut at {step}/12", content[: len(content) * step // 12], called)
        for seed in range(15):
            turned, changes = bytearray(content), random.Random(seed)
            for _ in range(4):
                turned[changes.randrange(len(turned))] ^= 1 << changes.randrange(8)
            yield file(f"{called} with bits of seed {seed}", bytes(turned), called, accepted=None)

"""Shards, records and arrays that are cut off, claim too much, point elsewhere or would run code."""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import pickle
import random
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .attempt import Attempt
from .images import labels, picture, pixels, row


def attempts() -> Iterator[Attempt]:
    """Yield the rows of this surface."""
    for found in (tars(), records(), arrays(), ground_truths(), schemas(), patterns()):
        for one in found:
            yield Attempt("shards", one.name, one.prepare, one.accepted, one.says)


def file(name: str, content: bytes, called: str, **expected: Any) -> Attempt:
    """Return a row of one file."""
    return row(name, lambda folder: (folder / called).write_bytes(content), called, **expected)


def damaged(what: str, content: bytes, called: str) -> Iterator[Attempt]:
    """The file cut off, and with bits turned over."""
    for step in range(12):
        yield file(f"{what} cut at {step}/12", content[: len(content) * step // 12 + 1], called, accepted=None)
    for seed in range(12):
        turned, changes = bytearray(content), random.Random(seed)
        for _ in range(4):
            turned[changes.randrange(len(turned))] ^= 1 << changes.randrange(8)
        yield file(f"{what} with bits of seed {seed}", bytes(turned), called, accepted=None)


# Tar -------------------------------------------------------------------------------------------------------------


def tar(*more: tuple[str, bytes], change: Callable[[tarfile.TarInfo], object] = lambda entry: None) -> bytes:
    """Eight samples, then members that `change` alters."""
    members = [
        (f"{i}.{kind}", content) for i in range(8) for kind, content in (("png", picture(i)), ("cls", b"%d" % i))
    ]
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        for name, content in (*members, *more):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            if (name, content) in more:
                change(entry)
            archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return buffer.getvalue()


def claiming(size: str) -> bytes:
    """A member whose header claims a size, with a checksum that is right."""
    header = bytearray(tarfile.TarInfo("9.png").tobuf())
    header[124:136] = size.encode().rjust(11, b"0") + b" "
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}".encode() + b"\0 "
    return tar().rstrip(b"\0").ljust(512 * (-(-len(tar().rstrip(b"\0")) // 512)), b"\0") + bytes(header) + bytes(1024)


def kind_of(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], object]:
    """Make a member another kind of file."""

    def change(entry: tarfile.TarInfo) -> None:
        entry.type, entry.linkname, entry.size = kind, target, 0

    return change


def tars() -> Iterator[Attempt]:
    """Tar files."""
    yield file("tar: whole", tar(), "d.tar", accepted=True)
    yield from damaged("tar", tar(), "d.tar")
    for name in ("../../canary.txt.png", "/etc/passwd.png", "\x1b[2J.png", "a\nb.png", "x" * 300 + ".png", "..png"):
        yield file(f"tar: a member called {name[:20]!r}", tar((name, picture())), "d.tar", says="no label")
    for name in ("../../executed", "/tmp/executed", "../canary.txt"):
        yield file(f"tar: also {name}", tar((name, b"x")), "d.tar", accepted=True)
    kinds = {
        "a link to /etc/passwd": kind_of(tarfile.SYMTYPE, "/etc/passwd"),
        "a hard link": kind_of(tarfile.LNKTYPE, "0.png"),
        "a device": kind_of(tarfile.CHRTYPE),
        "a pipe": kind_of(tarfile.FIFOTYPE),
    }
    for name, change in kinds.items():
        yield file(f"tar: {name} as an image", tar(("9.png", b""), change=change), "d.tar", says="no plain file")
        yield file(f"tar: {name} as a label", tar(("0.cls", b""), change=change), "d.tar", says="no plain file")
    for size in ("77777777777", "10000000000", "-1"):
        yield file(f"tar: a member of {size} bytes (octal)", claiming(size), "d.tar")
    for kind in (b"L", b"K", b"x", b"g"):
        long = tarfile.TarInfo("././@LongLink")
        long.type, long.size = kind, 2**20
        yield file(
            f"tar: a header {kind.decode()} of 1 MiB", long.tobuf() + bytes(2**20) + tar(), "d.tar", says="header"
        )
    for value in (b"-1", b"99999999999999999999", b"x", b"1e9"):
        pax = tarfile.TarInfo.create_pax_global_header({"size": value.decode()}) + tar()
        yield file(f"tar: a size of {value.decode()} in pax", pax, "d.tar", accepted=None)
    for content in (b"", b"x", b"-1", b"1.5", b"9" * 30, b"\xff", b"0" * 10**6, "\u0663".encode()):
        extra = tar(("9.png", picture()), ("9.cls", content))
        yield file(f"tar: the label {content[:9]!r}", extra, "d.tar", says="expected the number")
    yield file("tar: 20,000 empty members", tar(*[(f"{i}.txt", b"") for i in range(20_000)]), "d.tar", accepted=True)
    yield file("tar: gzipped", gzip.compress(tar()), "d.tar", says="no intact tar")
    yield file("tar: zeros", bytes(10_240), "d.tar", says="no images")
    yield file("tar: noise", random.Random(0).randbytes(10_240), "d.tar")
    yield file("tar: images that are none", tar(*[(f"9{i}.{k}", b"1") for i in range(9) for k in ("jpg", "cls")]), "d.tar", says="more than 10 %")  # fmt: skip

    def names(content: bytes) -> Callable[[Path], object]:
        return lambda f: [(f / "d.tar").write_bytes(tar()), (f / "classnames.txt").write_bytes(content)]

    for content in (b"", b"a\nb\n", b"a\n" * 10, b"\xff\xfe", bytes(10**7)):
        yield row(f"tar: names of classes {content[:9]!r}", names(content), "d.tar", says="names of classes")


# TFRecord --------------------------------------------------------------------------------------------------------


def record(body: bytes, length: int | None = None) -> bytes:
    """A record; its length may lie, with a checksum that is right."""
    head = struct.pack("<Q", len(body) if length is None else length)
    crc = 0xFFFFFFFF
    for bit in (byte >> place & 1 for byte in head for place in range(8)):
        crc = crc >> 1 ^ (0x82F63B78 if (crc ^ bit) & 1 else 0)
    crc ^= 0xFFFFFFFF
    return head + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF) + body + bytes(4)


def varint(value: int) -> bytes:
    """Seven bits a byte."""
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])


def field(number: int, content: bytes, length: int | None = None) -> bytes:
    """A field of bytes, whose length may lie."""
    return bytes([number << 3 | 2]) + varint(len(content) if length is None else length) + content


def example(image: bytes, label: bytes = b"\x01", **more: bytes) -> bytes:
    """An Example of an image and the bytes of a packed label."""
    features = {"image": field(1, field(1, image)), "label": field(3, field(1, label)), **more}
    return field(1, b"".join(field(1, field(1, k.encode()) + field(2, v)) for k, v in features.items()))


def records() -> Iterator[Attempt]:
    """TFRecord files."""
    whole = b"".join(record(example(picture(i), varint(i))) for i in range(8))
    yield file("TFRecord: whole", whole, "d.tfrecord", accepted=True)
    yield from damaged("TFRecord", whole, "d.tfrecord")
    for length in (2**63, 2**64 - 1, 2**40, 10**6):
        yield file(f"TFRecord: a length of {length}", whole + record(b"x", length), "d.tfrecord", says="cut off")
    bodies = {
        "nothing": b"",
        "no features": field(1, b""),
        "100,000 fields": b"\x08\x01" * 100_000,
        "100,000 features": field(1, field(1, b"") * 100_000),
        "a field beyond its end": field(1, b"x", 10**9),
        "a field of 2^63 bytes": field(1, b"x", 2**63),
        "an integer without an end": b"\x08" + b"\xff" * 50,
        "groups": b"\x0b" * 1000,
        "noise": random.Random(0).randbytes(1000),
        "nested 1,000 deep": functools.reduce(lambda inner, _: field(1, inner), range(1000), b""),
        "two images": field(1, field(1, field(1, b"image") + field(2, field(1, field(1, b"x") * 2)))),
        "a name of 1 MB": field(1, field(1, field(1, b"x" * 10**6) + field(2, b""))),
        "a name of escape codes": field(1, field(1, field(1, b"\x1b[2J") + field(2, b""))),
        "label -1": example(picture(), varint(2**64 - 1)),
        "label 2^63": example(picture(), varint(2**63)),
        "two labels": example(picture(), b"\x01\x02"),
        "no label": example(picture(), b""),
    }  # fmt: skip
    for name, body in bodies.items():
        yield file(f"TFRecord: {name}", whole + record(body), "d.tfrecord", says="record 9")
    broken = b"".join(record(example(b"x", varint(i))) for i in range(8))
    yield file("TFRecord: images that are none", broken, "d.tfrecord", says="more than 10 %")
    yield file("TFRecord: empty", b"", "d.tfrecord")
    yield file("TFRecord: zeros", bytes(1000), "d.tfrecord")
    yield file("TFRecord: gzipped", gzip.compress(whole), "d.tfrecord")


# Arrays, ground truths, schemas, patterns -------------------------------------------------------------------------


def arrays() -> Iterator[Attempt]:
    """Arrays in .npy files."""

    def npy(array: Any, **options: Any) -> bytes:
        np.save(buffer := io.BytesIO(), array, **options)
        return buffer.getvalue()

    def pair(images: bytes, truth: bytes) -> Callable[[Path], object]:
        return lambda f: [(f / "d.npy").write_bytes(images), (f / "labels.npy").write_bytes(truth)]

    def header(text: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, ("executed",)

    good, truth = npy(pixels()), npy(labels())
    pickled = npy(np.array([Runs()] * 12, object), allow_pickle=True)
    shape = "{{'descr': '|u1', 'fortran_order': False, 'shape': {}, }}\n".format
    yield row("npy: whole", pair(good, truth), "d.npy", accepted=True)
    for step in range(12):
        yield row(f"npy: cut at {step}/12", pair(good[: len(good) * step // 12], truth), "d.npy")
    cases = {
        "pickled images": (pickled, truth),
        "pickled labels": (good, pickled),
        "a pickle": (pickle.dumps(Runs()), truth),
        "an archive": (b"PK\x03\x04" + bytes(100), truth),
        "2^60 images": (header(shape("(1152921504606846976, 28, 28)")) + bytes(100), truth),
        "-1 images": (header(shape("(-1, 28, 28)")) + bytes(100), truth),
        "no shape": (header(shape("()")) + bytes(100), truth),
        "a header of code": (header("__import__('os').mkdir('executed')\n"), truth),
        "a header of 60,000 brackets": (header("(" * 60_000), truth),
        "fewer labels": (good, npy(labels()[:5])),
        "labels of text": (good, npy(np.array(["a"] * 12))),
        "labels of NaN": (good, npy(np.full(12, np.nan))),
        "images of records": (npy(np.zeros(12, [("a", "u1")])), truth),
        "no labels": (good, b""),
    }
    for name, (images, beside) in cases.items():
        yield row(f"npy: {name}", pair(images, beside), "d.npy")
    yield file("npy: alone", good, "d.npy", says="no labels beside it")


def ground_truths() -> Iterator[Attempt]:
    """Files that should label ImageNet's images."""

    def folder(truth: str, content: bytes, meta: bytes = b"") -> Callable[[Path], object]:
        def make(place: Path) -> None:
            (place / "d").mkdir()
            for index in range(8):
                (place / "d" / f"ILSVRC2012_val_{index + 1:08d}.JPEG").write_bytes(picture(index))
            (place / truth).write_bytes(content)
            if meta:
                (place / "meta.mat").write_bytes(meta)

        return make

    kit, noise = "ILSVRC2012_validation_ground_truth.txt", random.Random(0).randbytes(5000)
    contents = {
        "nothing": b"", "noise": noise, "zeros": bytes(1000), "10^9": b"1000000000\n" * 8, "letters": b"a,b\n" * 9, "digits that are not ASCII": "\u0663\n".encode() * 8,
        "one line of 10 MB": b"1" * 10**7, "forty million bytes": b"1\n" * (2 * 10**7),
    }  # fmt: skip
    for truth in (kit, "LOC_val_solution.csv", "val.txt", "imagenet_2012_validation_synset_labels.txt"):
        for name, content in contents.items():
            yield row(f"{truth}: {name}", folder(truth, content), "d", says="no ground truth")
    for name, meta in {
        "noise": noise,
        "a MATLAB header": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + noise,
        "an element of 4 GB": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 14, 2**32 - 8),
        "HDF5": b"\x89HDF\r\n\x1a\n" + noise,
        "a pickle": pickle.dumps(functools.partial(os.mkdir, "executed")),
    }.items():
        yield row(f"meta.mat: {name}", folder(kit, b"1\n" * 8, meta), "d", says="meta.mat")


def schemas() -> Iterator[Attempt]:
    """What the schema of a Parquet file says about its classes."""

    def shard(metadata: bytes) -> Callable[[Path], object]:
        def make(folder: Path) -> None:
            import pyarrow
            from pyarrow import parquet

            cells = [{"bytes": picture(i), "path": "/etc/passwd"} for i in range(8)]
            table = pyarrow.table({"image": cells, "label": list(range(8))})
            parquet.write_table(table.replace_schema_metadata({"huggingface": metadata}), folder / "d.parquet")

        return make

    def named(names: object) -> bytes:
        features = {"label": {"_type": "ClassLabel", "names": names}}
        return json.dumps({"info": {"features": features}}).encode()

    cases = {"no JSON": b"x", "no text": b"\xff", "deep": b"[" * 10**5, "a list": b"[]", "null": b"null", "a number as features": b'{"info": {"features": 1}}',
             "numbers as names": named([1] * 8), "a name twice": named(["a"] * 8), "text as names": named("abcdefgh"), "nothing as names": named(None),
             "escape codes as names": named([f"\x1b[2J{i}" for i in range(10)])}  # fmt: skip
    for name, content in cases.items():
        yield row(f"schema: {name}", shard(content), "d.parquet", accepted=True)
    yield row("schema: too few names", shard(named(["a", "b"])), "d.parquet", says="names 2 classes")


def patterns() -> Iterator[Attempt]:
    """Patterns that match nothing, or what they should not."""
    for data in (
        "*",
        "[",
        "**/**/**",
        "*" * 500,
        "/dev/z*",
        "/proc/self/mem*",
        "/proc/self/fd/*",
        "[!",
        "?" * 5000,
        "~*",
        "\ud8ff*",
        "*\x1b[2J",
        "*/*/*/*/*/*",
    ):
        yield row(f"the pattern {data[:20]!r}", lambda folder: None, data)
    yield row("a pattern of pipes", lambda f: os.mkfifo(f / "a.tar"), "*.tar")
    yield row("a pattern of a link to /dev/zero", lambda f: (f / "a.tar").symlink_to("/dev/zero"), "*.tar")
    yield row("a pattern of a tar and noise", lambda f: [(f / "a.tar").write_bytes(tar()), (f / "b").write_bytes(b"x")], "*", says="of one kind")  # fmt: skip
    yield row("a folder of a pipe called as a shard", lambda f: [(f / "d").mkdir(), os.mkfifo(f / "d" / "a.tar")], "d", says="no images")  # fmt: skip

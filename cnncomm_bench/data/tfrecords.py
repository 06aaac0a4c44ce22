"""Lists TFRecord files of images as TensorFlow Datasets writes them; TensorFlow is not needed.

A record is its length, that length's checksum, a `tf.train.Example` and its checksum. An Example is a map from names to
lists of bytes, floats or integers in the encoding of protocol buffers. Images are read where they lie.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .listings import Listing, Slice, listing_of

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bits reversed
_MOST_FIELDS = 1000
_BYTES, _INTEGERS = 1, 3  # fields of tf.train.Feature
Span = tuple[int, int]


def read_records(paths: Sequence[Path]) -> Listing:
    """List the records of TFRecord files, each with an encoded `image` and an integer `label`.

    Parameters
    ----------
    paths : sequence of Path
        Names of the classes are those of `label.labels.txt` beside them, which TensorFlow Datasets writes.

    Raises
    ------
    DataError
        One is damaged or compressed, or holds records of another kind.
    """
    names = paths[0].with_name("label.labels.txt")
    examples = (example for path in paths for example in _examples(path))
    listing = listing_of(examples, paths, names if names.is_file() else None)
    if listing is None:
        raise DataError(f"{listed([path.name for path in paths])} hold no records: expected one an image")
    return listing


def is_records(path: Path) -> bool:
    """Whether a file begins as TFRecords do: with a length and its checksum."""
    try:
        with path.open("rb") as file:
            return _length(file.read(12)) is not None
    except OSError:
        return False


def _length(head: bytes) -> int | None:
    """Length of the record that begins so; None where the checksum is another."""
    crc = 0xFFFFFFFF
    for byte in head[:8]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    if len(head) < 12 or masked != struct.unpack("<I", head[8:12])[0]:
        return None
    return int(struct.unpack("<Q", head[:8])[0])


def _examples(path: Path) -> Iterator[tuple[str, Slice, int]]:
    """Name, image and label of each record of a file."""
    name, size = shown(path.name), path.stat().st_size
    if not size:
        return  # a split with fewer images than shards has empty ones
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at, number = 0, 0
        while at < size:
            number += 1
            length = _length(content[at : at + 12])
            if length is None or at + 16 + length > size:
                raise DataError(
                    f"{name} is cut off, damaged or compressed at record {number}: fetch it again, or unpack it"
                )
            try:
                (start, end), label = _example(content, at + 12, at + 12 + length)
            except ValueError as error:
                raise DataError(
                    f"{name}, record {number} is no image with a label ({one_line(error)}): expected the features "
                    "image (bytes) and label (integer)"
                ) from error
            yield f"record {number} of {path.name}", Slice(path, start, end - start), label
            at += 16 + length


def _example(content: mmap.mmap, at: int, end: int) -> tuple[Span, int]:
    """Where the image of an Example is, and its label."""
    features: dict[bytes, Span] = {}
    for _, start, stop in _spans(content, at, end, 1):
        for _, entry, entry_end in _spans(content, start, stop, 1):
            parts = {field: (a, b) for field, a, b in _spans(content, entry, entry_end, 1, 2)}
            if 1 in parts and 2 in parts and parts[1][1] - parts[1][0] <= 100:
                features[content[slice(*parts[1])]] = parts[2]
    absent = [key.decode() for key in (b"image", b"label") if key not in features]
    if absent:
        raise ValueError(f"there is no {' and no '.join(absent)} among {listed([repr(key) for key in features], 8)}")
    images = [
        (a, b)
        for _, start, stop in _spans(content, *features[b"image"], _BYTES)
        for _, a, b in _spans(content, start, stop, 1)
    ]
    labels = [
        value
        for _, start, stop in _spans(content, *features[b"label"], _INTEGERS)
        for value in _integers(content, start, stop)
    ]
    if len(images) != 1 or len(labels) != 1 or not 0 <= labels[0] <= 10**6:
        raise ValueError(f"{len(images)} images and the labels {shown(repr(labels[:3]), 40)}")
    return images[0], labels[0]


def _integers(content: mmap.mmap, at: int, end: int) -> Iterator[int]:
    """Values of an Int64List, packed or not; negative ones come out above 2^63."""
    for _, wire, start, stop in _fields(content, at, end):
        if wire == 0:
            yield start
        while wire == 2 and start < stop:
            value, start = _varint(content, start, stop)
            yield value


def _spans(content: mmap.mmap, at: int, end: int, *fields: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of the fields of bytes with these numbers."""
    for field, wire, start, stop in _fields(content, at, end):
        if wire == 2 and field in fields:
            yield field, start, stop


def _fields(content: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type and place of each field of a message; the value in place of the begin for integers."""
    for _ in range(_MOST_FIELDS):
        if at == end:
            return
        key, at = _varint(content, at, end)
        wire, start = key & 7, at
        if wire == 0:
            value, at = _varint(content, at, end)
            yield key >> 3, wire, value, at
            continue
        if wire == 2:
            length, start = _varint(content, at, end)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        at = start + length
        if at > end:
            raise ValueError(f"a field of {length} bytes where {end - start} are left")
        yield key >> 3, wire, start, at
    raise ValueError(f"more than {_MOST_FIELDS} fields")


def _varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where it ends."""
    value = 0
    for place in range(10):
        if at + place >= end:
            break
        byte = content[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("an integer without an end")

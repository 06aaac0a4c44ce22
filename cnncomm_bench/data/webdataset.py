"""Lists WebDataset shards: tar files of images (.jpg) and labels (.cls), read where they lie, never unpacked."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .listings import Listing, Slice, is_image, listing_of

_BLOCK = tarfile.BLOCKSIZE
_LONGEST = 2**16
"""Bytes of a header: a long name, a record of pax. tarfile would read one of gigabytes."""


def read_webdataset(paths: Sequence[Path]) -> Listing:
    """List the samples of WebDataset shards: members that share a name up to its first dot.

    Parameters
    ----------
    paths : sequence of Path
        Uncompressed tar files. Names of the classes are those of `classnames.txt` beside them or one folder above,
        one a line, where there is one. Names of members are compared and shown, and are no paths on the disk.

    Raises
    ------
    DataError
        One is damaged, or a sample has no label, two images or two labels.
    """
    folder = paths[0].parent
    names = next((p for p in (folder / "classnames.txt", folder.parent / "classnames.txt") if p.is_file()), None)
    listing = listing_of((sample for path in paths for sample in _samples(path)), paths, names)
    if listing is None:
        raise DataError(
            f"{listed([path.name for path in paths])} hold no images with labels (.jpg and .cls of one name): unpack "
            "other archives and pass the folder"
        )
    return listing


def _samples(path: Path) -> Iterator[tuple[str, Slice, int]]:
    """Images and labels of a shard, in order."""
    name, size = shown(path.name), path.stat().st_size
    images: dict[str, Slice] = {}
    labels: dict[str, int] = {}
    try:
        with _Headers(path) as opened, tarfile.open(fileobj=opened, mode="r:") as archive:
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps them all
                key, kind = _key(member.name)
                if not (kind == "cls" or is_image(f"x.{kind}")) or member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise DataError(f"{name}: {shown(member.name, 80)} is no plain file: pack the file itself")
                if member.offset_data + member.size > size:
                    raise EOFError(f"{member.name} is cut off")
                if key in (labels if kind == "cls" else images):
                    raise DataError(f"{name} has two images or labels called {shown(key, 80)}: pack one of each")
                if kind == "cls":
                    opened.seek(member.offset_data)
                    labels[key] = _label(opened.read(min(member.size, 20)), f"{name}: {shown(member.name, 80)}")
                else:
                    images[key] = Slice(path, member.offset_data, member.size)
            opened.seek(archive.offset)
            if opened.read(_BLOCK) != bytes(_BLOCK):  # tarfile takes a damaged header for the end
                raise EOFError("it ends without a block of zeros")
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise DataError(f"{name} is no intact tar file ({one_line(error)}): fetch it again") from error
    if lonely := [key for key in images if key not in labels]:
        raise DataError(
            f"{name}: {len(lonely)} of {len(images)} images have no label ({shown(lonely[0], 80)}.cls): pack the label "
            "of each beside it, or unpack the archive and pass the folder"
        )
    for key, image in images.items():
        yield key, image, labels[key]


def _key(member: str) -> tuple[str, str]:
    """What the members of a sample share, and which of them this is: "val/0001.seg.png" is "seg.png" of "val/0001"."""
    path = PurePosixPath(member)
    stem, _, kind = path.name.partition(".")
    return str(path.with_name(stem)) if stem else "", kind.lower()


def _label(content: bytes, where: str) -> int:
    text = content.strip()
    if not (text.isdigit() and len(text) <= 6):
        raise DataError(f"{where} holds {shown(repr(content), 40)}: expected the number of a class, from 0 on")
    return int(text)


class _Headers(io.FileIO):
    """A file of which no more than `_LONGEST` bytes are read at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LONGEST:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size) or b""

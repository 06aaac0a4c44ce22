"""Data sets in files: which kind each is, and the shards of a folder or of a glob as one list of images."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import iglob
from itertools import islice
from pathlib import Path

from .._utils.errors import DataError, UsageError
from .._utils.files import listed, shown
from .listings import Listing, is_image, unlabelled
from .tables import read_tables
from .tfrecords import is_records, read_records
from .webdataset import read_webdataset

_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_MOST_FILES = 100_000
# "-00003-of-00014", of the hub also with a hash behind it; "-000123"; "0003" alone.
_NUMBER = re.compile(r"[-_.]?\d+(-of-\d+(-[0-9a-f]{16})?)?$")
_SHARD = re.compile(r"\.(parquet|pq|tar|tfrecords?)$|\.tfrecord-\d+-of-\d+$")
_OF = re.compile(r"-\d+-of-(\d+)")


def reader_of(path: Path) -> Callable[[Sequence[Path]], Listing] | None:
    """What reads a file and others like it; None where nothing here does."""
    if path.suffix.lower() in _TABLES:
        return read_tables
    if path.suffix.lower() == ".tar":
        return read_webdataset
    return read_records if is_records(path) else None


def read_glob(pattern: str) -> Listing | None:
    """List the images of all files that match a pattern, in alphabetical order; None where there are none.

    Raises
    ------
    UsageError
        The files are of several kinds, or of none that can be read together.
    DataError
        They cannot be read.
    """
    found = islice(iglob(pattern), _MOST_FILES)  # noqa: PTH207  # Path.glob refuses a pattern that begins at the root
    paths = sorted(path for path in map(Path, found) if path.is_file())
    if paths and all(is_image(path.name) for path in paths):
        return unlabelled(Path(pattern), paths)
    return _read(shown(pattern), paths) if paths else None


def _read(name: str, paths: Sequence[Path]) -> Listing:
    readers = [reader_of(path) for path in paths]
    first = readers[0]
    other = next((path for path, read in zip(paths, readers, strict=True) if read is None or read is not first), None)
    if first is None or other is not None:
        both = dict.fromkeys(path.name for path in (paths[0], other or paths[0]))
        raise UsageError(
            f"{name} names {listed(list(both))}: expected images, or Parquet, CSV, tar or TFRecord files, all of one "
            "kind; pass a pattern of such files, or one file alone",
            "data",
        )
    return first(paths)


def read_shards_of(folder: Path) -> Listing | None:
    """List the images of a folder's shards; None where it holds none.

    Raises
    ------
    DataError
        Shards of several splits or kinds, or shards one folder below; or they cannot be read.
    """
    name, paths = shown(folder), _shards(folder)
    if not paths:
        below = next((child for child in sorted(folder.iterdir()) if child.is_dir() and _shards(child)), None)
        if below is not None:
            raise DataError(f"{name} holds data one folder below: pass {name}/{shown(below.name)}", "data")
        return None
    splits: dict[str, Path] = {}
    for path in paths:
        splits.setdefault(_NUMBER.sub("", path.name if ".tfrecord" in path.name else path.stem), path)
    if len(splits) > 1:
        split, path = list(splits.items())[-1]
        ending = "" if ".tfrecord" in path.name else path.suffix
        raise DataError(
            f"{name} holds several data sets ({listed(list(splits))}): pass one of them by a pattern in quotes, such "
            f"as '{name}/{shown(split)}*{ending}'",
            "data",
        )
    listing = _read(name, paths)
    total = max((int(match[1]) for path in paths if (match := _OF.search(path.name))), default=0)
    missing = (f"{name}: {len(paths)} of {total} shards are there",) if total > len(paths) else ()
    return replace(listing, notes=(*listing.notes, *missing))


def _shards(folder: Path) -> list[Path]:
    """Files of a folder that are shards by their names."""
    try:
        names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        return [path for path in names if _SHARD.search(path.name.lower()) and path.is_file()]
    except OSError:
        return []

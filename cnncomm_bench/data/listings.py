"""Lists image files in folders: one folder a class, or images without labels."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from .._utils.errors import DataError
from .._utils.files import listed, one_line, shown
from .array_like import MOST_IMAGES, Labels
from .decode import LARGEST, SUFFIXES, Source, UnreadableImage

_DEEPEST = 32
_SPLITS = frozenset(["train", "training", "val", "valid", "validation", "test", "testing", "eval", "dev"])


@dataclass(frozen=True)
class Listing:
    """Image files with their labels, not read yet.

    Attributes
    ----------
    files : sequence of Path, bytes or callable
        See `decode.Source`.
    names : sequence of str
        What to call each in a message.
    labels : ndarray of int64, shape-(N,), or None
    class_names : tuple of str
    notes : tuple of str
    ordered : bool
        The labels are numbers, or folders in alphabetical order; False for names in a table.
    """

    files: Sequence[Source]
    names: Sequence[str]
    labels: Labels | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    ordered: bool = True


@dataclass(frozen=True)
class Slice:
    """An image file inside another file: a member of a tar, a field of a record; called, it returns its bytes."""

    path: Path
    start: int
    size: int

    def __call__(self) -> bytes:
        """Read it."""
        if self.size > LARGEST:
            raise UnreadableImage("larger than 1 GiB")
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


def listing_of(samples: Iterable[tuple[str, Slice, int]], files: Sequence[Path], names: Path | None) -> Listing | None:
    """List samples of the files of a data set, each with its name and label; None where there are none.

    `names` is the file with the names of the classes, see `read_names`.

    Raises
    ------
    DataError
        They are too many, or the names do not fit the labels.
    """
    found = list(islice(samples, MOST_IMAGES + 1))
    if not found:
        return None
    if len(found) > MOST_IMAGES:
        raise DataError(f"{listed([path.name for path in files])}: more than {MOST_IMAGES} images: pass fewer files")
    called, slices, labels = zip(*found, strict=True)
    return Listing(slices, called, np.array(labels, np.int64), read_names(names, max(labels)))


def without_labels(name: str) -> str:
    """The note of a data set without labels."""
    return f"{name} has no labels: scored by agreement with the clean predictions"


class NoImagesError(DataError):
    """A folder holds no images, in class folders or itself."""


def read_folder(folder: Path) -> Listing:
    """List a folder with one folder a class, or a folder of images without labels.

    Parameters
    ----------
    folder : Path
        Classes are its folders in alphabetical order, as torchvision's ImageFolder has it.

    Raises
    ------
    NoImagesError
        There are none.
    DataError
        It is the folder above train and val, or counts an image twice.
    """
    name = shown(folder)
    children = [entry for entry in _entries(folder, folder) if not entry.name.startswith("__")]
    classes = [entry for entry in children if _is_folder(entry)]
    splits = [entry.name for entry in classes if entry.name.lower() in _SPLITS]
    if splits and len(splits) == len(classes):
        raise DataError(
            f"{name} holds {listed(splits)}, not classes: pass one of them, such as {name}/{shown(splits[-1])}", "data"
        )
    found = [list(_images_under(entry, folder)) for entry in classes]
    if not any(found):
        return unlabelled(folder, [Path(entry.path) for entry in children if is_image(entry.name)])
    files = [path for images in found for path in images]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), [len(images) for images in found])
    empty = [entry.name for entry, images in zip(classes, found, strict=True) if not images]
    notes = (f"{name}: no images in {listed(empty)}; its label is kept",) if empty else ()
    names = [os.path.relpath(path, folder) for path in files]
    check_distinct(name, files, names)
    return Listing(files, names, labels, tuple(entry.name for entry in classes), notes)


def unlabelled(folder: Path, images: Sequence[Path]) -> Listing:
    """List images without labels; `folder`, or the pattern that found them, is what messages name."""
    check_distinct(shown(folder), images, [path.name for path in images])
    if not images:
        raise NoImagesError(
            f"{shown(folder)} holds no images: expected one folder a class with images in it, or images "
            f"({', '.join(sorted(SUFFIXES)[:6])}, ...)"
        )
    return Listing(images, [path.name for path in images], None, (), (without_labels(shown(folder)),))


def read_names(path: Path | None, largest: int) -> tuple[str, ...]:
    """Read the names of the classes, one a line, for labels up to `largest`; numbers where there is no file.

    Raises
    ------
    DataError
        It is no text, has too few names, or one twice.
    """
    if path is None:
        return tuple(map(str, range(largest + 1)))
    try:
        if path.stat().st_size > 2**22:
            raise ValueError("it is larger than 4 MiB")
        names = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise DataError(f"{shown(path.name)} has no names of classes ({one_line(error)}): remove it") from error
    if len(names) <= largest or len(set(names)) < len(names):
        raise DataError(
            f"{shown(path.name)} has {len(set(names))} names of classes and there are labels up to {largest}: expected "
            "one name a line, each once; correct it, or remove it"
        )
    return names


def is_image(name: str) -> bool:
    """Return whether a file's name ends as an image's does."""
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def _entries(folder: Path, top: Path) -> list[os.DirEntry[str]]:
    """List a folder in order, without hidden entries."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{shown(top)} holds a folder that cannot be read, {shown(os.path.relpath(folder, top))} "
            f"({error.strerror}): make it readable or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _images_under(top_entry: os.DirEntry[str], top: Path) -> Iterator[Path]:
    """Walk a class in order; links are followed, a folder that was seen before is not (loops of links)."""
    waiting, seen = [top_entry], set()
    while waiting:
        entry = waiting.pop()
        if _is_folder(entry):
            if len(Path(entry.path).parts) - len(top.parts) > _DEEPEST:
                raise DataError(f"{shown(top)} has folders {_DEEPEST} deep: expected one folder a class")
            status = entry.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                waiting += reversed(_entries(Path(entry.path), top))
        elif is_image(entry.name):
            yield Path(entry.path)


def check_distinct(name: str, files: Sequence[Source], names: Sequence[str]) -> None:
    """Refuse a file that would be counted twice, by a link or by a table that names it twice."""
    seen: dict[tuple[int, int], str] = {}
    for file, called in zip(files, names, strict=True):
        with contextlib.suppress(OSError):  # reading it says why it cannot be read
            if isinstance(file, Path) and stat.S_ISREG((status := file.stat()).st_mode):
                other = seen.setdefault((status.st_dev, status.st_ino), called)
                if other is not called:
                    raise DataError(
                        f"{name} counts an image twice: {shown(called, 80)} and {shown(other, 80)} are one file; "
                        "remove one of them"
                    )

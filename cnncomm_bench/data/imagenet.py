"""Labels of ImageNet's flat validation folder, from the ground-truth files that people have beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .._utils.errors import DataError
from .._utils.files import one_line, shown
from .listings import Listing

_NUMBER = re.compile(r"ILSVRC2012_val_(\d{8})(?:_n\d{8})?\.[A-Za-z]+")
_IMAGES = 50_000
_SYNSET = re.compile(r"n\d{8}")


def with_ground_truth(folder: Path, listing: Listing) -> Listing:
    """Label the images of a flat folder that are ImageNet's, where a ground-truth file is found.

    Looked for in the folder, above it, and in the development kit above it: `LOC_val_solution.csv` (Kaggle),
    `imagenet_2012_validation_synset_labels.txt`, `val.txt` (Caffe), `ILSVRC2012_validation_ground_truth.txt`. The last
    numbers the classes in an order of its own, not in the alphabetical one of torchvision and timm: `meta.mat` beside
    it translates, and without that file a class map is needed.

    Raises
    ------
    DataError
        A ground-truth file cannot be read, or lacks an image.
    """
    numbers = [_NUMBER.fullmatch(name) for name in listing.names]
    if listing.labels is not None or not all(numbers):
        return listing
    places = (folder, folder.parent, folder.parent / "ILSVRC2012_devkit_t12" / "data", folder.parent / "data")
    found = [(place / name, read) for name, read in _READERS.items() for place in places if (place / name).is_file()]
    if not found:
        files = ", ".join(_READERS)
        note = f"{shown(folder)} holds ImageNet's validation images: put one of {files} beside them for labels"
        return Listing(listing.files, listing.names, None, (), (*listing.notes, note))
    path, read = found[0]
    try:
        if path.stat().st_size > 2**25:
            raise ValueError("it is larger than 32 MiB")
        truth = read(path)
        wanted = [int(match[1]) for match in numbers if match]
        lost = next((number for number in wanted if number not in truth), None)
        if lost is not None:
            raise ValueError(f"it has no label of image {lost}")
        return _labelled(listing, path, [truth[number] for number in wanted], sorted(set(truth.values()), key=str))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown(path.name)} is no ground truth of ImageNet ({one_line(error)}): fetch it again"
        ) from error


def _labelled(listing: Listing, path: Path, truth: list[str | int], classes: list[str | int]) -> Listing:
    """Synsets are classes in alphabetical order; numbers are classes themselves, from 0, or need a class map."""
    if all(isinstance(one, str) and _SYNSET.fullmatch(one) for one in classes):
        place = {synset: label for label, synset in enumerate(classes)}
        note = f"labels of {shown(path.name)}: {len(classes)} synsets in alphabetical order"
        labels, names, ordered = [place[one] for one in truth], tuple(map(str, classes)), True
    else:
        ordered = path.name == "val.txt"
        first = 0 if ordered else 1
        labels, names = [int(one) - first for one in truth], tuple(str(i + first) for i in range(1000))
        note = f"labels of {shown(path.name)}"
    return Listing(listing.files, listing.names, np.array(labels, np.int64), names, (note,), ordered)


def _solution(path: Path) -> Mapping[int, str | int]:
    """`ImageId,PredictionString` lines, the synset first in the second column."""
    truth: dict[int, str | int] = {}
    for line in path.read_text("utf-8").splitlines()[1 : _IMAGES + 1]:
        image, _, boxes = line.partition(",")
        if not (match := _NUMBER.fullmatch(f"{image}.x")) or not _SYNSET.fullmatch(boxes[:9]):
            raise ValueError(f"the line {shown(line, 60)}")
        truth[int(match[1])] = boxes[:9]
    return truth


def _synsets(path: Path) -> Mapping[int, str | int]:
    """A synset a line, in the order of the images."""
    lines = path.read_text("utf-8").split()[:_IMAGES]
    if not all(map(_SYNSET.fullmatch, lines)):
        raise ValueError("a line is no synset, such as n01440764")
    return dict(enumerate(lines, 1))


def _numbered(path: Path) -> Mapping[int, str | int]:
    """`NAME LABEL` lines, labels from 0 in the alphabetical order of the synsets."""
    truth: dict[int, str | int] = {}
    for line in path.read_text("utf-8").splitlines()[:_IMAGES]:
        name, _, label = line.strip().rpartition(" ")
        if not (match := _NUMBER.fullmatch(name.rpartition("/")[2])):
            raise ValueError(f"the line {shown(line, 60)}")
        truth[int(match[1])] = _class(label, 0)
    return truth


def _development_kit(path: Path) -> Mapping[int, str | int]:
    """A number from 1 to 1000 a line, in the order of the images; synsets where `meta.mat` is beside it."""
    numbers = [_class(line, 1) for line in path.read_text("utf-8").split()[:_IMAGES]]
    meta = path.with_name("meta.mat")
    if not meta.is_file():
        return dict(enumerate(numbers, 1))
    synsets = _meta(meta)
    return {image: synsets[number] for image, number in enumerate(numbers, 1)}


def _meta(path: Path) -> Mapping[int, str]:
    from scipy.io import loadmat

    try:
        if path.stat().st_size > 2**25:
            raise ValueError("it is larger than 32 MiB")
        rows: Any = loadmat(path, squeeze_me=True, variable_names=["synsets"])["synsets"]
        synsets = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows if int(row["num_children"]) == 0}
    except Exception as error:  # scipy raises whatever a damaged file leads it to
        raise ValueError(f"{path.name} beside it: {one_line(error)}") from error
    if set(synsets) != set(range(1, 1001)) or len(set(synsets.values())) < 1000:
        raise ValueError(f"{path.name} beside it has no synsets of the classes 1 to 1000")
    return synsets


def _class(text: str, first: int) -> int:
    if not (text.isascii() and text.isdigit() and first <= int(text[:9]) < 1000 + first):
        raise ValueError(f"{shown(text, 40)} is no class from {first} to {999 + first}")
    return int(text)


_READERS: dict[str, Callable[[Path], Mapping[int, str | int]]] = {
    "LOC_val_solution.csv": _solution,
    "imagenet_2012_validation_synset_labels.txt": _synsets,
    "val.txt": _numbered,
    "ILSVRC2012_validation_ground_truth.txt": _development_kit,
}

"""Class maps: from the class names of the data to the model's labels, and the warning that one is needed."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._utils.errors import DataError, UsageError, suggest
from .._utils.files import listed, one_line, shown
from .array_like import Labels


def read_class_map(path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Read a class map: which of the model's labels each class of the data is.

    Parameters
    ----------
    path : Path
        Text with one class a line in the model's order; or ``name,label`` lines; or JSON, a list of names, an
        object ``{"name": label}``, ``{"0": "name"}`` or ``{"0": ["n01440764", "tench"]}`` (ImageNet's class index).

    Returns
    -------
    labels : dict of str to int
        Model label of each name.
    names : tuple of str
        Names in the order of the labels (labels without a name are called by their number).

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It cannot be understood.
    """
    if not path.is_file():
        raise UsageError(f"{shown(path)}: there is no such file, expected a class map", "classes")
    name = shown(path.name)
    try:
        if path.stat().st_size > 2**22:
            raise ValueError("it is larger than 4 MiB")
        text = path.read_text("utf-8-sig")
        pairs = _from_json(text) if path.suffix.lower() == ".json" else _from_lines(text)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise DataError(
            f"{name} is no class map ({one_line(error)}): write one class a line, in the model's order"
        ) from error
    if not pairs or min(pairs.values()) < 0 or max(pairs.values()) > 10**6:
        raise DataError(f"{name} is no class map: write one class a line, in the model's order, or name,label lines")
    names = [str(label) for label in range(max(pairs.values()) + 1)]
    for word, label in pairs.items():
        names[label] = word
    return pairs, tuple(names)


def _from_json(text: str) -> dict[str, int]:
    content = json.loads(text)
    if isinstance(content, list):
        return {str(word): label for label, word in enumerate(content)}
    if not isinstance(content, dict):
        raise ValueError("expected a list or an object")
    if all(isinstance(value, int) for value in content.values()):
        return {str(word): int(label) for word, label in content.items()}
    pairs = {}
    for label, words in content.items():
        for word in words if isinstance(words, list) else [words]:
            pairs[str(word)] = int(label)
    return pairs


def _from_lines(text: str) -> dict[str, int]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.reader(lines, delimiter="\t" if any("\t" in line for line in lines) else ","))
    if rows and all(len(row) == 2 for row in rows) and all(row[1].strip().isdigit() for row in rows[1:]):
        body = rows if rows[0][1].strip().isdigit() else rows[1:]
        return {row[0].strip(): int(row[1]) for row in body}
    if len(set(lines)) < len(lines):
        raise ValueError("a class is named twice")
    return {line: label for label, line in enumerate(lines)}


def relabel(labels: Labels, class_names: tuple[str, ...], path: Path) -> tuple[Labels, tuple[str, ...]]:
    """Turn the data's labels into the model's.

    Parameters
    ----------
    labels : ndarray of int64, shape-(N,)
        Indices into `class_names`.
    class_names : tuple of str
        Classes of the data.
    path : Path
        The class map.

    Returns
    -------
    labels : ndarray of int64, shape-(N,)
    class_names : tuple of str
        In the order of the model's labels.

    Raises
    ------
    DataError
        A class of the data is not in the map.
    """
    pairs, names = read_class_map(path)
    numeric = all(word.isdigit() for word in class_names)
    missing = [word for word in class_names if word not in pairs]
    if missing and numeric and len(class_names) <= len(names):
        return labels, names  # labels are numbers already; the file names them
    if missing:
        near = suggest(missing[0], pairs) if len(pairs) <= 20 else suggest(missing[0], pairs).partition(" There are")[0]
        raise DataError(f"{shown(path.name)} does not name {listed(missing)}, classes of the data; {near}")
    table = np.array([pairs[word] for word in class_names], np.int64)
    return table[labels], names


def permutation_warning(labels: Labels, predictions: Labels, class_names: Sequence[str] | None = None) -> str | None:
    """Report clean predictions that look right but for the order of the classes.

    Parameters
    ----------
    labels, predictions : ndarray of int, shape-(N,)
        Of the clean images.
    class_names : sequence of str, optional
        To name an example.

    Returns
    -------
    str or None
        One line, or None where the labels look in order.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 10)
    >>> permutation_warning(labels, labels) is None
    True
    >>> permutation_warning(labels, (labels + 1) % 3)[:58]
    'the labels look permuted: 100 % of the images would be rig'
    """
    if len(labels) < 10:
        return None
    present = np.unique(labels)
    guess = {int(label): int(np.bincount(predictions[labels == label]).argmax()) for label in present}
    if len(set(guess.values())) < len(guess):
        return None
    matched = float(np.mean([guess[int(label)] == guessed for label, guessed in zip(labels, predictions, strict=True)]))
    accuracy = float(np.mean(labels == predictions))
    if matched < 0.5 or matched < accuracy + 0.2:
        return None

    def named(label: int) -> str:
        return shown(class_names[label]) if class_names and label < len(class_names) else str(label)

    old, new = next((old, new) for old, new in guess.items() if old != new)
    return (
        f"the labels look permuted: {matched:.0%} of the images would be right in another order of classes, "
        f"{accuracy:.0%} are (images of {named(old)} are classified as {named(new)}): "
        "pass a class map in the model's order"
    ).replace("%", " %")

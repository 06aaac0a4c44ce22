"""Class maps: from the class names of the data to the model's labels, and the warning that one is needed."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._utils.errors import DataError, UsageError, suggest
from .._utils.files import listed, one_line, parse_json, path_of, shown
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
    path = path_of(path, "classes")
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
    if len(set(names)) < len(names):
        raise DataError(f"{name} contradicts itself: a class is called by the number of another one")
    return pairs, tuple(names)


def _from_json(text: str) -> dict[str, int]:
    content = parse_json(text)
    if isinstance(content, list):
        return _unique([(str(word), label) for label, word in enumerate(content)])
    if not isinstance(content, dict):
        raise ValueError("expected a list or an object")
    if all(type(value) is int for value in content.values()):
        return _unique(list(content.items()))
    if all(isinstance(value, str) for value in content.values()):
        return _unique([(word, int(label)) for label, word in content.items()])
    # ImageNet's index has a unique code and a word a class; a word of two classes ("crane") names neither.
    pairs: list[tuple[str, int]] = []
    for label, words in content.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{shown(label, 40)} has no name")
        pairs += [(word, int(label)) for word in words]
    count = Counter(word for word, _ in pairs)
    unique = {word: label for word, label in pairs if count[word] == 1}
    if set(unique.values()) < {int(label) for label in content}:
        raise ValueError("a class has no name of its own")
    return unique


def _from_lines(text: str) -> dict[str, int]:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = list(csv.reader(lines, delimiter="\t" if any("\t" in line for line in lines) else ","))
    if rows and all(len(row) == 2 for row in rows) and all(_is_label(row[1]) for row in rows[1:]):
        body = rows if _is_label(rows[0][1]) else rows[1:]
        return _unique([(row[0].strip(), int(row[1])) for row in body])
    _refuse_gaps(text)
    return _unique([(line, label) for label, line in enumerate(lines)])


def _refuse_gaps(text: str) -> None:
    """Refuse a list in which a class without a name, or called "#", would shift the labels of those after it."""
    skipped = [not line.strip() or line.startswith("#") for line in text.splitlines()]
    classes = [number for number, skips in enumerate(skipped) if not skips]
    gaps = [number for number in range(classes[0], classes[-1]) if skipped[number]] if classes else []
    gaps += [number for number, line in enumerate(text.splitlines()) if line.strip() == "#"]
    if gaps:
        raise ValueError(
            f"line {gaps[0] + 1} names no class, so the labels after it are unclear: pass name,label lines"
        )


def _is_label(text: str) -> bool:
    return text.strip().isascii() and text.strip().isdigit()


def _unique(pairs: list[tuple[str, int]]) -> dict[str, int]:
    """Refuse a class with two labels and a label with two names: one of them would be silently lost."""
    found: dict[str, int] = {}
    named: dict[int, str] = {}
    for word, label in pairs:
        if word in found:
            raise ValueError(f"the class {shown(word, 40)} is named twice")
        if label in named:
            raise ValueError(f"label {label} has two names, {shown(named[label], 40)} and {shown(word, 40)}")
        found[word], named[label] = label, word
    return found


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
    numeric = all(_is_label(word) for word in class_names)
    missing = [word for word in class_names if word not in pairs]
    if missing and numeric and max(map(int, class_names)) < len(names):  # the file names the numbers
        pairs, missing = {word: int(word) for word in class_names}, []
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

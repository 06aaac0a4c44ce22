"""Every form images come in opens to the same pixels, and every mistake gets one line that says what to do."""

from __future__ import annotations

import csv
import gzip
import hashlib
import http.server
import io
import json
import struct
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cnncomm_bench._utils.errors import DataError, UsageError
from cnncomm_bench._utils.files import one_line, shown
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.data import download
from cnncomm_bench.data.classmap import permutation_warning, read_class_map
from cnncomm_bench.data.decode import read_image
from cnncomm_bench.data.download import Remote
from cnncomm_bench.data.images import balanced_subset, check_labels, default_images, open_images
from cnncomm_bench.models.preprocessing import Preprocessing

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CNNCOMM_BENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)


LABELS = np.repeat([0, 1, 2], 4)
NAMES = ("ash", "birch", "cedar")


@pytest.fixture
def folder(tmp_path, pixels) -> Path:
    for index, (image, label) in enumerate(zip(pixels, LABELS, strict=True)):
        place = tmp_path / "trees" / NAMES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index:02d}.png")
    return tmp_path / "trees"


def same(found, pixels) -> None:
    np.testing.assert_array_equal(found.images, pixels.transpose(0, 3, 1, 2))
    assert found.images.dtype == np.uint8
    assert found.images.flags.c_contiguous
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.labels.dtype == np.int64


# Sources -------------------------------------------------------------------------------------------------------


def test_folder_a_class(folder, pixels):
    found = open_images(folder, channels=3)
    same(found, pixels)
    assert found.class_names == NAMES
    assert found.name.endswith("trees")
    assert found.notes == ()
    assert open_images(str(folder)).sha256 == found.sha256


def test_the_digest_covers_pixels_and_labels(tmp_path, pixels):
    digests = set()
    for index, (x, y) in enumerate([(pixels, LABELS), (255 - pixels, LABELS), (pixels, LABELS[::-1])]):
        np.savez(tmp_path / f"{index}.npz", x=x, y=y)
        digests.add(open_images(tmp_path / f"{index}.npz").sha256)
    assert len(digests) == 3


@pytest.mark.parametrize(
    "arrays",
    [
        lambda x, y: {"x": x, "y": y},
        lambda x, y: {"x": x.transpose(0, 3, 1, 2), "y": y.astype(np.uint8)},
        lambda x, y: {"x": x / 255.0, "y": y[:, None]},
        lambda x, y: {"X": (x / 255.0).astype(np.float32), "Y": np.eye(3)[y]},
        lambda x, y: {"x_test": x.astype(np.int64), "y_test": y.astype(float), "x_train": x[:1]},
        lambda x, y: {"test_images": x, "test_labels": y},
    ],
)
def test_npz(tmp_path, pixels, arrays):
    np.savez(tmp_path / "data.npz", **arrays(pixels, LABELS))
    found = open_images(tmp_path / "data.npz", channels=3)
    same(found, pixels)
    assert found.class_names == ("0", "1", "2")


def test_npz_grey_without_a_channel_axis(tmp_path, pixels):
    np.savez_compressed(tmp_path / "data.npz", x=pixels[..., 0], y=LABELS)
    assert open_images(tmp_path / "data.npz", channels=1).images.shape == (12, 1, 9, 9)


@pytest.mark.parametrize("zipped", [False, True])
def test_idx(tmp_path, pixels, zipped):
    def write(name: str, array: np.ndarray) -> Path:
        content = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
        path = tmp_path / (name + (".gz" if zipped else ""))
        path.write_bytes(gzip.compress(content) if zipped else content)
        return path

    write("train-images-idx3-ubyte", pixels[:2, ..., 0])
    images = write("t10k-images-idx3-ubyte", pixels[..., 0])
    labels = write("t10k-labels-idx1-ubyte", LABELS)
    for place in (images, tmp_path):
        found = open_images(place, channels=1)
        np.testing.assert_array_equal(found.images[:, 0], pixels[..., 0])
        np.testing.assert_array_equal(found.labels, LABELS)
    with pytest.raises(DataError, match=r"holds labels \(shape \(12,\)\): pass the file of images"):
        open_images(labels)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize("named", [True, False])
def test_tables(folder, pixels, ending, named):
    paths = [str(p.relative_to(folder)) for p in sorted(folder.glob("*/*.png"))]
    labels = [NAMES[label] if named else int(label) for label in LABELS]
    table = folder / f"list.{ending}"
    if ending == "parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"path": paths, "label": labels, "else": labels}), table)
    else:
        with table.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if ending == "tsv" else ",")
            writer.writerows([("Filename", "Label"), *zip(paths, labels, strict=True)])
    (folder / "classes.txt").write_text("\n".join(NAMES))
    if named:
        with pytest.raises(DataError, match=r"names as labels \(ash, birch, cedar\).* pass a class map"):
            open_images(table)
    found = open_images(table, classes=folder / "classes.txt" if named else None)
    same(found, pixels)
    assert found.class_names == (NAMES if named else ("0", "1", "2"))


LABEL_COLUMNS = [
    ([f"{label}.0" for label in range(12)], list(range(12))),
    ([f"{label}." for label in range(12)], list(range(12))),
    ([f"{label:02d}" for label in range(12)], list(range(12))),
    ([str(label) for label in range(-1, 11)], "the label -1 is no class"),
    ([str(label / 2) for label in range(12)], "the label 0.5 is no class"),
    (["nan", *map(str, range(11))], "the label nan is no class"),
    (["1e1", *map(str, range(11))], "the label 1e1 is no class"),
    (["1000001", *map(str, range(11))], "the label 1000001 is no class"),
    (["ash", *map(str, range(11))], r"mixes numbers and names as labels \(row 1: ash\)"),
    ([f"class {label}" for label in range(12)], "pass a class map"),
    (["²", *map(str, range(11))], "mixes numbers and names"),
]


@pytest.mark.parametrize(("written", "labels"), LABEL_COLUMNS)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_label_columns_are_not_sorted_as_text(folder, written, labels, ending):
    table = write_labels(folder, written, ending)
    if isinstance(labels, str):
        with pytest.raises(DataError, match=labels):
            open_images(table)
    else:
        assert open_images(table).labels.tolist() == labels


def test_label_columns_of_parquet_numbers(folder):
    assert open_images(write_labels(folder, np.arange(12.0), "parquet")).labels.tolist() == list(range(12))
    assert open_images(write_labels(folder, np.arange(12, dtype=np.uint8), "parquet")).labels.max() == 11
    for cells in (np.arange(-1, 11), np.arange(12) / 2, np.full(12, np.nan)):
        with pytest.raises(DataError, match="is no class from 0 to"):
            open_images(write_labels(folder, cells, "parquet"))


def write_labels(folder: Path, labels, ending: str) -> Path:
    """Write a table of the folder's images and these labels."""
    import pyarrow
    from pyarrow import parquet

    paths = [str(p.relative_to(folder)) for p in sorted(folder.glob("*/*.png"))]
    table = folder / f"list.{ending}"
    if ending == "csv":
        table.write_text("path,label\n" + "".join(f"{p},{label}\n" for p, label in zip(paths, labels, strict=True)))
    else:
        parquet.write_table(pyarrow.table({"path": paths, "label": labels}), table)
    return table


def test_a_class_map_of_names_for_folders_of_numbers(tmp_path, pixels):
    for index in range(12):
        (tmp_path / "d" / str(index)).mkdir(parents=True)
        Image.fromarray(pixels[index]).save(tmp_path / "d" / str(index) / "a.png")
    names = [f"tree {index}" for index in range(12)]
    (tmp_path / "c.txt").write_text("\n".join(names))
    assert open_images(tmp_path / "d").class_names[2] == "10"  # in alphabetical order, as ImageFolder has them
    found = open_images(tmp_path / "d", classes=tmp_path / "c.txt")
    assert found.class_names == tuple(names)
    assert found.labels.tolist() == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]


def test_csv_without_a_header(folder, pixels):
    paths = sorted(folder.glob("*/*.png"))
    (folder / "list.csv").write_text("".join(f"{p.name},{p.parent.name}\n" for p in paths))
    for path in paths:
        path.rename(folder / path.name)
    (folder / "classes.txt").write_text("\n".join(NAMES))
    same(open_images(folder / "list.csv", classes=folder / "classes.txt"), pixels)


def test_parquet_of_the_hugging_face_hub(tmp_path, pixels):
    import pyarrow
    from pyarrow import parquet

    def encoded(image: np.ndarray) -> bytes:
        Image.fromarray(image).save(buffer := io.BytesIO(), "PNG")
        return buffer.getvalue()

    rows = [{"bytes": encoded(image), "path": None} for image in pixels]
    parquet.write_table(pyarrow.table({"image": rows, "label": LABELS}), tmp_path / "test.parquet")
    same(open_images(tmp_path / "test.parquet"), pixels)


def test_torchvision_data_set(tmp_path, pixels):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        for name, array in (("images-idx3", pixels[..., 0]), ("labels-idx1", LABELS.astype(np.uint8))):
            head = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape)
            (raw / f"{split}-{name}-ubyte").write_bytes(head + array.tobytes())
    found = open_images(f"torchvision:MNIST:{tmp_path}", channels=1)
    np.testing.assert_array_equal(found.images[:, 0], pixels[..., 0])
    np.testing.assert_array_equal(found.labels, LABELS)
    with pytest.raises(UsageError, match="no such data set; did you mean 'MNIST'"):
        open_images(f"torchvision:MNISTT:{tmp_path}")
    with pytest.raises(UsageError, match="expected an existing folder after the name"):
        open_images("torchvision:MNIST:/nowhere")
    with pytest.raises(DataError, match=r"torchvision cannot open it .*download=True"):
        open_images(f"torchvision:CIFAR10:{tmp_path}")
    assert import_torchvision() is import_torchvision()


def test_folder_without_labels(folder, pixels):
    for path in folder.glob("*/*.png"):
        path.rename(folder / path.name)
    found = open_images(folder)
    assert found.labels is None
    assert len(found.images) == 12
    assert any("no labels: scored by agreement" in note for note in found.notes)
    assert len(open_images(folder, samples=5).images) == 5


def test_bundled_by_name():
    found = open_images("bundled:fashion-mnist", channels=1)
    assert (found.name, found.images.shape) == ("bundled:fashion-mnist", (2000, 1, 28, 28))
    assert found.class_names[9] == "Ankle boot"
    with pytest.raises(UsageError, match="fashion-mnist"):
        open_images("bundled:fashion")


def test_links_that_count_an_image_twice(folder):
    (folder / "birch" / "00.png").symlink_to(folder / "ash" / "00.png")
    with pytest.raises(DataError, match=r"counts an image twice: birch/00.png and ash/00.png are one file"):
        open_images(folder)
    (folder / "birch" / "00.png").unlink()
    (folder / "dogwood").symlink_to(folder / "ash")
    with pytest.raises(DataError, match=r"counts an image twice: dogwood/00.png and ash/00.png"):
        open_images(folder)
    (folder / "list.csv").write_text("path,label\nash/00.png,0\nbirch/04.png,1\nbirch/../ash/00.png,1\n")
    with pytest.raises(DataError, match=r"counts an image twice: 00.png of row 3 and 00.png of row 1"):
        open_images(folder / "list.csv")


def test_images_of_a_nested_class_keep_their_order(folder, pixels):
    (folder / "ash" / "01").mkdir()
    (folder / "ash" / "01.png").rename(folder / "ash" / "01" / "x.png")
    same(open_images(folder), pixels)


# What a model takes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "classes", "name"),
    [(1, 10, "bundled:fashion-mnist"), (3, 5, "tf_flowers"), (None, 5, "tf_flowers"), (3, 10, "cifar10")],
)
def test_default_data(channels, classes, name):
    assert default_images(classes, channels) == name


@pytest.mark.parametrize(("channels", "classes"), [(1, 5), (3, 1000), (None, None)])
def test_no_default_data(channels, classes):
    with pytest.raises(UsageError, match=r"no data set was named, .*: pass a folder"):
        default_images(classes, channels)


def test_default_choice_is_said():
    assert any("bundled:fashion-mnist is used" in n for n in open_images(None, channels=1, model_classes=10).notes)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (30, 40), (31, 47), (24, 24)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resize_and_crop_as_torchvision(tmp_path, width, height, interpolation):
    import_torchvision()
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))
    image.save(tmp_path / "a.png")
    expected = Compose([Resize(28, InterpolationMode(interpolation)), CenterCrop(24)])(image)
    found = read_image(tmp_path / "a.png", 3, 24, 28, interpolation)
    np.testing.assert_array_equal(found, np.asarray(expected).transpose(2, 0, 1))


def test_the_models_preprocessing_decides_the_size(folder):
    how = Preprocessing(size=6, resize=8)
    assert open_images(folder, preprocessing=how).images.shape[2:] == (6, 6)
    assert open_images(folder, size=5, preprocessing=how).images.shape[2:] == (5, 5)


def test_images_of_several_sizes(folder):
    Image.new("RGB", (10, 12)).save(folder / "cedar" / "zz.png")
    with pytest.raises(DataError, match=r"several sizes \(9 x 9, and cedar/zz.png is 10 x 12\), expected one"):
        open_images(folder)
    assert open_images(folder, size=7).images.shape == (13, 3, 7, 7)


def test_arrays_are_resized_and_it_is_said(tmp_path, pixels):
    np.savez(tmp_path / "d.npz", x=pixels, y=LABELS)
    found = open_images(tmp_path / "d.npz", size=16)
    assert found.images.shape == (12, 3, 16, 16)
    assert "images of 9 x 9 resized to the 16 x 16 that the model takes" in found.notes[0]


def test_colour_and_grey(folder, tmp_path, pixels):
    found = open_images(folder, channels=1)
    assert found.images.shape == (12, 1, 9, 9)
    assert "colour images turned into grey ones" in found.notes[0]
    np.savez(tmp_path / "d.npz", x=pixels, y=LABELS)
    with pytest.raises(
        DataError, match=r"holds colour images \(3 channels\) and the model takes grey images \(1 channel\)"
    ):
        open_images(tmp_path / "d.npz", channels=1)
    with pytest.raises(DataError, match=r"the model takes 4 channels: pass an .npz"):
        open_images(folder, channels=4)


def test_samples(folder):
    found = open_images(folder, samples=6, seed=3)
    assert np.bincount(found.labels).tolist() == [2, 2, 2]
    assert found.sha256 == open_images(folder, samples=6, seed=3).sha256
    assert found.sha256 != open_images(folder, samples=6, seed=4).sha256
    assert any("fewer than 99 samples" in note for note in open_images(folder, samples=99).notes)
    with pytest.raises(UsageError, match="0 samples: expected"):
        open_images(folder, samples=0)


def test_balanced_subset_of_unequal_classes():
    labels = np.repeat([0, 1, 2], [50, 3, 50])
    chosen = balanced_subset(labels, 23, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [10, 3, 10]
    assert (np.diff(chosen) > 0).all()


def test_labels_against_the_models_classes(folder):
    with pytest.raises(
        DataError, match=r"has 2 classes and .*trees has labels up to 2 \(3 classes: ash, birch, cedar\)"
    ):
        open_images(folder, model_classes=2)
    with pytest.raises(DataError, match=r"net has 2 classes .*or a class map"):
        check_labels(SimpleNamespace(classes=2, name="net"), open_images(folder))
    check_labels(SimpleNamespace(classes=3, name="net"), open_images(folder))


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("c.txt", "oak\ncedar\nbirch\nash\n", [3, 2, 1]),
        ("c.csv", "name,label\nash,5\nbirch,0\ncedar,2\n", [5, 0, 2]),
        ("c.json", json.dumps({"ash": 1, "birch": 2, "cedar": 0}), [1, 2, 0]),
        ("c.json", json.dumps({"0": ["n01", "birch"], "1": ["n02", "ash"], "2": ["n03", "cedar"]}), [1, 0, 2]),
        ("c.json", json.dumps(["cedar", "birch", "ash"]), [2, 1, 0]),
        ("c.json", json.dumps({"0": ["n0", "ash"], "1": ["birch", "x"], "2": ["cedar", "x"]}), [0, 1, 2]),
    ],
)
def test_class_map(folder, tmp_path, name, text, labels):
    (tmp_path / name).write_text(text)
    found = open_images(folder, classes=tmp_path / name)
    assert labels == [int(found.labels[LABELS == i][0]) for i in range(3)]
    assert [found.class_names[i] for i in labels] == list(NAMES)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.txt", "ash\nbirch\nceder\n", "does not name cedar, classes of the data; did you mean 'ceder'"),
        ("c.txt", "", "is no class map: write one class a line"),
        ("c.txt", "ash\nash\n", "named twice"),
        ("c.txt", "ash,0\nash,1\nbirch,2\ncedar,3\n", "the class ash is named twice"),
        ("c.txt", "ash,0\nbirch,0\ncedar,1\n", "label 0 has two names, ash and birch"),
        ("c.json", '["ash", "birch", "ash", "cedar"]', "the class ash is named twice"),
        ("c.json", '{"ash": 0, "ash": 1, "birch": 2, "cedar": 3}', "ash is there twice"),
        ("c.json", '{"ash": 0, "birch": 0, "cedar": 1}', "label 0 has two names"),
        ("c.json", '{"0": "ash", "1": "ash", "2": "birch", "3": "cedar"}', "the class ash is named twice"),
        ("c.json", '{"0": ["ash"], "1": ["ash"], "2": ["birch"], "3": ["cedar"]}', "no name of its own"),
        ("c.json", '{"ash": true, "birch": 0, "cedar": 2}', "is no class map"),
        ("c.json", "{", "is no class map"),
        ("c.json", '{"a": [["x"]]}', "is no class map"),
    ],
)
def test_broken_class_maps(folder, tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        open_images(folder, classes=tmp_path / name)


def test_class_map_that_is_not_there():
    with pytest.raises(UsageError, match=r"nowhere.txt: there is no such file, expected a class map"):
        read_class_map(Path("nowhere.txt"))


def test_permuted_labels_are_noticed():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 40)
    noisy = np.where(random.random(200) < 0.8, labels, random.integers(0, 5, 200))
    assert permutation_warning(labels, noisy) is None
    assert permutation_warning(labels, random.integers(0, 5, 200)) is None
    said = permutation_warning(labels, np.array([0, 3, 1, 2, 4])[noisy], list("abcde"))
    assert said is not None
    assert "images of b are classified as d" in said
    assert "pass a class map in the model's order" in said


# Kinds of image files ------------------------------------------------------------------------------------------


def grey_ramp() -> np.ndarray:
    return np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("deep.png", lambda g: Image.fromarray(g.astype(np.uint16) * 257)),
        ("deep.tif", lambda g: Image.fromarray(g.astype(np.int32) * 257)),
        ("float.tif", lambda g: Image.fromarray(g.astype(np.float32) / 255)),
        ("palette.png", lambda g: Image.fromarray(g).convert("P")),
        ("palette.gif", lambda g: Image.fromarray(g).convert("P")),
        ("alpha.png", lambda g: Image.merge("LA", [Image.fromarray(g)] * 2)),
        ("rgba.png", lambda g: Image.fromarray(g).convert("RGBA")),
        ("cmyk.tif", lambda g: Image.fromarray(g).convert("RGB").convert("CMYK")),
        ("grey.bmp", Image.fromarray),
        ("grey.webp", Image.fromarray),
    ],
)
def test_depths_palettes_and_colour_spaces(tmp_path, name, make):
    make(grey_ramp()).save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    for channels in (1, 3):
        found = read_image(tmp_path / name, channels)
        assert found.shape == (channels, 8, 8)
        np.testing.assert_allclose(found[0].astype(int), grey_ramp(), atol=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    image = Image.new("L", (12, 8))
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    found = read_image(tmp_path / "a.png", 1)[0]
    assert found.shape == ((8, 12) if orientation < 5 else (12, 8))
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    assert found[corner[orientation]] == 255


def test_large_folders_are_resized_once(folder, cache, monkeypatch, pixels):
    monkeypatch.setattr("cnncomm_bench.data.reading._WORTH_CACHING", 10)
    (folder / "cedar" / "broken.png").write_bytes(b"no image")
    first = open_images(folder, size=6)
    monkeypatch.setattr("cnncomm_bench.data.reading.read_image", lambda *_: pytest.fail("decoded again"))
    second = open_images(folder, size=6)
    assert (second.sha256, second.notes, second.name) == (first.sha256, first.notes, first.name)
    np.testing.assert_array_equal(first.labels, second.labels)
    next(cache.glob("images/*.npy")).write_bytes(b"half written")
    monkeypatch.undo()
    monkeypatch.setenv("CNNCOMM_BENCH_CACHE", str(cache))
    monkeypatch.setattr("cnncomm_bench.data.reading._WORTH_CACHING", 10)
    assert open_images(folder, size=6).sha256 == first.sha256


# What cannot be opened -----------------------------------------------------------------------------------------


def test_some_corrupt_images_are_left_out(folder):
    Image.new("RGB", (9, 9)).save(folder / "birch" / "99.png")
    whole = (folder / "ash" / "01.png").read_bytes()
    (folder / "ash" / "01.png").write_bytes(whole[: len(whole) // 2])
    found = open_images(folder)
    assert len(found.images) == len(found.labels) == 12
    assert np.bincount(found.labels).tolist() == [3, 5, 4]
    assert "1 of 13 images could not be read and were left out: ash/01.png (truncated)" in found.notes[0]


def test_too_many_corrupt_images(folder):
    for name in ("00", "01"):
        (folder / "ash" / f"{name}.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"2 of 12 images .*more than 10 %: ash/00.png \(empty\), ash/01.png.*remove them"
    ):
        open_images(folder)


def test_one_class(folder, tmp_path, pixels):
    (tmp_path / "up").mkdir()
    (folder / "ash").rename(tmp_path / "up" / "ash")
    with pytest.raises(DataError, match=r"one class only \(ash\): .*pass the folder above"):
        open_images(tmp_path / "up")
    np.savez(tmp_path / "d.npz", x=pixels, y=LABELS * 0)
    with pytest.raises(DataError, match="one class only"):
        open_images(tmp_path / "d.npz")


def test_folders_without_images(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images: expected one folder a class"):
        open_images(tmp_path / "empty")
    (tmp_path / "empty" / "a").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="holds no images"):
        open_images(tmp_path / "empty")


def test_the_folder_above_train_and_val(folder, tmp_path):
    (tmp_path / "all").mkdir()
    folder.rename(tmp_path / "all" / "val")
    (tmp_path / "all" / "train").mkdir()
    with pytest.raises(DataError, match=r"holds train, val, not classes: pass one of them, such as .*all/val"):
        open_images(tmp_path / "all")


def test_an_empty_class_keeps_its_label(folder):
    (folder / "beech").mkdir()
    found = open_images(folder)
    assert found.class_names == ("ash", "beech", "birch", "cedar")
    assert np.bincount(found.labels).tolist() == [4, 0, 4, 4]
    assert any("no images in beech" in note for note in found.notes)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"z": np.zeros(3)}, "holds z, no array x of images: save it as np.savez"),
        ({"x": np.zeros((4, 5)), "y": np.zeros(4)}, r"x has shape \(4, 5\), expected \(N, H, W\)"),
        ({"x": np.zeros((4, 5, 5, 2)), "y": np.zeros(4)}, "no axis is 1 or 3 channels"),
        ({"x": np.zeros((0, 5, 5)), "y": np.zeros(0)}, "x has shape"),
        ({"x": np.full((4, 5, 5), 7.5), "y": np.zeros(4)}, r"values from 7.5 to 7.5, expected floats in \[0, 1\]"),
        ({"x": np.full((4, 5, 5), np.nan), "y": np.zeros(4)}, "x holds NaN, expected floats"),
        ({"x": np.full((4, 5, 5), -1), "y": np.zeros(4)}, "values from -1 to -1, expected 0 to 255"),
        ({"x": np.full((4, 5, 5), "a"), "y": np.zeros(4)}, "x is <U1, expected uint8"),
        ({"x": np.zeros((4, 5, 5)), "y": np.zeros(3)}, "4 images and 3 labels"),
        ({"x": np.zeros((4, 5, 5)), "y": np.array([0, 1, -1, 2])}, "labels from -1 to 2"),
        ({"x": np.zeros((4, 5, 5)), "y": np.array([0, 1, 0.5, 2])}, "no whole numbers"),
        ({"x": np.zeros((4, 5, 5)), "y": np.array(["a"] * 4)}, "y is <U1 of shape"),
    ],
)
def test_npz_that_hold_something_else(tmp_path, arrays, said):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=said):
        open_images(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("name,age\nx,3\n", "has the columns name, age, none of images"),
        ("path,label\n", "has no rows"),
        ("path,label\na.png\n", "row 1 has 1 columns, the header 2"),
        ("path,label\na.png,\n", "row 1 has no label"),
        ("path,label\n ,x\n", "row 1: .* is no path"),
    ],
)
def test_tables_that_hold_something_else(tmp_path, text, said):
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        open_images(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("d.zip", b"PK\3\4", "unpack it and pass the folder"),
        ("d.pkl", b"\x80\x04.", r"a pickle can run code and is not opened: save it with np.savez"),
        ("d.npy", b"\x93NUMPY", "it has no labels"),
        ("d.bin", b"abc", "pass a folder with one folder a class"),
    ],
)
def test_files_that_are_no_data(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said):
        open_images(tmp_path / name)


def test_nothing_there():
    with pytest.raises(UsageError, match=r"nowhere: there is no such file or folder, .*tf_flowers, cifar10"):
        open_images("nowhere")


def test_names_stay_on_one_line():
    safe = shown("a\nb\x1b[31m\udcff.png")
    assert safe == "a\\nb\\x1b[31m\\udcff.png"
    assert len(shown("x" * 500)) < 210
    assert one_line(ValueError("\n first\nsecond")) == "ValueError: first"


# Downloads -----------------------------------------------------------------------------------------------------


class Server:
    """A server on loopback that cuts connections off, forgets ranges or lies, as told."""

    def __init__(self, content: bytes) -> None:
        self.content, self.ranges, self.cut, self.honours_ranges = content, [], [], True
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                outer.ranges.append(wanted)
                start = int(wanted[6:-1]) if wanted and outer.honours_ranges else 0
                body = outer.content[start:]
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(outer.content) - 1}/{len(outer.content)}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: outer.cut.pop(0)] if outer.cut else body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/flower_photos.tgz"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def remote(self, sha256: str | None = None) -> Remote:
        return Remote(self.url, len(self.content), sha256 or hashlib.sha256(self.content).hexdigest(), "CC BY")


@pytest.fixture
def served(folder):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(folder, "flower_photos")
        licence = tarfile.TarInfo("flower_photos/LICENSE.txt")
        tar.addfile(licence, io.BytesIO())
    server = Server(buffer.getvalue())
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_tf_flowers_is_fetched_once(served, monkeypatch, pixels, cache):
    monkeypatch.setattr(download, "TF_FLOWERS", served.remote())
    found = open_images("tf_flowers")
    same(found, pixels)
    assert found.class_names == NAMES
    assert any("it has no test split" in note for note in found.notes)
    assert open_images("tf_flowers").sha256 == found.sha256
    assert len(served.ranges) == 1
    assert not list(cache.glob("downloads/*"))


def test_a_cut_download_goes_on_where_it_stopped(served, tmp_path):
    served.cut = [100, 200]
    download.fetch(served.remote(), tmp_path / "f.tgz")
    assert served.ranges == [None, "bytes=100-", "bytes=300-"]
    assert (tmp_path / "f.tgz").read_bytes() == served.content


def test_a_download_goes_on_in_the_next_run(served, tmp_path):
    served.cut = [50, 0]
    with pytest.raises(DataError, match=r"was cut off at 50 of \d+ bytes: try again to resume"):
        download.fetch(served.remote(), tmp_path / "f.tgz", attempts=2)
    download.fetch(served.remote(), tmp_path / "f.tgz")
    assert served.ranges[-1] == "bytes=50-"
    assert (tmp_path / "f.tgz").read_bytes() == served.content


def test_a_server_that_forgets_ranges(served, tmp_path):
    served.cut, served.honours_ranges = [100], False
    download.fetch(served.remote(), tmp_path / "f.tgz")
    assert (tmp_path / "f.tgz").read_bytes() == served.content


def test_a_wrong_checksum(served, tmp_path):
    with pytest.raises(
        DataError, match=r"SHA-256 \w{12}\.\.\., expected 0{12}\.\.\.: not what was published; it was deleted"
    ):
        download.fetch(served.remote("0" * 64), tmp_path / "f.tgz")
    assert list(tmp_path.glob("f.tgz*")) == []


def test_a_server_that_sends_more(served, tmp_path):
    remote = served.remote()
    served.content += b"x" * 5_000_000
    with pytest.raises(DataError, match="not what was published"):
        download.fetch(remote, tmp_path / "f.tgz")


def test_a_server_that_is_not_there(tmp_path):
    remote = Remote("http://127.0.0.1:9/f.tgz", 3, "0" * 64, "")
    with pytest.raises(DataError, match=r"could not be fetched .*try again.*or download .* yourself"):
        download.fetch(remote, tmp_path / "f.tgz")


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [("SLOWEST", 10**9, "slower than 1000000000 bytes a second"), ("LONGEST", -1, "takes more")],
)
def test_a_slow_download_ends(served, tmp_path, monkeypatch, limit, value, said):
    monkeypatch.setattr(download, "WINDOW", -1)
    monkeypatch.setattr(download, limit, value)
    with pytest.raises(DataError, match=rf"could not be fetched \(TimeoutError: it {said}|TimeoutError: it is {said}"):
        download.fetch(served.remote(), tmp_path / "f.tgz", attempts=1)


def test_published_checksums_are_whole():
    for remote in (download.TF_FLOWERS, download.CIFAR10):
        assert len(bytes.fromhex(remote.sha256)) == 32
        assert remote.url.startswith("https://")


def test_cifar10_from_its_binary_form(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).integers(0, 256, (20, 3073), dtype=np.uint8)
    rows[:, 0] = np.arange(20) % 10
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.size = rows.size
        tar.addfile(member, io.BytesIO(rows.tobytes()))
    server = Server(buffer.getvalue())
    monkeypatch.setattr(download, "CIFAR10", server.remote())
    found = open_images("cifar10", channels=3, model_classes=10)
    np.testing.assert_array_equal(found.images.reshape(20, -1), rows[:, 1:])
    assert found.class_names[:2] == ("airplane", "automobile")
    server.server.shutdown()
    server.server.server_close()


@pytest.mark.skipif(not (SHARED / "flower_photos" / "val").is_dir(), reason="needs ../shared/data")
def test_flowers():
    found = open_images(SHARED / "flower_photos" / "val", size=32, samples=50)
    assert found.images.shape == (50, 3, 32, 32)
    assert found.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")

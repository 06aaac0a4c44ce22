"""Every kind of images in the table of docs/models-and-data.md opens by the line beside it, to the same pixels."""

from __future__ import annotations

import gzip
import io
import json
import re
import shlex
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet
from scipy.io import savemat

from cnncomm_bench._utils.errors import BenchError, DataError, UsageError
from cnncomm_bench.data import open_images
from cnncomm_bench.data import parquet as parquet_reader

PAGE = Path(__file__).parents[1] / "docs" / "models-and-data.md"
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)
LABELS = np.tile([0, 1, 2], 4)
NAMES = ("ash", "birch", "cedar")
SYNSETS = [f"n{number:08d}" for number in range(1_440_764, 1_441_764)]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNCOMM_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def png(image: np.ndarray) -> bytes:
    Image.fromarray(image).save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


def written(path: str, content: bytes | str = "") -> Path:
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


# Makers: each writes the files of a row of the table -----------------------------------------------------------------


def class_folders() -> None:
    for index, (image, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        written(f"photos/val/{NAMES[label]}/{index:02d}.png", png(image))


def flat(folder: str = "scans", name: str = "{:02d}.png") -> None:
    for index, image in enumerate(PIXELS):
        written(f"{folder}/{name.format(index + 1)}", png(image))


def npz() -> None:
    np.savez("test.npz", x=PIXELS, y=LABELS)


def idx() -> None:
    for name, array in (("images-idx3", PIXELS[..., 0]), ("labels-idx1", LABELS)):
        head = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape)
        written(f"t10k-{name}-ubyte.gz", gzip.compress(head + array.astype(np.uint8).tobytes()))


def table(labels: str = "number") -> None:
    flat("photos")
    rows = [f"photos/{i + 1:02d}.png,{NAMES[k] if labels == 'name' else k}" for i, k in enumerate(LABELS)]
    written("list.csv", "\n".join(["path,label", *rows]))
    written("classes.txt", "\n".join(NAMES))


def hub(split: str, images: np.ndarray, labels: np.ndarray, number: int, of: int, names=NAMES, **options) -> Path:
    """A shard as `datasets` writes it for the Hugging Face hub."""
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    cells = [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(images)]
    made = pyarrow.table({"image": cells, "label": labels})
    made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path = written(f"trees/data/{split}-{number:05d}-of-{of:05d}.parquet")
    parquet.write_table(made, path, **options)
    return path


def hub_shards() -> None:
    hub("test", PIXELS[:7], LABELS[:7], 0, 2, row_group_size=3)
    hub("test", PIXELS[7:], LABELS[7:], 1, 2)


def hub_splits() -> None:
    hub_shards()
    hub("train", PIXELS[:3], LABELS[:3], 0, 1)


def shard(path: str, start: int, stop: int, extra: tuple[tuple[str, bytes], ...] = ()) -> Path:
    with tarfile.open(written(path), "w") as archive:
        members = [
            (f"val/{index:06d}.{kind}", content)
            for index in range(start, stop)
            for kind, content in (
                ("cls", str(LABELS[index]).encode()),
                ("jpg", png(PIXELS[index])),  # what it is, is seen from its content
                ("json", b"{}"),
            )
        ]
        for name, content in (*members, *extra):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return Path(path)


def web_shards() -> None:
    shard("shards/val-000000.tar", 0, 5)
    shard("shards/val-000001.tar", 5, 12)
    written("shards/classnames.txt", "\n".join(NAMES))


def crc32c(content: bytes) -> int:
    """By long division of polynomials, as the standard defines it."""
    crc = 0xFFFFFFFF
    for bit in (byte >> place & 1 for byte in content for place in range(8)):
        crc = crc >> 1 ^ (0x82F63B78 if (crc ^ bit) & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(example: bytes) -> bytes:
    length = struct.pack("<Q", len(example))
    return length + masked(length) + example + masked(example)


def example(**features: bytes | int | float) -> bytes:
    """A `tf.train.Example`, encoded by Google's library from the schema of TensorFlow."""
    message = example_class()()
    for name, value in features.items():
        feature = message.features.feature[name]
        kind = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}[type(value)]
        kind.value.append(value)
    return message.SerializeToString()


def example_class() -> type:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")
    repeated, optional = 3, 1
    kinds = {"BytesList": 12, "FloatList": 2, "Int64List": 3}
    for name, kind in kinds.items():
        file.message_type.add(name=name).field.add(name="value", number=1, label=repeated, type=kind)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(kinds, 1):
        field = name.replace("List", "_list").lower()
        feature.field.add(
            name=field, number=number, label=optional, type=11, type_name=f".tensorflow.{name}", oneof_index=0
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry", options=descriptor_pb2.MessageOptions(map_entry=True))
    entry.field.add(name="key", number=1, label=optional, type=9)
    entry.field.add(name="value", number=2, label=optional, type=11, type_name=".tensorflow.Feature")
    features.field.add(name="feature", number=1, label=repeated, type=11, type_name=".tensorflow.Features.FeatureEntry")
    made = file.message_type.add(name="Example")
    made.field.add(name="features", number=1, label=optional, type=11, type_name=".tensorflow.Features")
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def records() -> None:
    for number, part in enumerate((range(5), range(5, 12))):
        content = b"".join(record(example(image=png(PIXELS[i]), label=int(LABELS[i]))) for i in part)
        written(f"tf_flowers/3.0.1/tf_flowers-train.tfrecord-{number:05d}-of-00002", content)
    written("tf_flowers/3.0.1/label.labels.txt", "\n".join(NAMES) + "\n")
    written("tf_flowers/3.0.1/features.json", "{}")


def cifar_c() -> None:
    Path("CIFAR-10-C").mkdir()
    np.save("CIFAR-10-C/gaussian_noise.npy", PIXELS)
    np.save("CIFAR-10-C/fog.npy", 255 - PIXELS)
    np.save("CIFAR-10-C/labels.npy", LABELS)


def imagenet(truth: str, content: str) -> None:
    flat("ILSVRC2012/val", "ILSVRC2012_val_{:08d}.JPEG")
    written(f"ILSVRC2012/{truth}", content)


def kaggle() -> None:
    rows = [f"ILSVRC2012_val_{i + 1:08d},{SYNSETS[k]} 85 1 499 272 " for i, k in enumerate(LABELS)]
    imagenet("LOC_val_solution.csv", "\n".join(["ImageId,PredictionString", *rows]))


def development_kit() -> None:
    """Its numbers are in an order of its own: here the alphabetical one turned around."""
    imagenet(
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", "\n".join(str(1000 - k) for k in LABELS)
    )
    kind = [("ILSVRC2012_ID", "i4"), ("WNID", "O"), ("words", "O"), ("num_children", "i4")]
    rows = [(1000 - k, synset, "a word", 0) for k, synset in enumerate(SYNSETS)] + [(1001, "n00000001", "all", 2)]
    savemat("ILSVRC2012/ILSVRC2012_devkit_t12/data/meta.mat", {"synsets": np.array(rows, kind)[:, None]})


MAKERS: dict[str, tuple[Callable[[], None], tuple[str, ...] | None]] = {
    "--data photos/val": (class_folders, NAMES),
    "--data scans": (flat, None),
    "--data 'scans/*.png'": (flat, None),
    "--data test.npz": (npz, ("0", "1", "2")),
    "--data t10k-images-idx3-ubyte.gz": (idx, ("0", "1", "2")),
    "--data list.csv": (table, ("0", "1", "2")),
    "--data list.csv --classes classes.txt": (lambda: table("name"), NAMES),
    "--data trees/data": (hub_shards, NAMES),
    "--data 'trees/data/test-*.parquet'": (hub_splits, NAMES),
    "--data shards": (web_shards, NAMES),
    "--data 'shards/val-*.tar'": (web_shards, NAMES),
    "--data tf_flowers/3.0.1": (records, NAMES),
    "--data CIFAR-10-C/gaussian_noise.npy": (cifar_c, ("0", "1", "2")),
    "--data ILSVRC2012/val": (kaggle, tuple(SYNSETS[:3])),
}
ELSEWHERE = {"--data torchvision:CIFAR10:ROOT", "--data tf_flowers", "--data cifar10", "--data bundled:fashion-mnist"}
"""Rows whose tests are in test_data.py."""


def opened(line: str, **options):
    words = shlex.split(line)
    return open_images(words[1], classes=words[3] if len(words) > 2 else None, **options)


@pytest.mark.parametrize("line", MAKERS)
def test_a_row_of_the_table_opens(line):
    make, names = MAKERS[line]
    make()
    found = opened(line)
    pixels = PIXELS[..., :1] if "idx3" in line else PIXELS
    order = np.argsort(LABELS, kind="stable") if make is class_folders else np.arange(12)
    np.testing.assert_array_equal(found.images, pixels[order].transpose(0, 3, 1, 2))
    if names is None:
        assert found.labels is None and "no labels" in found.notes[0]
    else:
        np.testing.assert_array_equal(found.labels, LABELS[order])
        assert found.class_names == names
        few = opened(line, samples=6)
        assert np.bincount(few.labels).tolist() == [2, 2, 2]
        places = [np.flatnonzero((found.images == image).all((1, 2, 3)))[0] for image in few.images]
        assert (few.labels == found.labels[places]).all()


def test_the_table_has_these_rows_and_no_others():
    text = PAGE.read_text("utf-8").split("\n## Images")[1].split("\n## ")[0]
    rows = [line.split("|")[2] for line in text.splitlines() if line.startswith("|")][2:]
    assert {line for row in rows for line in re.findall("`(--data [^`]*)`", row)} == {*MAKERS, *ELSEWHERE}


# Parquet -------------------------------------------------------------------------------------------------------------


def test_parquet_is_read_a_batch_at_a_time(monkeypatch):
    """However large the shards, what is held is one batch; and no row is decoded twice on the way."""
    hub_shards()
    monkeypatch.setattr(parquet_reader, "_BATCH", 2)
    held, batches = [], []
    plain = parquet_reader._batches

    def watched(*of):
        for cells in plain(*of):
            batches.append(len(cells))
            yield cells

    monkeypatch.setattr(parquet_reader, "_batches", watched)
    reader = parquet_reader.ImageReader()
    paths = sorted(Path("trees/data").glob("*.parquet"))
    for path, count in zip(paths, (7, 5), strict=True):
        for row in range(count):
            reader.read(path, "image", row)
            held.append(len(reader._cells))
    assert max(held) == 2
    assert sum(batches) == 12
    assert reader.read(paths[0], "image", 4) == png(PIXELS[4])  # and backwards


def test_a_folder_of_several_splits_names_them():
    hub_splits()
    with pytest.raises(DataError, match=r"several data sets \(test, train\): pass .*'trees/data/train\*.parquet'"):
        open_images("trees/data")
    with pytest.raises(DataError, match="one folder below: pass trees/data"):
        open_images("trees")


def test_a_shard_that_is_missing_is_noted():
    hub_shards()
    Path("trees/data/test-00001-of-00002.parquet").unlink()
    assert "trees/data: 1 of 2 shards are there" in open_images("trees/data").notes


def test_shards_of_other_classes_are_not_mixed():
    hub("test", PIXELS[:7], LABELS[:7], 0, 2)
    hub("test", PIXELS[7:], LABELS[7:], 1, 2, names=NAMES[::-1])
    with pytest.raises(DataError, match="name other classes"):
        open_images("trees/data")
    hub("test", PIXELS[7:], LABELS[7:] + 2, 1, 2)
    with pytest.raises(DataError, match="names 3 classes and has the label 4"):
        open_images("trees/data")


@pytest.mark.parametrize("line", ["--data trees/data", "--data shards", "--data tf_flowers/3.0.1"])
def test_large_shards_are_resized_once(line, monkeypatch):
    monkeypatch.setattr("cnncomm_bench.data.reading._WORTH_CACHING", 10)
    MAKERS[line][0]()
    first = opened(line, size=6)
    few = opened(line, size=6, samples=11)
    with monkeypatch.context() as patch:
        patch.setattr("cnncomm_bench.data.reading.read_image", lambda *_: pytest.fail("decoded again"))
        assert opened(line, size=6).sha256 == first.sha256
        assert opened(line, size=6, samples=11).sha256 == few.sha256 != first.sha256


def test_a_cell_that_names_a_file_is_read_again(monkeypatch):
    """The Parquet file says nothing about that file's content."""
    monkeypatch.setattr("cnncomm_bench.data.reading._WORTH_CACHING", 10)
    flat("photos")
    cells = [{"bytes": None, "path": f"photos/{i + 1:02d}.png"} for i in range(12)]
    parquet.write_table(pyarrow.table({"image": cells, "label": LABELS}), "d.parquet")
    first = open_images("d.parquet", size=9)
    np.testing.assert_array_equal(first.images, PIXELS.transpose(0, 3, 1, 2))
    written("photos/01.png", png(255 - PIXELS[0]))
    assert open_images("d.parquet", size=9).sha256 != first.sha256


# Tar, TFRecord -------------------------------------------------------------------------------------------------------


def test_the_checksum_is_the_standards():
    assert crc32c(b"123456789") == 0xE3069283


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, up to 16,383 of them."""
    return bytes([number << 3 | 2, len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def test_a_packed_and_an_unpacked_label_are_one():
    """Proto3 packs lists of integers; writers of proto2 do not."""
    packed = example(image=png(PIXELS[0]), label=1)
    assert b"\x1a\x03\n\x01\x01" in packed
    features = {b"label": field(3, b"\x08\x02"), b"image": field(1, field(1, png(PIXELS[1])))}
    unpacked = field(1, b"".join(field(1, field(1, key) + field(2, value)) for key, value in features.items()))
    assert example_class().FromString(unpacked).features.feature["label"].int64_list.value == [2]
    written("d.tfrecord", record(packed) + record(unpacked))
    found = open_images("d.tfrecord")
    assert found.labels.tolist() == [1, 2]
    np.testing.assert_array_equal(found.images, PIXELS[:2].transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"image": b"x"}, "there is no label among b'image'"),
        ({"label": 1}, "there is no image among b'label'"),
        ({"image": b"x", "label": -1}, "1 images and the labels"),
        ({"image": b"x", "label": 1.5}, "1 images and the labels"),
        ({"image": 1, "label": 1}, "0 images and the labels"),
        ({"image/encoded": b"x", "image/class/label": 1}, "there is no image and no label"),
    ],
)
def test_records_of_another_kind_say_what_is_expected(features, said):
    written("d.tfrecord", record(example(**features)))
    with pytest.raises(DataError, match=said):
        open_images("d.tfrecord")


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ((("val/1.png", b"x"),), "1 of 4 images have no label \\(val/1.cls\\)"),
        ((("val/000000.png", b"x"),), "two images or labels called val/000000"),
        ((("val/000000.cls", b"1"),), "two images or labels called val/000000"),
        ((("a.png", b"x"), ("a.cls", b"tench")), "holds b'tench': expected the number"),
        ((("a.png", b"x"), ("a.cls", b"-1")), "holds b'-1': expected the number"),
    ],
)
def test_shards_that_are_packed_wrongly(extra, said):
    shard("d.tar", 0, 3, extra)
    with pytest.raises(DataError, match=said):
        open_images("d.tar")


def test_a_damaged_header_is_not_the_end():
    path = shard("d.tar", 0, 12)
    content = bytearray(path.read_bytes())
    content[content.index(b"val/000007.cls") + 150] ^= 1  # its checksum
    path.write_bytes(content)
    with pytest.raises(DataError, match="no intact tar file"):
        open_images("d.tar")


def test_a_tar_of_class_folders_says_to_unpack_it():
    with tarfile.open("d.tar", "w") as archive:
        class_folders()
        archive.add("photos")
    with pytest.raises(DataError, match="12 of 12 images have no label .*unpack the archive and pass the folder"):
        open_images("d.tar")


# Arrays, ImageNet, patterns ------------------------------------------------------------------------------------------


def test_the_layout_of_cifar_10_c():
    """Five severities one after another, each with the labels of all images."""
    Path("CIFAR-10-C").mkdir()
    np.save("CIFAR-10-C/fog.npy", np.concatenate([PIXELS] * 5))
    np.save("CIFAR-10-C/labels.npy", np.tile(LABELS, 5))
    assert len(open_images("CIFAR-10-C/fog.npy").images) == 60
    with pytest.raises(DataError, match=r"holds arrays \(fog.npy\): pass one of them, such as CIFAR-10-C/fog.npy"):
        open_images("CIFAR-10-C")
    np.save("CIFAR-10-C/labels.npy", LABELS)
    with pytest.raises(DataError, match="60 images and 12 labels"):
        open_images("CIFAR-10-C/fog.npy")


def test_labels_under_other_names():
    for images, labels in (("cifar10.1_v6_data", "cifar10.1_v6_labels"), ("x_test", "y_test")):
        np.save(f"{images}.npy", PIXELS)
        np.save(f"{labels}.npy", LABELS)
        assert open_images(f"{images}.npy").labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("imagenet_2012_validation_synset_labels.txt", "\n".join(SYNSETS[k] for k in LABELS)),
        ("val.txt", "\n".join(f"ILSVRC2012_val_{i + 1:08d}.JPEG {k}" for i, k in enumerate(LABELS))),
    ],
)
def test_other_ground_truths_of_imagenet(name, content):
    imagenet(name, content)
    found = open_images("ILSVRC2012/val")
    assert found.labels.tolist() == LABELS.tolist()
    Path("ILSVRC2012/val/ILSVRC2012_val_00000001.JPEG").unlink()  # a part of the images keeps its labels
    assert open_images("ILSVRC2012/val").labels.tolist() == LABELS[1:].tolist()


def test_the_development_kits_numbers_are_not_the_models():
    development_kit()
    assert open_images("ILSVRC2012/val").labels.tolist() == LABELS.tolist()
    Path("ILSVRC2012/ILSVRC2012_devkit_t12/data/meta.mat").unlink()
    with pytest.raises(DataError, match="nothing says which class of the model each is: pass a class map"):
        open_images("ILSVRC2012/val")
    written("map.txt", "\n".join(f"{1000 - k},{k}" for k in range(1000)))
    assert open_images("ILSVRC2012/val", classes="map.txt").labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("7\n" * 3, "it has no label of image 4"),
        ("0\n" * 12, "0 is no class from 1 to 1000"),
        ("x\n" * 12, "x is no class"),
        ("1\n" * 12, "meta.mat beside it"),
    ],
)
def test_a_ground_truth_that_is_none(content, said):
    imagenet("ILSVRC2012_validation_ground_truth.txt", content)
    if "meta" in said:
        written("ILSVRC2012/meta.mat", b"MATLAB 5.0" + bytes(200))
    with pytest.raises(DataError, match=said):
        open_images("ILSVRC2012/val")


def test_imagenet_without_ground_truth_says_where_it_is_looked_for():
    flat("val", "ILSVRC2012_val_{:08d}.JPEG")
    found = open_images("val")
    assert found.labels is None and "put one of LOC_val_solution.csv" in found.notes[-1]


def test_a_pattern_of_several_kinds():
    hub_shards()
    shard("trees/data/a.tar", 0, 3)
    with pytest.raises(UsageError, match="names a.tar, test-00000.*of one kind"):
        open_images("trees/data/*")
    with pytest.raises(UsageError, match="no such file or folder"):
        open_images("trees/*.none")
    np.savez("one.npz", x=PIXELS)
    with pytest.raises(UsageError, match=r"names one.npz: expected images, or Parquet.*one file alone"):
        open_images("*.npz")


def test_labels_are_not_lost_silently():
    np.savez("one.npz", data=PIXELS, target=LABELS)
    assert open_images("one.npz").labels.tolist() == LABELS.tolist()
    np.savez("two.npz", x=PIXELS, species=LABELS)
    with pytest.raises(DataError, match="holds species beside its images, .* save them as y"):
        open_images("two.npz")
    np.savez("three.npz", x=np.full((2, 4, 4, 3), np.nan), y=[0, 1])
    with pytest.raises(DataError, match="x holds NaN"):
        open_images("three.npz")


def test_an_archive_beside_class_folders_is_left_alone():
    class_folders()
    shard("photos/val/d.tar", 0, 3)
    assert len(open_images("photos/val").images) == 12


def test_several_tables_are_one():
    flat("photos")
    for part, labels in enumerate((LABELS[:6], LABELS[6:])):
        rows = [f"photos/{6 * part + i + 1:02d}.png,{k}" for i, k in enumerate(labels)]
        written(f"list{part}.csv", "\n".join(["path,label", *rows]))
    found = open_images("list*.csv")
    assert found.labels.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(found.images, PIXELS.transpose(0, 3, 1, 2))
    written("list1.csv", "path\nphotos/07.png")
    with pytest.raises(BenchError, match="list1.csv has no labels and others"):
        open_images("list*.csv")
    written("list1.csv", "path,label\nphotos/07.png,ash")
    with pytest.raises(BenchError, match="mix numbers and names"):
        open_images("list*.csv")

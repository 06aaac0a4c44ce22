"""Broken and hostile files: each gets one line that names it and says what to do, and none runs anything."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import pickle
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from cnncomm_bench._utils.errors import BenchError, DataError, ModelError
from cnncomm_bench.data.decode import UnreadableImage, read_image
from cnncomm_bench.data.download import extract
from cnncomm_bench.data.images import open_images
from cnncomm_bench.models.loading import open_model
from tests.hostile.checkpoints import script

NET = """
from torch import nn

def net(num_classes=4):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))
"""


class Payload:
    """Pickled, it creates a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path):
    """Is there after a payload ran; asserted absent after every test that asks for it."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists(), "code of the file was run"


@pytest.fixture
def arch(tmp_path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:net"


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    return dict(layers.state_dict())


def refusal(spec: Path | str, **options) -> str:
    """Open a model that must be refused, and give the message."""
    with pytest.raises(ModelError) as caught:
        open_model(str(spec), **options)
    said = str(caught.value)
    assert said.isprintable(), "a message is one line"
    return said


# Models --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", ["torch", "torch-old", "pickle-2", "pickle-5", "in-state-dict"])
def test_pickle_that_runs_code(tmp_path, marker, arch, save):
    path = tmp_path / "evil.pt"
    payload = Payload(marker)
    if save.startswith("pickle"):
        path.write_bytes(pickle.dumps(payload, protocol=int(save[-1])))
    elif save == "in-state-dict":
        torch.save({"state_dict": weights(), "extra": payload}, path)
    else:
        torch.save(payload, path, _use_new_zipfile_serialization=save == "torch")
    said = refusal(path, arch=arch)
    assert "evil.pt is a pickle that wants to run posix.mkdir: refused" in said
    assert "pass trust" in said


def test_payload_would_run_with_trust(tmp_path, arch):
    torch.save({"state_dict": weights(), "extra": Payload(tmp_path / "executed")}, tmp_path / "evil.pt")
    with contextlib.suppress(BenchError):
        open_model(str(tmp_path / "evil.pt"), arch=arch, trust=True)
    assert (tmp_path / "executed").is_dir()  # so the tests above test something


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["from_file", "save", "setstate"])
def test_torchscript_would_write_files_with_trust(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    Path("w.pt").write_bytes(script(kind))
    refusal("w.pt")
    assert not Path("executed").exists()
    with contextlib.suppress(BenchError):
        open_model("w.pt", trust=True)
    assert Path("executed").exists()  # so the rows of tests/hostile/checkpoints.py test something


def test_numpy_bookkeeping_is_not_rebuilt(tmp_path, arch):
    # A crafted dtype can make numpy read arbitrary memory, so these names load as nothing at all.
    torch.save({"state_dict": weights(), "best": np.float64(0.9), "curve": np.arange(3)}, tmp_path / "w.pt")
    assert open_model(str(tmp_path / "w.pt"), arch=arch).classes == 4


def test_zip_bomb_as_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\x80\x02}.")
        archive.writestr("bomb/data/0", bytes(100_000_000))
    assert "zip bomb" in refusal(tmp_path / "bomb.pt")


def test_tensor_that_claims_more_than_the_file(tmp_path, arch):
    state = {"0.weight": torch.zeros(1).expand(10**12)}
    torch.save(state, tmp_path / "w.pt")
    assert "0.weight claims 1000000000000 values, more than the file holds" in refusal(tmp_path / "w.pt", arch=arch)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_truncated_zip(tmp_path, arch, share):
    torch.save(weights(), tmp_path / "w.pt")
    content = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(content[: int(share * len(content))])
    said = refusal(tmp_path / "w.pt", arch=arch)
    assert "w.pt" in said
    assert "again" in said


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
@pytest.mark.parametrize("kind", ["old", "safetensors"])
def test_half_written_files(tmp_path, arch, kind, share):
    path = tmp_path / "w.bin"
    if kind == "old":
        torch.save(weights(), path, _use_new_zipfile_serialization=False)
    else:
        safetensors.torch.save_file(weights(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "w.bin" in refusal(path, arch=arch)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n", "export the model to ONNX"),
        (b"just some text", "is not a checkpoint (it starts with b'just som')"),
        (b"\x89PNG\r\n\x1a\n", "is not a checkpoint"),
        (struct.pack("<Q", 10**7) + b"{", "no intact safetensors file"),
    ],
)
def test_not_a_checkpoint(tmp_path, arch, content, said):
    (tmp_path / "w.pt").write_bytes(content)
    assert said in refusal(tmp_path / "w.pt", arch=arch)


def test_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("photo\n.jpg", "x")
    assert "is a zip file but no checkpoint of PyTorch (it holds photo\\n.jpg)" in refusal(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epoch": 3}, "holds no weights (its keys: epoch)"),
        (torch.zeros(3), "holds one tensor"),
        ([1, 2], "holds a list, not weights"),
        ({}, "holds no weights"),
        ({"w": torch.zeros(3).to_sparse()}, "w is a sparse"),
    ],
)
def test_torch_files_without_weights(tmp_path, arch, content, said):
    torch.save(content, tmp_path / "w.pt")
    assert said in refusal(tmp_path / "w.pt", arch=arch)


def test_weights_saved_on_cuda_in_bfloat16(tmp_path, arch):
    # No GPU is needed to write one: the device is a word in the pickle.
    state = {key: value.bfloat16() for key, value in weights().items()}
    torch.save(state, tmp_path / "cpu.pt")
    with zipfile.ZipFile(tmp_path / "cpu.pt") as old, zipfile.ZipFile(tmp_path / "w.pt", "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename.endswith("data.pkl"):
                content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
                assert b"cuda:0" in content
            new.writestr(member, content)
    model = open_model(str(tmp_path / "w.pt"), arch=arch)
    assert model.predict(torch.rand(2, 3, 9, 9)).dtype == torch.float32


def test_model_names_with_newlines(tmp_path):
    path = tmp_path / "a\nb\x1b[31m.pt"
    path.write_bytes(b"nothing")
    assert r"a\nb\x1b[31m.pt is not a checkpoint" in refusal(path)


def test_keys_with_newlines(tmp_path, arch):
    torch.save({**weights(), "a\nb": torch.zeros(1)}, tmp_path / "w.pt")
    assert r"1 left over (a\nb)" in refusal(tmp_path / "w.pt", arch=arch)


def test_onnx_that_is_none(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08garbage")
    assert "is no ONNX model that onnxruntime opens within" in refusal(tmp_path / "m.onnx")


# Images --------------------------------------------------------------------------------------------------------


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (png(60_000, 60_000), "claims .*100 million"),
        (png(2**31 - 1, 2**31 - 1), "claims more than 100 million|claims .* pixels"),
        (png(11_000, 11_000), "claims 11000 x 11000 pixels, more than 100 million"),
        (png(200, 200, bytes(50)), "truncated"),
        (b"", "empty"),
        (b"GIF89a", "."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(executed) (w) file\n", "no image format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image format"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "."),
    ],
)
def test_images_that_cannot_be_read(tmp_path, content, why):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UnreadableImage, match=why):
        read_image(tmp_path / "a.png", 3, 8)


def test_one_pixel_high_and_very_wide(tmp_path):
    Image.new("L", (60_000, 1)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", 1).shape == (1, 1, 60_000)
    with pytest.raises(UnreadableImage, match="100 million"):
        read_image(tmp_path / "a.png", 1, 224)


def test_links_pipes_and_devices(tmp_path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name, why in (
        ("gone.png", "a link to a file that is not there"),
        ("zero.png", "no regular file"),
        ("pipe.png", "no regular file"),
        ("folder.png", "."),
    ):
        with pytest.raises(UnreadableImage, match=why):
            read_image(tmp_path / name, 3)


def test_loops_of_links_and_names_with_newlines(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for index in range(6):
            Image.new("RGB", (8, 8), index).save(tmp_path / label / f"{index}.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "x\ny\x1b[2J.png").write_bytes(b"broken")
    found = open_images(tmp_path)
    assert len(found.images) == 12
    assert r"a/x\ny\x1b[2J.png" in found.notes[0]
    assert all(note.isprintable() for note in found.notes)


@pytest.mark.parametrize("where", ["x", "y", "whole"])
def test_npz_with_pickles(tmp_path, marker, where):
    x, y = np.zeros((4, 5, 5)), np.arange(4)
    evil = np.array([Payload(marker)] * 4, dtype=object)
    np.savez(tmp_path / "d.npz", **{"x": x, "y": y, where if where != "whole" else "x": evil})
    with pytest.raises(DataError, match=r"d.npz holds pickled objects, which can run code: refused. Save plain"):
        open_images(tmp_path / "d.npz")


def test_a_pickle_named_npz(tmp_path, marker):
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(DataError, match=r"is no intact .npz file"):
        open_images(tmp_path / "d.npz")


def test_npz_bomb_and_claims(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 999, 999)})
    with zipfile.ZipFile(tmp_path / "claim.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    with pytest.raises(DataError, match=r"claim.npz is"):
        open_images(tmp_path / "claim.npz")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(10**6))
    content = (tmp_path / "bomb.npz").read_bytes()
    # The directory claims 3 GB unpacked; the header says as much.
    size = struct.pack("<I", len(header.getvalue()) + 10**6)
    (tmp_path / "bomb.npz").write_bytes(content.replace(size, struct.pack("<I", 3 * 10**9)))
    with pytest.raises(DataError, match="a zip bomb, not opened"):
        open_images(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (struct.pack(">4I", 0x803, 4, 5, 5) + bytes(50), "holds 50 of the 100 bytes that its header says"),
        (struct.pack(">4I", 0x803, 4, 5, 5) + bytes(150), "holds more than the 100 bytes"),
        (struct.pack(">4I", 0x803, 2**31, 2**15, 2**15), "claims 2147483648 x 32768 x 32768 bytes in 16: refused"),
        (gzip.compress(struct.pack(">4I", 0x803, 9000, 1000, 1000), mtime=0), "claims .*: refused"),
        (gzip.compress(struct.pack(">4I", 0x803, 4, 5, 5) + bytes(100), mtime=0)[:-12], "is cut off or damaged"),
        (b"\0\0\x08\x03\0\0", "is cut off or damaged"),
    ],
)
def test_broken_idx_files(tmp_path, content, said):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=said):
        open_images(tmp_path)


def test_tables_that_point_nowhere_or_are_broken(tmp_path):
    (tmp_path / "d.csv").write_text("path,label\n/dev/zero,0\n../../nowhere.png,1\n")
    with pytest.raises(DataError, match=r"could not be read, which is more than 10 %: zero \(no regular file\)"):
        open_images(tmp_path / "d.csv")
    (tmp_path / "d.csv").write_bytes(b"path,label\n\xff\xfe\x00,a\n")
    with pytest.raises(DataError, match="is no table of text"):
        open_images(tmp_path / "d.csv")
    (tmp_path / "d.parquet").write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    with pytest.raises(DataError, match="is no intact Parquet file"):
        open_images(tmp_path / "d.parquet")


# Archives ------------------------------------------------------------------------------------------------------


def archive(path: Path, *members: tuple[str, bytes | str | None]) -> Path:
    """Write a tar of files (bytes), links (str) and a device (None)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.type = tarfile.CHRTYPE if content is None else tarfile.SYMTYPE
                member.linkname = content or ""
                tar.addfile(member)
    return path


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../out.txt", b"x"), "a path that leaves its folder"),
        (("/tmp/out.txt", b"x"), "a path that leaves its folder"),
        (("a/../../out.txt", b"x"), "a path that leaves its folder"),
        (("..\\out.txt", b"x"), "a path that leaves its folder"),
        (("C:\\out.txt", b"x"), "a path that leaves its folder"),
        (("link", "/etc"), "a link or device"),
        (("device", None), "a link or device"),
        (("a\nb\x1b[2J", "/etc"), r"holds a\\nb\\x1b\[2J, a link"),
    ],
)
def test_archives_that_leave_their_folder(tmp_path, member, said):
    tar = archive(tmp_path / "d.tgz", ("fine.txt", b"x"), member)
    with pytest.raises(DataError, match=said):
        extract(tar, tmp_path / "in" / "d")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.tgz", "in"]
    assert list((tmp_path / "in").iterdir()) == []


def test_archive_bombs(tmp_path):
    tar = archive(tmp_path / "d.tgz", ("big", bytes(2_000_000)))
    assert tar.stat().st_size < 10_000
    with pytest.raises(DataError, match="refused as a bomb"):
        extract(tar, tmp_path / "d", max_bytes=1_000_000)
    many = archive(tmp_path / "many.tgz", *((str(i), b"") for i in range(20)))
    with pytest.raises(DataError, match="refused as a bomb"):
        extract(many, tmp_path / "d", max_members=10)
    assert not (tmp_path / "d").exists()


def test_truncated_archive(tmp_path):
    content = archive(tmp_path / "d.tgz", ("a", np.random.default_rng(0).bytes(100_000))).read_bytes()
    (tmp_path / "d.tgz").write_bytes(content[:50_000])
    with pytest.raises(DataError, match=r"d.tgz cannot be unpacked"):
        extract(tmp_path / "d.tgz", tmp_path / "d")
    assert not (tmp_path / "d").exists()


# Fuzzing: whatever the bytes, a loader answers with images, a model, or one of our errors -------------------------

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def samples() -> dict[str, bytes]:
    """Small valid files of each format, to be damaged."""
    files: dict[str, bytes] = {}

    def kept(name: str, write) -> None:
        write(buffer := io.BytesIO())
        files[name] = buffer.getvalue()

    state = weights()
    kept("zip.pt", lambda f: torch.save(state, f))
    kept("old.pt", lambda f: torch.save({"state_dict": state}, f, _use_new_zipfile_serialization=False))
    files["w.safetensors"] = safetensors.torch.save(state)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept("script.pt", lambda f: torch.jit.save(torch.jit.script(network), f))
    kept("d.npz", lambda f: np.savez(f, x=np.zeros((4, 5, 5), np.uint8), y=np.arange(4)))
    kept("c.npz", lambda f: np.savez_compressed(f, x=np.zeros((4, 5, 5), np.uint8), y=np.arange(4)))
    files["images-idx3-ubyte"] = struct.pack(">4I", 0x803, 4, 5, 5) + bytes(100)
    files["images-idx3-ubyte.gz"] = gzip.compress(files["images-idx3-ubyte"], mtime=0)
    files["d.csv"] = b"path,label\na.png,0\nb.png,1\n"
    picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    for ending in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"):
        kept(f"a.{ending.lower()}", lambda f, ending=ending: picture.save(f, ending))
    return files


SAMPLES = samples()


@st.composite
def damaged(draw) -> tuple[str, bytes]:
    """A valid file with a few bytes changed, cut out or put in."""
    name = draw(st.sampled_from(sorted(SAMPLES)))
    content = bytearray(SAMPLES[name])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        what = draw(st.sampled_from(("set", "cut", "put", "end")))
        if what == "set" and content:
            content[place] = draw(st.integers(0, 255))
        elif what == "cut":
            del content[place : place + draw(st.integers(1, 20))]
        elif what == "put":
            content[place:place] = draw(st.binary(min_size=1, max_size=8))
        else:
            del content[place:]
    return name, bytes(content)


def feed(folder: Path, arch: str, name: str, content: bytes) -> None:
    """Give a file to the loader its name is for; only our own errors may come back, each on one line."""
    path = folder / name
    path.write_bytes(content)
    try:
        if name.endswith((".pt", ".safetensors")):
            open_model(str(path), arch=None if name == "script.pt" else arch, trust=name == "script.pt")
        elif name.startswith("a."):
            read_image(path, 3, 8)
        else:
            open_images(path, size=8)
    except (BenchError, UnreadableImage) as error:
        said = str(error)
    else:
        said = ""
    finally:
        path.unlink()
    assert said == "" or said.isprintable()


def compressed_source_damaged(content: bytes) -> bytes:
    """Overwrite the middle of the first compressed member of a TorchScript file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        source = next(m for m in archive.infolist() if m.filename.endswith(".py") and m.compress_type)
    end = content.index(b"PK\x03\x04", source.header_offset + 4)
    middle = end - source.compress_size // 2
    return content[:middle] + b"\xff" * 8 + content[middle + 8 :]


def said_to_be_encrypted(content: bytes) -> bytes:
    """Set that flag in every entry of a zip file's directory; it stands eight bytes behind the entry's start."""
    starts = [place.start() for place in re.finditer(rb"PK\x01\x02", content)]
    return bytes(byte | (place - 8 in starts) for place, byte in enumerate(content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.safetensors", b"\x08"),  # found by fuzzing, as were the next two
        ("d.npz", said_to_be_encrypted(SAMPLES["d.npz"])),
        ("script.pt", compressed_source_damaged(SAMPLES["script.pt"])),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_fuzzing_found(tmp_path, arch, name, content):
    assert content != SAMPLES[name]
    feed(tmp_path, arch, name, content)


@FUZZ
@given(damaged())
@pytest.mark.filterwarnings("ignore")
def test_damaged_files(tmp_path, arch, file):
    feed(tmp_path, arch, *file)


@FUZZ
@given(st.sampled_from(sorted(SAMPLES)), st.binary(max_size=200))
@pytest.mark.filterwarnings("ignore")
def test_random_bytes(tmp_path, arch, name, content):
    feed(tmp_path, arch, name, content)

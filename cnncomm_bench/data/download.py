"""Downloads a public file once, resumed and verified, and unpacks it so that nothing leaves its folder."""

from __future__ import annotations

import http.client
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from .._utils.errors import DataError
from .._utils.files import cache_folder, one_line, sha256_of, shown

_CHUNK = 2**20
LONGEST = 7200
"""Seconds that a download may take, its retries included."""
SLOWEST, WINDOW = 5000, 30
"""Bytes a second that must arrive on average over so many seconds."""


@dataclass(frozen=True)
class Remote:
    """A public file.

    Attributes
    ----------
    url : str
        Its address.
    size : int
        In bytes.
    sha256 : str
        Of its content, as TensorFlow Datasets publishes it in ``url_checksums``.
    licence : str
        Under which it may be used.
    """

    url: str
    size: int
    sha256: str
    licence: str


TF_FLOWERS = Remote(
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    228813984,
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
    "CC BY, by photograph",
)
CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    170052171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    "the CIFAR-10 terms",
)


def unpacked(remote: Remote, name: str) -> Path:
    """Fetch and unpack an archive into the cache, once.

    Parameters
    ----------
    remote : Remote
        A .tar.gz file.
    name : str
        Of its folder in the cache.

    Returns
    -------
    Path
        The folder; it exists only once everything in it was verified and unpacked.

    Raises
    ------
    DataError
        It cannot be fetched, its checksum is wrong, or it is not safe to unpack.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    archive = cache_folder() / "downloads" / remote.url.rpartition("/")[2]
    fetch(remote, archive)
    extract(archive, folder)
    archive.unlink()
    return folder


# Not pooch: it starts a cut download again from zero, and limits neither its time, its size nor what it unpacks to.
def fetch(remote: Remote, path: Path, attempts: int = 4) -> None:
    """Download a file; an interrupted download is resumed.

    Parameters
    ----------
    remote : Remote
        What to fetch.
    path : Path
        Where to put it; it appears there only after its checksum was verified.
    attempts : int
        How often to resume after a cut connection.

    Raises
    ------
    DataError
        The server cannot be reached, sends something else, or keeps cutting the connection off.
    """
    if path.is_file() and sha256_of(path) == remote.sha256:
        return
    part = path.with_name(f"{path.name}.part")
    deadline = time.monotonic() + LONGEST
    manual = f"download {remote.url} yourself and pass the unpacked folder"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(attempts):
            try:
                if _fetch_rest(remote, part, deadline):
                    break
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                if attempt == attempts - 1 or isinstance(error, urllib.error.HTTPError):
                    raise
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"{remote.url} could not be fetched ({one_line(error)}): try again to resume, or {manual}", "data"
        ) from error
    have = part.stat().st_size
    if have < remote.size:
        raise DataError(
            f"{remote.url} was cut off at {have} of {remote.size} bytes: try again to resume, or {manual}", "data"
        )
    found = sha256_of(part)
    if found != remote.sha256:
        part.unlink()
        raise DataError(
            f"{remote.url} has the SHA-256 {found[:12]}..., expected {remote.sha256[:12]}...: not what was "
            f"published; it was deleted. Try again, or {manual}",
            "data",
        )
    part.replace(path)


def _fetch_rest(remote: Remote, part: Path, deadline: float) -> bool:
    """Append what is missing; True once all is there."""
    have = part.stat().st_size if part.is_file() else 0
    if have > remote.size:
        part.unlink()
        have = 0
    if have == remote.size:
        return True
    request = urllib.request.Request(remote.url, headers={"User-Agent": "cnncomm-bench"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=60) as response:
        resumed = response.status == 206 and str(response.headers.get("Content-Range", "")).startswith(f"bytes {have}-")
        with part.open("ab" if resumed else "wb") as file:
            # One byte more than expected is read at most, so that a server cannot fill the disk.
            _receive(response, file, remote.size + 1 - (have if resumed else 0), deadline)
    return part.stat().st_size >= remote.size


def _receive(response: http.client.HTTPResponse, file: IO[bytes], limit: int, deadline: float) -> None:
    """Copy what arrives, unless it is too slow: a server may keep a connection open by a byte a minute."""
    window, received = time.monotonic(), 0
    while limit > 0 and (chunk := response.read1(min(_CHUNK, limit))):
        file.write(chunk)
        limit -= len(chunk)
        received += len(chunk)
        now = time.monotonic()
        if now > deadline:
            raise TimeoutError(f"it takes more than {LONGEST} s")
        if now - window > WINDOW:
            if received < SLOWEST * (now - window):
                raise TimeoutError(f"it is slower than {SLOWEST} bytes a second")
            window, received = now, 0


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> None:
    while limit > 0 and (chunk := source.read(min(_CHUNK, limit))):
        target.write(chunk)
        limit -= len(chunk)


def extract(archive: Path, folder: Path, max_bytes: int = 2**32, max_members: int = 200_000) -> None:
    """Unpack a tar file whole or not at all: files and folders only, inside `folder` only.

    Parameters
    ----------
    archive : Path
        A tar file, compressed or not.
    folder : Path
        Must not exist yet.
    max_bytes, max_members : int
        What is unpacked at most; more is taken for a bomb.

    Raises
    ------
    DataError
        It is damaged, or holds links, devices, paths that leave the folder, or too much.
    """
    name = shown(archive.name)
    temporary = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            _extract_members(tar, temporary, name, max_bytes, max_members)
        temporary.replace(folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        if folder.is_dir():
            return  # another process unpacked it first
        raise DataError(f"{name} cannot be unpacked ({one_line(error)}): delete it and try again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract_members(tar: tarfile.TarFile, folder: Path, name: str, max_bytes: int, max_members: int) -> None:
    total = 0
    for count, member in enumerate(tar, 1):
        total += member.size
        if count > max_members or total > max_bytes:
            raise DataError(f"{name} unpacks to more than {max_bytes} bytes or {max_members} files: refused as a bomb")
        parts = PurePosixPath(member.name.replace("\\", "/")).parts
        if not parts or ".." in parts or member.name.startswith(("/", "\\")) or ":" in parts[0]:
            raise DataError(f"{name} holds {shown(member.name)}, a path that leaves its folder: refused")
        target = folder.joinpath(*parts)
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
        elif member.isreg() and not member.issparse():
            target.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            if source is None:
                raise tarfile.ReadError(f"no content for {member.name!r}")
            with source, target.open("xb") as file:
                _copy(source, file, member.size)
            if target.stat().st_size != member.size:
                raise tarfile.ReadError("unexpected end of data")
        else:
            raise DataError(f"{name} holds {shown(member.name)}, a link or device: refused")

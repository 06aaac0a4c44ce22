"""Decodes one image file to 8-bit pixels of the model's size, from any depth, palette or orientation."""

from __future__ import annotations

import functools
import io
import logging
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._utils.files import one_line, shown
from .array_like import Pixels
from .buffer import allocate

if TYPE_CHECKING:
    from PIL.Image import Image
else:
    Image = Any

# What PIL decodes by itself. EPS is left out because PIL hands it to Ghostscript, a program.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "TGA", "QOI", "PCX")
SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("png", "jpg", "jpeg", "jpe", "jfif", "mpo", "bmp", "dib", "gif", "tif", "tiff", "webp"),
        *("ppm", "pgm", "pbm", "pnm", "jp2", "avif", "tga", "qoi", "pcx"),
    )
)
MAX_PIXELS = 100_000_000
LARGEST = 2**30
"""Bytes of an image file."""
_MOST_SCANS = 100  # a progressive JPEG has about ten, its thumbnail among them
Source = Path | bytes | Callable[[], Image | bytes | Path]
"""A file, the content of one, or a function that returns either or a PIL image."""


class UnreadableImage(Exception):
    """One image cannot be used; the message is the reason, without the file's name."""


def read_image(
    source: Source,
    channels: int,
    size: int | None = None,
    resize: int | None = None,
    interpolation: str = "bilinear",
) -> Pixels:
    """Read one image as the model takes it.

    Rotated as its EXIF data say, converted to grey or RGB (transparency is dropped, as torchvision's loader
    does), 16 bits rounded to 8, the first frame of several; then the shorter side resized to `resize` and the
    centre cropped.

    Parameters
    ----------
    source : Path, bytes or callable
        A file, the content of one, or a function that returns either or a PIL image.
    channels : int
        1 for grey, 3 for RGB.
    size : int, optional
        Side of the centre crop; by default the image stays as it is.
    resize : int, optional
        Length of the shorter side before the crop; by default `size`.
    interpolation : str
        A name of PIL's: nearest, bilinear, bicubic, ...

    Returns
    -------
    ndarray of uint8, shape-(C, H, W)

    Raises
    ------
    UnreadableImage
        It is damaged, no image, or claims more than 100 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    mode = "L" if channels == 1 else "RGB"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; the pixels decide
            held = source() if callable(source) else source
            if not isinstance(held, bytes | Path):
                image = _eight_bits(held, mode)
            else:
                content = _content(held)
                if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > _MOST_SCANS:
                    raise UnreadableImage(f"a JPEG of more than {_MOST_SCANS} scans, which takes minutes to decode")
                with Image.open(io.BytesIO(content), formats=_formats()) as opened:
                    _check_pixels(opened.width, opened.height)
                    image = _eight_bits(_upright(opened), mode)
            if size is not None:
                image = _fitted(image, size, resize or size, interpolation)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage("no image format that is known") from error
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise UnreadableImage(_reason(error)) from error
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def is_grey(source: Source) -> bool | None:
    """Return whether an image has one channel, from its header; None where that is unreadable."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = source() if callable(source) else source
            if not isinstance(held, bytes | Path):
                mode = held.mode
            else:
                with Image.open(io.BytesIO(_content(held)), formats=_formats()) as opened:
                    mode = opened.mode
    except Exception:
        return None
    return mode in ("1", "L", "LA", "F") or mode.startswith("I")


@functools.cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    logging.getLogger("PIL").addHandler(logging.NullHandler())  # it prints warnings of damaged files
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _content(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        # Opened without waiting: a named pipe would block for ever, a device never ends.
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableImage("no regular file")
            if status.st_size > LARGEST:
                raise UnreadableImage("larger than 1 GiB")
            content = file.read()
    except FileNotFoundError as error:
        link = isinstance(source, Path) and source.is_symlink()
        raise UnreadableImage("a link to a file that is not there" if link else "no such file") from error
    except (OSError, ValueError) as error:
        raise UnreadableImage(one_line(error, 80)) from error
    if not content:
        raise UnreadableImage("empty")
    return content


def _reason(error: Exception) -> str:
    text = str(error).lower()
    if "truncated" in text or "broken data stream" in text or "unexpected end" in text:
        return "truncated"
    if "exceeds limit" in text:
        return "claims more than 100 million pixels"
    return one_line(error, 80)


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableImage(f"claims {width} x {height} pixels, more than 100 million")


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except (SyntaxError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError):
        image.load()  # broken metadata say nothing about the pixels
        return image


def _eight_bits(image: Image, mode: str) -> Image:
    from PIL import Image as pil

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(values).all() or low < 0 or high > 65535:
            raise UnreadableImage(f"pixel values from {low:g} to {high:g}")
        deep = image.mode.startswith("I;16") or high > 255
        scale = 1 / 257 if deep else 255.0 if image.mode == "F" and high <= 1 else 1.0
        image = pil.fromarray(np.round(values * scale).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _fitted(image: Image, size: int, resize: int, interpolation: str) -> Image:
    from PIL import Image as pil

    width, height = image.size
    short = min(width, height)
    if short != resize:
        width, height = (max(resize, int(resize * side / short)) if side != short else resize for side in image.size)
        _check_pixels(width, height)  # one pixel high and very wide grows without bound
        image = image.resize((width, height), pil.Resampling[interpolation.upper()])
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image if image.size == (size, size) else image.crop((left, top, left + size, top + size))


def resized(images: Pixels, size: int, resize: int | None, interpolation: str) -> Pixels:
    """Resize and crop images that are already arrays, as `read_image` does files.

    Parameters
    ----------
    images : ndarray of uint8, shape-(N, C, H, W)
        Grey or RGB.
    size, resize, interpolation
        As in `read_image`.

    Returns
    -------
    ndarray of uint8, shape-(N, C, size, size)
    """
    from PIL import Image

    result: Pixels = allocate((*images.shape[:2], size, size))
    for index, pixels in enumerate(images):
        grey = len(pixels) == 1
        image = Image.fromarray(np.ascontiguousarray(pixels[0] if grey else pixels.transpose(1, 2, 0)))
        fitted = np.asarray(_fitted(image, size, resize or size, interpolation))
        result[index] = fitted[None] if grey else fitted.transpose(2, 0, 1)
    return result


def described(skipped: list[tuple[str, str]], total: int) -> str:
    """Report which of `total` images were left out and why, on one line.

    Parameters
    ----------
    skipped : list of (name, reason)
        At least one.

    Returns
    -------
    str
        ``"3 of 371 images could not be read and were left out: a.jpg (truncated), ..."``.
    """
    named = ", ".join(f"{shown(name, 80)} ({reason})" for name, reason in skipped[:3])
    more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    return f"{len(skipped)} of {total} images could not be read and were left out: {named}{more}"

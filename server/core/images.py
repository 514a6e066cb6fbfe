"""Pictures that people upload: taken only when they are what they say, and kept without anything else in them."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from server.core import drawings

PICTURE_BYTES: Final = 5 * 1024**2
DRAWING_BYTES: Final = 512 * 1024
_SIDE: Final = (16, 4096)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_ICON: Final = b"\x00\x00\x01\x00"
_KINDS: Final = {"PNG": "PNG", "JPEG": "JPEG", "GIF": "GIF", "WEBP": "WebP", "ICO": "icon", "SVG": "SVG"}
_WORDS: Final = "PNG, JPEG, WebP, GIF, ICO or SVG"


class BadPicture(ValueError):
    """What was sent is no picture that can be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A checked picture: ``content`` was written anew by us, it holds the pixels (or the shapes) and nothing else."""

    content_type: str
    content: bytes
    width: int
    height: int


def checked(data: bytes) -> Picture:
    """Return the picture in these bytes; raises ``BadPicture``. Takes some CPU time: call it in a thread.

    The kind is told from the content alone. Sizes are looked at before anything is decoded, and what stands after a
    picture's end (an archive, a script) makes it refused.
    """
    if not data:
        message = "The file is empty."
        raise BadPicture(message)
    kind = _kind(data)
    if kind == "SVG":
        return _drawing(data)
    if len(data) > PICTURE_BYTES:
        message = f"The picture is larger than {PICTURE_BYTES // 1024**2} MB."
        raise BadPicture(message)
    _demand_end(data, kind)
    return _decoded(data, kind)


def _kind(data: bytes) -> str:
    if data.startswith(_PNG):
        return "PNG"
    if data.startswith(_JPEG):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(_ICON):
        return "ICO"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!--")) and b"<svg" in data[:65536].lower():
        return "SVG"
    message = f"This is no {_WORDS} file."
    raise BadPicture(message)


def _demand_end(data: bytes, kind: str) -> None:
    """Refuse what goes on after the end of the picture: it would be two files in one."""
    if not _ENDS[kind](data):
        message = f"The {_KINDS[kind]} file is cut off, or something else follows the picture in it."
        raise BadPicture(message)


def _png_ends(data: bytes) -> bool:
    at = len(_PNG)
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        at += 12 + length
        if name == b"IEND":
            return at == len(data)
    return False


def _webp_ends(data: bytes) -> bool:
    size = int.from_bytes(data[4:8], "little")
    return size + 8 == len(data)


_ENDS: Final[dict[str, Callable[[bytes], bool]]] = {
    "PNG": _png_ends,
    "JPEG": lambda data: data.endswith(b"\xff\xd9"),
    "GIF": lambda data: data.endswith(b"\x3b"),
    "WEBP": _webp_ends,
    "ICO": lambda _: True,
}


def _decoded(data: bytes, kind: str) -> Picture:
    try:
        with warnings.catch_warnings():
            # A picture that unpacks into more than it should is refused, not warned about.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[kind]) as picture:
                _demand_sides(*picture.size)
                picture.load()
                plain = picture.convert("RGB" if kind == "JPEG" else "RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        message = f"The picture has too many pixels; at most {_SIDE[1]} by {_SIDE[1]} are taken."
        raise BadPicture(message) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        if isinstance(error, BadPicture):
            raise
        message = f"The {_KINDS[kind]} file is damaged."
        raise BadPicture(message) from error
    written = io.BytesIO()
    # Without what cameras and programs add: places, comments, previews.
    if kind == "JPEG":
        plain.save(written, "JPEG", quality=90, optimize=True)
    else:
        plain.save(written, "PNG", optimize=True)
    return Picture("image/jpeg" if kind == "JPEG" else "image/png", written.getvalue(), *plain.size)


def _demand_sides(width: int, height: int) -> None:
    least, most = _SIDE
    if not (least <= width <= most and least <= height <= most):
        message = f"The picture has {width} by {height} pixels; {least} to {most} on each side are taken."
        raise BadPicture(message)


def _drawing(data: bytes) -> Picture:
    if len(data) > DRAWING_BYTES:
        message = f"The SVG file is larger than {DRAWING_BYTES // 1024} KB."
        raise BadPicture(message)
    try:
        drawing = drawings.cleaned(data)
    except drawings.BadDrawing as error:
        raise BadPicture(str(error)) from error
    return Picture("image/svg+xml", drawing.content, drawing.width, drawing.height)

"""What a photo file says beside its pixels: taken along from the original, corrected for the edited picture.

When, where and with what a photo was taken stays with it. What would be untrue afterwards does not: the thumbnail and
the camera's own preview of the unedited face, the turn that has been applied, how the old file stored its pixels.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from maskedit.errors import UserError
from maskedit.imaging.photos import decoding, open_image, read_source
from maskedit.logs import tolerated

logger = logging.getLogger(__name__)

_MAX_EXIF = 65533
"""Bytes: what a JPEG can hold. One limit for all formats: what a camera wrote is below it."""
_MAX_ICC = 4 << 20  # bytes; profiles of cameras and screens have a few kilobytes
_LONG = 256  # bytes; in a block that is too large, what is longer than this is not worth its space
_RGB_MODES = ("RGB", "RGBA", "RGBX", "P", "PA")
_MAKER_NOTE, _INTEROPERABILITY, _SUB_IMAGES, _PHOTOSHOP, _XMP, _PROFILE = 0x927C, 0xA005, 0x014A, 0x8649, 0x02BC, 0x8773
_STALE = frozenset(
    (
        # How TIFF and old JPEG store pixels, which Pillow decides anew.
        *(0x00FE, 0x00FF, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117, 0x011C, 0x013D, 0x0140),
        *(*range(0x0142, 0x0146), 0x0152, 0x0153, 0x015B, *range(0x0200, 0x020A), *range(0x0211, 0x0215), _PROFILE),
        # Other pictures and what may hold some, of the unedited face: many cameras keep a preview in the maker note,
        # larger than the thumbnail. And a pointer that Pillow does not follow.
        *(_SUB_IMAGES, _PHOTOSHOP, _XMP, _MAKER_NOTE, _INTEROPERABILITY),
    )
)


@dataclass(frozen=True)
class PhotoMetadata:
    """What a photo file says beside its pixels; nothing of it when it came without."""

    exif: bytes | None = None
    """The EXIF block of the original, without its thumbnail."""
    icc: bytes | None = None
    """The colour profile of the pixels as :func:`read_photo` gives them, if they are not sRGB."""


def read_metadata(source: str | Path | bytes) -> PhotoMetadata:
    """What a photo file, a path or the bytes of one, says beside its pixels; what is broken there is left out.

    A colour profile counts only where the file stores RGB: one for printing inks or grey means nothing for the RGB
    that a photo is read as. Raises UserError as :func:`read_photo` when there is no such file or it is no image.
    """
    data, name = read_source(source)
    with decoding(name):
        image = open_image(data, name)
        profile = image.info.get("icc_profile")
        exif = None
        with tolerated(logger, "The EXIF block is broken and left out.", Exception):
            block = image.getexif()
            _keep_letters(block)
            # Put together anew, Pillow's block has everything but the second directory, which is the thumbnail.
            exif = block.tobytes() if block else None
    usable = image.mode in _RGB_MODES and isinstance(profile, bytes) and 128 < len(profile) <= _MAX_ICC
    return PhotoMetadata(exif, profile if usable and profile[16:20] == b"RGB " else None)


def saving_options(metadata: PhotoMetadata, format: str, *, width: int, height: int) -> dict[str, Any]:
    """What Pillow's ``save`` needs to put the metadata into a file of a format, for a photo of this size."""
    if format == "BMP":
        return {}
    options: dict[str, Any] = {"exif": _exif(metadata.exif, width=width, height=height)}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if format == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Software", _software())
    return options


def _software() -> str:
    # At run time: the package's root names everything above this room, which nothing here may import.
    return f"edited with maskedit {importlib.import_module('maskedit').__version__}"


def _exif(block: bytes | None, *, width: int, height: int) -> Image.Exif:
    """The block, corrected, with all that fits in; a broken one is replaced by one that only names this program."""
    for keep in (_everything, _short):
        with contextlib.suppress(UserError), decoding("The EXIF block"):
            exif = _corrected(block, keep, width=width, height=height)
            if len(exif.tobytes()) <= _MAX_EXIF:
                return exif
    return _corrected(None, _everything, width=width, height=height)


def _corrected(block: bytes | None, keep: Callable[[int, Any], bool], *, width: int, height: int) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(block)
    _keep_letters(exif)
    for part in _directories(exif):
        for tag in [tag for tag, value in part.items() if tag in _STALE or not keep(tag, value)]:
            del part[tag]
    truths = {Base.Orientation: 1, Base.ImageWidth: width, Base.ImageLength: height}
    exif.update({tag: value for tag, value in truths.items() if tag in exif})
    truths = {Base.ExifImageWidth: width, Base.ExifImageHeight: height}
    camera = exif.get_ifd(IFD.Exif)
    camera.update({tag: value for tag, value in truths.items() if tag in camera})
    exif[Base.Software] = _software()
    return exif


def _directories(exif: Image.Exif) -> tuple[MutableMapping[int, Any], ...]:
    return exif, exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)


def _keep_letters(exif: Image.Exif) -> None:
    """Pillow reads text as Latin-1 and writes it as ASCII: without this, names would come out as question marks."""
    for part in _directories(exif):
        text = {tag: value for tag, value in part.items() if isinstance(value, str) and not value.isascii()}
        part.update({tag: value.encode("latin-1") for tag, value in text.items()})


def _everything(tag: int, value: Any) -> bool:
    return True


def _short(tag: int, value: Any) -> bool:
    return not hasattr(value, "__len__") or len(value) <= _LONG

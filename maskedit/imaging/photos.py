"""Photo files in every orientation, mode and depth, as (H, W, 3) uint8 RGB.

Everything that comes from outside is untrusted: whatever is wrong with a file ends as one :class:`UserError`, and
nothing that was open or on disk before is lost.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from maskedit.errors import UserError
from maskedit.logs import tolerated

MIN_SIDE = 16
"""Pixels: a photo with a shorter side holds no face."""
MAX_PIXELS = 120_000_000
"""A 108-megapixel phone photo passes; what would fill the memory of a small computer does not."""
_MAX_BYTES = 1 << 30
# A list of our own: Pillow also opens formats that start other programs (EPS runs Ghostscript).
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM")
_READABLE = "PNG, JPEG, WebP, TIFF, BMP or GIF"
_WARNINGS = threading.Lock()  # catching warnings is process-wide: one decoder at a time
_ORIENTATION = 0x0112  # the EXIF tag
_LYING = (5, 6, 7, 8)  # its values for a picture that is a quarter turn away from upright

logger = logging.getLogger(__name__)


def read_photo(source: str | Path | bytes, *, name: str | None = None) -> np.ndarray:
    """Read a photo as (H, W, 3) uint8 RGB: a file's path, or the bytes of a file; ``name`` is for what goes wrong.

    EXIF orientation is applied, transparency is composited over white, 16-bit grey is scaled to 8 bits, CMYK becomes
    sRGB by its own profile and an animation gives its first frame. Raises UserError when there is no such file, when
    it is no image or a damaged one, when a side is under ``MIN_SIDE`` or the whole is over ``MAX_PIXELS``.
    """
    data, found = read_source(source)
    name = name or found
    with decoding(name):
        image, orientation, _ = load_image(data, name)
        photo = upright(to_rgb(image, name), orientation)
    height, width = photo.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise UserError(f"{name} is {width} x {height} px; choose a photo of at least {MIN_SIDE} px a side.")
    return np.ascontiguousarray(photo)


def read_size(path: str | Path) -> tuple[int, int]:
    """(width, height) in pixels as a file's header has it, before any EXIF orientation; no pixel is decoded.

    Many threads may read at once, for unlike `decoding` this holds no lock while it waits for the disk. Raises
    UserError when the header cannot be read.
    """
    Image.init()
    try:
        with Image.open(path, formats=[each for each in _FORMATS if each in Image.OPEN]) as image:
            return image.size
    except Exception as error:  # as in `decoding`: nearly anything
        raise UserError(
            f"The size of '{path}' cannot be read ({reason_of(error)}); get a complete copy of it."
        ) from error


def upright_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) in pixels of the photo as `read_photo` gives it, from the header of a file's bytes.

    Pixels are decoded only of a PNG without an EXIF block before them: one may come behind. Raises UserError as
    `read_photo` does where the header tells.
    """
    with decoding(name):
        image = open_image(data, name)
        width, height = image.size
        # Pillow gives the size of a TIFF file as it will turn it.
        lying = image.format != "TIFF" and _orientation(image) in _LYING
    return (height, width) if lying else (width, height)


def read_orientation(data: bytes) -> int:
    """The EXIF orientation that a file's bytes say, 1..8; 1, upright, where they say none or are broken there.

    Raises UserError when they are no image.
    """
    with decoding("The image data"):
        return _orientation(open_image(data, "The image data"))


def read_source(source: str | Path | bytes) -> tuple[bytes, str]:
    """The bytes of a file and what to call it in a message."""
    if isinstance(source, bytes):
        data, name = source, "The image data"
    else:
        path = Path(source)
        name = f"'{path.name or path}'"
        try:
            if not path.exists():
                raise UserError(f"There is no file '{path}'; check its name and folder.")
            if not path.is_file():
                raise UserError(f"'{path}' is not a file; choose an image file: {_READABLE}.")
            if path.stat().st_size > _MAX_BYTES:
                raise UserError(f"{name} is over {_MAX_BYTES >> 20} MiB; save it smaller and open that.")
            data = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"{name} cannot be read ({reason_of(error)}); check the file and its permissions."
            ) from error
    if not data:
        raise UserError(f"{name} is empty (0 bytes); choose an image file: {_READABLE}.")
    return data, name


@contextlib.contextmanager
def decoding(name: str) -> Iterator[None]:
    """Whatever a decoder does with hostile bytes becomes one UserError, and none of its warnings come through."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except UserError:
            raise
        except Image.DecompressionBombError as error:
            raise UserError(f"{name} is enormous; scale it to under {MAX_PIXELS // 10**6} megapixels.") from error
        except UnidentifiedImageError as error:
            raise UserError(
                f"{name} is not an image that can be read here; choose {_READABLE}, or convert it first."
            ) from error
        except Exception as error:  # decoders raise nearly anything: struct.error, SyntaxError, IndexError ...
            raise UserError(
                f"{name} is damaged or cut short ({reason_of(error)}); get a complete copy of it."
            ) from error


def open_image(data: bytes, name: str) -> Image.Image:
    """The file's header, read and checked; its pixels are still to be decoded."""
    Image.init()
    image = Image.open(BytesIO(data), formats=[each for each in _FORMATS if each in Image.OPEN])
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{name} is enormous, {width} x {height} px; scale it to under {MAX_PIXELS // 10**6} megapixels."
        )
    return image


def load_image(data: bytes, name: str) -> tuple[Image.Image, int, bool]:
    """The first frame, decoded; the EXIF orientation still to be applied; whether 16-bit colour was cut to 8 bits."""
    image = open_image(data, name)
    deep = image.mode in ("RGB", "RGBA", "LA") and ";16" in repr(image.tile)  # loading clears the tile list
    image.load()
    # Only after loading: Pillow turns TIFF files by itself and then clears the tag.
    return image, _orientation(image), deep


def _orientation(image: Image.Image) -> int:
    with tolerated(logger, "The EXIF block is broken: the picture is taken as upright.", Exception):
        found = image.getexif().get(_ORIENTATION, 1)
        return found if found in range(1, 9) else 1
    return 1


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation, 1..8, to (H, W, ...)."""
    if orientation in _LYING:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def to_rgb(image: Image.Image, name: str) -> np.ndarray:
    """Any Pillow mode as (H, W, 3) uint8."""
    if image.mode.startswith("I"):
        grey = to_integers(image, name, limit=65535)
        shades = np.round(grey / 257).astype(np.uint8)
        shades[grey == image.info.get("transparency", -1)] = 255
        return np.repeat(shades[..., None], 3, axis=2)
    if image.mode in ("F", "LAB"):
        raise UserError(f"{name} stores its pixels as {mode_title(image)}; save it as 8-bit RGB and open that.")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        # Hidden colours must not come back, so transparency is painted over white instead of dropped.
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    if image.mode == "CMYK":
        with tolerated(logger, "The inks have no colour profile, or one that cannot be used.", Exception):
            return np.array(_from_inks(image))
    return np.array(image.convert("RGB"))


def _from_inks(image: Image.Image) -> Image.Image:
    """A CMYK image as sRGB by its own profile: what the inks look like on paper, which no formula knows."""
    return ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(BytesIO(image.info["icc_profile"])),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def to_integers(image: Image.Image, name: str, *, limit: int) -> np.ndarray:
    """The (H, W) integers of a mode "I" or "I;16" image, checked to be within 0..limit."""
    values = np.array(image).astype(np.int64)
    if values.min() < 0 or values.max() > limit:
        raise UserError(
            f"{name} holds values from {values.min()} to {values.max()}; wanted 0 to {limit}: save it as 8 or 16 bits."
        )
    return values


def mode_title(image: Image.Image) -> str:
    return {"F": "floating-point numbers", "LAB": "Lab colour"}.get(image.mode, image.mode)


def reason_of(error: Exception) -> str:
    """A library's or the system's own words, without its full stop."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__).strip().rstrip(".")

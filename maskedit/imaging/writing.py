"""Photos and label maps to disk: whole or not at all, and never over a file unasked."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from maskedit.errors import UserError
from maskedit.imaging.label_files import check_ids
from maskedit.imaging.metadata import PhotoMetadata, saving_options
from maskedit.imaging.photos import reason_of
from maskedit.labels import palette

_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
_WRITABLE[".bmp"] = "BMP"
SUFFIXES = frozenset(_WRITABLE)
"""Of photos, in lower case; label maps are .png only."""


def write_photo(
    path: str | Path,
    photo: np.ndarray,
    *,
    quality: int = 95,
    overwrite: bool = False,
    metadata: PhotoMetadata | None = None,
) -> Path:
    """Write (H, W, 3) or (H, W, 4) uint8 as PNG, JPEG, WebP, TIFF or BMP, by the extension; returns the path.

    ``quality`` is 1..100, for JPEG and WebP. ``metadata``, of the original photo, goes into the file as far as its
    format holds it, with a word that the photo was edited; without, a file says nothing beside its pixels. The file
    appears whole or not at all. Raises UserError for an unknown extension, for transparency in JPEG or BMP, for an
    existing file without ``overwrite`` and when the disk refuses.
    """
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] not in (3, 4):
        raise ValueError(f"a photo is (H, W, 3 or 4) uint8, not {photo.shape} {photo.dtype}")
    path = Path(path)
    format = _WRITABLE.get(path.suffix.lower())
    if format is None:
        known = ", ".join(_WRITABLE)
        raise UserError(f"'{path.name}' does not end in a known image extension; use one of {known}.")
    if photo.shape[2] == 4 and format in ("JPEG", "BMP"):
        raise UserError(f"{format} cannot store transparency; save '{path.stem}' as .png or .webp.")
    if not 1 <= quality <= 100:
        raise UserError(f"The quality is {quality}; choose one from 1 to 100.")
    options: dict = {"JPEG": {"quality": quality, "subsampling": 0}, "WEBP": {"quality": quality}}.get(format, {})
    check_target(path, overwrite=overwrite)
    if metadata is not None:
        options |= saving_options(metadata, format, width=photo.shape[1], height=photo.shape[0])
    return atomic_write_bytes(path, encoded(Image.fromarray(photo), path, format, **options), overwrite=overwrite)


def write_labels(
    path: str | Path, labels: np.ndarray, *, kind: Literal["palette", "ids"] = "palette", overwrite: bool = False
) -> Path:
    """Write (H, W) uint8 ids as PNG, as indices of the published palette or as plain grey ids; returns the path.

    Both read back exactly. Raises UserError as :func:`write_photo`, and for ids over 18.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise ValueError(f"a label map is (H, W) uint8, not {labels.shape} {labels.dtype}")
    if kind not in ("palette", "ids"):
        raise ValueError(f"kind is 'palette' or 'ids', not {kind!r}")
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UserError(f"'{path.name}' does not end in .png; label maps are stored as PNG, which keeps ids exact.")
    check_ids(labels, "The label map")
    check_target(path, overwrite=overwrite)
    height, width = labels.shape
    image = Image.frombytes("P" if kind == "palette" else "L", (width, height), labels.tobytes())
    if kind == "palette":
        image.putpalette(palette().tobytes())
    return atomic_write_bytes(path, encoded(image, path, "PNG"), overwrite=overwrite)


def png_bytes(pixels: np.ndarray) -> bytes:
    """A photo (H, W, 3) uint8, or ids (H, W) uint8 as grey, as the bytes of a PNG file, quickly packed."""
    return encoded(Image.fromarray(np.ascontiguousarray(pixels)), Path("picture.png"), "PNG", compress_level=1)


def atomic_write_bytes(path: str | Path, data: bytes | memoryview, *, overwrite: bool = False) -> Path:
    """Write a whole file or nothing: a temporary file beside it, flushed to disk, then put in its place.

    Returns the path. Raises UserError for an existing file without ``overwrite`` and for whatever the disk refuses;
    the old file is then untouched and no temporary file stays.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    target = Path(os.path.realpath(path))  # through a link, so that the link stays one
    temporary = target.parent / f".maskedit-{secrets.token_hex(6)}.tmp"
    try:
        # Opened plainly, not by tempfile, whose files nobody else may read.
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            with contextlib.suppress(OSError):  # some network and memory-card file systems know no permissions
                shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written ({reason_of(error)}); choose another folder or make room, then save again."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raise UserError where writing could not work, before anything is encoded."""
    try:
        if path.is_dir():
            raise UserError(f"'{path}' is a folder; give the name of a file in it.")
        if not path.parent.is_dir():
            raise UserError(f"There is no folder '{path.parent}'; create it or choose another one.")
        if path.exists() and not overwrite:
            raise UserError(f"'{path}' exists already; choose another name or allow overwriting.")
        if path.exists() and not os.access(path, os.W_OK):
            raise UserError(f"'{path}' is write-protected; choose another name or lift its protection.")
    except OSError as error:
        raise UserError(f"'{path}' cannot be written ({reason_of(error)}); choose another name.") from error


def encoded(image: Image.Image, path: Path, format: str, **options: Any) -> bytes:
    """The bytes of an image file. In memory first, so that a failing encoder never touches the disk.

    Raises UserError, which names the file at ``path``, where the format cannot hold the image.
    """
    buffer = BytesIO()
    try:
        image.save(buffer, format, **options)
    except (OSError, ValueError) as error:
        raise UserError(
            f"'{path.name}' ({image.width} x {image.height} px) cannot be stored as {format} ({reason_of(error)}); "
            "use .png."
        ) from error
    return buffer.getvalue()

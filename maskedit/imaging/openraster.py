"""Pictures in layers as OpenRaster files, which Krita, GIMP and other programs open.

A file is a zip of PNG files, one for each layer, and of ``stack.xml``, which says how they lie over one another
(https://www.openraster.org, version 0.0.5 of the specification: file layout and layer stack).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from maskedit.errors import UserError
from maskedit.imaging.metadata import PhotoMetadata, saving_options
from maskedit.imaging.writing import atomic_write_bytes, check_target, encoded

SUFFIX = ".ora"
_VERSION = "0.0.5"
_THUMBNAIL = 256
"""Pixels of its longer side, at most."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a picture, laid plainly over those beneath it."""

    name: str
    pixels: np.ndarray
    """(h, w, 3) uint8 RGB, or (h, w, 4) with alpha that the colours are not multiplied by."""
    left: int = 0
    top: int = 0
    """Where its upper left corner lies in the picture, in pixels."""
    visible: bool = True
    """Whether it is shown when the file is opened; a person can show a hidden one."""


def write_openraster(
    path: str | Path,
    layers: Sequence[Layer],
    picture: np.ndarray,
    *,
    overwrite: bool = False,
    metadata: PhotoMetadata | None = None,
) -> Path:
    """Write layers as an OpenRaster file; returns the path.

    The file appears whole or not at all.

    Args:
        path: ends in .ora.
        layers: the lowest first.
        picture: (H, W, 3) uint8 RGB, what the visible layers show together: programs that know no layers show this.
        overwrite: whether an existing file may be replaced.
        metadata: of the original photo. It goes into the file of ``picture``, with a word that it was edited; the
            colour profile into all others, too.

    Raises:
        UserError: another ending, an existing file without ``overwrite``, and whatever the disk refuses.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise UserError(f"'{path.name}' does not end in {SUFFIX}; pictures in layers are stored as OpenRaster.")
    check_target(path, overwrite=overwrite)
    height, width = picture.shape[:2]
    about = {} if metadata is None else saving_options(metadata, "PNG", width=width, height=height)
    colours = {"icc_profile": metadata.icc} if metadata is not None and metadata.icc else {}

    def png(pixels: np.ndarray, options: dict[str, Any]) -> bytes:
        return encoded(Image.fromarray(pixels), path, "PNG", compress_level=1, **options)

    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # PNG files are packed already
        _add(archive, "mimetype", b"image/openraster")  # must be the first, and not packed
        _add(archive, "stack.xml", _stack(layers, width=width, height=height))
        for number, layer in enumerate(layers):
            _add(archive, _source(number), png(layer.pixels, colours))
        _add(archive, "mergedimage.png", png(picture, about))
        _add(archive, "Thumbnails/thumbnail.png", png(_thumbnail(picture), colours))
    return atomic_write_bytes(path, target.getbuffer(), overwrite=overwrite)


def _stack(layers: Sequence[Layer], *, width: int, height: int) -> bytes:
    """The list of layers, which begins with the uppermost."""
    image = ElementTree.Element("image", version=_VERSION, w=str(width), h=str(height))
    stack = ElementTree.SubElement(image, "stack")
    for number, layer in reversed(list(enumerate(layers))):
        ElementTree.SubElement(
            stack,
            "layer",
            {
                "name": layer.name,
                "src": _source(number),
                "x": str(layer.left),
                "y": str(layer.top),
                "opacity": "1.0",
                "visibility": "visible" if layer.visible else "hidden",
                "composite-op": "svg:src-over",
            },
        )
    return ElementTree.tostring(image, encoding="UTF-8", xml_declaration=True)


def _source(number: int) -> str:
    return f"data/layer{number}.png"


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return np.array(image)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # An entry without the time of day: the same picture makes the same file.
    archive.writestr(zipfile.ZipInfo(name), data)

"""An OpenRaster reader of its own, written after the specification alone, for tests of what is written."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
from PIL import Image


def read_openraster(path: Path) -> SimpleNamespace:
    """What a file holds, checked against the file layout and the layer stack of openraster.org.

    ``layers``: the lowest first, each with ``name``, ``visible``, ``image`` (a Pillow image) and ``at`` (x, y);
    ``merged`` and ``thumbnail``: Pillow images; ``size``: (width, height).
    """
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
        assert archive.read("mimetype") == b"image/openraster"
        # A program that looks at the first bytes alone must know it: 30 bytes of a local header, the name, the word.
        assert path.read_bytes()[30:54] == b"mimetypeimage/openraster"
        names = [each.filename for each in archive.infolist()]
        assert len(names) == len(set(names))
        assert all(each.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for each in archive.infolist())
        stack = archive.read("stack.xml")
        assert b"encoding='UTF-8'" in stack
        root = ElementTree.fromstring(stack)
        size = int(root.get("w")), int(root.get("h"))
        assert root.tag == "image"
        assert root.get("version").startswith("0.0.")
        (uppermost_first,) = root
        assert uppermost_first.tag == "stack"
        sources = [each.get("src") for each in uppermost_first]
        others = {"mimetype", "stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"}
        assert set(names) == others | set(sources)
        layers = []
        for each in reversed(uppermost_first):
            assert each.tag == "layer"
            assert float(each.get("opacity")) == 1
            assert each.get("composite-op") == "svg:src-over"
            assert each.get("visibility") in ("visible", "hidden")
            image, at = _png(archive, each.get("src")), (int(each.get("x")), int(each.get("y")))
            layers.append(
                SimpleNamespace(name=each.get("name"), visible=each.get("visibility") == "visible", image=image, at=at)
            )
        merged, thumbnail = _png(archive, "mergedimage.png"), _png(archive, "Thumbnails/thumbnail.png")
    assert merged.size == size
    assert max(thumbnail.size) == min(256, max(size))  # as large as may be, never enlarged
    assert abs(thumbnail.width * size[1] - thumbnail.height * size[0]) <= max(size)
    return SimpleNamespace(layers=layers, merged=merged, thumbnail=thumbnail, size=size)


def shown(found: SimpleNamespace) -> np.ndarray:
    """What the visible layers show together, (H, W, 3) uint8, as Pillow lays them over one another."""
    canvas = Image.new("RGBA", found.size, (0, 0, 0, 0))
    for layer in found.layers:
        if layer.visible:
            canvas.alpha_composite(layer.image.convert("RGBA"), layer.at)
    pixels = np.array(canvas)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def _png(archive: zipfile.ZipFile, name: str) -> Image.Image:
    data = archive.read(name)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[24] == 8  # bits a channel
    assert data[28] == 0  # not interlaced
    image = Image.open(BytesIO(data))
    image.load()
    assert image.mode in ("RGB", "RGBA")
    return image

"""Between numpy and Qt: the only place where a QImage is made from pixels.

``QImage(array.data, ...)`` aliases the array and assumes rows of whole 32-bit words; here every image owns its
memory and every stride is explicit.
"""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtGui import QImage, QPainter

from maskedit.document.history import Box


def photo_image(photo: np.ndarray) -> QImage:
    """(H, W, 3) uint8 RGB as an opaque QImage that owns its memory."""
    image = QImage(photo.shape[1], photo.shape[0], QImage.Format.Format_RGB32)
    cv2.cvtColor(photo, cv2.COLOR_RGB2BGRA, dst=_pixels(image))
    return image


def image_photo(image: QImage) -> np.ndarray:
    """A QImage (a pasted one, say) as (H, W, 3) uint8 RGB; transparent parts become white, as in files."""
    image = QImage(image)
    image.setDevicePixelRatio(1.0)  # a screenshot of a scaled desktop would be drawn at half its size
    opaque = QImage(image.size(), QImage.Format.Format_RGB32)
    opaque.fill(0xFFFFFFFF)
    painter = QPainter(opaque)
    painter.drawImage(0, 0, image)
    painter.end()
    return np.ascontiguousarray(_pixels(opaque)[:, :, 2::-1])


def _pixels(image: QImage) -> np.ndarray:
    """(H, W, 4) uint8 view, blue first, of a 32-bit image nobody shares yet; valid as long as the image lives."""
    rows = np.frombuffer(image.bits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 4].reshape(image.height(), image.width(), 4)


def tint_image(opacity: np.ndarray, colours: np.ndarray) -> QImage:
    """A translucent QImage to be drawn over another one; it owns its memory.

    Args:
        opacity: (H, W) float, 0..1.
        colours: uint8 RGB, (H, W, 3), or (3,) for one colour everywhere.
    """
    image = QImage(opacity.shape[1], opacity.shape[0], QImage.Format.Format_ARGB32_Premultiplied)
    view = _pixels(image)
    view[..., 2::-1] = np.round(colours * opacity[..., None])
    view[..., 3] = np.round(255 * opacity)
    return image


class LabelImage:
    """A label map's colours as a premultiplied QImage, of which any box can be brought up to date alone."""

    def __init__(self, labels: np.ndarray, colours: np.ndarray):
        """``labels`` (H, W) uint8; ``colours`` (19, 4) uint8 RGBA, not premultiplied."""
        self.image = QImage(labels.shape[1], labels.shape[0], QImage.Format.Format_ARGB32_Premultiplied)
        self._view = _pixels(self.image)
        self.set_colours(colours)
        self.update(labels, Box(0, 0, labels.shape[1], labels.shape[0]))

    def set_colours(self, colours: np.ndarray) -> None:
        """Take another palette; the pixels follow at the next `update`."""
        rgba = colours.astype(np.uint16)
        premultiplied = (rgba[:, :3] * rgba[:, 3:] + 127) // 255
        self._table = np.concatenate([premultiplied[:, ::-1], rgba[:, 3:]], axis=1).astype(np.uint8)

    def update(self, labels: np.ndarray, box: Box) -> None:
        """Bring the pixels of ``box`` up to date; costs what the box costs."""
        self._view[box.slices] = self._table[labels[box.slices]]

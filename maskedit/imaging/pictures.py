"""Pictures made of photos and label maps: colours, the before-after sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskedit.imaging.geometry import resize_labels, resize_photo
from maskedit.labels import palette

_SHEET_BACKGROUND, _SHEET_EDGE, _SHEET_TEXT = (32, 33, 36), (64, 66, 71), (222, 224, 228)
_SHEET_CAPTIONS = ("Photo", "Labels", "Edited labels", "Result")


def colourise(labels: np.ndarray, *, colour_blind: bool = False) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a label map (H, W): published colours, or the display-only second palette."""
    return palette(colour_blind=colour_blind)[labels]


def before_after_sheet(
    photo: np.ndarray, before_labels: np.ndarray, after_labels: np.ndarray, result: np.ndarray
) -> np.ndarray:
    """Four captioned tiles side by side, as (H', W', 3) uint8: photo, its labels, the edited labels, the result.

    Photos are (H, W, 3) uint8 RGB, label maps (H, W) uint8; all tiles take the photo's size, 160 px wide or more.
    """
    return captioned_sheet([[photo, before_labels, after_labels, result]], _SHEET_CAPTIONS)


def captioned_sheet(rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> np.ndarray:
    """Rows of tiles with one line of captions under the last, as (H', W', 3) uint8 RGB.

    A tile is a photo (H, W, 3) uint8 or a label map (H, W) uint8; all take the first tile's size, enlarged to a width
    of 160 px where captions would not fit. Every row has as many tiles as there are captions.
    """
    height, width = rows[0][0].shape[:2]
    if width < 160:
        height, width = max(1, round(height * 160 / width)), 160
    text = max(13, width // 22)
    gap, band = max(12, width // 18), round(text * 2.2)
    bottom = gap + len(rows) * (height + gap) - gap
    size = (gap + len(captions) * (width + gap), bottom + band + gap // 2)
    sheet = Image.new("RGB", size, _SHEET_BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    for column, caption in enumerate(captions):
        left = gap + column * (width + gap)
        for line, row in enumerate(rows):
            top = gap + line * (height + gap)
            draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_SHEET_EDGE)
            sheet.paste(Image.fromarray(_tile(row[column], (width, height))), (left, top))
        draw.text((left + width / 2, bottom + band / 2), caption, _SHEET_TEXT, font, anchor="mm")
    return np.array(sheet)


def _tile(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return colourise(resize_labels(picture, size)) if picture.ndim == 2 else resize_photo(picture, size)

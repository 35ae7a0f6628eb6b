"""Pictures made of photos and label maps: colours, cut-outs, the before-after sheet."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskedit.imaging.geometry import resize_labels, resize_photo
from maskedit.labels import palette

_SHEET_BACKGROUND, _SHEET_EDGE, _SHEET_TEXT = (32, 33, 36), (64, 66, 71), (222, 224, 228)
_SHEET_CAPTIONS = ("Photo", "Labels", "Edited labels", "Result")


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8: ``photo`` (H, W, 3) where ``mask`` (H, W) bool is true, else transparent with RGB zero."""
    if mask.dtype != np.bool_ or mask.shape != photo.shape[:2]:
        raise ValueError(f"the mask is {photo.shape[:2]} bool, not {mask.shape} {mask.dtype}")
    result = np.zeros((*mask.shape, 4), np.uint8)
    result[mask, :3] = photo[mask]
    result[mask, 3] = 255
    return result


def colourise(labels: np.ndarray, *, colour_blind: bool = False) -> np.ndarray:
    """The picture (H, W, 3) uint8 of a label map (H, W): published colours, or the display-only second palette."""
    return palette(colour_blind=colour_blind)[labels]


def before_after_sheet(
    photo: np.ndarray, before_labels: np.ndarray, after_labels: np.ndarray, result: np.ndarray
) -> np.ndarray:
    """Four captioned tiles side by side, as (H', W', 3) uint8: photo, its labels, the edited labels, the result.

    Photos are (H, W, 3) uint8 RGB, label maps (H, W) uint8; all tiles take the photo's size, 160 px wide or more.
    """
    height, width = photo.shape[:2]
    if width < 160:  # captions need this much room
        height, width = max(1, round(height * 160 / width)), 160
    size = (width, height)
    tiles = [
        resize_photo(photo, size),
        colourise(resize_labels(before_labels, size)),
        colourise(resize_labels(after_labels, size)),
        resize_photo(result, size),
    ]
    text = max(13, width // 22)
    gap, band = max(12, width // 18), round(text * 2.2)
    sheet = Image.new("RGB", (gap + 4 * (width + gap), gap + height + band + gap // 2), _SHEET_BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    for i, (tile, caption) in enumerate(zip(tiles, _SHEET_CAPTIONS, strict=True)):
        left = gap + i * (width + gap)
        draw.rectangle((left - 1, gap - 1, left + width, gap + height), outline=_SHEET_EDGE)
        sheet.paste(Image.fromarray(tile), (left, gap))
        draw.text((left + width / 2, gap + height + band / 2), caption, _SHEET_TEXT, font, anchor="mm")
    return np.array(sheet)

"""Which pixels of a photo show a part of the face, and what colours they have."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.styles import THUMBNAIL, PartStyle
from maskedit.errors import UserError
from maskedit.labels import STYLE_PARTS, ids_of

_FEWEST = 0.0001
"""Of the square's pixels: a part that is seen at fewer of them has no colours."""
_ENOUGH = 20_000
"""Pixels that tell the colours of a region; of more, some are left out evenly."""
_INSIDE = 0.006
"""Of the side: so far inside a region its colours are measured, where there is enough of it."""
_OUTLIERS = 3.0
"""Robust standard deviations from the median beyond which a pixel is none of the region's: gloss, a stray label."""
_FRAME = 0.022
"""Of the side: so near to the edge of eyeglasses their frame is; the eyes behind them are further inside."""
_FLAT, _STEEP = 4.0, 0.5
"""A spread of L below which no tilt is seen, and the greatest tilt."""
_WIRE, _DARK_LINE = 0.01, 8.0
"""Of the side: how wide a thin frame is at most; and how much darker in L it is than what lies beside it."""
_PUPIL = 0.25
"""The radius of a pupil, against that of the iris."""
_DARK_GLASSES = 0.6
"""The share of eyeglasses that looks unlike skin, from which they are taken for sunglasses."""
_LIKE = np.array([22.0, 11.0, 11.0], np.float32)
"""How far from the skin's L, a and b a pixel may be that shows skin."""
(GLASSES,) = ids_of("eye_g")
SEEN_THROUGH = ids_of("l_eye", "r_eye", "l_brow", "r_brow")
"""What stays itself behind glasses that are put on."""
_SKIN = ids_of("skin", "nose")
_OVER_SKIN = ids_of("l_brow", "r_brow", "eye_g")
"""Between hairs of a brow and behind glasses there is skin."""


@dataclass(frozen=True)
class Colours:
    """Mean and standard deviation of L, a and b; and the tilt, how much a and b grow with L, if that is known."""

    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    tilt: tuple[float, float] | None = None


def lab_of(photo: np.ndarray) -> np.ndarray:
    """A photo (H, W, 3) uint8 RGB in CIE Lab, (H, W, 3) float32."""
    return cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def region_of(lab: np.ndarray, labels: np.ndarray, part: str) -> np.ndarray:
    """(S, S) float32, 0..1: how much each pixel shows of a part, a key of `STYLE_PARTS`.

    Of eyes that is the iris, of glasses the frame, and skin is also what shines through brows and glasses.

    Args:
        lab: (S, S, 3) float32, the photo in CIE Lab.
        labels: (S, S) uint8 ids.
    """
    region = np.isin(labels, STYLE_PARTS[part]).astype(np.float32)
    if part == "glasses":
        region *= _frame(lab, labels, region)
    elif part == "skin":
        over = np.isin(labels, _OVER_SKIN)
        region[over] = _like_skin(lab, labels)[over]
    elif part == "eyes":
        region = _irises(lab, region)
    return region


def _like_skin(lab: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(S, S) float32, 0..1: how much a pixel looks like this face's skin; 0 where no skin is seen."""
    skin = lab[np.isin(labels, _SKIN)]
    if not len(skin):
        return np.zeros(labels.shape, np.float32)
    off = np.linalg.norm((lab - np.median(skin, axis=0)) / _LIKE, axis=2)
    return np.clip(2 - off, 0, 1).astype(np.float32)


def _frame(lab: np.ndarray, labels: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(S, S) float32: 1 where glasses (S, S) float32 are not seen through."""
    if not region.any():
        return region
    unlike = 1 - _like_skin(lab, labels)
    if unlike[region > 0].mean() > _DARK_GLASSES:
        return np.ones_like(region)
    # A thin frame may have the colour of skin, in its shadow: but it is darker than what is on both sides of it.
    lightness, width = np.ascontiguousarray(lab[..., 0]), 2 * round(_WIRE * len(lab)) + 1
    line = cv2.morphologyEx(lightness, cv2.MORPH_BLACKHAT, np.ones((width, width), np.uint8))
    unlike = np.maximum(unlike, np.clip(line / _DARK_LINE - 0.5, 0, 1))
    depth = cv2.distanceTransform((region > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return unlike * np.clip(3 - 2 * depth / (_FRAME * len(lab)), 0, 1)


def _irises(lab: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """(S, S) float32: a soft ring in each eye, around where it is darkest."""
    result = np.zeros_like(eyes)
    count, index, boxes, _ = cv2.connectedComponentsWithStats((eyes > 0).astype(np.uint8))
    rows, columns = np.mgrid[: eyes.shape[0], : eyes.shape[1]].astype(np.float32)
    for number in range(1, count):
        x, y, width, height, size = boxes[number]
        if size < _FEWEST * eyes.size / 2:
            continue
        radius = max(2.5, min(0.42 * max(height, 0.4 * width), 0.24 * width))
        dark = cv2.GaussianBlur(np.where(index == number, 100 - lab[..., 0], 0), (0, 0), radius / 2)
        rows_of, columns_of = slice(y, y + height), slice(x + width // 5, x + width - width // 5)
        _, _, _, (left, top) = cv2.minMaxLoc(np.ascontiguousarray(dark[rows_of, columns_of]))
        distance = np.hypot(columns - (columns_of.start + left), rows - (y + top)) / radius
        ring = np.clip((1.1 - distance) / 0.3, 0, 1) * np.clip((distance - _PUPIL) / 0.2, 0, 1)
        result = np.maximum(result, (ring * (index == number)).astype(np.float32))
    return result


def colours_of(lab: np.ndarray, region: np.ndarray) -> Colours | None:
    """The colours of a region (S, S) float32 in a photo (S, S, 3) float32 of CIE Lab; None where there is too little.

    A little inside the region, and without what lies far from the others: gloss, and what another label should have.
    """
    mask = (region > 0.5).astype(np.uint8)
    fewest = _FEWEST * mask.size
    if mask.sum() < fewest:
        return None
    inside = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_INSIDE * len(lab)) + 1,) * 2))
    if inside.sum() >= max(fewest, 0.2 * mask.sum()):
        mask = inside
    pixels = lab[mask > 0]
    pixels = pixels[:: 1 + len(pixels) // _ENOUGH]
    middle = np.median(pixels, axis=0)
    usual = np.maximum(1.4826 * np.median(np.abs(pixels - middle), axis=0), 1.0)
    kept = pixels[(np.abs(pixels - middle) <= _OUTLIERS * usual).all(axis=1)]
    if not len(kept):
        kept = pixels
    mean, spread = kept.mean(axis=0), kept.std(axis=0)
    lightness = kept[:, :1] - mean[0]
    tilt = (lightness * (kept[:, 1:] - mean[1:])).mean(axis=0) / max(float(spread[0]) ** 2, _FLAT**2)
    return Colours(tuple(map(float, mean)), tuple(map(float, spread)), tuple(map(float, tilt.clip(-_STEEP, _STEEP))))


def style_of(photo: np.ndarray, labels: np.ndarray, part: str, name: str, *, strength: float = 1.0) -> PartStyle:
    """The style of a part of a face.

    Args:
        photo: (S, S, 3) uint8 RGB.
        labels: (S, S) uint8 ids, what it shows.
        part: a key of `STYLE_PARTS`.
        name: what a person is told of where it came from.
        strength: how far a photo moves to it, 0..1.

    Raises:
        UserError: the photo shows too little of that part.
    """
    lab = lab_of(photo)
    region = region_of(lab, labels, part)
    found = colours_of(lab, region)
    if found is None:
        raise UserError(f"{name} shows no {part} whose colours could be taken; choose another photo.")
    return PartStyle(found.mean, found.spread, name, _thumbnail(photo, region), found.tilt, strength)


def styles_of(photo: np.ndarray, labels: np.ndarray, name: str) -> dict[str, PartStyle]:
    """The styles of all parts that a face shows enough of; as `style_of`."""
    lab, styles = lab_of(photo), {}
    for part in STYLE_PARTS:
        if np.isin(labels, STYLE_PARTS[part]).any():
            region = region_of(lab, labels, part)
            found = colours_of(lab, region)
            if found is not None:
                styles[part] = PartStyle(found.mean, found.spread, name, _thumbnail(photo, region), found.tilt)
    return styles


def colour_of(photo: np.ndarray, labels: np.ndarray, part: str) -> tuple[int, int, int] | None:
    """The mean colour of a part, RGB 0..255; None where a photo shows too little of it."""
    lab = lab_of(photo)
    found = colours_of(lab, region_of(lab, labels, part))
    if found is None:
        return None
    red, green, blue = cv2.cvtColor(np.array([[found.mean]], np.float32), cv2.COLOR_LAB2RGB)[0, 0]
    return tuple(round(255 * min(max(float(each), 0), 1)) for each in (red, green, blue))


def colour_style(colour: tuple[int, int, int], *, strength: float = 1.0) -> PartStyle:
    """The style of one colour, RGB 0..255: a photo that takes it keeps its own spread."""
    flat = np.array([[colour]], np.uint8)
    mean = tuple(map(float, lab_of(flat)[0, 0]))
    name = "#{:02x}{:02x}{:02x}".format(*colour)
    thumbnail = np.tile(flat, (THUMBNAIL, THUMBNAIL, 1)).tobytes()
    return PartStyle(mean, None, name, thumbnail, strength=strength)


def _thumbnail(photo: np.ndarray, region: np.ndarray) -> bytes:
    """The square around a region, small."""
    x, y, width, height = cv2.boundingRect((region > 0.5).astype(np.uint8))
    side = min(max(width, height, 8), *photo.shape[:2])
    left = min(max(0, x + (width - side) // 2), photo.shape[1] - side)
    top = min(max(0, y + (height - side) // 2), photo.shape[0] - side)
    cut = photo[top : top + side, left : left + side]
    return cv2.resize(cut, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).tobytes()

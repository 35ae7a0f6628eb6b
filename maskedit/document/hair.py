"""Hair that grows and is cut, and has more or less of itself: pure functions on label maps, numpy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.history import bounds
from maskedit.document.transfer import nearest_ids
from maskedit.labels import ids_of

BACKGROUND, SKIN, NOSE, HAIR, EARRING, NECKLACE, NECK, CLOTH = ids_of(
    "background", "skin", "nose", "hair", "ear_r", "neck_l", "neck", "cloth"
)
EARS, EYES = ids_of("l_ear", "r_ear"), ids_of("l_eye", "r_eye")
FACE = ids_of("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
BEHIND = (BACKGROUND, CLOTH, *EARS, EARRING)
"""What hair may spread over to its sides."""
BELOW = (*BEHIND, NECK, NECKLACE)
"""What it may hang over; the face is never among it."""

_LONGEST = 0.5
"""Of the map's height: how far the hair grows at most."""
_SPREAD, _SPREAD_COSTS = 3, 6
"""Rows in which growing hair spreads by one pixel to each side, and what of its length that takes: ends are round."""
_FULLEST = 0.07
"""Of the map's width: how far the hair grows outwards at most."""


def hair_length(labels: np.ndarray, amount: float) -> np.ndarray:
    """The hair hangs further down, behind the face; a negative amount cuts it, at -1 just below the eyes.

    Args:
        labels: (H, W) uint8 with some hair.
        amount: -1..1, not 0.
    """
    return _grown(labels, amount) if amount > 0 else _cut(labels, -amount)


def hair_volume(labels: np.ndarray, amount: float) -> np.ndarray:
    """More hair around the head, or less; arguments as for `hair_length`."""
    hair, reach = labels == HAIR, _FULLEST * labels.shape[1] * abs(amount)
    behind = np.isin(labels, (BACKGROUND, CLOTH))
    if amount > 0:
        gained = behind & (_distance(~hair) <= reach)
        return np.where(gained & _smooth(hair | gained, labels), np.uint8(HAIR), labels)
    if not behind.any():
        return labels
    # Less far inwards than outwards, and of thin hair only a share: the skin below it never comes forth.
    inwards, to_face = _distance(~behind), _distance(~np.isin(labels, (*FACE, *EARS)))
    lost = hair & (inwards <= 0.6 * reach) & (inwards <= 0.4 * -amount * (inwards + to_face))
    lost &= ~_smooth(hair & ~lost, labels)
    return np.where(lost, nearest_ids(labels, behind), labels)


def _grown(labels: np.ndarray, amount: float) -> np.ndarray:
    """Row by row the hair flows down over what lies below it, spreading a little, until its length is used up."""
    hair, below, behind = labels == HAIR, np.isin(labels, BELOW), np.isin(labels, BEHIND)
    left = np.where(hair, _LONGEST * amount * len(labels), 0).astype(np.float32)
    for row in range(1, len(labels)):
        above = left[row - 1]
        flow = np.where(below[row], above, 0)
        if row % _SPREAD == 0:
            beside = np.maximum(np.r_[above[1:], 0], np.r_[0, above[:-1]]) - _SPREAD_COSTS
            flow = np.where(behind[row], np.maximum(flow, beside), flow)
        left[row] = np.maximum(left[row], flow - 1)
    gained = ~hair & (left > 0)
    return np.where(gained & _smooth(hair | gained, labels), np.uint8(HAIR), labels)


def _cut(labels: np.ndarray, amount: float) -> np.ndarray:
    """No hair below a line; beside the face the background comes forth, below it neck and clothes as well."""
    hair = labels == HAIR
    eyes, face = bounds(np.isin(labels, EYES)), bounds(np.isin(labels, FACE))
    present = bounds(hair)
    highest = present.y0 + 0.5 * present.height if eyes is None else eyes.y1
    line, rows = present.y1 + amount * (highest - present.y1), np.arange(len(labels))[:, None]
    kept = hair & (rows <= line)
    radius = round(0.07 * len(labels) * min(1.0, 3 * amount))
    corners = ~_opened(kept | np.isin(labels, (*FACE, *EARS)), radius) & (rows > line - 2 * radius)
    kept &= ~corners
    gone = hair & ~(kept & _smooth(kept | ~hair & (rows < line), labels))
    return _laid_bare(labels, gone, len(labels) if face is None else face.y1)


def _laid_bare(labels: np.ndarray, gone: np.ndarray, chin: int) -> np.ndarray:
    """Where hair goes: background; below the chin also neck and clothes, that slope outwards as shoulders do."""
    result, body = np.where(gone, np.uint8(BACKGROUND), labels), np.isin(labels, (NECK, CLOTH))
    if body.any():
        depth = np.arange(len(labels))[:, None] - chin
        under = gone & (depth > 0.9 * _distance(~body))
        result[under] = nearest_ids(labels, body)[under]
    return result


def _distance(mask: np.ndarray) -> np.ndarray:
    """How far each pixel of an (H, W) bool mask is from what is not in it, (H, W) float32."""
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def _opened(mask: np.ndarray, radius: int) -> np.ndarray:
    """An (H, W) bool mask without what no disc of a radius fits into; it goes on beyond the map."""
    wide = cv2.copyMakeBorder(mask.astype(np.uint8), *[2 * radius] * 4, cv2.BORDER_REPLICATE)
    opened = _distance(_distance(wide) <= radius) <= radius
    return opened[2 * radius : len(wide) - 2 * radius, 2 * radius : wide.shape[1] - 2 * radius]


def _smooth(mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """An (H, W) bool mask with its fringes rounded off."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.3, 0.008 * len(labels)))
    return soft > 0.5

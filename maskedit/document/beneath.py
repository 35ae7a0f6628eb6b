"""What lies under a region of the label map when it is taken away: skin under a brow, a skull under hair.

Pure functions on arrays.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.face_points import FACE, pixel_box
from maskedit.document.transfer import FILL, GROUNDS, nearest_ids, surroundings
from maskedit.labels import BACKGROUND, NUM_LABELS, OVERLAYS, ids_of

(HAIR,), (SKIN,) = ids_of("hair"), ids_of("skin")
_UNDER = FILL | dict.fromkeys(ids_of("eye_g"), ids_of("skin"))
_BEHIND_HAIR = ids_of("background", "neck", "cloth")


def beneath(labels: np.ndarray, region: np.ndarray, *, reference: np.ndarray | None = None) -> np.ndarray:
    """The map without a region, as a new (H, W) uint8 array: each of its pixels has what lies under it.

    Under parts of the face lies skin, under the inside of the mouth the lips, under hair a skull and beside that the
    background, below the chin also neck and clothes; under everything else the nearest large area. What a person puts
    on, such as glasses, has under it what the photo shows there, where that is something else.

    Args:
        labels: (H, W) uint8 ids 0..18.
        region: (H, W) bool, what is taken away.
        reference: (H, W) uint8, the photo's own map; None when there is none.
    """
    chosen = np.zeros(NUM_LABELS, dtype=bool)
    chosen[np.unique(labels[region])] = True
    result, gap = labels.copy(), region.copy()
    if reference is not None:
        known = gap & np.isin(labels, OVERLAYS) & ~chosen[reference]
        result[known] = reference[known]
        gap &= ~known
    hair = gap & (labels == HAIR)
    if hair.any():
        result[hair] = _under_hair(labels, chosen)[hair]
    by_fill: dict[tuple[int, ...], list[int]] = {}
    for label in np.unique(labels[gap & ~hair]).tolist():
        by_fill.setdefault(_UNDER.get(label, GROUNDS), []).append(label)
    for fill, members in by_fill.items():
        mask = gap & np.isin(labels, members)
        result[mask] = surroundings(labels, fill, chosen)[mask]
    return result


def skull(labels: np.ndarray) -> np.ndarray | None:
    """(H, W) bool: the head above the brows as it is under all hair, wider than the face; None where no face is."""
    box = pixel_box(labels, FACE)
    if box is None:
        return None
    left, top, right, bottom = box
    result, height = np.zeros_like(labels), bottom - top
    # Wider than the face and whole: the temples go over into the cheeks.
    axes = round(0.53 * (right - left)), round(0.55 * height)
    cv2.ellipse(result, ((left + right) // 2, top + round(0.33 * height)), axes, 0, 0, 360, 1, -1)
    return result > 0


def _under_hair(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(H, W) uint8: what each pixel is without hair, nothing of the ``chosen`` classes among it."""
    head = skull(labels)
    if head is None:
        return surroundings(labels, GROUNDS, chosen)
    behind = np.isin(labels, [label for label in _BEHIND_HAIR if not chosen[label]])
    result = nearest_ids(labels, behind) if behind.any() else np.full_like(labels, BACKGROUND)
    points = np.argwhere(np.isin(labels, FACE))[:, ::-1].astype(np.int32)
    bottom = int(points[:, 1].max())
    if (labels == BACKGROUND).any():
        result[: bottom + 1] = BACKGROUND
    face = np.zeros_like(labels)  # with the strands that hang over it
    cv2.fillConvexPoly(face, cv2.convexHull(points), 1)
    if not chosen[SKIN]:
        result[head | (face > 0)] = SKIN
    return result

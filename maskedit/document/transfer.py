"""Bring labels of another map into this one: the whole layout, or one attribute (a smile, hair, eyeglasses).

Pure functions on arrays. After MaskGAN (Lee et al., CVPR 2020), section 4.2: attribute transfer replaces regions of
the target's map by those of the source's, style copy takes the whole map.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from maskedit.labels import BACKGROUND, EYEGLASSES, NUM_LABELS, ids_of

GROUNDS = ids_of("background", "skin", "hair", "neck", "cloth")
"""What large areas consist of: these may grow into a gap. An eye or an earring that grew would be a caricature."""
_SKIN = ids_of("skin")
FILL: dict[int, tuple[int, ...]] = {
    **dict.fromkeys(ids_of("nose", "l_brow", "r_brow", "u_lip", "l_lip"), _SKIN),
    **dict.fromkeys(ids_of("l_eye", "r_eye"), (*_SKIN, *EYEGLASSES)),
    **dict.fromkeys(ids_of("mouth"), ids_of("u_lip", "l_lip")),
}
"""What takes the place of a part of the face when it goes: the skin under it, not the nearest nose or fringe."""


def nearest_ids(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """For each pixel the id of the nearest seed pixel: ``labels`` (H, W) uint8, ``seeds`` (H, W) bool, some true."""
    _, index = cv2.distanceTransformWithLabels(
        (~seeds).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ids = np.zeros(int(index.max()) + 1, dtype=np.uint8)
    ids[index[seeds]] = labels[seeds]  # each seed pixel has an index of its own
    return ids[index]


def transfer_labels(target: np.ndarray, source: np.ndarray, classes: Iterable[int]) -> np.ndarray:
    """The target map with the regions of ``classes`` replaced by the source's (paper section 4.2), as a new array.

    ``target`` and ``source``: (H, W) uint8 ids 0..18 of one size; ``classes``: ids that make the attribute, e.g.
    mouth and both lips for a smile.

    First each pixel of the target that has one of the classes where the source has none is filled with what
    surrounds it: parts of the face with skin (eyes also with the eyeglasses around them, the inside of the mouth with
    the lips when they stay), everything else with the nearest large area that stays. So no old lip looks out from
    under a new smile. Then the pixels of the source that have one of the classes are laid over it. A source without
    any of the classes takes the attribute away.
    """
    chosen = np.zeros(NUM_LABELS, dtype=bool)
    chosen[list(classes)] = True
    from_source = chosen[source]
    gap = chosen[target] & ~from_source
    result = target.copy()
    by_fill: dict[tuple[int, ...], list[int]] = {}
    for label in np.flatnonzero(np.bincount(target[gap], minlength=NUM_LABELS)).tolist():
        by_fill.setdefault(FILL.get(label, GROUNDS), []).append(label)
    for fill, gap_labels in by_fill.items():
        mask = gap & np.isin(target, gap_labels)
        result[mask] = surroundings(target, fill, chosen)[mask]
    result[from_source] = source[from_source]
    return result


def surroundings(target: np.ndarray, fill: tuple[int, ...], chosen: np.ndarray) -> np.ndarray:
    """(H, W) uint8: for each pixel the nearest label of ``fill`` that stays, else skin, else the nearest of any.

    ``target`` is (H, W) uint8; ``chosen`` (19,) bool tells which ids go.
    """
    for candidates in (fill, _SKIN, tuple(range(NUM_LABELS))):
        seeds = np.isin(target, [label for label in candidates if not chosen[label]])
        if seeds.any():
            return nearest_ids(target, seeds)
    return np.full_like(target, BACKGROUND)  # the whole target is made of the chosen classes

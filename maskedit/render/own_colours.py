"""The person's own lips and brows: an edit that hides them wholly keeps their colour.

A smile that is painted over a closed mouth hides all of the lips, and a network that sees nothing of them draws lips as
most people have them. But the photo before the edit shows them: their mean colour is taken from there.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.labels import ids_of

KEPT = (ids_of("u_lip"), ids_of("l_lip"), ids_of("l_brow", "r_brow"))
"""Labels whose colour is a person's own, whatever their shape."""
STRENGTH = 0.7
"""How far colours are moved towards the person's: light falls otherwise on another shape."""
FEWEST = 30
"""Pixels that tell a colour."""
_SOFT = 0.003
"""Of the side: the standard deviation of the blur of the moved region's edge."""


def with_own_colours(
    completion: np.ndarray, photo: np.ndarray, hole: np.ndarray, labels: np.ndarray, reference_labels: np.ndarray
) -> np.ndarray:
    """A completion whose lips and brows have the mean colours that the photo's have.

    Args:
        completion: (S, S, 3) uint8 RGB, the photo redrawn in the hole.
        photo: (S, S, 3) uint8 RGB, before the edit.
        hole: (S, S) bool, what was redrawn.
        labels: (S, S) uint8 ids that the completion shows.
        reference_labels: (S, S) uint8 ids of the photo.

    Returns:
        (S, S, 3) uint8 RGB, ``completion`` itself where nothing is moved; the same outside the hole.
    """
    x, y, width, height = cv2.boundingRect(hole.astype(np.uint8))
    box = slice(y, y + height), slice(x, x + width)
    part, moved = completion[box].astype(np.float32), False
    for members in KEPT:
        drawn, before = hole[box] & np.isin(labels[box], members), np.isin(reference_labels, members)
        # Where the labels stayed there was no edit, and what the hole hides is not looked at.
        if min(drawn.sum(), before.sum()) < FEWEST or not (drawn & ~before[box]).any():
            continue
        shift = photo[before].mean(axis=0) - part[drawn].mean(axis=0)
        soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), max(0.5, _SOFT * len(photo))) * hole[box]
        part += STRENGTH * soft[..., None] * shift
        moved = True
    if not moved:
        return completion
    result = completion.copy()
    result[box] = np.rint(np.clip(part, 0, 255)).astype(np.uint8)
    return result

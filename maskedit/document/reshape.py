"""A whole class of the label map grown, shrunk, smoothed or rid of its specks.

Pure functions on arrays, each from a map (H, W) uint8 and an id to a new map, and `reshape`, which makes an edit of
them. What a class leaves goes to the nearest other class, what it takes it takes from all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from maskedit.document.history import Box
from maskedit.document.transfer import nearest_ids
from maskedit.labels import LABELS

if TYPE_CHECKING:
    from maskedit.document.document import Document

_STEPS, _SPECK = 256, 80
"""A step is this part of the map's side, 2 px of 512; a speck is smaller than a square of this part of it."""


def step_of(labels: np.ndarray) -> int:
    """How many pixels one step of growing, shrinking or smoothing is in a map of this size."""
    return max(1, round(min(labels.shape) / _STEPS))


def grown(labels: np.ndarray, label: int) -> np.ndarray:
    """The class has a rim of one step more."""
    return _with(labels, label, cv2.dilate(_mask(labels, label), _disc(labels)))


def shrunk(labels: np.ndarray, label: int) -> np.ndarray:
    """The class has a rim of one step less; the border of the map is no edge of it."""
    mask = cv2.erode(_mask(labels, label), _disc(labels), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return _with(labels, label, mask)


def smoothed(labels: np.ndarray, label: int) -> np.ndarray:
    """The edge of the class runs smoothly: each pixel belongs to it where most of its surroundings do."""
    soft = cv2.GaussianBlur(_mask(labels, label).astype(np.float32), (0, 0), 1.5 * step_of(labels))
    return _with(labels, label, (soft > 0.5).astype(np.uint8))


def despeckled(labels: np.ndarray, label: int) -> np.ndarray:
    """The class without its specks and without holes as small; its largest region stays, however small it is."""
    smallest = max(2.0, (min(labels.shape) / _SPECK) ** 2)
    mask = _mask(labels, label)
    mask = mask - _small(mask, smallest, connectivity=8)
    return _with(labels, label, mask + _small(1 - mask, smallest, connectivity=4))


RESHAPES = {"grow": grown, "shrink": shrunk, "smooth": smoothed, "despeckle": despeckled}


def reshape(document: Document, classes: Iterable[int], how: str) -> Box | None:
    """Change whole classes of a document, as one edit; ``how`` is a key of `RESHAPES`.

    Obeys the locks. Returns the box that changed or None.
    """
    classes, after = list(classes), document.labels
    for label in classes:
        after = RESHAPES[how](after, label)
    name = f"{how.capitalize()} {', '.join(LABELS[label].title for label in classes)}"
    return document.replace_labels(after, where=document.free_pixels(), name=name)


def _mask(labels: np.ndarray, label: int) -> np.ndarray:
    return (labels == label).astype(np.uint8)


def _disc(labels: np.ndarray) -> np.ndarray:
    across = 2 * step_of(labels) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across))


def _small(mask: np.ndarray, smallest: float, *, connectivity: int) -> np.ndarray:
    """(H, W) uint8: the regions of a 0-1 mask that have fewer pixels, the largest never among them."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
    small = stats[:, cv2.CC_STAT_AREA] < smallest
    small[0] = False  # what is not in the mask
    if len(stats) > 1:
        small[1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = False
    return small[regions].astype(np.uint8)


def _with(labels: np.ndarray, label: int, mask: np.ndarray) -> np.ndarray:
    """The map where the class has exactly the pixels of a 0-1 mask; all of it stays where there is no other class."""
    others = labels != label
    result = np.where(mask > 0, np.uint8(label), labels)
    left = ~others & (mask == 0)
    if left.any() and others.any():
        result[left] = nearest_ids(labels, others)[left]
    return result

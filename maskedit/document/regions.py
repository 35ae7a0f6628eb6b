"""Regions of a label map: what hangs together under a point, and the small pieces that do not belong."""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.history import Box, bounds


def region_at(labels: np.ndarray, pixel: tuple[int, int], *, whole_class: bool = False) -> tuple[Box, np.ndarray]:
    """The 4-connected region of one class that holds ``pixel`` (row, column), or every pixel of that class.

    ``labels`` is (H, W) uint8, and not written to. Returns the tight box of the region and (h, w) bool for the box.
    """
    if whole_class:
        region = labels == labels[pixel]
        box = bounds(region)
        assert box is not None  # the pixel itself has the class
        return box, region[box.slices]
    labels = labels if labels.flags.writeable else labels.copy()  # cv2 asks for it, and writes to the grid alone
    grid = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2), dtype=np.uint8)  # cv2 wants a rim of one pixel
    flags = 4 | (1 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    _, _, _, (left, top, width, height) = cv2.floodFill(labels, grid, pixel[::-1], 0, 0, 0, flags)
    box = Box(left, top, left + width, top + height)
    return box, grid[1:-1, 1:-1][box.slices] == 1

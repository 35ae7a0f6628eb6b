"""Warps of label maps: regions that move over what stays.

A warp says of each pixel how far away it comes from. Each class is moved as a soft mask, and a pixel takes the class
that has most of it: borders stay as smooth as they were, where nearest neighbour would break them into steps. A pixel
that comes from itself keeps its id. Depends on numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from maskedit.document.history import Box
from maskedit.document.transfer import nearest_ids
from maskedit.labels import ids_of

SKIN = ids_of("skin")


def smooth_step(values: np.ndarray | float, start: float, stop: float) -> np.ndarray:
    """0 up to ``start``, 1 from ``stop`` on, and a smooth way between; ``start`` may be the larger one."""
    share = np.clip((np.asarray(values, np.float32) - start) / (stop - start or 1e-6), 0, 1)
    return share * share * (3 - 2 * share)


def grid(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Columns (1, w) and rows (h, 1) of a box's pixels, float32; a pixel's centre is its index."""
    columns, rows = np.arange(box.x0, box.x1, dtype=np.float32), np.arange(box.y0, box.y1, dtype=np.float32)
    return columns[None], rows[:, None]


def without(labels: np.ndarray, members: Sequence[int], fill: Sequence[int] = SKIN) -> np.ndarray:
    """A label map (H, W) uint8 without some classes, as a new array: the nearest of ``fill`` lies in their place, or of
    any class that stays where the map has none of those."""
    gone, result = np.isin(labels, members), labels.copy()
    seeds = np.isin(labels, fill)
    seeds = seeds if seeds.any() else ~gone
    if gone.any() and seeds.any():
        result[gone] = nearest_ids(labels, seeds)[gone]
    return result


def shares(labels: np.ndarray, ids: Sequence[int], across: np.ndarray, down: np.ndarray, box: Box) -> np.ndarray:
    """How much of some classes comes to each pixel of a box: (len(ids), h, w) uint8, 255 is all of it.

    Args:
        labels: (H, W) uint8; beyond its border goes on what lies at it.
        across, down: (h, w) float32: where a pixel comes from, counted from itself, in pixels.
    """
    columns, rows = grid(box)
    x, y = (columns + across).astype(np.float32), (rows + down).astype(np.float32)
    x, y = np.broadcast_to(x, (box.height, box.width)).copy(), np.broadcast_to(y, (box.height, box.width)).copy()
    masks = [cv2.compare(labels, float(id), cv2.CMP_EQ) for id in ids]
    return np.stack([cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for mask in masks])


def moved_over(
    labels: np.ndarray,
    members: Sequence[int],
    came: np.ndarray,
    box: Box,
    *,
    over: Sequence[int] = SKIN,
    fill: Sequence[int] = SKIN,
) -> np.ndarray:
    """The map (H, W) uint8 with some classes where they came to, as a new array; all others stay.

    Args:
        members: the classes that move; no pixel of them lies outside the box.
        came: (len(members), h, w) uint8, of `shares`: a pixel takes the class that has most of it, if that is more
            than what no class has.
        over: the classes that they may cover.
        fill: what is seen where they were, see `without`.
    """
    ground = without(labels, members, fill)
    # What a lip leaves bare is skin, which other lips may cover again.
    free = np.isin(labels[box.slices], (*over, *members)) & np.isin(ground[box.slices], over)
    rest = 255 - np.minimum(came.astype(np.uint16).sum(axis=0), 255)
    wins = free & (came.max(axis=0) > rest)
    ground[box.slices][wins] = np.asarray(members, np.uint8)[came.argmax(axis=0)][wins]
    return ground


def column_edges(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of an (H, W) bool mask in each column, each (W,) float32; NaN in columns without any."""
    some, height = mask.any(axis=0), len(mask)
    top = np.where(some, mask.argmax(axis=0), np.nan)
    bottom = np.where(some, height - 1 - mask[::-1].argmax(axis=0), np.nan)
    return top.astype(np.float32), bottom.astype(np.float32)


def smoothed(curve: np.ndarray, sigma: float) -> np.ndarray:
    """A curve (n,) float32 without its gaps (NaN), which are bridged in a straight line, and its steps."""
    known = np.flatnonzero(~np.isnan(curve))
    whole = np.interp(np.arange(len(curve)), known, curve[known]).astype(np.float32)
    return cv2.GaussianBlur(whole[None], (0, 0), max(sigma, 0.3), borderType=cv2.BORDER_REPLICATE)[0]

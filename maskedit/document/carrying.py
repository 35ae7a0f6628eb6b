"""Carry what was edited over to another label map: of the same photo in another square, or of another face.

Pure functions on arrays. Only what differs from the photo's own label map is carried; all else is the new map's own.
Coordinates are continuous pixels of a map, x to the right and y down; the centre of the pixel in column i is i + 0.5.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.history import Box, Edit, History


def affine_places(matrix: np.ndarray, side: int) -> np.ndarray:
    """Where the centres of the pixels of a map of ``side`` px lie in another one: (side, side, 2) float64.

    ``matrix`` is (2, 3), from continuous pixels of the former to those of the latter.
    """
    grid = np.arange(side) + 0.5
    x, y = np.meshgrid(grid, grid)
    return np.stack([x, y], axis=-1) @ matrix[:, :2].T + matrix[:, 2]


def nearest_pixels(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The numbers of the pixels in which ``places`` (H, W, 2) lie, (H, W) int64: pixels of a map of ``shape``, (height,
    width), are counted row by row. -1 where a place lies outside."""
    columns, rows = (np.floor(places[..., axis]).astype(np.int64) for axis in (0, 1))
    inside = (columns >= 0) & (columns < shape[1]) & (rows >= 0) & (rows < shape[0])
    return np.where(inside, rows * shape[1] + columns, -1)


def carried_labels(
    labels: np.ndarray, reference_labels: np.ndarray, pixels: np.ndarray, onto: np.ndarray
) -> np.ndarray:
    """``onto`` (H, W) uint8 with all laid on it in which ``labels`` differ from ``reference_labels``; a new array.

    Both are maps of one size, and ``pixels`` (H, W) says which pixel of them each one of ``onto`` shows, see
    `nearest_pixels`.
    """
    shown = labels.ravel()[pixels]
    return np.where((pixels >= 0) & (shown != reference_labels.ravel()[pixels]), shown, onto)


def carried_history(
    history: History, labels: np.ndarray, reference_labels: np.ndarray, matrix: np.ndarray, onto: np.ndarray
) -> tuple[np.ndarray, History]:
    """``labels``, carried over as by `carried_labels`, and the history that leads there, step by step, undone ones too.

    Args:
        history: leads to ``labels``; edits of which nothing is left are dropped.
        matrix: (2, 3), from continuous pixels of ``onto`` to those of ``labels``.
        onto: (S, S) uint8, the photo's own labels where they are carried to.
    """
    pixels = nearest_pixels(affine_places(matrix, len(onto)), labels.shape)
    back = cv2.invertAffineTransform(matrix)
    old = labels.copy()
    for edit in reversed(history.edits[: history.position]):
        edit.revert(old)
    new = carried_labels(old, reference_labels, pixels, onto)
    edits, position = [], 0
    for number, edit in enumerate(history.edits):
        edit.apply(old)
        box = _reach(edit.box, back, len(onto))
        after = carried_labels(old, reference_labels, pixels[box.slices], onto[box.slices])
        carried = Edit.between(new[box.slices], after, name=edit.name, x0=box.x0, y0=box.y0, styles=edit.styles)
        if carried is not None:
            carried.apply(new)
            edits.append(carried)
            position += number < history.position
    return carried_labels(labels, reference_labels, pixels, onto), History.restored(edits, position=position)


def _reach(box: Box, matrix: np.ndarray, side: int) -> Box:
    """A box of a map of ``side`` px around what ``matrix`` makes of another map's box; empty where that is nothing."""
    corners = np.array([[x, y] for x in (box.x0, box.x1) for y in (box.y0, box.y1)]) @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    return Box(*low.tolist(), *high.tolist()).clipped(side, side) or Box(0, 0, 0, 0)

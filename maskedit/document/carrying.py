"""Carry what was edited over to another label map: of the same photo in another square, or of another face.

Pure functions on arrays. Only what differs from the photo's own label map is carried; all else is the new map's own.
Coordinates are continuous pixels of a map, x to the right and y down; the centre of the pixel in column i is i + 0.5.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.history import Box, Edit, History
from maskedit.document.transfer import transfer_labels
from maskedit.labels import BY_NAME, ids_of

_SHAPES = (ids_of("mouth", "u_lip", "l_lip"), *map(ids_of, ("l_brow", "r_brow", "l_eye", "r_eye", "nose")))
"""Parts of the face that are nothing without their whole outline."""
RIM = 2
"""Pixels around an edit that stay as they were in another square: there the parser may draw an outline a little beside
the old one, and shreds of it would look out from under the edit."""
_SKIN = BY_NAME["skin"].id
_SHARE = 0.2
"""Of a part: when more of it has changed, it has another shape."""
_REACH = 0.12
"""Of the side: so far around a landmark places follow it rather than all landmarks together."""


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
    labels: np.ndarray, reference_labels: np.ndarray, pixels: np.ndarray, onto: np.ndarray, *, rim: int = 0
) -> np.ndarray:
    """``onto`` (H, W) uint8 with all laid on it in which ``labels`` differ from ``reference_labels``; a new array.

    Both are maps of one size, and ``pixels`` (H, W) says which pixel of them each one of ``onto`` shows, see
    `nearest_pixels`. So many pixels around what differs are laid on with it as the ``rim``.
    """
    changed = labels != reference_labels
    if rim:
        changed = cv2.dilate(changed.astype(np.uint8), np.ones((2 * rim + 1,) * 2)).astype(bool)
    return np.where((pixels >= 0) & changed.ravel()[pixels], labels.ravel()[pixels], onto)


def carried_to_face(
    labels: np.ndarray,
    reference_labels: np.ndarray,
    points: np.ndarray | None,
    onto: np.ndarray,
    onto_points: np.ndarray | None,
) -> np.ndarray:
    """What was edited in one face, laid on the labels of another: a new (S, S) uint8.

    Changed pixels go where they lie on the other face. Of a mouth, brow, eye or nose that was shaped anew the rest
    comes with them, in place of the other face's own, which it would not fit.

    Args:
        labels: (s, s) uint8, the edited map of the one face.
        reference_labels: (s, s) uint8, what its photo shows.
        points: (n, 2) float, n of 3 or more landmarks of that face, as shares of the side; None where they are not
            known, and then places in both squares are the same.
        onto: (S, S) uint8, the other face's labels.
        onto_points: (n, 2) float, the same landmarks of the other face; or None.
    """
    side = len(onto)
    places = affine_places(np.eye(2, 3) / side, side)
    if points is not None and onto_points is not None:
        places = _face_places(places, points, onto_points)
    pixels = nearest_pixels(places * len(labels), labels.shape)
    shown = np.where(pixels >= 0, labels.ravel()[pixels], onto)
    result = onto
    for part in _SHAPES:
        if _shaped_anew(labels, reference_labels, part):
            result = transfer_labels(result, shown, part)
    return carried_labels(labels, reference_labels, pixels, result)


def _face_places(places: np.ndarray, points: np.ndarray, onto_points: np.ndarray) -> np.ndarray:
    """Where ``places`` (H, W, 2) of the one face lie in the other, of which ``points`` are those of ``onto_points``.

    The affine map that fits the landmarks best, and near each of them what is left over, so that it is met exactly.
    """
    known = np.column_stack([onto_points, np.ones(len(onto_points))])
    affine = np.linalg.lstsq(known, points, rcond=None)[0]

    def nearness(these: np.ndarray) -> np.ndarray:
        away = ((these[..., None, :] - onto_points) ** 2).sum(axis=-1)
        return np.exp(-away / (2 * _REACH**2))

    weights = np.linalg.solve(nearness(onto_points), points - known @ affine)
    return places @ affine[:2] + affine[2] + nearness(places) @ weights


def _shaped_anew(labels: np.ndarray, reference_labels: np.ndarray, part: tuple[int, ...]) -> bool:
    """Whether enough of a part of the face has come from skin, gone to skin, or changed within, to count as another
    shape; glasses or hair over it do not."""
    before, after = np.isin(reference_labels, part), np.isin(labels, part)
    own = (before | (reference_labels == _SKIN)) & (after | (labels == _SKIN))
    moved = own & (labels != reference_labels)
    return bool(moved.sum() > _SHARE * max((before | after).sum(), 1))


def carried_history(
    history: History, labels: np.ndarray, reference_labels: np.ndarray, matrix: np.ndarray, onto: np.ndarray
) -> tuple[np.ndarray, History]:
    """``labels`` with a rim around each edit, carried over as by `carried_labels`, and the history that leads there,
    step by step, undone ones too.

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

    def carried_over(box: Box) -> np.ndarray:
        return carried_labels(old, reference_labels, pixels[box.slices], onto[box.slices], rim=RIM)

    new = carried_over(Box(0, 0, *onto.shape))
    edits, position = [], 0
    for number, edit in enumerate(history.edits):
        edit.apply(old)
        box = _reach(edit.box, back, len(onto))
        carried = Edit.between(
            new[box.slices], carried_over(box), name=edit.name, x0=box.x0, y0=box.y0, styles=edit.styles
        )
        if carried is not None:
            carried.apply(new)
            edits.append(carried)
            position += number < history.position
    return carried_labels(labels, reference_labels, pixels, onto, rim=RIM), History.restored(
        edits, position=position, complete=history.complete
    )


def _reach(box: Box, matrix: np.ndarray, side: int) -> Box:
    """A box of a map of ``side`` px around what ``matrix`` makes of another map's box and its rim; perhaps empty."""
    columns, rows = (box.x0 - RIM, box.x1 + RIM), (box.y0 - RIM, box.y1 + RIM)
    corners = np.array([[x, y] for x in columns for y in rows]) @ matrix[:, :2].T + matrix[:, 2]
    low, high = np.floor(corners.min(axis=0)).astype(int), np.ceil(corners.max(axis=0)).astype(int)
    return Box(*low.tolist(), *high.tolist()).clipped(side, side) or Box(0, 0, 0, 0)

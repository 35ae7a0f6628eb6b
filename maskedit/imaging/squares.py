"""Turned squares in a photo: where the document was cut from, and the way there and back.

Coordinates are continuous pixels of the photo, x to the right and y down: the pixel in column i spans
``i <= x < i + 1``, its centre is at i + 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

_BLUR_REACH = 0.1
"""Of the side: this far outside the photo its reflection is fully blurred."""


@dataclass(frozen=True)
class Square:
    """A square in a photo, perhaps turned, perhaps reaching beyond the photo's edges."""

    x: float
    y: float
    """The centre, in pixels of the photo."""
    side: float
    """In pixels of the photo."""
    degrees: float = 0.0
    """Its turn, clockwise as one sees it: at 90 its upper edge is on the right."""

    def __post_init__(self) -> None:
        for name in ("x", "y", "side", "degrees"):
            object.__setattr__(self, name, float(getattr(self, name)))  # numpy's numbers are no JSON
        if not all(map(math.isfinite, (self.x, self.y, self.side, self.degrees))) or self.side <= 0:
            raise ValueError(f"a square has a finite centre and turn and a positive side, not {self}")

    @classmethod
    def middle(cls, width: int, height: int) -> Square:
        """The middle square of a photo, on whole pixels, as `imaging.fit_square` cuts it."""
        short = min(width, height)
        return cls((width - short) // 2 + short / 2, (height - short) // 2 + short / 2, short)

    def matrix(self, side: int) -> np.ndarray:
        """(2, 3) float64: from continuous pixels of the square drawn with ``side`` px to those of the photo."""
        scale = self.side / side
        angle = math.radians(self.degrees)
        across, down = scale * math.cos(angle), scale * math.sin(angle)
        turn = np.array([[across, -down], [down, across]])
        return np.column_stack([turn, np.array([self.x, self.y]) - turn @ [side / 2, side / 2]])

    def corners(self) -> np.ndarray:
        """(4, 2) float64: upper left, upper right, lower right, lower left as the square is seen upright."""
        matrix = self.matrix(1)
        return np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) @ matrix[:, :2].T + matrix[:, 2]

    def turned(self, quarter: int, width: int, height: int) -> Square:
        """This square of a photo of ``width`` x ``height``, seen in that photo turned clockwise by quarter turns."""
        x, y, degrees = self.x, self.y, self.degrees
        for _ in range(quarter % 4):
            x, y, width, height, degrees = height - y, x, height, width, degrees + 90
        return Square(x, y, self.side, (degrees + 180) % 360 - 180)


def pixels_around(points: np.ndarray, *, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the whole pixels around points (N, 2), as far as a photo of that size has them."""
    left, top = np.clip(np.floor(points.min(axis=0)), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)), 0, [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)


def cut_square(photo: np.ndarray, square: Square, side: int) -> np.ndarray:
    """What a square shows of a photo (H, W, 3) uint8, upright, as (side, side, 3) uint8.

    Shrinks by area averages. What lies outside the photo is its reflection, the further out the more blurred, as the
    squares of CelebA-HQ were made (Karras et al. 2018, appendix C).
    """
    matrix = square.matrix(side)
    photo, matrix = _around(photo, square, matrix)
    shrink = square.side / side
    if shrink > 1.25:
        # First by area to about the final scale, then turned: sampling alone would skip pixels.
        height, width = photo.shape[:2]
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        matrix = np.array([[size[0] / width], [size[1] / height]]) * matrix
    height, width = photo.shape[:2]
    result = cv2.warpAffine(
        photo,
        centred(matrix),
        (side, side),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101 if min(height, width) > 1 else cv2.BORDER_REPLICATE,
    )
    weight = _outside(matrix, side, width=width, height=height)
    if weight.any():
        blurred = cv2.GaussianBlur(result, (0, 0), side * 0.02, borderType=cv2.BORDER_REFLECT)
        result = np.round(result + weight[..., None] * (blurred.astype(np.float32) - result)).astype(np.uint8)
    return result


def cut_labels(labels: np.ndarray, square: Square, side: int, *, size: tuple[int, int]) -> np.ndarray:
    """What a square shows of a label map (h, w) uint8 of a whole photo, as (side, side) uint8; background outside.

    Args:
        size: (width, height) of the photo whose pixels the square is in; the map may be of another size.
    """
    matrix = square.matrix(side) * [[labels.shape[1] / size[0]], [labels.shape[0] / size[1]]]
    grid = np.arange(side) + 0.5
    columns = np.floor(matrix[0, 0] * grid + matrix[0, 1] * grid[:, None] + matrix[0, 2]).astype(np.int64)
    rows = np.floor(matrix[1, 0] * grid + matrix[1, 1] * grid[:, None] + matrix[1, 2]).astype(np.int64)
    inside = (columns >= 0) & (columns < labels.shape[1]) & (rows >= 0) & (rows < labels.shape[0])
    result = np.zeros((side, side), np.uint8)
    result[inside] = labels[rows[inside], columns[inside]]
    return result


def centred(matrix: np.ndarray) -> np.ndarray:
    """The same (2, 3) map for OpenCV, which counts from the centres of pixels."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return moved


def _around(photo: np.ndarray, square: Square, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a large photo that a square inside it needs: shrinking 24 megapixels for one face is a waste."""
    corners, margin = square.corners(), square.side * 0.1 + 4
    x0, y0 = np.floor(corners.min(axis=0) - margin).astype(int)
    x1, y1 = np.ceil(corners.max(axis=0) + margin).astype(int)
    height, width = photo.shape[:2]
    if x0 <= 0 or y0 <= 0 or x1 >= width or y1 >= height:
        return photo, matrix  # the reflection needs the photo's own edges
    moved = matrix.copy()
    moved[:, 2] -= [x0, y0]
    return photo[y0:y1, x0:x1], moved


def _outside(matrix: np.ndarray, side: int, *, width: int, height: int) -> np.ndarray:
    """(side, side) float32: 0 where a pixel of the square lies on the photo, growing to 1 outside of it."""
    grid = np.arange(side, dtype=np.float32) + 0.5
    x = (matrix[0, 0] * grid + matrix[0, 1] * grid[:, None] + matrix[0, 2]).astype(np.float32)
    y = (matrix[1, 0] * grid + matrix[1, 1] * grid[:, None] + matrix[1, 2]).astype(np.float32)
    beyond = np.maximum(np.maximum(-x, x - width), np.maximum(-y, y - height))
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return np.clip(beyond / (_BLUR_REACH * side * scale), 0.0, 1.0)

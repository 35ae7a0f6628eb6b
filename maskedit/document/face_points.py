"""Where a face is in a label map: eyes, mouth, brows and outline, found from the classes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskedit.labels import ids_of

RIGHT_EYE, LEFT_EYE = ids_of("r_eye"), ids_of("l_eye")
BROWS, GLASSES = ids_of("l_brow", "r_brow"), ids_of("eye_g")
MOUTH = ids_of("mouth", "u_lip", "l_lip")
FACE = ids_of("skin", "nose", "eye_g", "mouth", "l_eye", "r_eye", "l_brow", "r_brow", "u_lip", "l_lip")
"""What the outline of a face holds."""
RIGHT_EYE_AT, LEFT_EYE_AT = (0.378, 0.477), (0.623, 0.477)
MOUTH_AT, NOSE_AT = (0.502, 0.737), (0.5, 0.6)
"""Where parts lie in an aligned square, of its side: medians over the training photos of CelebAMask-HQ's mini set."""
_TO_MOUTH = (MOUTH_AT[1] - RIGHT_EYE_AT[1]) / (LEFT_EYE_AT[0] - RIGHT_EYE_AT[0])
_BOX_AT = (0.22, 0.25, 0.78, 0.93)
"""Left, top, right and bottom of a face there."""


def middle(labels: np.ndarray, members: Sequence[int]) -> np.ndarray | None:
    """(x, y), the middle of some classes' pixels; None where there are none."""
    rows, columns = np.nonzero(np.isin(labels, members))
    return np.array([columns.mean(), rows.mean()]) if len(rows) else None


def pixel_box(labels: np.ndarray, members: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom pixel of some classes; None where there are none."""
    rows, columns = np.nonzero(np.isin(labels, members))
    return (*map(int, (columns.min(), rows.min(), columns.max(), rows.max())),) if len(rows) else None


@dataclass(frozen=True, eq=False)
class FacePoints:
    """Points of a face in pixels of its label map, each (2,) float64 x and y; right and left are the person's own."""

    right_eye: np.ndarray
    left_eye: np.ndarray
    mouth: np.ndarray
    mouth_width: float
    brows_top: float
    """The row above which the forehead begins."""
    left: float
    """The first column of the face's outline."""
    top: float
    """The first row of what is seen of the face."""
    right: float
    chin: float

    @property
    def eyes(self) -> np.ndarray:
        """The point between the eyes."""
        return (self.right_eye + self.left_eye) / 2

    @property
    def apart(self) -> float:
        """From eye to eye: the measure of the face."""
        return float(np.linalg.norm(self.left_eye - self.right_eye))

    @property
    def degrees(self) -> float:
        """How far the head leans, clockwise as one sees it."""
        across, down = self.left_eye - self.right_eye
        return math.degrees(math.atan2(down, across))


def find_points(labels: np.ndarray) -> FacePoints:
    """The points of the face in a label map (H, W) uint8.

    What is not seen is guessed: eyes behind glasses from the glasses, the rest from where parts lie in an aligned
    square. A map without a face has the points of such a square.
    """
    height, width = labels.shape
    side = min(height, width)

    def usual(place: tuple[float, float]) -> np.ndarray:
        return np.array([(width - side) / 2 + place[0] * side, (height - side) / 2 + place[1] * side])

    eyes = _eyes(labels)
    if eyes is None:
        eyes = usual(RIGHT_EYE_AT), usual(LEFT_EYE_AT)
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    between, down = (eyes[0] + eyes[1]) / 2, _down(*eyes)
    mouth, mouth_box = middle(labels, MOUTH), pixel_box(labels, MOUTH)
    brows = pixel_box(labels, BROWS)
    face = pixel_box(labels, FACE)
    if face is None:
        face = tuple(float(value) for at in (_BOX_AT[:2], _BOX_AT[2:]) for value in usual(at))
    return FacePoints(
        right_eye=eyes[0],
        left_eye=eyes[1],
        mouth=between + _TO_MOUTH * apart * down if mouth is None else mouth,
        mouth_width=0.85 * apart if mouth_box is None else float(mouth_box[2] - mouth_box[0] + 1),
        brows_top=float(between[1] - 0.42 * apart if brows is None else brows[1]),
        left=face[0],
        top=face[1],
        right=face[2] + 1,
        chin=face[3] + 1,
    )


def _eyes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The middles of the right and the left eye; below the brows, or in the glasses, where they are not seen."""
    right, left = middle(labels, RIGHT_EYE), middle(labels, LEFT_EYE)
    if right is None or left is None:
        glasses, brows = pixel_box(labels, GLASSES), [middle(labels, ids_of(name)) for name in ("r_brow", "l_brow")]
        if brows[0] is not None and brows[1] is not None:
            below = 0.3 * float(np.linalg.norm(brows[1] - brows[0]))
            right, left = (each + np.array([0, below]) for each in brows)
        elif glasses is not None:
            y, wide = (glasses[1] + glasses[3]) / 2, glasses[2] - glasses[0]
            right, left = np.array([glasses[0] + 0.25 * wide, y]), np.array([glasses[2] - 0.25 * wide, y])
        else:
            return None
    return (right, left) if left[0] - right[0] > 1 else None


def _down(right_eye: np.ndarray, left_eye: np.ndarray) -> np.ndarray:
    """(2,): the direction from the eyes to the mouth, one pixel long."""
    across, down = (left_eye - right_eye) / np.linalg.norm(left_eye - right_eye)
    return np.array([-down, across])

"""From the parts of a face to the square that CelebA-HQ would have cut (Karras et al. 2018, appendix C)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.face_points import LEFT_EYE, LEFT_EYE_AT, MOUTH, MOUTH_AT, NOSE_AT, RIGHT_EYE, RIGHT_EYE_AT
from maskedit.imaging import Square, resize_labels
from maskedit.labels import NUM_LABELS, ids_of

_STRETCH, _LIFT = 1.006, 0.0035
"""What brings the squares that parsed landmarks give to the data set's own, in the median: side and height."""
_FEWEST = 6
"""Pixels that make a part of the face; fewer are noise."""
_BROW_TO_EYE = 0.075
_SEEN = 256
"""Pixels a side in which landmarks are looked for in a label map."""

NOSE = ids_of("nose")
RIGHT_BROW, LEFT_BROW = ids_of("r_brow"), ids_of("l_brow")


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Four points, (4, 2) float64: right eye (on the left of the picture), left eye, mouth corners in that order."""

    points: np.ndarray
    confidence: float
    """0..1: how sure the parser is of eyes, nose and mouth, in the mean; a part that is not there counts 0."""

    def moved(self, matrix: np.ndarray) -> Landmarks:
        """The same points through a (2, 3) map."""
        return Landmarks(self.points @ matrix[:, :2].T + matrix[:, 2], self.confidence)


def find_landmarks(probabilities: np.ndarray) -> Landmarks | None:
    """Landmarks in a square that shows one face about aligned, in units of the square's side; None where no face is.

    An eye is the centre of its class; one that is closed or behind dark glasses lies below its brow.

    Args:
        probabilities: (19, n, n) float32 of the classes.
    """
    side = probabilities.shape[1]
    grid = (np.arange(side) + 0.5) / side
    likeliest = probabilities.argmax(axis=0)

    def part(ids: tuple[int, ...], place: tuple[float, float], reach: float) -> np.ndarray:
        """(n, n): the probability of a part near its usual place, where it is the likeliest; else 0."""
        near = (grid - place[0]) ** 2 + ((grid - place[1]) ** 2)[:, None] < reach**2
        return np.where(near & np.isin(likeliest, ids), probabilities[list(ids)].sum(axis=0), 0.0)

    eyes, parts = [], [part(MOUTH, MOUTH_AT, 0.24), part(NOSE, NOSE_AT, 0.25)]
    for eye_ids, brow_ids, place in ((RIGHT_EYE, RIGHT_BROW, RIGHT_EYE_AT), (LEFT_EYE, LEFT_BROW, LEFT_EYE_AT)):
        eye, brow = part(eye_ids, place, 0.17), part(brow_ids, (place[0], place[1] - _BROW_TO_EYE), 0.17)
        parts.append(eye)
        if np.count_nonzero(eye) > _FEWEST:
            eyes.append(_centre(eye, grid))
        elif np.count_nonzero(brow) > _FEWEST:
            eyes.append(_centre(brow, grid) + np.array([0, _BROW_TO_EYE]))
    mouth = parts[0]
    if len(eyes) < 2 or np.count_nonzero(mouth) <= _FEWEST:
        return None
    along = eyes[1] - eyes[0]
    distance = math.hypot(*along)
    if distance < 0.02:
        return None
    rows, columns = np.nonzero(mouth)
    points = np.column_stack([grid[columns], grid[rows]])
    places = points @ (along / distance)
    corners = [points[places <= np.percentile(places, 2)], points[places >= np.percentile(places, 98)]]
    sure = [float(each[each > 0].mean()) if np.count_nonzero(each) > _FEWEST else 0.0 for each in parts]
    return Landmarks(np.array([*eyes, *(corner.mean(axis=0) for corner in corners)]), float(np.mean(sure)))


def face_points(labels: np.ndarray) -> np.ndarray | None:
    """`Landmarks.points` of a face about aligned, from its label map (S, S) uint8 alone; None where no face is."""
    small = resize_labels(labels, (_SEEN, _SEEN))
    landmarks = find_landmarks(np.eye(NUM_LABELS, dtype=np.float32)[small].transpose(2, 0, 1))
    return None if landmarks is None else landmarks.points


def aligned_square(landmarks: Landmarks) -> Square:
    """The square of CelebA-HQ for four landmarks, in their unit: eyes level, the whole head with some neck in it."""
    right_eye, left_eye, right_corner, left_corner = landmarks.points
    eyes, mouth = (right_eye + left_eye) / 2, (right_corner + left_corner) / 2
    down = mouth - eyes
    across = left_eye - right_eye
    along = across - [-down[1], down[0]]
    half = max(2.0 * math.hypot(*across), 1.8 * math.hypot(*down)) * _STRETCH
    along = along / math.hypot(*along)
    x, y = eyes + 0.1 * down + _LIFT * 2 * half * np.array([along[1], -along[0]])
    return Square(x, y, 2 * half, math.degrees(math.atan2(along[1], along[0])))


def pupils(photo: np.ndarray, probabilities: np.ndarray) -> np.ndarray | None:
    """(2, 2) float64: the middles of the right and the left iris, in units of the side; None where an eye is not seen.

    The darkest parts of an eye are its iris and pupil; its inner corner draws the middle of the class to the nose.

    Args:
        photo: (n, n, 3) uint8, the aligned square.
        probabilities: (19, n, n) float32 of its classes.
    """
    grid = (np.arange(len(photo)) + 0.5) / len(photo)
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), len(photo) / 128)
    found = []
    for ids in (RIGHT_EYE, LEFT_EYE):
        eye = np.where(np.isin(probabilities.argmax(axis=0), ids), probabilities[list(ids)].sum(axis=0), 0.0)
        if np.count_nonzero(eye) <= _FEWEST:
            return None
        dark, light = np.percentile(grey[eye > 0], [5, 95])
        found.append(_centre(np.clip((light - grey) / max(light - dark, 1), 0.01, 1) ** 2 * eye, grid))
    return np.array(found)


def _centre(weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(x, y) of the centre of gravity of (n, n) weights."""
    return np.array([weights.sum(axis=0) @ grid, weights.sum(axis=1) @ grid]) / weights.sum()

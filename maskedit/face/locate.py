"""Find the faces in any photo with the face parser alone: no second network, nothing to download.

The parser has learned aligned squares, a little turned, a half larger or a quarter smaller; it knows parts of faces
even where the square is two or three times too large. So it looks at the photo through overlapping windows, halving
them while there is skin that no face explains; each nose with eyes above and lips below it starts a square, and
parsing and aligning that square by turns moves it onto the face, or away from what was none.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.face.align import (
    LEFT_BROW,
    LEFT_EYE,
    MOUTH,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    Landmarks,
    aligned_square,
    find_landmarks,
    pupils,
)
from maskedit.face.parser import FaceParser
from maskedit.imaging import Square, cut_square
from maskedit.labels import EYEGLASSES, ids_of

_LEVELS = 4
"""How often windows are halved, with the whole photo as the first level."""
_TURNED_LEVELS = 2
"""The same where the photo is turned: those who turn a camera fill the picture."""
_MOST_WINDOWS = 150
"""Of a photo: all of three levels and, of the up to 225 of the fourth, those with most skin to explain."""
_MOST_IN_VAIN = 40
"""Of each turn: when so many seeds one after the other have led to no new face, the rest are left."""
_SMALLEST_WINDOW = 96
"""Pixels of the photo: what is smaller shows no eyes."""
_LARGEST = 2048
"""Pixels of the longer side while searching; the last alignments are made in the photo itself."""
_BATCH = 8
_SKIN_SHARE = 0.01
"""Of a window: with less skin left to explain, no face is in it."""
_NOSE_SHARE = 0.034
"""Of an aligned square: the nose's area."""
_ABOVE_NOSE = 0.09
"""Of the side: the middle of the square lies so far above the middle of the nose."""
_EYES = [*RIGHT_EYE, *LEFT_EYE, *RIGHT_BROW, *LEFT_BROW, *EYEGLASSES]
_FACE = [*ids_of("skin"), *NOSE, *_EYES, *MOUTH]
_ROUNDS = 5
_SURE = 0.7


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a photo."""

    square: Square
    """Where CelebA-HQ would have cut it out."""
    eyes: np.ndarray
    """(2, 2) float64: the person's right and left pupil, in pixels of the photo; the eye's middle where unseen."""
    confidence: float
    """0..1: how sure the parser is of its eyes, nose and mouth."""


class FaceFinder:
    """Finds faces upright or turned by quarters, and up to some 30 degrees from that.

    Args:
        parser: parses the windows.
    """

    def __init__(self, parser: FaceParser):
        self.parser = parser

    def find(self, photo: np.ndarray, *, given_up: Callable[[], bool] | None = None) -> list[Face]:
        """The faces of a photo (H, W, 3) uint8, the largest first; an empty list when there is none.

        A photo without an upright face is searched turned to its sides and upside down as well, for large faces.

        Args:
            given_up: asked before each batch of windows and each square that is looked at closer; once it says True,
                the list is empty.
        """
        height, width = photo.shape[:2]
        scale = min(1.0, _LARGEST / max(height, width))
        small = photo
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))  # also of a strip of a few rows
            small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        factor = max(height, width) / max(small.shape[:2])
        ask = _asking(given_up)
        with contextlib.suppress(_GivenUp):
            for quarter in (0, 1, 3, 2):
                turned = np.ascontiguousarray(np.rot90(small, -quarter))
                levels = _TURNED_LEVELS if quarter else _LEVELS
                back = [s.turned(4 - quarter, *turned.shape[1::-1]) for s in self._search(turned, levels, ask)]
                squares = [Square(s.x * factor, s.y * factor, s.side * factor, s.degrees) for s in back]
                faces = [face for square in squares if (face := self._settled(photo, square, ask)) is not None]
                if faces:
                    return sorted(faces, key=lambda face: -face.square.side)
        return []

    # Searching --------------------------------------------------------------------------------------------------

    def _search(self, photo: np.ndarray, levels: int, ask: Callable[[], None]) -> Iterator[Square]:
        """Squares of upright faces in a photo of moderate size, from large to small."""
        height, width = photo.shape[:2]
        found: list[Square] = []
        windows_left, in_vain = _MOST_WINDOWS, 0
        skin = np.ones((1, 1), np.float32)  # where a face may still be: anywhere
        for level in range(levels):
            side = max(height, width) / 2**level
            if level > 0 and side < max([_SMALLEST_WINDOW, *(square.side / 2 for square in found)]):
                return  # a face a quarter as large as the one in front is not what the photo is about
            shares = {window: _share(skin, window, width, height) for window in _windows(width, height, side)}
            windows = sorted((window for window in shares if shares[window] > _SKIN_SHARE), key=lambda w: -shares[w])
            windows = windows[:windows_left]
            windows_left -= len(windows)
            seen = np.zeros((max(1, round(height / side * 32)), max(1, round(width / side * 32))), np.float32)
            seeds = []
            for some in (windows[start : start + _BATCH] for start in range(0, len(windows), _BATCH)):
                ask()
                parsed = self.parser.probabilities(
                    [cut_square(photo, window, self.parser.size) for window in some], mirror=False
                )
                for window, probabilities in zip(some, parsed, strict=True):
                    _note(seen, window, probabilities[_FACE].sum(axis=0), width, height)
                    seeds += _seeds(window, probabilities)
            for _, square in sorted(seeds, key=lambda seed: -seed[0]):
                if any(_same(square, other) for other in found):
                    continue
                if in_vain == _MOST_IN_VAIN:
                    return
                ask()
                better = self._approach(photo, square)
                # Beyond the edge there is but the reflection of one.
                inside = better is not None and 0 <= better.x < width and 0 <= better.y < height
                if inside and not any(_same(better, other) for other in found):
                    in_vain = 0  # a crowd may be as large as it is
                    found.append(better)
                    yield better
                else:
                    in_vain += 1
            for square in found:
                _forget(seen, square, width, height)
            skin = seen

    def _approach(self, photo: np.ndarray, square: Square) -> Square | None:
        """Parse and align by turns until the square rests; None when it loses the face."""
        for round in range(_ROUNDS):
            landmarks = self._landmarks(photo, square, mirror=False)
            if landmarks is None or (round >= 1 and landmarks.confidence < _SURE):
                return None
            after = aligned_square(landmarks)
            scale, moved = after.side / square.side, math.hypot(after.x - square.x, after.y - square.y) / square.side
            if not 1 / 3 < scale < 3:
                return None
            rests = moved < 0.02 and abs(scale - 1) < 0.04 and abs(after.degrees - square.degrees) < 2
            square = after
            if rests:  # also around what looks like no face, at once
                return square if landmarks.confidence >= _SURE else None
        return None

    def _settled(self, photo: np.ndarray, square: Square, ask: Callable[[], None]) -> Face | None:
        """The face in a square that lies about right, aligned once more in the photo itself."""
        ask()
        landmarks = self._landmarks(photo, square, mirror=True)
        if landmarks is None or landmarks.confidence < _SURE:
            return None
        square = aligned_square(landmarks)
        aligned = cut_square(photo, square, self.parser.size)
        eyes = pupils(aligned, self.parser.probabilities([aligned], mirror=True)[0])
        matrix = square.matrix(1)
        places = landmarks.points[:2] if eyes is None else eyes @ matrix[:, :2].T + matrix[:, 2]
        return Face(square, places, landmarks.confidence)

    def _landmarks(self, photo: np.ndarray, square: Square, *, mirror: bool) -> Landmarks | None:
        """Landmarks in pixels of the photo."""
        view = cut_square(photo, square, self.parser.size)
        landmarks = find_landmarks(self.parser.probabilities([view], mirror=mirror)[0])
        return None if landmarks is None else landmarks.moved(square.matrix(1))


class _GivenUp(Exception):
    """Nobody waits for the faces any more."""


def _asking(given_up: Callable[[], bool] | None) -> Callable[[], None]:
    def ask() -> None:
        if given_up is not None and given_up():
            raise _GivenUp

    return ask


def _windows(width: int, height: int, side: float) -> list[Square]:
    """Upright squares that cover a photo, each overlapping its neighbours by half or more."""

    def places(length: int) -> np.ndarray:
        if length <= side:
            return np.array([length / 2])
        return np.linspace(side / 2, length - side / 2, math.ceil((length - side) / (side / 2)) + 1)

    return [Square(x, y, side) for y in places(height) for x in places(width)]


def _seeds(window: Square, probabilities: np.ndarray) -> list[tuple[float, Square]]:
    """(confidence, square) for each nose in a window that has eyes above and lips below it."""
    side = probabilities.shape[1]
    likeliest = probabilities.argmax(axis=0)
    count, which, stats, centres = cv2.connectedComponentsWithStats(np.isin(likeliest, NOSE).astype(np.uint8))
    eyes, lips = np.isin(likeliest, _EYES), np.isin(likeliest, MOUTH)
    rows, columns = np.mgrid[:side, :side]
    matrix, seeds = window.matrix(side), []
    for nose in range(1, count):
        area, (x, y) = stats[nose, cv2.CC_STAT_AREA], centres[nose]
        if area < 8:
            continue
        face = math.sqrt(area / _NOSE_SHARE)  # the side of its square, in pixels of the window
        near = (columns - x) ** 2 + (rows - y) ** 2 < (0.35 * face) ** 2
        if not ((eyes & near & (rows < y)).sum() >= 4 and (lips & near & (rows > y)).sum() >= 4):
            continue
        sure = float(probabilities[list(NOSE)][:, which == nose].mean())
        middle = matrix[:, :2] @ [x + 0.5, y + 0.5 - _ABOVE_NOSE * face] + matrix[:, 2]
        seeds.append((sure * min(1.0, face / 100), Square(*middle, window.side * face / side)))
    return seeds


def _same(one: Square, other: Square) -> bool:
    """Whether two squares hold the same face."""
    return math.hypot(one.x - other.x, one.y - other.y) < 0.35 * max(one.side, other.side)


def _box(square: Square, size: tuple[int, int], width: int, height: int, *, share: float = 1.0) -> tuple[slice, slice]:
    """Rows and columns that a square, or its middle ``share``, covers in a (h, w) map of the whole photo."""
    half, scale = square.side * share / 2, size[1] / width
    x0, x1 = max(0, round((square.x - half) * scale)), max(0, round((square.x + half) * scale))
    y0, y1 = max(0, round((square.y - half) * scale)), max(0, round((square.y + half) * scale))
    return slice(min(y0, size[0] - 1), max(y1, y0 + 1)), slice(min(x0, size[1] - 1), max(x1, x0 + 1))


def _share(skin: np.ndarray, window: Square, width: int, height: int) -> float:
    """0..1: how much of a window is skin that no face explains."""
    return float(skin[_box(window, skin.shape, width, height)].mean())


def _note(seen: np.ndarray, window: Square, skin: np.ndarray, width: int, height: int) -> None:
    """Write a window's skin into the map of the whole photo, in place; the greatest of overlapping windows counts."""
    scale = seen.shape[1] / width
    side = max(1, round(window.side * scale))
    x0, y0 = round((window.x - window.side / 2) * scale), round((window.y - window.side / 2) * scale)
    small = cv2.resize(skin, (side, side), interpolation=cv2.INTER_AREA)
    left, top = max(0, -x0), max(0, -y0)
    place = seen[max(0, y0) : y0 + side, max(0, x0) : x0 + side]
    part = small[top : top + place.shape[0], left : left + place.shape[1]]
    np.maximum(place, part, out=place)


def _forget(seen: np.ndarray, square: Square, width: int, height: int) -> None:
    """A face that is found explains its skin, in place."""
    seen[_box(square, seen.shape, width, height, share=0.9)] = 0

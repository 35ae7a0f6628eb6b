"""The shipped parser, loaded once, and the bundled portraits, which are aligned faces, laid into larger photos."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from maskedit import imaging, resources
from maskedit.face.locate import FaceFinder
from maskedit.face.parser import FaceParser
from maskedit.imaging import Square
from maskedit.imaging.squares import centred
from maskedit.labels import BY_NAME, mirrored


@dataclass(frozen=True, eq=False)
class Portrait:
    """An aligned face of 512 px whose label map people have drawn."""

    photo: np.ndarray
    labels: np.ndarray

    @property
    def eyes(self) -> np.ndarray:
        """(2, 2): the centres of the right and the left eye's class, as shares of the side."""
        places = [np.argwhere(self.labels == BY_NAME[name].id) for name in ("r_eye", "l_eye")]
        return np.array([(place.mean(axis=0)[::-1] + 0.5) / len(self.labels) for place in places])

    @property
    def mirrored(self) -> Portrait:
        return Portrait(np.ascontiguousarray(self.photo[:, ::-1]), mirrored(self.labels))

    def laid_into(self, photo: np.ndarray, square: Square) -> np.ndarray:
        """A copy of a photo with the face in a square of it."""
        small = imaging.resize_photo(self.photo, (round(square.side),) * 2)
        return cv2.warpAffine(
            small,
            centred(square.matrix(len(small))),
            photo.shape[1::-1],
            photo.copy(),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_TRANSPARENT,
        )


@pytest.fixture(scope="session", params=["collins", "hopper"])
def portrait(request):
    return load(request.param)


@pytest.fixture(scope="session")
def collins():
    return load("collins")


@pytest.fixture(scope="session")
def hopper():
    return load("hopper")


def load(name: str) -> Portrait:
    photo, labels = resources.portrait(name)
    return Portrait(imaging.read_photo(photo), imaging.read_labels(labels))


@pytest.fixture(scope="session")
def parser():
    return FaceParser(device="cpu")


@pytest.fixture(scope="session")
def finder(parser):
    return FaceFinder(parser)


def wall(width: int, height: int) -> np.ndarray:
    """A photo of a wall: one colour, darker to the right."""
    shade = np.linspace(1, 0.8, width)[None, :, None]
    return np.broadcast_to(np.array([168, 158, 146]) * shade, (height, width, 3)).round().astype(np.uint8)


def assert_same_square(found: Square, wanted: Square) -> None:
    """Within what two ways of looking at one face differ: some percent of the side, some degrees."""
    assert np.hypot(found.x - wanted.x, found.y - wanted.y) < 0.03 * wanted.side
    assert abs(found.side / wanted.side - 1) < 0.05
    assert abs((found.degrees - wanted.degrees + 180) % 360 - 180) < 3

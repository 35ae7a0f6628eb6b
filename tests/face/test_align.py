"""From landmarks to squares, without a network."""

import numpy as np
import pytest

from maskedit.face.align import Landmarks, aligned_square, find_landmarks, pupils
from maskedit.imaging import Square
from maskedit.labels import BY_NAME, NUM_LABELS
from tests.face.conftest import assert_same_square

UPRIGHT = np.array([[0.4, 0.5], [0.6, 0.5], [0.43, 0.75], [0.57, 0.75]])


def seen(labels):
    """(19, n, n): a parser that is sure of a label map."""
    return np.eye(NUM_LABELS, dtype=np.float32)[labels].transpose(2, 0, 1)


def test_the_square_is_that_of_the_data_set():
    """Karras et al. 2018, appendix C: half the side is 2 eye distances or 1.8 times the way from eyes to mouth."""
    square = aligned_square(Landmarks(UPRIGHT, 1.0))
    assert square.x == pytest.approx(0.5)
    assert square.y == pytest.approx(0.525, abs=0.005)
    assert square.side == pytest.approx(2 * 1.8 * 0.25, rel=0.01)
    assert square.degrees == pytest.approx(0, abs=1e-9)
    wide = UPRIGHT * [2, 1]
    assert aligned_square(Landmarks(wide, 1.0)).side == pytest.approx(2 * 2.0 * 0.4, rel=0.01)


@pytest.mark.parametrize("degrees", [0, 30, 90, -170])
def test_moved_landmarks_move_the_square(degrees):
    view = Square(700, -40, 350, degrees)
    inner, moved = (
        aligned_square(Landmarks(UPRIGHT, 1.0)),
        aligned_square(Landmarks(UPRIGHT, 1.0).moved(view.matrix(1))),
    )
    matrix = view.matrix(1)
    np.testing.assert_allclose([moved.x, moved.y], matrix[:, :2] @ [inner.x, inner.y] + matrix[:, 2])
    assert moved.side == pytest.approx(inner.side * view.side)
    assert (moved.degrees - degrees + 180) % 360 - 180 == pytest.approx(0, abs=1e-6)


def test_an_aligned_face_stays_where_it_is(portrait):
    landmarks = find_landmarks(seen(portrait.labels))
    assert landmarks.confidence == 1
    np.testing.assert_allclose(landmarks.points[:2], portrait.eyes, atol=0.005)
    right, left = landmarks.points[2:]
    assert right[0] < 0.5 < left[0]
    assert_same_square(aligned_square(landmarks), Square(0.5, 0.5, 1))


def test_an_eye_that_is_hidden_lies_below_its_brow(collins):
    labels = np.where(collins.labels == BY_NAME["l_eye"].id, BY_NAME["eye_g"].id, collins.labels)
    landmarks = find_landmarks(seen(labels))
    assert landmarks.confidence == pytest.approx(0.75)
    np.testing.assert_allclose(landmarks.points[1], collins.eyes[1], atol=0.03)


@pytest.mark.parametrize("gone", [("l_eye", "l_brow"), ("mouth", "u_lip", "l_lip")])
def test_without_an_eye_or_a_mouth_there_is_no_face(collins, gone):
    labels = np.where(np.isin(collins.labels, [BY_NAME[name].id for name in gone]), BY_NAME["skin"].id, collins.labels)
    assert find_landmarks(seen(labels)) is None


def test_pupils_are_the_dark_of_the_eyes():
    side = 256
    labels = np.full((side, side), BY_NAME["skin"].id)
    photo = np.full((side, side, 3), 200, np.uint8)
    y, x = np.mgrid[:side, :side] + 0.5
    for name, middle, iris in (("r_eye", 97, 103), ("l_eye", 160, 166)):
        labels[((x - middle) / 16) ** 2 + ((y - 122) / 7) ** 2 < 1] = BY_NAME[name].id
        photo[(x - iris) ** 2 + (y - 121) ** 2 < 6**2] = 40
    np.testing.assert_allclose(pupils(photo, seen(labels)) * side, [[103, 121], [166, 121]], atol=1)
    labels[labels == BY_NAME["l_eye"].id] = BY_NAME["skin"].id
    assert pupils(photo, seen(labels)) is None

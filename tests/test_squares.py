"""Squares in a photo: cut out upright, with what lies outside the photo reflected."""

import cv2
import numpy as np
import pytest

from maskedit.imaging import Square, cut_square, squares
from tests.faces import draw_face


@pytest.fixture
def photo() -> np.ndarray:
    """(240, 320, 3) uint8, smooth, in which no place looks like another."""
    y, x = np.mgrid[:240, :320] / 50
    waves = np.dstack([np.sin(x + y), np.cos(x - 2 * y), np.sin(2 * x)])
    return (128 + 60 * waves).round().astype(np.uint8)


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).max())


def test_a_square_at_its_own_size_is_a_plain_crop(noise):
    np.testing.assert_array_equal(cut_square(noise, Square(160, 120, 64), 64), noise[88:152, 128:192])
    np.testing.assert_array_equal(cut_square(noise, Square.middle(320, 240), 240), noise[:, 40:280])
    assert Square.middle(320, 240) == Square(160, 120, 240)


@pytest.mark.parametrize("quarter", range(-4, 9))
def test_quarter_turns_are_exact(noise, quarter):
    """Turned clockwise by 90, the square's upper edge is on the right: upright, the cut is turned back."""
    upright = noise[88:152, 128:192]
    cut = cut_square(noise, Square(160, 120, 64, 90 * quarter), 64)
    assert difference(cut, np.rot90(upright, quarter)) <= 1


@pytest.mark.parametrize("quarter", range(-4, 9))
@pytest.mark.parametrize("square", [Square(150.5, 110.25, 70, 20), Square(10, 230, 90, -170), Square(160, 120, 300)])
def test_a_turned_photo_shows_the_same_in_the_turned_square(photo, square, quarter):
    turned = np.ascontiguousarray(np.rot90(photo, -quarter))
    moved = square.turned(quarter, width=320, height=240)
    assert moved.side == square.side
    assert -180 <= moved.degrees < 180
    assert difference(cut_square(turned, moved, 96), cut_square(photo, square, 96)) <= 6


def test_four_quarter_turns_are_none():
    square = Square(12.5, 30, 20, 15)
    assert square.turned(4, width=320, height=240) == square.turned(0, width=320, height=240) == square
    back = square.turned(1, width=320, height=240).turned(3, width=240, height=320)
    assert (back.x, back.y, back.degrees) == pytest.approx((square.x, square.y, square.degrees))


def test_shrinking_averages_areas(noise):
    shrunk = cut_square(noise, Square.middle(320, 240), 60)
    assert difference(shrunk, cv2.resize(noise[:, 40:280], (60, 60), interpolation=cv2.INTER_AREA)) <= 1
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = cut_square(stripes, Square(160, 120, 160, 30), 20)
    assert np.abs(inner.astype(int) - 128).max() < 12  # sampling alone would hit one of the colours


def test_enlarging_is_smooth(photo):
    enlarged = cut_square(photo, Square(160, 120, 60), 240)
    assert np.abs(np.diff(enlarged.astype(int), axis=1)).max() <= 3
    small = cv2.resize(enlarged, (60, 60), interpolation=cv2.INTER_AREA)
    assert difference(small, photo[90:150, 130:190]) <= 2


@pytest.mark.parametrize("degrees", [0, 33, -120])
@pytest.mark.parametrize("side", [64, 100, 200])
def test_the_crop_around_a_square_changes_nothing(photo, monkeypatch, degrees, side):
    large = cv2.resize(photo, (1280, 960), interpolation=cv2.INTER_CUBIC)
    square = Square(700.3, 480.7, 200, degrees)
    cropped = cut_square(large, square, side)
    assert squares._around(large, square, square.matrix(side))[0].size < large.size / 4
    monkeypatch.setattr(squares, "_around", lambda photo, square, matrix: (photo, matrix))
    # Where it shrinks, the areas that are averaged begin elsewhere: the same picture, not the same bytes.
    assert difference(cropped, cut_square(large, square, side)) <= 2


def test_outside_is_the_reflection_more_blurred_the_further_out(noise):
    square = Square(320, 120, 200)  # its right half lies outside
    cut = cut_square(noise, square, 200)
    inside, outside = cut[:, :100], cut[:, 100:][:, ::-1]
    np.testing.assert_array_equal(inside, noise[20:220, 220:320])
    grain = outside.astype(float).std(axis=(0, 2))  # the last column is the nearest to the photo
    assert grain[-2] > 60
    assert grain[-40] < 25
    assert grain[-12] < grain[-4]
    near = np.abs(outside[:, -3:].astype(int) - inside[:, -4:-1])
    assert near.mean() < 12


@pytest.mark.parametrize("square", [Square(-400, 120, 100), Square(160, 120, 3000, 45), Square(0, 0, 10, 12)])
def test_squares_far_out_and_far_too_large_are_still_pictures(photo, square):
    cut = cut_square(photo, square, 64)
    assert cut.shape == (64, 64, 3)
    assert cut.dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_tiny_photos(shape):
    photo = np.full((*shape, 3), 77, np.uint8)
    assert (cut_square(photo, Square.middle(shape[1], shape[0]), 32) == 77).all()
    assert (cut_square(photo, Square(0, 0, 50, 20), 32) == 77).all()


@pytest.mark.parametrize("turn", [0, 30, -100, 180])
def test_matrix_and_corners_agree(turn):
    square = Square(50, 40, 20, turn)
    matrix = square.matrix(10)
    corners = np.array([[0, 0], [10, 0], [10, 10], [0, 10]]) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(corners, square.corners(), atol=1e-9)
    np.testing.assert_allclose(matrix @ [5, 5, 1], [50, 40])
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(4)


def test_at_90_degrees_the_upper_edge_is_on_the_right():
    upper_left, upper_right, *_ = Square(50, 40, 20, 90).corners()
    np.testing.assert_allclose(upper_left, [60, 30])
    np.testing.assert_allclose(upper_right, [60, 50])


def test_a_tilted_face_comes_out_upright():
    face = draw_face(256, 1)[0]
    turn = cv2.getRotationMatrix2D((127.5, 127.5), -25, 1)  # OpenCV counts against the clock
    tilted = cv2.warpAffine(face, turn, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    cut = cut_square(tilted, Square(128, 128, 150, 25), 150)
    assert np.abs(cut.astype(int) - face[53:203, 53:203]).mean() < 4


@pytest.mark.parametrize(
    "numbers",
    [(0, 0, 0), (0, 0, -1), (float("nan"), 0, 1), (0, float("inf"), 1), (0, 0, float("inf")), (0, 0, 1, float("nan"))],
)
def test_what_is_no_square_is_our_bug(numbers):
    with pytest.raises(ValueError, match="a square has"):
        Square(*numbers)


def test_the_photo_is_not_written_to(photo):
    photo.setflags(write=False)
    for square in (Square(160, 120, 64), Square(300, 20, 200, 30)):
        cut = cut_square(photo, square, 64)
        assert not np.shares_memory(cut, photo)

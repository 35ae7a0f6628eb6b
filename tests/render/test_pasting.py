"""The edit at the photo's own resolution; whatever it does not touch stays bit for bit."""

import tracemalloc

import cv2
import numpy as np
import pytest

from maskedit.imaging import Square, cut_square
from maskedit.labels import BY_NAME
from maskedit.render.compositing import Blend, Composite, compose
from maskedit.render.pasting import paste_back
from tests.faces import draw_face

SIDE = 128
HEIGHT, WIDTH = 300, 420


def smooth_photo(height=HEIGHT, width=WIDTH):
    """A photo that can be enlarged and shrunk without loss, and in which no place looks like another."""
    y, x = np.mgrid[:height, :width].astype(float) / 60
    waves = np.dstack([np.sin(x + y), np.cos(x - 2 * y), np.sin(2 * x)])
    return (128 + 60 * waves).round().astype(np.uint8)


SQUARES = {
    "inside": Square(200, 150, 200),
    "turned": Square(200.3, 149.6, 180, 33),
    "upside down": Square(210, 150, 130.5, -179),
    "a quarter": Square(200, 150, 128, 90),
    "three quarters": Square(200, 150, 256, -90),
    "over the left edge": Square(30, 150, 200, 10),
    "over a corner": Square(400, 290, 240, 45),
    "larger than the photo": Square(210, 150, 640, 20),
    "the middle": Square.middle(WIDTH, HEIGHT),
    "one pixel short": Square(210, 150, HEIGHT - 1),
    "one pixel over": Square(210, 150, HEIGHT + 1),
    "small": Square(200, 150, 40, 15),
}


@pytest.fixture(params=list(SQUARES))
def square(request):
    return SQUARES[request.param]


def composite(image, alpha=1.0, *, replacement=None, residual=0.0, replace_mask=1.0):
    shape = image.shape[:2]
    return Composite(
        image,
        np.broadcast_to(np.float32(alpha), shape).copy(),
        (image if replacement is None else replacement).astype(np.float32),
        np.full(image.shape, residual, np.float32),
        np.full(shape, replace_mask, np.float32),
        0,
    )


def disc(side=SIDE, radius=0.2):
    """An alpha with a soft edge, off the middle."""
    y, x = np.mgrid[:side, :side] / side
    return np.clip(1 + 10 * (radius - np.hypot(x - 0.45, y - 0.6)), 0, 1).astype(np.float32)


def covered(square, mask, height=HEIGHT, width=WIDTH):
    """Where the pixels of ``mask``, in the square, are in the photo: (H, W) bool, found without the code under test."""
    matrix = np.linalg.inv(np.vstack([square.matrix(mask.shape[0]), [0, 0, 1]]))
    y, x = np.mgrid[:height, :width] + 0.5
    u, v = (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in (0, 1))
    inside = (u >= 0) & (u < mask.shape[1]) & (v >= 0) & (v < mask.shape[0])
    result = np.zeros((height, width), bool)
    result[inside] = mask[v[inside].astype(int), u[inside].astype(int)]
    return result


def test_a_square_put_back_as_it_was_cut_is_the_photo(square):
    photo = smooth_photo()
    result = paste_back(photo, square, composite(cut_square(photo, square, SIDE)))
    difference = np.abs(result.astype(int) - photo)
    assert difference.mean() < 0.6
    assert difference.max() <= 12  # where the photo ends, its reflection was cut
    assert not np.shares_memory(result, photo)


def test_pixels_without_alpha_stay_bit_for_bit(square):
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    before, alpha = photo.copy(), disc()
    result = paste_back(photo, square, composite(np.zeros((SIDE, SIDE, 3), np.uint8), alpha))
    np.testing.assert_array_equal(photo, before)
    reach = max(1, round(2 * SIDE / square.side)) * 2 + 1
    near = covered(square, cv2.dilate((alpha > 0).astype(np.uint8), np.ones((reach, reach))) > 0)
    near = cv2.dilate(near.astype(np.uint8), np.ones((3, 3))) > 0
    np.testing.assert_array_equal(result[~near], photo[~near])
    middle = covered(square, alpha == 1)
    middle = cv2.erode(middle.astype(np.uint8), np.ones((5, 5))) > 0
    assert (result[middle] == 0).mean() > 0.9 or not middle.any()


@pytest.mark.parametrize("side", [32, 512])
def test_nothing_beyond_the_square_changes(square, side):
    photo = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    result = paste_back(photo, square, composite(np.zeros((side, side, 3), np.uint8)))
    near = cv2.dilate(covered(square, np.ones((side, side), bool)).astype(np.uint8), np.ones((3, 3))) > 0
    np.testing.assert_array_equal(result[~near], photo[~near])


def test_a_change_is_added_to_the_photos_own_detail(square):
    photo = np.random.default_rng(0).integers(60, 196, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    alpha = disc(radius=0.25)
    result = paste_back(
        photo, square, composite(np.zeros((SIDE, SIDE, 3), np.uint8), alpha, residual=40, replace_mask=0)
    )
    step = result.astype(int) - photo
    assert step.min() == 0
    assert step.max() == 40
    full = cv2.erode(covered(square, cv2.erode(alpha, np.ones((5, 5))) == 1).astype(np.uint8), np.ones((5, 5))) > 0
    inside = cv2.erode(covered(square, np.ones((SIDE, SIDE), bool)).astype(np.uint8), np.ones((31, 31))) > 0
    assert (step[full & inside] == 40).all()


def test_the_edit_lands_where_it_was_seen(square):
    """The pasted photo, cut again, shows the composite's image."""
    photo = smooth_photo()
    before = cut_square(photo, square, SIDE)
    alpha = cv2.GaussianBlur(disc(radius=0.15), (0, 0), 3)
    image = (before + alpha[..., None] * (255.0 - before)).round().astype(np.uint8)
    white = np.full_like(before, 255)
    again = cut_square(paste_back(photo, square, composite(image, alpha, replacement=white)), square, SIDE)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    matrix = square.matrix(SIDE)
    u, v = (matrix[i, 0] * x + matrix[i, 1] * y + matrix[i, 2] for i in (0, 1))
    on_photo = (u > 3) & (u < WIDTH - 3) & (v > 3) & (v < HEIGHT - 3)
    difference = np.abs(again.astype(int) - image)[on_photo]
    assert difference.mean() < 2
    assert np.percentile(difference, 99) < 16


@pytest.mark.parametrize("side", [SIDE, SIDE - 1, SIDE + 1, 3 * SIDE])
def test_a_photo_that_is_the_square_changes_up_to_its_edges(side):
    photo = smooth_photo(side, side)
    result = paste_back(photo, Square.middle(side, side), composite(np.full((SIDE, SIDE, 3), 7, np.uint8)))
    assert (result == 7).all()


def test_at_the_same_size_the_result_is_the_image():
    photo, labels = draw_face(SIDE, 2)
    edited = np.where(labels == BY_NAME["hair"].id, BY_NAME["skin"].id, labels).astype(np.uint8)
    for blend in (Blend(), Blend(detail=False), Blend(whole_face=True)):
        result = compose(photo, labels, edited, photo[..., ::-1].copy(), photo // 2, blend)
        np.testing.assert_array_equal(paste_back(photo, Square.middle(SIDE, SIDE), result), result.image)


@pytest.mark.parametrize("quarter", range(4))
def test_a_turned_photo_gets_the_same_edit(quarter):
    photo, square = smooth_photo(), Square(205.25, 148.5, 170, 20)
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    edit = composite(cv2.GaussianBlur(image, (0, 0), 2), disc())
    turned = paste_back(
        np.ascontiguousarray(np.rot90(photo, -quarter)), square.turned(quarter, width=WIDTH, height=HEIGHT), edit
    )
    difference = np.abs(np.rot90(turned, quarter).astype(int) - paste_back(photo, square, edit))
    assert difference.max() <= 4  # OpenCV samples at 1/32 of a pixel
    assert difference.mean() < 0.05


def test_a_whole_face_fades_out_where_the_photo_goes_on():
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    square = Square.middle(WIDTH, HEIGHT)
    result = paste_back(photo, square, composite(np.full((SIDE, SIDE, 3), 200, np.uint8)))[..., 0]
    left = int(square.x - square.side / 2)
    assert (result[[0, HEIGHT - 1], WIDTH // 2] == 200).all()  # the photo ends there, too
    assert np.abs(np.diff(result.astype(int), axis=1)).max() < 60
    assert result[HEIGHT // 2, left - 1] == 0
    assert result[HEIGHT // 2, left + 20] == 200


def test_an_edit_beside_the_photo_changes_nothing():
    photo = smooth_photo()
    for square in (Square(-500, 150, 200, 12), Square(200, 900, 300)):
        np.testing.assert_array_equal(paste_back(photo, square, composite(np.zeros((64, 64, 3), np.uint8))), photo)
    nothing = composite(np.zeros((64, 64, 3), np.uint8), 0)
    np.testing.assert_array_equal(paste_back(photo, Square(200, 150, 200), nothing), photo)


@pytest.mark.slow
def test_a_large_photo_needs_little_more_memory_than_its_copy():
    photo = np.zeros((2400, 3000, 3), np.uint8)
    edit = composite(np.full((256, 256, 3), 90, np.uint8))
    tracemalloc.start()
    try:
        paste_back(photo, Square(1500, 1200, 2300, 10), edit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < photo.nbytes + 40_000_000  # all of it at once in floats would be ten times the photo


@pytest.mark.parametrize(
    "photo", [np.zeros((40, 40), np.uint8), np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 3))]
)
def test_what_is_no_photo_is_our_bug(photo):
    with pytest.raises(ValueError, match="a photo is"):
        paste_back(photo, Square(20, 20, 40), composite(np.zeros((32, 32, 3), np.uint8)))

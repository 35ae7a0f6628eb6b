"""A photo file in memory: its size by its header, its pixels once."""

import io

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.imaging import SourcePhoto, Square
from tests.faces import draw_face


@pytest.fixture
def pixels() -> np.ndarray:
    return np.ascontiguousarray(draw_face(64, 1)[0][:, :40])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_the_size_is_that_of_the_pixels(pixels, format, orientation):
    file, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, format, exif=exif)
    photo = SourcePhoto(file.getvalue(), "me")
    assert photo.size == ((64, 40) if orientation in (5, 6, 7, 8) else (40, 64))
    assert photo.size == photo.pixels.shape[1::-1]


def test_only_the_header_is_read_for_the_size(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    photo = SourcePhoto(file.getvalue()[:700], "cut")
    assert photo.size == (40, 64)
    with pytest.raises(UserError, match="'cut' is damaged or cut short"):
        _ = photo.pixels


def test_the_pixels_are_decoded_once(pixels):
    photo = SourcePhoto(imaging.png_bytes(pixels), "me")
    assert photo.pixels is photo.pixels
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert SourcePhoto(b"whatever", "me", pixels).pixels is pixels
    square = Square(20, 30, 24, 10)
    np.testing.assert_array_equal(photo.cut(square, 48), imaging.cut_square(pixels, square, 48))
    assert photo.metadata == imaging.read_metadata(photo.data)


def test_what_is_no_photo_is_named():
    for name in ("size", "pixels"):
        with pytest.raises(UserError, match="'notes' is not an image"):
            getattr(SourcePhoto(b"no image at all", "notes"), name)

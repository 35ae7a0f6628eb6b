"""Photo files of every kind as documents of a face."""

import io

import numpy as np
import pytest
from PIL import Image

from maskedit import UserError
from maskedit.face.opening import parsed_document
from maskedit.imaging import Square, cut_square, read_photo
from tests.face.conftest import wall

WHERE = Square(200, 170, 256)


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def as_file(kind, photo):
    image = Image.fromarray(photo)
    if kind == "CMYK":
        return encoded(image.convert("CMYK"), "JPEG", quality=95)
    if kind == "16-bit grey":
        return encoded(Image.fromarray(np.array(image.convert("L")).astype(np.uint16) * 257), "PNG")
    if kind == "RGBA":
        return encoded(image.convert("RGBA"), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise to be upright
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CMYK", "16-bit grey", "RGBA", "EXIF-rotated"])
def test_every_kind_of_file(parser, collins, kind):
    data = as_file(kind, collins.laid_into(wall(420, 340), WHERE))
    document = parsed_document(data, WHERE, parser, name="me")
    assert document.photo.shape == (512, 512, 3)
    np.testing.assert_array_equal(document.photo, cut_square(read_photo(data), WHERE, 512))
    assert (document.labels == collins.labels).mean() > 0.88
    np.testing.assert_array_equal(document.labels, document.reference_labels)
    assert document.origin.data == data
    assert document.origin.square == WHERE
    assert document.name == "me"


def test_what_is_no_photo_is_told(parser):
    with pytest.raises(UserError, match="not an image"):
        parsed_document(b"nothing of the kind", WHERE, parser, name="me")


@pytest.mark.slow
def test_a_turned_photo_is_found_and_opened(parser, finder, collins):
    """From the file of a sideways camera without EXIF to a document that is upright."""
    photo = np.ascontiguousarray(np.rot90(collins.laid_into(wall(300, 280), Square(150, 140, 200))))
    data = encoded(Image.fromarray(photo), "PNG")
    (face,) = finder.find(read_photo(data))
    document = parsed_document(data, face.square, parser, name="me")
    assert (document.labels == collins.labels).mean() > 0.85

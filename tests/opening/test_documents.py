"""Photo files of every kind as documents of a face."""

import io

import numpy as np
import pytest
from PIL import Image

from maskedit import UserError, imaging
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.document.snapshots import Snapshot
from maskedit.imaging import SourcePhoto, Square, cut_square, png_bytes, read_photo
from maskedit.opening.documents import moved_document, parsed_document, with_labels
from tests.face.conftest import wall
from tests.faces import draw_face

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
    document = parsed_document(SourcePhoto(data, "me"), WHERE, parser)
    assert document.photo.shape == (512, 512, 3)
    np.testing.assert_array_equal(document.photo, cut_square(read_photo(data), WHERE, 512))
    assert (document.labels == collins.labels).mean() > 0.88
    np.testing.assert_array_equal(document.labels, document.reference_labels)
    assert document.origin.data == data
    assert document.origin.square == WHERE
    assert document.name == "me"


def test_what_is_no_photo_is_told(parser):
    with pytest.raises(UserError, match="not an image"):
        parsed_document(SourcePhoto(b"nothing of the kind", "me"), WHERE, parser)


@pytest.mark.slow
def test_a_turned_photo_is_found_and_opened(parser, finder, collins):
    """From the file of a sideways camera without EXIF to a document that is upright."""
    photo = np.ascontiguousarray(np.rot90(collins.laid_into(wall(300, 280), Square(150, 140, 200))))
    data = encoded(Image.fromarray(photo), "PNG")
    (face,) = finder.find(read_photo(data))
    document = parsed_document(SourcePhoto(data, "me"), face.square, parser)
    assert (document.labels == collins.labels).mean() > 0.85


def test_a_photo_that_is_none_in_a_session_is_one_sentence():
    photo, labels = draw_face(256, 0)
    document = Document(photo, labels)
    other = with_labels(document, np.full((50, 50), 3, np.uint8))
    assert other.labels.shape == document.labels.shape
    with pytest.raises(UserError, match=r"100 x 50 px .* 256 x 256 px"):
        with_labels(document, np.full((50, 100), 3, np.uint8))
    hostile = Document(document.photo, document.labels, origin=Origin(b"no photo", Square(1, 1, 2)))
    with pytest.raises(UserError, match="not an image"):
        with_labels(hostile, np.full((50, 100), 3, np.uint8))


def test_a_label_map_of_the_whole_photo_follows_a_turned_square():
    photo, labels = draw_face(300, 4)
    square = Square(160, 140, 200, 15)
    document = Document(
        imaging.cut_square(photo, square, 128), np.zeros((128, 128), np.uint8), origin=Origin(png_bytes(photo), square)
    )
    other = with_labels(document, labels)
    expected = imaging.cut_labels(labels, square, 128, size=(300, 300))
    assert np.array_equal(other.labels, expected)
    assert len(np.unique(expected)) > 8
    # The same as turning a picture of the labels, but for pixels on their edges.
    picture = imaging.cut_square(imaging.colourise(labels), square, 128)
    assert (np.abs(picture.astype(int) - imaging.colourise(expected)).max(axis=2) < 40).mean() > 0.85


def test_a_moved_document_keeps_what_hands_have_corrected_and_edited():
    """Twice as large a square around the same middle: all lies half as far from it."""
    photo, parsed = draw_face(256, 1)
    data = png_bytes(photo)
    corrected, edited = parsed.copy(), parsed.copy()
    corrected[60:80, 60:80] = edited[60:80, 60:80] = 16
    edited[100:120, 100:120] = 14
    origin = Origin(data, Square(128, 128, 128))
    document = Document(photo, edited, reference_labels=corrected, origin=origin, name="me", path="me.maskedit")
    new = Document(photo, parsed, origin=Origin(data, Square(128, 128, 256)))
    document.snapshots = [Snapshot.of("then", corrected, edited, {})]
    moved = moved_document(document, new, parsed)
    own, labels = parsed.copy(), parsed.copy()
    own[94:104, 94:104] = labels[94:104, 94:104] = 16
    np.testing.assert_array_equal(moved.reference_labels, own)
    labels[113:125, 113:125] = edited[99:123:2, 99:123:2]  # the edit has a rim
    np.testing.assert_array_equal(moved.labels, labels)
    (snapshot,) = moved.snapshots
    assert snapshot.name == "then"
    np.testing.assert_array_equal(snapshot.labels(moved.reference_labels), labels)
    assert (moved.name, moved.path, moved.origin) == ("me", document.path, new.origin)
    assert moved.is_modified
    whole = moved_document(document, new, None)  # no parser can tell what was corrected: all is kept
    np.testing.assert_array_equal(whole.reference_labels[64:192, 64:192], corrected[1::2, 1::2])

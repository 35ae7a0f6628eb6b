"""Another face: its square, and its photo where there is one that fits."""

import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.origin import SIDE
from maskedit.imaging import SourcePhoto
from maskedit.opening.other_face import OtherFace
from tests.faces import draw_face


def test_of_a_document_shapes_are_as_painted_and_styles_as_the_photo_shows():
    photo, labels = draw_face(96, 1)
    document = Document(photo, labels)
    document.fill(1, 1, 18)
    face = OtherFace.of_document(document, "Ann")
    assert face.photo.shape == (SIDE, SIDE, 3)
    assert face.labels.shape == face.own_labels.shape == (SIDE, SIDE)
    assert face.name == "Ann"
    assert (face.labels[0, 0], face.own_labels[0, 0]) == (18, 0)


def test_a_label_map_has_a_photo_only_where_one_fits():
    photo, labels = draw_face(96, 1)
    assert OtherFace.of_labels(labels, "Ann").photo is None
    fits = OtherFace.of_labels(labels, "Ann", SourcePhoto(imaging.png_bytes(photo), "ann"))
    assert np.abs(fits.photo[::5, ::5].astype(int) - imaging.resize_photo(photo, (SIDE, SIDE))[::5, ::5]).max() == 0
    assert np.array_equal(fits.labels, fits.own_labels)
    for other in (imaging.png_bytes(photo[:50]), b"no image"):
        face = OtherFace.of_labels(labels, "Ann", SourcePhoto(other, "ann"))
        assert (face.photo, face.own_labels) == (None, None)
        assert np.array_equal(face.labels, fits.labels)

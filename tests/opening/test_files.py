"""What files turn out to hold, and what is to be decided about them: as data, without a window."""

import numpy as np
import pytest
from PIL import Image

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.imaging import LossyLabelsError
from maskedit.labels import BISENET_ORDER, palette
from maskedit.opening.files import FoundLabels, inspect, inspect_source, is_label_map
from maskedit.resources import portrait
from tests.faces import draw_face


@pytest.fixture
def face(tmp_path):
    """A photo and its label map, not beside each other by name."""
    photo, labels = draw_face(96, 3)
    imaging.write_photo(tmp_path / "anna.png", photo)
    imaging.write_labels(tmp_path / "map.png", labels)
    return tmp_path / "anna.png", tmp_path / "map.png"


def lossy(path):
    Image.fromarray(imaging.colourise(imaging.read_labels(portrait("collins")[1]))).save(path, quality=95)
    return path


def test_a_photo_alone_is_not_looked_into(tmp_path):
    (tmp_path / "notes.jpg").write_bytes(b"no image at all")
    found = inspect(tmp_path / "notes.jpg")
    assert (found.photo.name, found.photo.data) == ("notes", b"no image at all")
    assert found.session is None
    assert found.labels is None


def test_what_lies_beside_a_photo_and_is_no_label_map_is_left_alone(face):
    photo, _ = face
    beside = photo.with_name("anna_labels.png")
    beside.write_bytes(b"no picture")
    found = inspect(photo)
    assert found.labels is None
    assert found.photo is not None
    with pytest.raises(UserError):
        inspect(photo, labels=beside)


def test_a_label_map_that_is_given_or_lies_beside(face):
    photo, labels = face
    assert inspect(photo).labels is None
    given = inspect(photo, labels)
    beside = labels.rename(photo.with_name("anna_labels.png"))
    for found in (given, inspect(photo)):
        np.testing.assert_array_equal(found.labels.labels, draw_face(96, 3)[1])
        np.testing.assert_array_equal(found.photo.pixels, draw_face(96, 3)[0])
    imaging.write_labels(beside, np.zeros((10, 40), np.uint8), overwrite=True)
    assert inspect(photo).labels is None  # called as if it were the photo's, but of another shape


def test_a_session(face, tmp_path):
    session.save_session(tmp_path / "work.maskedit", Document(*draw_face(64, 2)))
    for look in (inspect, inspect_source):
        found = look(tmp_path / "work.maskedit")
        np.testing.assert_array_equal(found.session.labels, draw_face(64, 2)[1])
        assert found.photo is None
        assert found.labels is None


def test_a_source_is_a_label_map_where_it_can_be(face, tmp_path):
    photo, labels = face
    assert inspect_source(labels).labels.name == "map.png"
    found = inspect_source(photo)
    assert found.labels is None
    assert "colours that are no label's" in found.no_labels
    np.testing.assert_array_equal(found.photo.pixels, draw_face(96, 3)[0])
    labels.rename(photo.with_name("anna_labels.png"))
    found = inspect_source(photo)
    assert found.labels.name == "anna_labels.png"
    np.testing.assert_array_equal(found.photo.pixels, draw_face(96, 3)[0])
    photo_as_jpeg = tmp_path / "berta.jpg"
    imaging.write_photo(photo_as_jpeg, draw_face(96, 3)[0])
    assert "lossy JPEG" in inspect_source(photo_as_jpeg).no_labels
    assert inspect_source(lossy(tmp_path / "map.jpg")).photo is None
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match="not an image"):
        inspect_source(tmp_path / "text.png")


def test_smoothed_colours_are_an_error_and_no_photo(tmp_path):
    smooth = imaging.resize_photo(imaging.colourise(imaging.read_labels(portrait("collins")[1])), (300, 300))
    imaging.write_photo(tmp_path / "smooth.png", smooth)
    with pytest.raises(UserError, match="colours that are no label's"):
        inspect_source(tmp_path / "smooth.png")


def test_a_lossy_label_map_is_to_be_decided(tmp_path):
    found = FoundLabels(lossy(tmp_path / "map.jpg"))
    assert "map.jpg is stored as lossy JPEG" in found.lossy.replace("'", "")
    with pytest.raises(LossyLabelsError, match=r"map\.jpg"):
        found.taken()
    labels, notes = found.taken(lossy=True)
    assert (labels != imaging.read_labels(portrait("collins")[1])).mean() < 0.05
    assert "not exact" in notes[0]


def test_another_class_order_is_to_be_decided(tmp_path):
    labels = imaging.read_labels(portrait("hopper")[1])
    foreign = np.argsort(BISENET_ORDER).astype(np.uint8)[labels]
    Image.fromarray(foreign).save(tmp_path / "bisenet.png")
    found = FoundLabels(tmp_path / "bisenet.png")
    assert found.order.startswith("BiSeNet")
    taken, notes = found.taken()
    np.testing.assert_array_equal(taken, labels)
    assert "BiSeNet" in notes[-1]
    taken, notes = found.taken(remap=False)
    np.testing.assert_array_equal(taken, foreign)
    assert notes == ()


def test_what_is_a_label_map(face, tmp_path):
    assert is_label_map(face[1])
    assert not is_label_map(face[0])
    assert not is_label_map(lossy(tmp_path / "map.jpg"))
    assert not is_label_map(tmp_path / "nothing.png")
    sheet = palette()[None].repeat(4, axis=0)
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    assert is_label_map(tmp_path / "sheet.png")

"""An edit that is laid on the photo it was made for, and on other faces."""

import numpy as np
import pytest

from maskedit import UserError
from maskedit.document.document import Document
from maskedit.document.origin import Origin
from maskedit.face.align import face_points
from maskedit.imaging import SourcePhoto, Square, png_bytes
from maskedit.labels import BY_NAME, ids_of
from maskedit.opening.replay import Replay
from maskedit.render.part_colours import colour_style
from tests.faces import draw_face

GLASSES, LIPS = BY_NAME["eye_g"].id, ids_of("mouth", "u_lip", "l_lip")
SQUARE = Square(130, 120, 200, 5)


def document(seed: int) -> Document:
    photo = SourcePhoto(png_bytes(draw_face(256, seed)[0]), f"photo {seed}")
    return Document(photo.cut(SQUARE, 256), draw_face(256, seed)[1], origin=Origin(photo.data, SQUARE), name=photo.name)


def eyes(labels: np.ndarray) -> np.ndarray:
    return face_points(labels)[:2]


def test_the_photo_that_it_was_made_for_is_known_by_its_file_or_its_pixels():
    mine = document(1)
    mine.fill(128, 5, GLASSES)
    replay = Replay(mine, face_points)
    photo = SourcePhoto(mine.origin.data, "again")
    assert replay.made_for(photo)
    assert replay.made_for(SourcePhoto(png_bytes(photo.pixels) + b"more metadata", "rated", photo.pixels))
    assert not replay.made_for(SourcePhoto(document(2).origin.data, "other"))
    own = replay.own(photo)
    assert (own.name, own.origin, replay.square) == ("again", mine.origin, SQUARE)
    np.testing.assert_array_equal(own.labels, mine.labels)
    mine.undo()  # the edit is that of the moment when it was asked for
    assert not np.array_equal(replay.own(photo).labels, mine.labels)


def test_glasses_and_styles_go_to_the_eyes_of_another_face():
    mine, other = document(1), document(6)
    styles = {"lips": colour_style((160, 20, 40))}
    mine.set_styles(styles, name="Style")
    for x, y in eyes(mine.labels) * 256:
        mine.paint_polygon([(x - 20, y - 9), (x + 20, y - 9), (x + 20, y + 9), (x - 20, y + 9)], GLASSES)
    Replay(mine, face_points).lay_on(other)
    glasses = other.labels == GLASSES
    changed = other.labels != other.reference_labels
    np.testing.assert_array_equal(glasses, changed)  # all else is the other face's own
    half = np.mean(eyes(other.reference_labels)[:, 0]) * 256
    for (x, y), side in zip(
        eyes(other.reference_labels) * 256, (np.s_[:, : int(half)], np.s_[:, int(half) :]), strict=True
    ):
        rows, columns = np.nonzero(glasses[side])
        assert abs(rows.mean() + 0.5 - y) < 1.5
        assert abs(columns.mean() + 0.5 + (half if x > half else 0) - x) < 2
    assert other.styles == styles
    assert other.history.names == ["Edit of photo 1"]


def test_a_mouth_of_another_shape_takes_the_place_of_the_other_ones():
    mine, other = document(1), document(6)
    corner = face_points(mine.labels)[2:].mean(axis=0) * 256
    shape = np.array([(-14, -3), (14, -3), (0, 18)]) + corner
    mine.replace_labels(
        np.where(np.isin(mine.labels, LIPS), np.uint8(BY_NAME["skin"].id), mine.labels), name="Without a mouth"
    )
    mine.paint_polygon(shape, LIPS[1])
    Replay(mine, face_points).lay_on(other)
    lips = np.isin(other.labels, LIPS)
    assert (other.labels[lips] == LIPS[1]).all()  # nothing is left of the other one's
    assert lips.sum() == pytest.approx(np.isin(mine.labels, LIPS).sum(), rel=0.35)
    np.testing.assert_array_equal(other.labels[:120], other.reference_labels[:120])


def test_without_landmarks_places_in_both_squares_are_the_same():
    mine, other = document(1), document(6)
    mine.paint_polygon([(100, 4), (140, 4), (140, 40), (100, 40)], GLASSES)
    Replay(mine, lambda labels: None).lay_on(other)
    np.testing.assert_array_equal(other.labels == GLASSES, mine.labels == GLASSES)


def test_a_document_without_an_edit_is_told():
    with pytest.raises(UserError, match="Nothing is edited in photo 1"):
        Replay(document(1), face_points)

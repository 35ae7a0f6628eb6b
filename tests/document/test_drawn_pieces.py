"""The pieces that are drawn in code, on faces and where there is none."""

import cv2
import numpy as np
import pytest

from maskedit.document.document import Document
from maskedit.document.drawn_pieces import DRAWN, standard_face
from maskedit.document.face_points import FACE, find_points
from maskedit.document.floating import place
from maskedit.document.sketch import Sketch, closed_curve
from maskedit.labels import BY_NAME, FACE_PARTS, NUM_LABELS, ids_of
from tests.faces import draw_face

SIDE = 192
CLASSES = {
    "Mouths": set(FACE_PARTS["Smile"]),
    "Glasses": {3},
    "Hats": {14},
    "Hair": {13},
    "Brows": {6, 7},
    "Earrings": {15},
}
HAIR, SKIN, EYES = BY_NAME["hair"].id, BY_NAME["skin"].id, ids_of("l_eye", "r_eye")
NAMED = {piece.name: piece for piece in DRAWN}


def put_on(piece, labels):
    document = Document(np.zeros((*labels.shape, 3), np.uint8), labels)
    placed = piece.on(labels)
    place(document, placed, gone=piece.gone(labels, placed), name=piece.name).commit()
    return document.labels


@pytest.mark.parametrize("piece", DRAWN, ids=lambda piece: piece.name)
def test_each_piece_puts_on_its_classes_and_spares_the_rest(piece):
    labels = draw_face(SIDE, 1)[1]
    after = put_on(piece, labels)
    new = (after != labels) & np.isin(after, list(CLASSES[piece.group]))
    assert new.sum() > 15
    assert {id for each in piece.on(labels) for id in each.piece.classes} <= CLASSES[piece.group]
    if piece.group != "Glasses":
        assert all((after == eye).sum() == (labels == eye).sum() for eye in EYES)
    # Left and right of the face alike, but for its ears.
    columns = np.nonzero(new)[1]
    assert abs(columns.mean() - find_points(labels).eyes[0]) < 0.03 * SIDE
    put_on(piece, np.zeros((64, 80), np.uint8))  # where there is no face, in the middle


def test_what_a_piece_replaces_goes():
    labels = draw_face(SIDE, 2)[1]
    closed = put_on(NAMED["Closed mouth"], labels)
    assert BY_NAME["mouth"].id not in closed
    short = put_on(NAMED["Short hair"], put_on(NAMED["Long hair"], labels))
    assert not (short[int(0.75 * SIDE) :] == HAIR).any()
    once, twice = put_on(NAMED["Cap"], labels), put_on(NAMED["Beanie"], put_on(NAMED["Cap"], labels))
    assert (once != twice).any()
    assert (put_on(NAMED["Bangs"], labels) == HAIR)[labels == HAIR].all()


def test_hair_lies_around_the_face_and_under_hat_and_glasses():
    labels = put_on(NAMED["Round glasses"], put_on(NAMED["Cap"], draw_face(SIDE, 3)[1]))
    after = put_on(NAMED["Long hair"], labels)
    worn = np.isin(labels, [3, 14])
    assert (after[worn] == labels[worn]).all()
    middle = find_points(labels)
    assert after[int(middle.mouth[1]), int(middle.mouth[0])] != HAIR
    inside = cv2.erode(np.isin(labels, FACE).astype(np.uint8), np.ones((13, 13))) > 0
    inside[: int(middle.brows_top)] = False
    assert not (after[inside] == HAIR).any()


def test_glasses_sit_before_the_eyes_of_a_head_that_leans():
    labels = draw_face(SIDE, 0)[1]
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -15, 1)
    leaning = cv2.warpAffine(labels, turn, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
    assert find_points(leaning).degrees == pytest.approx(15, abs=2)
    after = put_on(NAMED["Round glasses"], leaning)
    assert not np.isin(after, EYES).any()
    sketch = Sketch(leaning)
    assert sketch.to_face(*sketch.to_map(0.3, -0.7)) == pytest.approx((0.3, -0.7))
    assert sketch.to_map(0.5, 0) == pytest.approx(tuple(sketch.points.left_eye))


def test_points_are_guessed_where_they_are_not_seen():
    labels = draw_face(SIDE, 0)[1]
    seen = find_points(labels)
    dark = labels.copy()
    dark[np.isin(dark, EYES)] = SKIN
    guessed = find_points(dark)
    assert np.linalg.norm(guessed.left_eye - seen.left_eye) < 0.3 * seen.apart
    masked = put_on(NAMED["Round glasses"], labels)
    masked = np.where(np.isin(masked, ids_of("l_brow", "r_brow", "l_eye", "r_eye")), np.uint8(SKIN), masked)
    assert np.linalg.norm(find_points(masked).right_eye - seen.right_eye) < 0.3 * seen.apart
    empty = find_points(np.zeros((100, 100), np.uint8))
    assert empty.apart == pytest.approx(24.5)


def test_the_standard_face_is_one_and_curves_go_through_their_points():
    labels = standard_face(96)
    assert {*FACE_PARTS["Eyes"], *FACE_PARTS["Brows"], SKIN, HAIR, *ids_of("nose", "u_lip", "neck")} <= set(
        np.unique(labels).tolist()
    )
    assert labels.max() < NUM_LABELS
    corners = [(0, 0), (2, 0), (2, 2), (0, 2)]
    assert np.allclose(closed_curve(corners)[::8], corners)
    with pytest.raises(ValueError, match="nothing"):
        Sketch(labels).placed()

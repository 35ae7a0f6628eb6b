"""Pieces over the label map: what is taken, what lies under it, what becomes of it."""

from dataclasses import replace

import numpy as np
import pytest

from maskedit.document.beneath import beneath
from maskedit.document.document import Document
from maskedit.document.floating import Placed, lift, place
from maskedit.document.pieces import OUTSIDE, Piece
from maskedit.document.placement import Placement
from maskedit.labels import BACKGROUND, BY_NAME, ids_of, mirrored
from tests.faces import draw_face

SIDE = 128
SKIN, HAIR, GLASSES, HAT = (BY_NAME[name].id for name in ("skin", "hair", "eye_g", "hat"))
RIGHT_BROW, LEFT_BROW = BY_NAME["r_brow"].id, BY_NAME["l_brow"].id
MOUTH = ids_of("mouth", "u_lip", "l_lip")


@pytest.fixture
def document():
    return Document(*draw_face(SIDE, 1))


def inside(document, label):
    """A point of a class, (x, y)."""
    rows, columns = np.nonzero(document.labels == label)
    middle = len(rows) // 2
    return columns[middle] + 0.5, rows[middle] + 0.5


def test_a_brow_moves_as_one_edit_and_leaves_skin(document):
    before = document.snapshot()
    floating = lift(document, *inside(document, RIGHT_BROW))
    assert document.floating is floating
    assert document.labels.tobytes() == before.tobytes()  # taking alone changes nothing
    floating.move(floating.placement.moved(0, -2))
    moved = np.roll(before == RIGHT_BROW, -2, axis=0)
    assert ((document.labels == RIGHT_BROW) == moved).all()
    assert (document.labels[(before == RIGHT_BROW) & ~moved] == SKIN).all()
    assert document.committed_labels().tobytes() == before.tobytes()
    assert document.is_modified
    floating.move(floating.placement.moved(3, 0))
    floating.move(floating.placement.moved(-3, 2))
    assert document.labels.tobytes() == before.tobytes()
    floating.move(floating.placement.moved(0, -2))
    floating.commit()
    assert document.history.names == ["Transform right brow"]
    document.undo()
    assert document.labels.tobytes() == before.tobytes()


def test_a_piece_that_is_given_up_leaves_nothing(document):
    before = document.snapshot()
    floating = lift(document, *inside(document, HAIR), whole_class=True)
    floating.move(replace(floating.placement, degrees=20, mirrored=True, width=60))
    assert (document.labels != before).any()
    box = floating.abort()
    assert box is not None
    assert document.labels.tobytes() == before.tobytes()
    assert not document.is_modified
    with pytest.raises(RuntimeError):
        floating.move(floating.placement)
    assert floating.commit() is None
    assert floating.abort() is None


def test_any_other_change_lets_a_piece_go(document):
    floating = lift(document, *inside(document, RIGHT_BROW))
    floating.move(floating.placement.moved(0, -3))
    assert not document.can_undo
    assert document.undo() is None
    document.begin_stroke(HAT, diameter=4).move_to(5, 5)
    assert document.floating is None
    assert document.history.names == ["Transform right brow"]


def test_the_other_side_comes_along_as_the_mirror_image():
    photo, labels = draw_face(SIDE, 0)
    labels = np.concatenate([labels[:, : SIDE // 2], mirrored(labels)[:, SIDE // 2 :]], axis=1)  # symmetric
    document = Document(photo, labels)
    floating = lift(document, *inside(document, RIGHT_BROW), mirror=True)
    floating.move(replace(floating.placement.moved(-3, -2), degrees=0, width=floating.placement.width * 1.5))
    assert (document.labels != labels).any()
    np.testing.assert_array_equal(document.labels, mirrored(document.labels))
    floating.abort()
    assert lift(document, *inside(document, BY_NAME["nose"].id), mirror=True) is not None


def test_locks_hold_for_pieces(document):
    before = document.snapshot()
    document.locked = {RIGHT_BROW}
    assert lift(document, *inside(document, RIGHT_BROW)) is None
    document.locked = {SKIN}
    floating = lift(document, *inside(document, RIGHT_BROW))
    floating.move(floating.placement.moved(0, -4))
    assert (document.labels[before == SKIN] == SKIN).all()
    floating.abort()
    assert lift(document, 1, 1) is None  # background
    assert lift(document, -5, 1) is None


def test_a_mouth_is_taken_with_its_lips(document):
    before = document.snapshot()
    floating = lift(document, *inside(document, MOUTH[1]), whole_part=True)
    assert floating.piece.classes == sorted(MOUTH)
    floating.move(floating.placement.moved(0, 4))
    mouth = np.isin(before, MOUTH)
    assert (np.isin(document.labels, MOUTH) == np.roll(mouth, 4, axis=0)).all()
    assert set(document.labels[mouth & ~np.roll(mouth, 4, axis=0)]) == {SKIN}
    floating.commit()
    assert document.history.names == ["Transform smile"]


def test_what_lies_under_hair_glasses_and_a_hat(document):
    labels = document.labels
    bare = beneath(labels, labels == HAIR)
    assert set(bare[labels == HAIR]) <= {BACKGROUND, SKIN, *ids_of("neck", "cloth")}
    rows = np.flatnonzero((labels == HAIR).any(axis=1))
    assert bare[rows[0], SIDE // 2] == BACKGROUND  # a skull is lower than the hair on it
    assert bare[rows[0] + SIDE // 5, SIDE // 2] == SKIN
    assert (bare[labels != HAIR] == labels[labels != HAIR]).all()
    worn = labels.copy()
    worn[40:70, 30:100] = GLASSES
    region = worn == GLASSES
    np.testing.assert_array_equal(beneath(worn, region, reference=labels), labels)  # the photo shows eyes there
    assert (beneath(worn, region)[region] == SKIN).all()
    nothing = np.full((8, 8), HAIR, np.uint8)
    assert (beneath(nothing, nothing == HAIR) == BACKGROUND).all()


def test_a_placed_piece_takes_the_place_of_what_it_replaces(document):
    before = document.snapshot()
    mouth = Piece(np.full((6, 20), MOUTH[1], np.uint8))
    floating = place(
        document, [Placed(mouth, Placement(64, 84, 20, 6))], gone=np.isin(before, MOUTH), name="Place a mouth"
    )
    assert (document.labels[81:87, 54:74] == MOUTH[1]).all()
    assert (np.isin(document.labels, MOUTH)).sum() == 120
    floating.abort()
    assert document.labels.tobytes() == before.tobytes()


def test_a_scaled_piece_keeps_its_shape_and_a_mirrored_pair_changes_names():
    ids = np.full((30, 40), OUTSIDE, np.uint8)
    rows, columns = np.mgrid[:30, :40] + 0.5
    ids[((columns - 20) / 18) ** 2 + ((rows - 15) / 13) ** 2 < 1] = HAIR
    for scale in (0.3, 2.7):
        box, drawn = Piece(ids).drawn(Placement(100, 100, 40 * scale, 30 * scale), width=200, height=200)
        share = (drawn == HAIR).sum() / (scale**2 * (ids == HAIR).sum())
        assert share == pytest.approx(1, abs=0.05)
        assert box.x0 >= 100 - 20 * scale - 1
    pair = np.full((4, 12), OUTSIDE, np.uint8)
    pair[:, :4], pair[:, 8:] = RIGHT_BROW, LEFT_BROW
    at = Placement(10, 10, 12, 4, mirrored=True)
    _, drawn = Piece(pair).drawn(at, width=20, height=20)
    np.testing.assert_array_equal(drawn, pair)
    _, alone = Piece(pair[:, :8]).drawn(replace(at, width=8), width=20, height=20)
    assert (alone[:, 4:] == RIGHT_BROW).all()
    assert Piece(pair).drawn(Placement(-50, 0, 12, 4), width=20, height=20) is None
    for wrong in (np.zeros((0, 4), np.uint8), np.full((2, 2), OUTSIDE, np.uint8), np.full((2, 2), 30, np.uint8)):
        with pytest.raises(ValueError, match="a piece"):
            Piece(wrong)

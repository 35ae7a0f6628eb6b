"""Whole classes grown, reshape, shrunk, smoothed and rid of specks."""

import numpy as np
import pytest

from maskedit.document.document import Document
from maskedit.document.reshape import RESHAPES, despeckled, grown, reshape, shrunk, smoothed, step_of
from maskedit.labels import BY_NAME
from tests.faces import draw_face

SIDE = 128
BACKGROUND, SKIN, HAIR, HAT = (BY_NAME[name].id for name in ("background", "skin", "hair", "hat"))


@pytest.fixture
def labels():
    result = np.zeros((SIDE, SIDE), np.uint8)
    result[40:80, 30:90] = HAIR
    result[60:80, 60:90] = SKIN
    return result


def test_a_step_is_two_pixels_of_512():
    assert [step_of(np.zeros((side, side), np.uint8)) for side in (64, 256, 512, 1024)] == [1, 1, 2, 4]


def test_growing_takes_from_all_and_shrinking_gives_to_the_nearest(labels):
    larger = grown(labels, HAIR)
    assert (larger[39, 30:60] == HAIR).all()
    assert larger[38, 40] == BACKGROUND
    assert larger[61, 70] == SKIN
    assert larger[60, 70] == HAIR
    smaller = shrunk(labels, HAIR)
    assert (smaller[40, 30:60] == BACKGROUND).all()
    assert (smaller[59, 61:89] == SKIN).all()
    assert ((shrunk(larger, HAIR) == HAIR) <= (labels == HAIR)).mean() > 0.99
    everywhere = np.full((8, 8), HAIR, np.uint8)
    assert all((change(everywhere, HAIR) == HAIR).all() for change in RESHAPES.values())


def test_smoothing_takes_teeth_and_keeps_the_whole(labels):
    rough = labels.copy()
    rough[39, 30:90:4] = HAIR
    after = smoothed(rough, HAIR)
    assert not (after[39] == HAIR).any()
    assert ((after == HAIR) != (labels == HAIR)).mean() < 0.003
    assert set(np.unique(after)) == {BACKGROUND, SKIN, HAIR}


def test_specks_and_holes_go_and_parts_of_the_face_stay(labels):
    specked = labels.copy()
    specked[10, 10] = specked[100, 100] = HAIR
    specked[50, 50] = BACKGROUND
    np.testing.assert_array_equal(despeckled(specked, HAIR), labels)
    face = draw_face(SIDE, 0)[1]
    np.testing.assert_array_equal(despeckled(face, SKIN) == SKIN, face == SKIN)
    lonely = np.zeros((SIDE, SIDE), np.uint8)
    lonely[3, 3] = HAIR
    np.testing.assert_array_equal(despeckled(lonely, HAIR), lonely)


@pytest.mark.parametrize("how", RESHAPES)
def test_each_is_one_edit_that_obeys_the_locks(how):
    photo, labels = draw_face(SIDE, 2)
    labels[5, 5] = HAIR
    document = Document(photo, labels)
    assert reshape(document, [HAIR], how) is not None
    assert document.history.names == [f"{how.capitalize()} hair"]
    document.undo()
    np.testing.assert_array_equal(document.labels, labels)
    document.locked = {SKIN}
    reshape(document, [HAIR], how)
    assert (document.labels[labels == SKIN] == SKIN).all()
    document.undo()
    document.locked = {HAIR, SKIN, BACKGROUND, *range(2, 13), *range(14, 19)}
    assert reshape(document, [HAIR], how) is None

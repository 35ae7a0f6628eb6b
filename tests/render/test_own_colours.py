"""A person's own lips and brows keep their colour."""

import numpy as np
import pytest

from maskedit.labels import BY_NAME
from maskedit.render.own_colours import STRENGTH, with_own_colours

SKIN, LIP, CLOTH = (BY_NAME[name].id for name in ("skin", "l_lip", "cloth"))


def smile(label=LIP):
    """A photo with red lips, a label map with wider ones, the hole, and a completion with pale ones."""
    before = np.full((100, 100), SKIN, np.uint8)
    before[60:66, 40:60] = label
    after = before.copy()
    after[60:70, 30:70] = label
    photo = np.full((100, 100, 3), 150, np.uint8)
    photo[before == label] = (200, 40, 60)
    hole = np.zeros((100, 100), bool)
    hole[55:75, 25:75] = True
    drawn = np.where(hole[..., None], np.uint8(150), photo)
    drawn[after == label] = (160, 120, 120)
    return photo, before, after, hole, drawn


def test_lips_take_the_colour_they_had():
    photo, before, after, hole, drawn = smile()
    image = with_own_colours(drawn, photo, hole, after, before)
    wanted = np.array([160, 120, 120]) + STRENGTH * (np.array([200, 40, 60]) - [160, 120, 120])
    assert image[63:67, 35:65].reshape(-1, 3).mean(axis=0) == pytest.approx(wanted, abs=6)
    assert np.array_equal(image[~hole], drawn[~hole])


def test_other_labels_are_left_as_they_were_drawn():
    photo, before, after, hole, drawn = smile(CLOTH)
    assert with_own_colours(drawn, photo, hole, after, before) is drawn


def test_what_is_hidden_without_an_edit_is_not_looked_at():
    photo, before, _, hole, drawn = smile()
    assert with_own_colours(drawn, photo, hole, before, before) is drawn


def test_a_face_without_lips_has_no_colour_to_keep():
    photo, before, after, hole, drawn = smile()
    assert with_own_colours(drawn, photo, hole, after, np.full_like(before, SKIN)) is drawn

"""What the shipped MaskVAE makes of a label map and of its neighbours, behind numpy."""

import numpy as np
import pytest

from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS, ids_of
from maskedit.models.label_space import LabelSpace
from maskedit.resources import default_weights
from tests.faces import draw_face

LABELS = draw_face(256, 0)[1]


@pytest.fixture(scope="module")
def space():
    return LabelSpace()


def test_it_takes_what_is_like_a_face_for_likely(space):
    probabilities = space.probabilities(LABELS)
    assert probabilities.shape == (NUM_LABELS, 256, 256)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-4)
    for id in ids_of("skin", "hair", "nose"):
        assert probabilities[id][id == LABELS].mean() > 3 * probabilities[id][id != LABELS].mean()


def test_neighbours_are_close_and_every_seed_gives_another_one(space):
    near, first = space.neighbours(LABELS, 1)
    again, second = space.neighbours(LABELS, 2)
    np.testing.assert_array_equal(near, again)
    np.testing.assert_array_equal(space.neighbours(LABELS, 1)[1], first)
    assert near.dtype == first.dtype == np.uint8
    assert np.mean(near == LABELS) > 0.8
    for other in (first, second):
        assert 0.7 < np.mean(near == other) < 1
    assert (first != second).any()


def test_another_network_is_refused():
    with pytest.raises(UserError, match="MaskVAE"):
        LabelSpace(default_weights("parser"))

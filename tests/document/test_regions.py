"""Changes that hold within a region only: what a lasso encloses, and another map's labels there."""

import numpy as np
import pytest

from maskedit.document.document import Document
from maskedit.document.history import Box

SKIN, NOSE, HAIR = 1, 2, 13
RECTANGLE = [(3.2, 4.9), (10.9, 4.1), (10.5, 8.5), (3.9, 8.0)]


@pytest.fixture
def document() -> Document:
    return Document(np.zeros((20, 24, 3), np.uint8), np.zeros((20, 24), np.uint8))


def test_the_mask_of_a_polygon_is_what_the_lasso_paints(document):
    points = np.random.default_rng(2).uniform(-6, 30, (9, 2))
    box, mask = document.polygon_mask(points)
    assert mask.dtype == bool
    assert mask.shape == (box.height, box.width)
    assert not document.can_undo
    document.paint_polygon(points, HAIR)
    painted = document.labels == HAIR
    np.testing.assert_array_equal(painted[box.slices], mask)
    assert painted.sum() == mask.sum()


def test_the_mask_of_a_polygon_knows_no_locks(document):
    document.locked = {0}
    box, mask = document.polygon_mask(RECTANGLE)
    assert box == Box(3, 4, 11, 9)
    assert mask.all()
    assert document.paint_polygon(RECTANGLE, HAIR) is None


def test_no_mask_outside_the_map(document):
    assert document.polygon_mask([]) is None
    assert document.polygon_mask([(-5, -5), (-2, -5), (-2, -2)]) is None
    with pytest.raises(ValueError, match="finite"):
        document.polygon_mask([(0, 0), (float("inf"), 1)])


def test_another_map_inside_a_lasso_is_one_edit(document):
    box, mask = document.polygon_mask(RECTANGLE)
    where = np.zeros((20, 24), bool)
    where[box.slices] = mask
    document.locked = {0}
    source = np.full((20, 24), NOSE, np.uint8)
    assert document.replace_labels(source, where=where, name="Parse again") == box
    np.testing.assert_array_equal(document.labels, np.where(where, NOSE, 0))
    assert document.history.names == ["Parse again"]
    document.undo()
    assert not document.labels.any()
    assert document.replace_labels(source, where=np.zeros_like(where), name="Nothing") is None
    assert document.replace_labels(np.full((10, 12), SKIN, np.uint8), where=where, name="Resized") == box


def test_some_classes_of_another_map_in_a_region(document):
    source = np.full((20, 24), SKIN, np.uint8)
    source[:, :12] = HAIR
    where = np.zeros((20, 24), bool)
    where[:5] = True
    assert document.replace_labels(source, classes={HAIR}, where=where, name="Hair above") == Box(0, 0, 12, 5)
    assert (document.labels[:5, :12] == HAIR).all()
    assert (document.labels == HAIR).sum() == 60


@pytest.mark.parametrize("where", [np.ones((20, 23), bool), np.ones((20, 24), np.uint8), np.ones((1, 24), bool)])
def test_a_region_of_another_size_or_kind_is_a_bug_of_the_caller(document, where):
    with pytest.raises(ValueError, match=r"wanted \(20, 24\) of bool"):
        document.replace_labels(np.zeros((20, 24), np.uint8), where=where, name="x")
    assert not document.can_undo

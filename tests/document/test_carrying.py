"""Edits carried over to another label map: where they go, and that nothing else changes."""

import numpy as np

from maskedit.document.carrying import affine_places, carried_history, carried_labels, nearest_pixels
from maskedit.document.document import Document
from tests.faces import draw_face

HAT, SIDE = 14, 64


def edited() -> Document:
    """A document with three strokes, the last one undone."""
    document = Document(*draw_face(SIDE, 1))
    for x, y in ((20, 20), (40, 40), (8, 50)):
        stroke = document.begin_stroke(HAT, diameter=9)
        stroke.move_to(x, y)
        stroke.commit()
    document.undo()
    return document


def test_places_and_pixels():
    places = affine_places(np.array([[2.0, 0, -2], [0, 2.0, 0]]), 3)
    np.testing.assert_array_equal(places[0, :, 0], [-1, 1, 3])
    np.testing.assert_array_equal(places[:, 0, 1], [1, 3, 5])
    np.testing.assert_array_equal(nearest_pixels(places, (4, 5)), [[-1, 6, 8], [-1, 16, 18], [-1, -1, -1]])


def test_only_what_was_edited_is_laid_on():
    document, onto = edited(), draw_face(SIDE, 5)[1]
    pixels = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    carried = carried_labels(document.labels, document.reference_labels, pixels, onto)
    changed = document.labels != document.reference_labels
    assert (carried[changed] == HAT).all()
    np.testing.assert_array_equal(carried[~changed], onto[~changed])
    np.testing.assert_array_equal(
        carried_labels(document.labels, document.reference_labels, pixels * 0 - 1, onto), onto
    )


def test_a_rim_comes_with_what_was_edited():
    labels, onto, pixels = np.full((9, 9), 1, np.uint8), np.full((9, 9), 11, np.uint8), np.arange(81).reshape(9, 9)
    own = labels.copy()
    labels[4, 4] = HAT
    expected = onto.copy()
    expected[2:7, 2:7] = 1
    expected[4, 4] = HAT
    np.testing.assert_array_equal(carried_labels(labels, own, pixels, onto, rim=2), expected)
    np.testing.assert_array_equal(carried_labels(own, own, pixels, onto, rim=2), onto)


def test_a_history_is_carried_step_by_step():
    """Turned by a quarter and moved, so that some of it leaves the map."""
    document, onto = edited(), draw_face(SIDE, 5)[1]
    matrix = np.array([[0.0, 1, 0], [-1, 0, SIDE + 12]])
    labels, history = carried_history(document.history, document.labels, document.reference_labels, matrix, onto)
    pixels = nearest_pixels(affine_places(matrix, SIDE), (SIDE, SIDE))
    other = Document(draw_face(SIDE, 5)[0], labels, reference_labels=onto)
    other.restore_history(history)
    assert (history.names, history.position) == (["Brush hat"] * 3, 2)
    for step in (document.redo, document.undo, document.undo, document.undo, document.redo):
        step()
        getattr(other, step.__name__)()
        expected = carried_labels(document.labels, document.reference_labels, pixels, onto, rim=2)
        np.testing.assert_array_equal(other.labels, expected)
    far = carried_history(document.history, document.labels, onto, np.array([[1.0, 0, 500], [0, 1, 0]]), onto)
    np.testing.assert_array_equal(far[0], onto)
    assert far[1].names == []

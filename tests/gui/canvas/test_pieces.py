"""The transform tool on the canvas, through real events of mouse and keys."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from maskedit.document.placement import FRAME, TURN, handles
from maskedit.document.session import load_session
from maskedit.labels import BY_NAME, ids_of
from tests.gui.harness import CTRL, LEFT, NONE, SHIFT, at, click, drag, key

SKIN, RIGHT_BROW, NOSE = (BY_NAME[name].id for name in ("skin", "r_brow", "nose"))
LIPS = ids_of("mouth", "u_lip", "l_lip")


@pytest.fixture
def document(window):
    key(window, Qt.Key.Key_T)
    return window.editor.document


def inside(document, *labels):
    rows, columns = np.nonzero(np.isin(document.labels, labels))
    middle = len(rows) // 2
    return columns[middle] + 0.5, rows[middle] + 0.5


def handle(window, document, name):
    return handles(document.floating.placement, pixel=1 / window.canvas.scale)[name]


def test_a_drag_moves_a_region_and_enter_lets_it_go_as_one_edit(window, document):
    before = document.snapshot()
    x, y = inside(document, RIGHT_BROW)
    drag(window, (x, y), (x, y - 6), (x, y - 12))
    assert document.floating is not None
    moved = document.labels == RIGHT_BROW
    shift = np.flatnonzero(moved.any(axis=1))[0] - np.flatnonzero((before == RIGHT_BROW).any(axis=1))[0]
    assert -14 < shift < -9
    assert (np.roll(before == RIGHT_BROW, shift, axis=0) == moved).all()
    key(window, Qt.Key.Key_Up)
    key(window, Qt.Key.Key_Right, SHIFT)
    assert (np.roll(moved, (-1, 10), axis=(0, 1)) == (document.labels == RIGHT_BROW)).all()
    key(window, Qt.Key.Key_Return)
    assert document.floating is None
    assert document.history.names == ["Transform right brow"]
    key(window, Qt.Key.Key_Z, CTRL)
    assert document.labels.tobytes() == before.tobytes()


@pytest.mark.parametrize(("end", "modifiers"), [(Qt.Key.Key_Escape, NONE), (Qt.Key.Key_Z, CTRL)])
def test_escape_and_undo_give_the_piece_up(window, document, end, modifiers):
    before = document.labels.tobytes()
    drag(window, inside(document, NOSE), (30, 30))
    key(window, Qt.Key.Key_H)
    assert document.labels.tobytes() != before
    key(window, end, modifiers)
    assert document.floating is None
    assert document.labels.tobytes() == before
    assert not document.can_undo


def test_handles_scale_and_turn_and_a_click_beside_lets_go(window, document):
    click(window, *inside(document, NOSE))
    start = document.floating.placement
    x, y = handle(window, document, "bottom right")
    drag(window, (x, y), (x + 20, y + 20))
    large = document.floating.placement
    assert large.width > start.width + 5
    assert large.width / large.height == pytest.approx(start.width / start.height)
    x, y = handle(window, document, TURN)
    drag(window, (x, y), (x + 60, y), modifiers=SHIFT)
    assert document.floating.placement.degrees > 15
    point = QPointF(at(window, x, y))
    QTest.mouseMove(window.canvas, point.toPoint())
    click(window, 250, 250)
    assert document.floating is None
    assert document.history.names == ["Transform nose"]
    click(window, 3, 3)
    assert "background" in window.messages[-1][1]


def test_delete_takes_a_region_away(window, document):
    before = document.snapshot()
    x, y = inside(document, RIGHT_BROW)
    drag(window, (x, y), (x, y - 12))
    key(window, Qt.Key.Key_Delete)
    assert document.floating is None
    assert (document.labels[before == RIGHT_BROW] == SKIN).all()
    assert ((document.labels != before) == (before == RIGHT_BROW)).all()
    assert document.history.names == ["Remove right brow"]


def test_a_double_click_takes_the_mouth_with_its_lips(window, document):
    point = inside(document, LIPS[1])
    click(window, *point)
    assert document.floating.piece.classes == [LIPS[1]]
    QTest.mouseDClick(window.canvas, LEFT, NONE, at(window, *point))
    assert document.floating.piece.classes == sorted(LIPS)
    click(window, *point, modifiers=SHIFT)  # it floats already: this holds it
    assert document.floating.piece.classes == sorted(LIPS)


def test_a_piece_outlives_the_focus_and_another_tool_lets_it_go(window, document):
    x, y = inside(document, RIGHT_BROW)
    drag(window, (x, y), (x, y - 12))
    window.canvas.clearFocus()
    assert document.floating is not None
    assert "Undo" in window.actions_by_id["undo"].text()
    assert window.actions_by_id["undo"].isEnabled()
    window.editor.set_tool("brush")
    assert document.floating is None
    assert document.history.names == ["Transform right brow"]


def test_what_floats_is_saved_and_told_as_unsaved_before(window, document, answers, tmp_path):
    x, y = inside(document, RIGHT_BROW)
    drag(window, (x, y), (x, y - 12))
    assert document.is_modified
    answers.ask_save = [tmp_path / "face.maskedit"]
    key(window, Qt.Key.Key_S, CTRL)
    assert not document.is_modified
    assert load_session(tmp_path / "face.maskedit").labels.tobytes() == document.labels.tobytes()


def test_the_frame_has_one_size_on_the_screen(window, document):
    click(window, *inside(document, NOSE))
    for zoom in (0.7, 3.0):
        window.viewport.set_zoom(zoom)
        corner = handle(window, document, "top left")
        edge = document.floating.placement.at(-1, -1)
        assert np.hypot(*np.subtract(corner, edge)) * window.canvas.scale == pytest.approx(FRAME * 2**0.5)
    window.canvas.grab()
    window.viewport.fit()
    QTest.mouseMove(window.canvas, at(window, *handle(window, document, "right")))
    assert window.canvas.cursor().shape() == Qt.CursorShape.SizeHorCursor
    key(window, Qt.Key.Key_Escape)
    assert window.canvas.cursor().shape() == Qt.CursorShape.CrossCursor


def test_what_is_protected_is_not_taken(window, document):
    window.editor.set_option("locked", {NOSE})
    click(window, *inside(document, NOSE))
    assert document.floating is None
    assert "protected" in window.messages[-1][1]


def test_keys_reshape_the_chosen_class_and_its_partner_with_the_mirrored_brush(window, document):
    before = document.snapshot()
    window.editor.set_label(RIGHT_BROW)
    key(window, Qt.Key.Key_Equal)
    assert document.history.names == ["Grow right brow"]
    assert (document.labels == RIGHT_BROW).sum() > (before == RIGHT_BROW).sum()
    key(window, Qt.Key.Key_M)
    key(window, Qt.Key.Key_Minus)
    assert document.history.names[-1] == "Shrink right brow, left brow"
    window.editor.set_label(BY_NAME["hat"].id)
    key(window, Qt.Key.Key_D, SHIFT)
    assert window.messages[-1][1] == "Despeckle hat: there is nothing of it to change."

"""The library of pieces in the window."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from maskedit.document.drawn_pieces import DRAWN
from maskedit.gui.files.pieces import pieces_folder
from maskedit.labels import BY_NAME
from tests.gui.harness import LEFT, SHIFT, click, drag, key

GLASSES, NOSE = BY_NAME["eye_g"].id, BY_NAME["nose"].id


@pytest.fixture
def panel(window):
    key(window, Qt.Key.Key_T, SHIFT)
    return window.pieces_panel


def press(button):
    QTest.mouseClick(button, LEFT)


def test_a_click_puts_a_piece_on_where_it_floats_until_it_is_let_go(window, panel):
    document = window.editor.document
    before = document.snapshot()
    assert list(panel.buttons) == [piece.name for piece in DRAWN]
    press(panel.buttons["Round glasses"])
    assert window.editor.tool == "transform"
    assert window.canvas.hasFocus()
    assert (document.labels == GLASSES).any()
    start = document.floating.placement
    drag(window, (start.x, start.y), (start.x, start.y + 10))
    assert document.floating.placement.y > start.y + 5
    press(panel.buttons["Short hair"])  # the glasses are let go
    key(window, Qt.Key.Key_Delete)  # as if it had not been put on
    assert document.floating is None
    press(panel.buttons["Cap"])
    assert document.history.names == ["Place round glasses"]
    key(window, Qt.Key.Key_Escape)
    key(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert document.labels.tobytes() == before.tobytes()


def test_pieces_are_saved_shown_and_deleted(window, panel, answers):
    document = window.editor.document
    press(panel.save)
    assert "Transform" in window.messages[-1][1]
    window.editor.set_tool("transform")
    rows, columns = np.nonzero(document.labels == NOSE)
    click(window, columns[len(rows) // 2], rows[len(rows) // 2])
    answers.ask_name = [lambda title, caption, suggestion: f"My <b>{suggestion}</b>"]
    window.actions_by_id["save_piece"].trigger()
    name = "My <b>nose</b>"
    assert name in panel.buttons
    assert "&lt;b&gt;" in panel.buttons[name].toolTip()
    key(window, Qt.Key.Key_Escape)
    press(panel.buttons[name])
    assert document.floating.piece.classes == [NOSE]
    answers.ask_delete = [False, True]
    for _ in range(2):
        panel.buttons[name].actions()[0].trigger()
    assert name not in panel.buttons
    assert not list(pieces_folder().iterdir())
    answers.ask_name = [None]
    window.actions_by_id["save_piece"].trigger()
    assert not list(pieces_folder().iterdir())


def test_damaged_pieces_are_told_once(window):
    pieces_folder().mkdir(parents=True)
    for name in "ab":
        (pieces_folder() / f"{name}.png").write_bytes(b"no piece")
    key(window, Qt.Key.Key_T, SHIFT)
    errors = [text for level, text in window.messages if level == "error"]
    assert len(errors) == 1
    assert "a.png" in errors[0]
    assert errors[0].endswith("So are 1 more.")
    assert "Smile" in window.pieces_panel.buttons
    key(window, Qt.Key.Key_T, SHIFT)
    assert window.palette_panel.visibleRegion().isEmpty() is False

"""The history as a list, and what a click in it does."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from maskedit.gui.panels.history_panel import BEGINNING
from tests.gui.harness import CTRL, LEFT, click, key, make_document, settle


def rows(window) -> list[str]:
    model = window.history_panel.list.model()
    return [model.data(model.index(row)) for row in range(model.rowCount())]


def present(window) -> int:
    return window.history_panel.list.currentIndex().row()


def go_to(window, row: int) -> None:
    view = window.history_panel.list
    place = view.visualRect(view.model().index(row)).center()
    QTest.mouseClick(view.viewport(), LEFT, pos=place)


def test_a_click_goes_to_a_state(window):
    editor, document = window.editor, window.editor.document
    assert rows(window) == [BEGINNING]
    maps = [document.labels.tobytes()]
    for label, x in ((14, 40), (13, 128), (14, 200)):
        editor.set_label(label)
        click(window, x, 220)
        maps.append(document.labels.tobytes())
    assert rows(window) == [BEGINNING, "Brush hat", "Brush hair", "Brush hat"]
    assert present(window) == 3
    key(window, Qt.Key.Key_H, CTRL)
    assert not window.history_panel.visibleRegion().isEmpty()
    for row in (1, 0, 3, 2):
        go_to(window, row)
        assert document.labels.tobytes() == maps[row]
        assert present(window) == document.history.position == row
    settle(window)
    assert window.editor.render.rendered.request.labels.tobytes() == maps[2]
    model = window.history_panel.list.model()
    colours = [model.data(model.index(row), Qt.ItemDataRole.ForegroundRole) for row in range(4)]
    assert [colour is not None for colour in colours] == [False, False, False, True]
    window.files.show_document(make_document())
    assert rows(window) == [BEGINNING]
    key(window, Qt.Key.Key_H, CTRL)
    assert window.history_panel.visibleRegion().isEmpty()

"""The history as a list, and what a click in it does."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QToolButton

from maskedit.gui.panels.history_panel import BEGINNING
from maskedit.gui.qimage import image_photo
from tests.gui.harness import CTRL, LEFT, click, key, make_document, settle, wait


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


def buttons(window, name: str) -> list[QToolButton]:
    found = window.history_panel.snapshots.findChildren(QToolButton)
    return [button for button in found if button.accessibleName() == name]


def test_a_snapshot_is_taken_shown_compared_and_removed(window, answers):
    document, render = window.editor.document, window.editor.render
    click(window, 60, 220)
    settle(window)
    labels, picture = document.snapshot(), render.result.copy()
    answers.ask_name = ["bangs & hat", "", None]
    for _ in range(3):
        key(window, Qt.Key.Key_K, CTRL)
    assert [each.name for each in document.snapshots] == ["bangs & hat"]
    assert window.isWindowModified()
    click(window, 200, 220)
    settle(window)
    key(window, Qt.Key.Key_H, CTRL)
    result, (compare,) = window.result_view, buttons(window, "Compare with bangs & hat")
    for known in (True, False):  # drawn when it was taken; read from a file, and drawn now
        if not known:
            window.history_panel.snapshots._pictures.clear()
        QTest.mousePress(compare, LEFT)
        wait(lambda: result.show_before)
        assert (image_photo(result.before) == picture).all()
        QTest.mouseRelease(compare, LEFT)
        assert not result.show_before
        assert (image_photo(result.before) == document.photo).all()
    (show,) = window.history_panel.snapshots.findChildren(QPushButton)
    QTest.mouseClick(show, LEFT)
    assert (document.labels == labels).all()
    assert document.history.names[-1] == "Snapshot bangs & hat"
    key(window, Qt.Key.Key_Z, CTRL)
    assert (document.labels != labels).any()
    QTest.mouseClick(buttons(window, "Remove bangs & hat")[0], LEFT)
    assert document.snapshots == ()
    wait(lambda: not buttons(window, "Remove bangs & hat"))

"""Opening, saving, exporting; and that bad files change nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from maskedit import imaging
from maskedit.gui.dialogs.export import Export
from maskedit.gui.dialogs.source import Taken
from maskedit.gui.qimage import photo_image
from maskedit.labels import BISENET_ORDER
from tests.faces import draw_face
from tests.gui.harness import (
    CTRL,
    FOUND,
    LEFT,
    NONE,
    SHIFT,
    FakeEngine,
    click,
    drag,
    key,
    make_document,
    settle,
    wait,
)


@pytest.fixture
def face(tmp_path):
    """A photo file with its label map beside it: paths and arrays."""
    photo, labels = draw_face(512, 3)
    imaging.write_photo(tmp_path / "anna.png", photo)
    imaging.write_labels(tmp_path / "anna_labels.png", labels, kind="palette")
    return tmp_path / "anna.png", tmp_path / "anna_labels.png", photo, labels


def drop(window, data: QMimeData) -> None:
    arguments = Qt.DropAction.CopyAction, data, LEFT, NONE
    enter = QDragEnterEvent(QPointF(400, 300).toPoint(), *arguments)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(400, 300), *arguments))
    QTest.qWait(10)


def dropped(*paths) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


# Opening


def test_open_a_photo_with_its_labels_beside_it(window, answers, face):
    answers.ask_open = [face[0]]
    key(window, Qt.Key.Key_O, CTRL)
    document = window.editor.document
    assert document.name == "anna"
    assert np.array_equal(document.photo, face[2])
    assert np.array_equal(document.labels, face[3])
    assert window.windowTitle().startswith("anna")
    assert window.files.recent() == [face[0]]
    assert [action.text() for action in window._recent_menu.actions()] == [str(face[0])]
    settle(window)


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 60])
def test_bad_files_give_one_message_and_change_nothing(window, answers, face, tmp_path, content):
    click(window, 60, 220)
    before = window.editor.document
    labels = before.labels.tobytes()
    for name in ("bad.png", "bad.maskedit"):
        path = tmp_path / name
        path.write_bytes(content)
        window.messages.clear()
        answers.ask_unsaved = ["discard"]
        assert not window.files.open(path, face[1])
        assert [level for level, _ in window.messages] == ["error"]
        assert name in window.messages[0][1]
        assert window.editor.document is before
    window.messages.clear()
    answers.ask_unsaved = ["discard"]
    window.files.open_labels(tmp_path / "bad.png")
    window.files.others.take_file(tmp_path / "bad.png")
    assert [level for level, _ in window.messages] == ["error", "error"]
    assert window.editor.document is before
    assert before.labels.tobytes() == labels
    assert before.is_modified


def test_another_label_map_for_the_photo(window, answers, face):
    photo = window.editor.document.photo
    answers.ask_open = [face[1]]
    key(window, Qt.Key.Key_O, CTRL | SHIFT)
    document = window.editor.document
    assert np.array_equal(document.photo, photo)
    assert np.array_equal(document.reference_labels, document.labels)
    assert document.labels.shape == photo.shape[:2]
    assert (document.labels == 13).any()


def test_drop_a_photo(window, face):
    drop(window, dropped(face[0]))
    assert np.array_equal(window.editor.document.photo, face[2])


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_drop_a_photo_and_its_labels_in_any_order(window, face, tmp_path, order):
    names = tmp_path / "b.png", tmp_path / "a.png"
    for name, path in zip(names, face[:2], strict=True):
        name.write_bytes(path.read_bytes())
    drop(window, dropped(*(names[index] for index in order)))
    assert np.array_equal(window.editor.document.photo, face[2])
    assert np.array_equal(window.editor.document.labels, face[3])


@pytest.mark.slow
def test_drop_and_paste_pixels(window, answers, face):
    expected = imaging.cut_square(face[2], FOUND, 512)
    data = QMimeData()
    data.setImageData(photo_image(face[2]))
    drop(window, data)
    wait(lambda: window.editor.document.name == "dropped photo")
    assert np.array_equal(window.editor.document.photo, expected)
    QApplication.clipboard().setImage(photo_image(face[2]))
    key(window, Qt.Key.Key_V, CTRL)
    wait(lambda: window.editor.document.name == "pasted photo")
    assert np.array_equal(window.editor.document.photo, expected)
    assert np.array_equal(imaging.read_photo(window.editor.document.origin.data), face[2])
    QApplication.clipboard().setText("no image")
    window.messages.clear()
    key(window, Qt.Key.Key_V, CTRL)
    assert window.messages[0][0] == "error"


def test_paste_where_nothing_was_ever_copied(window, monkeypatch):
    """Some systems have no data at all then, not empty data."""
    clipboard = SimpleNamespace(mimeData=lambda: None)
    monkeypatch.setattr(QApplication, "clipboard", lambda: clipboard)
    window.files.paste()
    assert window.messages == [("error", "There is no image on the clipboard: copy one first.")]


def test_take_labels_from_another_face(window, answers, face):
    document = window.editor.document
    before = document.labels.tobytes()
    answers.ask_open = [face[1]]
    answers.ask_source = [Taken(frozenset({13}))]
    window.actions_by_id["open_source"].trigger()
    assert document.history.names == ["Take labels from anna_labels"]
    assert document.labels.tobytes() != before
    answers.ask_source = [None]
    window.files.others.take_file(face[0])
    assert len(document.history.names) == 1
    key(window, Qt.Key.Key_Z, CTRL)
    assert document.labels.tobytes() == before
    answers.ask_source = [Taken(None)]
    window.files.others.take_bundled("hopper")
    assert document.history.names == ["Take labels from hopper"]


@pytest.mark.slow
@pytest.mark.parametrize("remap", [True, False])
def test_a_label_map_in_another_class_order(window, answers, face, remap):
    theirs = np.argsort(BISENET_ORDER).astype(np.uint8)[face[3]]
    imaging.write_labels(face[1], theirs, kind="ids", overwrite=True)
    answers.ask_order = [remap]
    window.messages.clear()
    assert window.files.open(face[0])
    assert np.array_equal(window.editor.document.labels, face[3] if remap else theirs)
    told = [text for level, text in window.messages if level == "info" and "has been remapped" in text]
    assert len(told) == remap
    assert all("BiSeNet" in text for text in told)


@pytest.mark.parametrize(("press", "answer"), [("Remap", True), ("Leave as it is", False), ("Esc", False)])
def test_the_question_about_a_class_order(window, real_dialogs, press, answer):
    def act():
        box = QApplication.activeModalWidget()
        assert "FaRL" in box.text()
        if press == "Esc":
            QTest.keyClick(box, Qt.Key.Key_Escape)
        else:
            next(button for button in box.buttons() if button.text().replace("&", "") == press).click()

    QTimer.singleShot(50, act)
    assert real_dialogs(window).ask_order("FaRL, SegFace") is answer


# Saving


def test_save_and_open_a_session(window, answers, tmp_path):
    click(window, 60, 220)
    click(window, 160, 220)
    document = window.editor.document
    path = tmp_path / "work.maskedit"
    answers.ask_save = [path]
    key(window, Qt.Key.Key_S, CTRL)
    assert path.is_file()
    assert not document.is_modified
    assert not window.isWindowModified()
    labels = document.labels.tobytes()
    click(window, 90, 220)
    assert window.isWindowModified()
    key(window, Qt.Key.Key_S, CTRL)  # asks no more
    answers.ask_open = [path]
    key(window, Qt.Key.Key_O, CTRL)
    again = window.editor.document
    assert again is not document
    assert len(again.history.names) == 3
    key(window, Qt.Key.Key_Z, CTRL)
    assert again.labels.tobytes() == labels
    settle(window)


def test_the_unsaved_prompt(window, answers, tmp_path):
    click(window, 60, 220)
    answers.ask_unsaved = ["cancel"]
    window.close()
    assert window.isVisible()
    answers.ask_unsaved = ["save"]
    answers.ask_save = [None]  # the person gives up in the file dialog
    window.close()
    assert window.isVisible()
    (tmp_path / "folder.maskedit").mkdir()  # nobody can write a file there
    answers.ask_unsaved = ["save"]
    answers.ask_save = [tmp_path / "folder.maskedit"]
    window.close()
    assert window.isVisible()
    assert window.messages[-1][0] == "error"
    assert window.editor.document.is_modified
    answers.ask_unsaved = ["save"]
    answers.ask_save = [tmp_path / "good.maskedit"]
    window.close()
    assert not window.isVisible()
    assert (tmp_path / "good.maskedit").is_file()


def test_discard_closes(window, answers):
    click(window, 60, 220)
    answers.ask_unsaved = ["discard"]
    window.close()
    assert not window.isVisible()


def test_nothing_to_save_asks_nothing(window, answers):
    click(window, 60, 220)
    key(window, Qt.Key.Key_Z, CTRL)
    window.close()
    assert not window.isVisible()
    assert answers.asked == []


# Export


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [("result", "r.png"), ("result", "r.jpg"), ("result", "r.webp"), ("cutout", "c.png"), ("sheet", "s.png")],
)
@pytest.mark.parametrize("live", [True, False])
def test_export_pictures_of_the_present_labels(window, answers, tmp_path, kind, name, live):
    window.editor.render.set_live(live)
    drag(window, (60, 60), (190, 70))
    answers.ask_export = [Export(kind, 95)]
    answers.ask_save = [tmp_path / name]
    key(window, Qt.Key.Key_E, CTRL)
    wait(lambda: window.messages[-1] == ("info", f"Exported {name}."))
    picture = imaging.read_photo(tmp_path / name)
    expected = imaging.colourise(window.editor.document.labels)
    if kind == "result":
        assert np.abs(picture.astype(int) - expected).mean() < (0.01 if name.endswith("png") else 12)
    assert window.editor.render.live.enabled is live


@pytest.mark.parametrize("kind", ["palette", "ids"])
def test_export_label_maps(window, answers, tmp_path, kind):
    drag(window, (60, 60), (190, 70))
    answers.ask_export = [Export(kind, 95)]
    answers.ask_save = [tmp_path / "l.png"]
    key(window, Qt.Key.Key_E, CTRL)
    assert np.array_equal(imaging.read_labels(tmp_path / "l.png"), window.editor.document.labels)


def test_closing_waits_for_an_export(open_window, answers, tmp_path):
    window = open_window(FakeEngine(0.3))
    settle(window)
    click(window, 60, 220)
    answers.ask_export = [Export("result", 95)]
    answers.ask_save = [tmp_path / "r.png"]
    key(window, Qt.Key.Key_E, CTRL)
    assert not (tmp_path / "r.png").exists()
    assert window.messages[-1] == ("info", "r.png is written once the render is up to date.")
    window.close()
    assert window.isVisible()
    answers.ask_unsaved = ["discard"]
    wait(lambda: not window.isVisible())
    assert np.array_equal(imaging.read_photo(tmp_path / "r.png"), imaging.colourise(window.editor.document.labels))


@pytest.mark.parametrize("why", ["document", "error"])
def test_an_export_that_cannot_be_kept_says_so(open_window, answers, tmp_path, why):
    engine = FakeEngine(0.3)
    window = open_window(engine)
    settle(window)
    click(window, 60, 220)
    answers.ask_export = [Export("result", 95)]
    answers.ask_save = [tmp_path / "r.png"]
    if why == "error":
        engine.error = RuntimeError("shape mismatch.")
    key(window, Qt.Key.Key_E, CTRL)
    if why == "document":
        window.files.show_document(make_document(seed=3))
        reason = "another document was opened"
    else:
        wait(lambda: window.messages[-1][0] == "error")
        reason = "the render failed (RuntimeError: shape mismatch)"
    assert window.messages[-1] == ("error", f"r.png was not written: {reason}.")
    window.editor.render.render_now()
    settle(window)
    assert not (tmp_path / "r.png").exists()


@pytest.mark.parametrize("refused", [True, False])
def test_a_refused_close_waits_for_the_next_export_again(open_window, answers, tmp_path, refused):
    engine = FakeEngine(0.3)
    window = open_window(engine)
    settle(window)

    def export(name):
        answers.ask_export = [Export("result", 95)]
        answers.ask_save = [tmp_path / name]
        key(window, Qt.Key.Key_E, CTRL)

    click(window, 60, 220)
    if not refused:
        engine.error = RuntimeError("planted")
    export("a.png")
    window.close()
    assert window._close_at_once
    if refused:
        answers.ask_unsaved = ["cancel"]
        window.close()  # without the export, and then not at all
        wait((tmp_path / "a.png").is_file)
    else:
        wait(lambda: window.messages[-1][1].startswith("a.png was not written"))
    QTest.qWait(50)
    assert window.isVisible()
    assert answers.asked.count("ask_unsaved") == refused  # the close that was refused does not come back by itself
    click(window, 160, 220)
    export("b.png")
    window.close()
    assert window.isVisible()
    answers.ask_unsaved = ["discard"]
    wait(lambda: not window.isVisible())
    assert (tmp_path / "b.png").is_file()


def test_a_failing_export_says_so(window, answers, tmp_path):
    answers.ask_export = [Export("result", 95)]
    answers.ask_save = [tmp_path / "missing" / "r.png"]
    key(window, Qt.Key.Key_E, CTRL)
    assert window.messages[-1][0] == "error"


def test_nothing_is_overwritten_without_asking(window, answers, real_dialogs, monkeypatch, tmp_path):
    target = tmp_path / "mine.png"
    target.write_bytes(b"precious")
    answers.dialogs.ask_save = real_dialogs(window).ask_save
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "mine"), "PNG (*.png)"))
    answers.ask_export = [Export("ids", 95), Export("ids", 95)]
    answers.ask_overwrite = [False, True]
    key(window, Qt.Key.Key_E, CTRL)
    assert target.read_bytes() == b"precious"
    key(window, Qt.Key.Key_E, CTRL)
    assert np.array_equal(imaging.read_labels(target), window.editor.document.labels)


@pytest.mark.parametrize(
    ("typed", "chosen", "path"),
    [
        ("anna", "", "anna.png"),
        ("anna", "JPEG (*.jpg *.jpeg)", "anna.jpg"),
        ("anna.jpeg", "PNG (*.png)", "anna.jpeg"),
        ("anna.2024", "PNG (*.png)", "anna.2024.png"),
    ],
)
def test_a_file_gets_the_ending_of_its_kind(window, real_dialogs, monkeypatch, tmp_path, typed, chosen, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / typed), chosen))
    filters = "PNG (*.png);;JPEG (*.jpg *.jpeg)"
    assert real_dialogs(window).ask_save("Export", tmp_path / "suggested.png", filters) == tmp_path / path

"""Label maps from elsewhere: other shapes than the square, lossy files, and what they have to say."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.gui.dialogs.export import Export
from maskedit.gui.dialogs.source import Taken
from maskedit.imaging import SourcePhoto
from maskedit.labels import palette
from maskedit.opening.documents import source_photo, square_document
from tests.faces import draw_face


@pytest.fixture
def wide(tmp_path):
    """A photo of 720 x 480 px with its label map beside it: the face is in the middle, hair on both sides."""
    photo, labels = draw_face(480, 3)
    photo = np.pad(photo, ((0, 0), (120, 120), (0, 0)), mode="edge")
    labels = np.pad(labels, ((0, 0), (120, 120)), constant_values=13)
    imaging.write_photo(tmp_path / "wide.png", photo)
    imaging.write_labels(tmp_path / "wide_labels.png", labels, kind="palette")
    return tmp_path / "wide.png", tmp_path / "wide_labels.png", labels


def take_all(document, face, styles, colour_blind, preview):
    assert face.labels.shape == document.labels.shape
    return Taken(None)


def test_a_wide_source_is_cropped_as_a_wide_photo_is(window, answers, wide):
    answers.ask_source = [take_all]
    window.files.others.take_file(wide[1])
    document = window.editor.document
    assert np.array_equal(document.labels, imaging.square_labels(wide[2], document.width))
    assert np.array_equal(document.labels, imaging.resize_labels(wide[2][:, 120:600], (256, 256)))
    answers.ask_unsaved = ["discard"]
    assert window.files.open(wide[0])
    assert np.array_equal(window.editor.document.labels, imaging.square_labels(wide[2], 512))


@pytest.mark.slow
@pytest.mark.parametrize("by", ["file", "pixels", "session"])
def test_another_label_map_for_a_wide_photo(window, answers, wide, tmp_path, by):
    if by == "pixels":
        photo = SourcePhoto(imaging.png_bytes(imaging.read_photo(wide[0])), "wide")
        window.files.show_document(square_document(photo, wide[2]))
    else:
        window.files.open(wide[0])
    if by == "session":
        session.save_session(tmp_path / "wide.maskedit", window.editor.document)
        window.files.open(tmp_path / "wide.maskedit")
    first = window.editor.document
    assert source_photo(first).size == (720, 480)
    other = wide[2].copy()
    other[:, :200] = 17
    imaging.write_labels(tmp_path / "other.png", imaging.resize_labels(other, (1440, 960)), kind="ids")
    square = np.full((100, 100), 18, np.uint8)
    imaging.write_labels(tmp_path / "square.png", square, kind="ids")
    for name, expected in (("other.png", imaging.square_labels(other, 512)), ("square.png", np.full((512, 512), 18))):
        window.files.open_labels(tmp_path / name)
        document = window.editor.document
        assert np.abs(document.labels != expected).mean() < 0.01
        assert np.array_equal(document.photo, first.photo)
        assert document.name == "wide"
    imaging.write_labels(tmp_path / "tall.png", square[:, :50], kind="ids")
    window.files.open_labels(tmp_path / "tall.png")
    assert window.editor.document is document
    level, text = window.messages[-1]
    assert level == "error"
    assert "50 x 100 px" in text
    assert "720 x 480 px" in text


@pytest.fixture
def notable(tmp_path, wide):
    """A label map whose palette was sorted by an optimiser: it is read, with a note."""
    order = np.roll(np.arange(19), 5)
    image = Image.fromarray(np.argsort(order).astype(np.uint8)[wide[2]])
    image.putpalette(palette()[order].tobytes())
    image.save(tmp_path / "sorted.png")
    return tmp_path / "sorted.png"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["open", "labels", "source"])
def test_what_a_label_map_has_to_say_is_told_once(window, answers, wide, notable, way):
    if way == "open":
        assert window.files.open(wide[0], notable)
    elif way == "labels":
        window.files.open(wide[0], wide[1])
        window.messages.clear()
        window.files.open_labels(notable)
    else:
        answers.ask_source = [take_all]
        window.files.others.take_file(notable)
    document = window.editor.document
    assert np.array_equal(document.labels, imaging.square_labels(wide[2], document.width))
    (message,) = window.messages
    assert message[0] == "info"
    assert message[1].startswith("sorted.png: ")
    assert all(note in message[1] for note in imaging.read_label_file(notable).notes)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["open", "source"])
def test_a_lossy_label_map_is_read_when_the_person_wants_it(window, answers, wide, tmp_path, way):
    path = tmp_path / "lossy.jpg"
    Image.fromarray(imaging.colourise(wide[2])).save(path, quality=95)
    before = window.editor.document

    def go():
        if way == "open":
            window.files.open(wide[0], path)
        else:
            window.files.others.take_file(path)

    answers.ask_lossy = [False]
    go()
    assert window.editor.document is before
    assert not before.is_modified
    assert [level for level, _ in window.messages] == ["error"]
    assert "lossy.jpg" in window.messages[0][1]
    window.messages.clear()
    answers.ask_lossy = [lambda text: "lossy" in text]
    answers.ask_source = [take_all]
    go()
    document = window.editor.document
    assert np.mean(document.labels != imaging.square_labels(wide[2], document.width)) < 0.05
    assert [level for level, _ in window.messages] == ["info"]


@pytest.mark.slow
@pytest.mark.parametrize(("press", "answer"), [("Read it", True), ("Cancel", False), ("Esc", False)])
def test_the_question_about_lossy_files(window, real_dialogs, press, answer):
    def act():
        box = QApplication.activeModalWidget()
        assert box.textFormat() == Qt.TextFormat.PlainText
        if press == "Esc":
            QTest.keyClick(box, Qt.Key.Key_Escape)
        else:
            next(button for button in box.buttons() if button.text().replace("&", "") == press).click()

    QTimer.singleShot(50, act)
    assert real_dialogs(window).ask_lossy("<b>.jpg is lossy.") is answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("anna", "anna"),
        ("anna.2024", "anna.2024"),
        ("../../.ssh/keys", "keys"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\x", "x"),
        ("..", "face"),
        ("", "face"),
        ("a/", "a"),
        ("\0", "face"),
    ],
)
def test_names_from_a_session_are_no_paths(window, answers, name, stem):
    photo, labels = draw_face(64, 0)
    window.files.show_document(Document(photo, labels, name=name))
    folder = window.files._folder()
    suggested = []
    answers.ask_export = [Export("ids", 95)]
    answers.ask_save = [lambda title, suggestion, filters: suggested.append(suggestion)] * 2
    window.files.save_as()
    window.files.export_dialog()
    assert [path.name for path in suggested] == [f"{stem}.maskedit", f"{stem}_face_labels.png"]
    assert {str(path.parent) for path in suggested} == {folder}

"""The questions the window asks, as the person sees them."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import maskedit
from maskedit.gui.dialogs.export import Export, ExportDialog
from maskedit.gui.dialogs.source import SourceDialog, Taken
from maskedit.gui.qimage import image_photo
from maskedit.labels import FACE_PARTS, palette
from maskedit.opening.other_face import OtherFace
from tests.gui.harness import make_document


def test_the_source_dialog(window):
    document, other = window.editor.document, make_document(seed=7)
    dialog = SourceDialog(document, OtherFace("other", other.labels), {}, window)
    assert dialog.taken() == Taken(frozenset(FACE_PARTS["Smile"]))
    dialog.tick(range(19))
    assert dialog.taken() == Taken(None)
    dialog.tick(())
    assert dialog.taken() == Taken(frozenset())
    assert not dialog.buttons.buttons()[0].isEnabled()
    dialog.boxes[13].click()
    assert dialog.taken() == Taken(frozenset({13}))
    assert not dialog.what.isEnabled()
    assert not any(box.isEnabled() for box in dialog.style_boxes.values())
    assert "not there" in dialog.boxes[14].text()
    shown = image_photo(dialog._after.pixmap().toImage())
    assert shown.shape == (220, 220, 3)
    dialog.deleteLater()


@pytest.mark.parametrize("colour_blind", [False, True])
def test_the_source_dialog_shows_the_palette_of_the_canvas(window, answers, colour_blind):
    if colour_blind:
        window.actions_by_id["colour_blind"].trigger()
    hats = np.full((100, 100), 14, np.uint8)

    def look(document, face, styles, palette_of, preview):
        dialog = SourceDialog(document, face, styles, window, colour_blind=palette_of)
        dialog.tick(range(19))
        shown = image_photo(dialog._after.pixmap().toImage())
        assert (shown == palette(colour_blind=colour_blind)[14]).all()
        dialog.deleteLater()

    answers.ask_source = [look]
    window.files.others.take(OtherFace("hats", hats))
    assert answers.asked == ["ask_source"]


def test_the_export_dialog(window):
    dialog = ExportDialog(window)
    assert dialog.choice() == Export("photo", 95)
    dialog.kind.setCurrentIndex(2)
    dialog.quality.setValue(80)
    assert dialog.choice() == Export("palette", 80)
    dialog.deleteLater()


def test_about(window, answers, tmp_path):
    told = []
    answers.about = [lambda *arguments: told.extend(arguments)]
    window.actions_by_id["about"].trigger()
    assert told == ["fake", "fake.safetensors, for tests only", tmp_path / "maskedit.log"]


@pytest.mark.parametrize("weights", ["w.safetensors\nLicence: <b>non-commercial</b>", ""])
def test_the_about_box(window, real_dialogs, weights):
    texts = []

    def act():
        box = QApplication.activeModalWidget()
        assert box.textFormat() == Qt.TextFormat.PlainText  # a card's lines are a stranger's
        texts.append(box.text())
        box.accept()

    QTimer.singleShot(50, act)
    real_dialogs(window).about("CPU float32, 256 px", weights, Path("logs/maskedit.log"))
    assert f"maskedit {maskedit.__version__}" in texts[0]
    assert "Engine: CPU float32, 256 px" in texts[0]
    assert (weights or "not loaded") in texts[0]
    assert str(Path("logs/maskedit.log")) in texts[0]


@pytest.mark.parametrize(("letter", "answer"), [("D", "discard"), ("C", "cancel"), (None, "cancel")])
def test_questions_are_answered_by_alt_and_a_letter(window, real_dialogs, letter, answer):
    def act():
        box = QApplication.activeModalWidget()
        if letter is None:
            QTest.keyClick(box, Qt.Key.Key_Escape)
        else:
            next(button for button in box.buttons() if button.shortcut().toString() == f"Alt+{letter}").click()

    QTimer.singleShot(50, act)
    assert real_dialogs(window).ask_unsaved("me") == answer

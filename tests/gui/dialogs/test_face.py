"""Choosing one of several faces, with real events."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox

from maskedit.gui.dialogs import face as face_dialog
from maskedit.gui.dialogs.face import THUMBNAIL, FaceDialog
from maskedit.gui.qimage import image_photo
from maskedit.imaging import Square
from tests.gui.harness import LEFT, NONE

PHOTO = np.full((400, 900, 3), 120, np.uint8)
THREE = [Square(150, 200, 200), Square(450, 200, 150, 20), Square(750, 200, 120, -15)]


@pytest.fixture
def make(qapp):
    dialogs = []

    def make(squares):
        dialog = FaceDialog(PHOTO, squares)
        dialogs.append(dialog)
        dialog.show()
        QTest.qWaitForWindowExposed(dialog, 2000)
        return dialog

    yield make
    for dialog in dialogs:
        dialog.close()
        dialog.deleteLater()


def many(count: int) -> list[Square]:
    return [Square(30 + 85 * (i % 10), 40 + 75 * (i // 10), 60) for i in range(count)]


def face(dialog, index: int):
    return dialog.view.outline(index).boundingRect().center().toPoint()


def thumbnail(dialog, index: int):
    return dialog.list.visualItemRect(dialog.list.item(index)).center()


def answer(real_dialogs, act, squares=THREE):
    """What ask_face says when ``act`` deals with its dialog."""
    QTimer.singleShot(50, lambda: act(QApplication.activeModalWidget()))
    return real_dialogs(None).ask_face(PHOTO, squares)


def test_the_first_face_is_chosen_to_begin_with(make):
    dialog = make(THREE)
    assert dialog.chosen() == 0
    assert [dialog.list.item(row).text() for row in range(3)] == ["1", "2", "3"]
    assert dialog.list.item(2).data(Qt.ItemDataRole.AccessibleTextRole) == "Face 3"


def test_a_click_on_the_photo_or_on_a_thumbnail(make):
    dialog = make(THREE)
    QTest.mouseClick(dialog.view, LEFT, NONE, face(dialog, 2))
    assert dialog.chosen() == 2
    QTest.mouseClick(dialog.list.viewport(), LEFT, NONE, thumbnail(dialog, 1))
    assert dialog.chosen() == 1
    beside = (dialog.view.photo_rect().topLeft() + QPointF(4, 4)).toPoint()
    QTest.mouseClick(dialog.view, LEFT, NONE, beside)
    QTest.mouseClick(dialog.view, Qt.MouseButton.RightButton, NONE, face(dialog, 0))
    assert dialog.chosen() == 1


def test_of_squares_that_overlap_the_smaller_one_is_meant(make):
    dialog = make([Square(450, 200, 390), Square(450, 200, 100)])
    assert dialog.view.face_at(QPointF(face(dialog, 0))) == 1


def test_keys(make):
    dialog = make(THREE)
    QTest.keyClick(dialog.list, Qt.Key.Key_3)
    assert dialog.chosen() == 2
    QTest.keyClick(dialog.list, Qt.Key.Key_9)  # there is none
    assert dialog.chosen() == 2
    QTest.keyClick(dialog.list, Qt.Key.Key_Left)
    assert dialog.chosen() == 1
    dialog.crop_button.setFocus()
    QTest.keyClick(dialog.crop_button, Qt.Key.Key_1)
    assert dialog.chosen() == 0


def test_numbers_of_two_digits(make, monkeypatch):
    dialog = make(many(50))
    QTest.keyClicks(dialog.list, "42")
    assert dialog.chosen() == 41
    QTest.keyClicks(dialog.list, "7")  # 427 is none
    assert dialog.chosen() == 6
    monkeypatch.setattr(face_dialog, "WINDOW", -1.0)  # as if one had waited
    QTest.keyClicks(dialog.list, "1")
    QTest.keyClicks(dialog.list, "2")
    assert dialog.chosen() == 1


def test_fifty_faces_scroll(make):
    dialog = make(many(50))
    assert dialog.list.verticalScrollBar().maximum() > 0
    QTest.mouseClick(dialog.view, LEFT, NONE, face(dialog, 49))
    assert dialog.list.viewport().rect().contains(thumbnail(dialog, 49))
    assert dialog.height() <= 800


def test_squares_are_outlined_and_the_chosen_one_in_another_colour(make):
    dialog = make(THREE)

    def lower_edge(index):
        polygon = dialog.view.outline(index)
        middle = ((polygon[2] + polygon[3]) / 2).toPoint()
        image = image_photo(dialog.view.grab().toImage())
        return image[middle.y() - 2 : middle.y() + 3, middle.x() - 2 : middle.x() + 3].reshape(-1, 3).astype(int)

    assert lower_edge(1).max() > 200
    assert (np.ptp(lower_edge(1), axis=1) < 30).all()  # white on black
    QTest.keyClick(dialog.list, Qt.Key.Key_2)
    assert np.ptp(lower_edge(1), axis=1).max() > 100  # blue


def test_thumbnails_show_the_squares(make):
    dialog = make(THREE)
    size = dialog.list.item(0).icon().actualSize(dialog.list.iconSize())
    assert (size.width(), size.height()) == (THUMBNAIL, THUMBNAIL)


def test_ask_face_by_enter(qapp, real_dialogs):
    def act(dialog):
        QTest.keyClick(dialog.list, Qt.Key.Key_2)
        QTest.keyClick(dialog.list, Qt.Key.Key_Return)

    assert answer(real_dialogs, act) == 1


def test_ask_face_by_the_button(qapp, real_dialogs):
    def act(dialog):
        QTest.mouseClick(dialog.view, LEFT, NONE, face(dialog, 1))
        QTest.mouseClick(dialog.buttons.button(QDialogButtonBox.StandardButton.Ok), LEFT)

    assert answer(real_dialogs, act) == 1


def test_ask_face_by_double_clicks(qapp, real_dialogs):
    def on_photo(dialog):
        QTest.mouseClick(dialog.view, LEFT, NONE, face(dialog, 2))
        QTest.mouseDClick(dialog.view, LEFT, NONE, face(dialog, 2))

    def on_list(dialog):
        QTest.mouseClick(dialog.list.viewport(), LEFT, NONE, thumbnail(dialog, 1))
        QTest.mouseDClick(dialog.list.viewport(), LEFT, NONE, thumbnail(dialog, 1))

    assert answer(real_dialogs, on_photo) == 2
    assert answer(real_dialogs, on_list) == 1


def test_none_of_these(qapp, real_dialogs):
    assert answer(real_dialogs, lambda dialog: QTest.mouseClick(dialog.crop_button, LEFT)) == "crop"


def test_cancel(qapp, real_dialogs):
    assert answer(real_dialogs, lambda dialog: QTest.keyClick(dialog, Qt.Key.Key_Escape)) is None

"""Placing the square by hand, with real events."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from maskedit.gui.dialogs.crop import PREVIEW, CropDialog, halvings
from maskedit.gui.dialogs.square_view import MIN_SIDE, limited
from maskedit.gui.qimage import image_photo
from maskedit.imaging import Square, cut_square
from tests.gui.harness import CTRL, LEFT, NONE, SHIFT, wait

WIDTH, HEIGHT = 640, 480
START = Square(300, 250, 200, 10)


@pytest.fixture
def photo():
    ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)
    return np.stack([np.tile(ramp, (HEIGHT, 1)), np.full((HEIGHT, WIDTH), 80, np.uint8), np.tile(ramp, (HEIGHT, 1))], 2)


@pytest.fixture
def dialog(qapp, photo):
    dialog = shown(CropDialog(photo, START))
    yield dialog
    dialog.close()
    dialog.deleteLater()


def shown(dialog):
    dialog.show()
    QTest.qWaitForWindowExposed(dialog, 2000)
    return dialog


def drag(view, start: QPointF, *, by: QPoint) -> None:
    start = start.toPoint()
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + by / 2)
    QTest.mouseMove(view, start + by)
    QTest.mouseRelease(view, LEFT, NONE, start + by)


def turn_wheel(view, notches: float, modifiers=NONE, *, sideways: bool = False) -> None:
    place, delta = QPointF(view.rect().center()), round(120 * notches)
    event = QWheelEvent(
        place, view.mapToGlobal(place), QPoint(), QPoint(delta, 0) if sideways else QPoint(0, delta),
        Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def centre(view) -> QPointF:
    return view.to_view(QPointF(view.square.x, view.square.y))


def test_no_square_starts_in_the_middle(qapp, photo):
    dialog = CropDialog(photo, None)
    assert dialog.square == Square(WIDTH / 2, HEIGHT / 2, 0.8 * HEIGHT)
    dialog.deleteLater()


def test_a_given_square_is_taken_exactly(qapp, photo):
    square = Square(300.25, 250.125, 199.9, 10.04)  # finer than the boxes show
    dialog = CropDialog(photo, square)
    assert dialog.square == square
    assert dialog.size_box.value() == 200
    dialog.deleteLater()


def test_dragging_inside_moves_by_the_right_number_of_pixels(dialog):
    view = dialog.view
    scale = (view.to_view(QPointF(100, 0)) - view.to_view(QPointF(0, 0))).x() / 100
    drag(view, centre(view) + QPointF(20, 10), by=QPoint(60, -30))
    moved = dialog.square
    assert (moved.x, moved.y) == pytest.approx((START.x + 60 / scale, START.y - 30 / scale), abs=0.01)
    assert (moved.side, moved.degrees) == (START.side, START.degrees)


def test_another_button_or_a_place_outside_moves_nothing(dialog):
    view = dialog.view
    QTest.mousePress(view, Qt.MouseButton.RightButton, NONE, centre(view).toPoint())
    QTest.mouseMove(view, centre(view).toPoint() + QPoint(40, 40))
    QTest.mouseRelease(view, Qt.MouseButton.RightButton, NONE, centre(view).toPoint())
    drag(view, view.to_view(QPointF(20, 20)), by=QPoint(50, 50))
    assert dialog.square == START


@pytest.mark.parametrize("corner", range(4))
def test_dragging_a_corner_scales_about_the_centre(dialog, corner):
    view = dialog.view
    place = view.corners()[corner].toPoint()
    away = QPointF(place) - centre(view)
    drag(view, QPointF(place), by=(away * 0.25).toPoint())
    scaled = dialog.square
    assert scaled.side == pytest.approx(1.25 * START.side, rel=0.01)
    assert replace(scaled, side=START.side) == START


def test_dragging_the_knob_turns(dialog):
    view = dialog.view
    middle, knob = centre(view), view.knob().toPoint()
    assert view.knob().x() > middle.x()  # the square leans to the right
    arm = QPointF(knob) - middle
    aside = QPointF(-arm.y(), arm.x())  # a quarter clockwise from the knob
    drag(view, QPointF(knob), by=(middle + aside).toPoint() - knob)
    assert dialog.square.degrees == pytest.approx(100, abs=0.6)
    assert replace(dialog.square, degrees=START.degrees) == START


def test_the_wheel_scales_and_turns(dialog):
    turn_wheel(dialog.view, 1)
    assert dialog.square.side == pytest.approx(1.04 * START.side)
    turn_wheel(dialog.view, -0.5)  # a trackpad
    turn_wheel(dialog.view, -0.5)
    assert dialog.square.side == pytest.approx(START.side)
    turn_wheel(dialog.view, 2, SHIFT)
    turn_wheel(dialog.view, 3, CTRL)
    turn_wheel(dialog.view, 1, SHIFT, sideways=True)
    assert dialog.square.degrees == pytest.approx(START.degrees + 6)


@pytest.mark.parametrize(
    ("key", "modifiers", "expected"),
    [
        (Qt.Key.Key_Left, NONE, {"x": 298}),
        (Qt.Key.Key_Right, SHIFT, {"x": 300.2}),
        (Qt.Key.Key_Up, SHIFT, {"y": 249.8}),
        (Qt.Key.Key_Down, NONE, {"y": 252}),
        (Qt.Key.Key_Plus, NONE, {"side": 202}),
        (Qt.Key.Key_Equal, NONE, {"side": 202}),
        (Qt.Key.Key_Minus, NONE, {"side": 200 / 1.01}),
        (Qt.Key.Key_Comma, NONE, {"degrees": 9}),
        (Qt.Key.Key_Period, NONE, {"degrees": 11}),
    ],
)
def test_keys(dialog, key, modifiers, expected):
    dialog.view.setFocus()
    QTest.keyClick(dialog.view, key, modifiers)
    wanted = replace(START, **expected)
    for name in ("x", "y", "side", "degrees"):
        assert getattr(dialog.square, name) == pytest.approx(getattr(wanted, name))


def test_the_controls_follow_and_lead(dialog):
    dialog.view.set_square(Square(300, 250, 120, -33.5))
    assert dialog.size_box.value() == 120
    assert dialog.turn_box.value() == -33.5
    assert dialog.turn_slider.value() in (-34, -33)
    assert dialog.square == Square(300, 250, 120, -33.5)  # not what the controls round it to
    dialog.size_box.setValue(150)
    dialog.turn_box.setValue(7.5)
    assert dialog.square == Square(300, 250, 150, 7.5)
    dialog.turn_slider.setValue(-90)
    assert dialog.square.degrees == -90
    dialog.size_slider.setValue(dialog.size_slider.maximum())
    assert dialog.square.side == pytest.approx(2 * WIDTH)
    dialog.size_slider.setValue(0)
    assert dialog.square.side == MIN_SIDE


def test_quarter_turns_and_reset(dialog):
    dialog.right.click()
    assert dialog.square.degrees == 100
    dialog.right.click()
    assert dialog.square.degrees == -170  # half a turn and ten degrees
    dialog.left.click()
    dialog.left.click()
    assert dialog.square == START
    dialog.view.set_square(Square(1, 1, 600, 45))
    dialog.reset.click()
    assert dialog.square == START


def test_limits(dialog):
    drag(dialog.view, centre(dialog.view), by=QPoint(-2000, -2000))
    assert (dialog.square.x, dialog.square.y) == (0, 0)
    turn_wheel(dialog.view, 200)
    assert dialog.square.side == 2 * WIDTH
    turn_wheel(dialog.view, -400)
    assert dialog.square.side == MIN_SIDE
    assert limited(Square(9999, 9999, 100, 720), width=WIDTH, height=HEIGHT) == Square(WIDTH, HEIGHT, 100, 0)
    assert limited(Square(3, 3, 9999), width=10, height=5).side == MIN_SIDE  # a photo smaller than any square


def test_a_square_beyond_the_photo_stays_in_sight_with_its_handles(dialog):
    dialog.view.set_square(Square(0, 0, 2 * WIDTH, 45))
    for handle in (*dialog.view.corners(), dialog.view.knob()):
        assert dialog.view.rect().contains(handle.toPoint())


def test_under_a_dragging_hand_the_view_stays_as_it_is(dialog):
    view = dialog.view
    start = centre(view).toPoint()
    QTest.mousePress(view, LEFT, NONE, start)
    QTest.mouseMove(view, start + QPoint(-150, 0))
    QTest.mouseMove(view, start + QPoint(-300, 0))
    assert centre(view).x() <= start.x() - 200
    before = view.to_view(QPointF(0, 0))
    QTest.mouseMove(view, start + QPoint(-310, 0))
    assert view.to_view(QPointF(0, 0)) == before
    QTest.mouseRelease(view, LEFT, NONE, start + QPoint(-310, 0))
    assert view.to_view(QPointF(0, 0)) != before  # now the whole square is in sight again


def test_the_cursor_tells_what_a_drag_would_do(dialog):
    view = dialog.view
    for place, shape in (
        (centre(view), Qt.CursorShape.SizeAllCursor),
        (view.corners()[0], Qt.CursorShape.SizeFDiagCursor),
        (view.corners()[1], Qt.CursorShape.SizeBDiagCursor),
        (view.knob(), Qt.CursorShape.PointingHandCursor),
        (QPointF(3, 3), Qt.CursorShape.ArrowCursor),
    ):
        QTest.mouseMove(view, place.toPoint())
        assert view.cursor().shape() == shape


def test_the_preview_shows_the_square(dialog, photo):
    dialog.view.set_square(Square(400, 200, 150, 90))
    expected = cut_square(photo, dialog.square, PREVIEW)

    def same():
        got = image_photo(dialog.preview.pixmap().toImage())
        return got.shape == expected.shape and (got == expected).all(axis=2).mean() > 0.95  # the marks lie over it

    wait(same, 5)
    got = image_photo(dialog.preview.pixmap().toImage())
    for x, y in ((0.378, 0.477), (0.623, 0.477), (0.502, 0.737)):
        assert got[round(y * PREVIEW), round(x * PREVIEW)].min() > 200  # the marks' middles are white


def test_outside_is_dimmed_and_the_marks_lie_over_the_photo(dialog, photo):
    dialog.view.clearFocus()
    got = image_photo(dialog.view.grab().toImage())

    def at(x, y):
        point = dialog.view.to_view(QPointF(x, y)).toPoint()
        return got[point.y(), point.x()].astype(int)

    assert abs(at(310, 290) - photo[290, 310]).max() <= 4
    assert at(600, 400).sum() < 0.6 * photo[400, 600].sum()
    matrix = START.matrix(1)
    eye = matrix[:, :2] @ [0.378, 0.477] + matrix[:, 2]
    assert at(*eye).min() > 180


def test_the_preview_of_a_large_photo_comes_from_a_smaller_one():
    levels = halvings(np.zeros((5000, 3000, 3), np.uint8), longest=1000)
    assert [level.shape[0] for level in levels] == [5000, 2500, 1250, 625]
    assert halvings(levels[-1])[0] is levels[-1]


def test_a_large_photo(qapp):
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[1000:2000, 2000:3000] = 200
    dialog = CropDialog(photo, Square(2500, 1500, 1000))
    for side, grey in ((1000, 200), (100, 200), (4000, 0)):
        dialog.view.set_square(Square(2500, 1500, side))
        dialog._show_preview()
        got = image_photo(dialog.preview.pixmap().toImage())
        assert abs(int(got[5, 5, 0]) - grey) < 30
    dialog.deleteLater()


def test_the_note_stands_on_top_as_plain_text(qapp, photo):
    dialog = CropDialog(photo, None, "No face in <b>me</b>.jpg")
    notes = [label for label in dialog.findChildren(QLabel) if "me" in label.text()]
    assert [label.textFormat() for label in notes] == [Qt.TextFormat.PlainText]
    dialog.deleteLater()


def test_every_control_has_a_name_and_a_place_in_the_tab_order(dialog):
    for widget in (dialog.view, dialog.size_slider, dialog.size_box, dialog.turn_slider, dialog.turn_box):
        assert widget.accessibleName()
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_ask_crop_returns_the_square(qapp, photo, real_dialogs):
    def act():
        dialog = QApplication.activeModalWidget()
        QTest.keyClick(dialog.view, Qt.Key.Key_Period)
        QTest.keyClick(dialog.view, Qt.Key.Key_Return)  # the default button

    QTimer.singleShot(50, act)
    square = real_dialogs(None).ask_crop(photo, START, "a note")
    assert square.degrees == pytest.approx(11)
    assert math.isclose(square.side, 200)


def test_ask_crop_cancelled(qapp, photo, real_dialogs):
    QTimer.singleShot(50, lambda: QTest.keyClick(QApplication.activeModalWidget().view, Qt.Key.Key_Escape))
    assert real_dialogs(None).ask_crop(photo, None) is None

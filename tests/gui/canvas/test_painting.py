"""What the pointer does on the canvas, through real mouse events."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from maskedit.gui.qimage import image_photo
from maskedit.labels import BY_NAME, LABELS, MIRROR
from tests.gui.harness import ALT, CTRL, LEFT, MIDDLE, NONE, RIGHT, SHIFT, SIDE, at, click, disc, drag, key, wheel

HAIR, SKIN, HAT = BY_NAME["hair"].id, BY_NAME["skin"].id, BY_NAME["hat"].id


@pytest.fixture
def editor(window):
    window.editor.set_label(HAT)
    window.editor.set_brush(20)
    return window.editor


@pytest.fixture
def document(editor):
    return editor.document


def test_a_click_paints_exactly_the_disc(window, document):
    before = document.snapshot()
    click(window, 100, 90)
    mask = disc(window.canvas.to_image(QPointF(at(window, 100, 90))), 20)
    assert (document.labels[mask] == HAT).all()
    assert np.array_equal(document.labels[~mask], before[~mask])
    assert document.history.names == ["Brush hat"]


def test_one_drag_is_one_undo(window, document):
    before = document.labels.tobytes()
    drag(window, (40, 40), (90, 120), (200, 60), (201, 200))
    after = document.labels.tobytes()
    assert after != before
    key(window, Qt.Key.Key_Z, CTRL)
    assert document.labels.tobytes() == before
    assert not document.can_undo
    key(window, Qt.Key.Key_Y, CTRL)
    assert document.labels.tobytes() == after


def test_a_fast_drag_leaves_no_gaps(window, document):
    drag(window, (30, 128), (220, 128))
    assert (document.labels[128, 25:225] == HAT).all()


def test_a_stroke_that_changes_nothing_leaves_no_entry(window, editor, document):
    click(window, 100, 90)
    click(window, 100, 90)
    assert document.history.names == ["Brush hat"]


def test_escape_restores_the_bytes(window, document):
    before = document.labels.tobytes()
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 60))
    QTest.mouseMove(window.canvas, at(window, 160, 160))
    assert document.labels.tobytes() != before
    key(window, Qt.Key.Key_Escape)
    assert document.labels.tobytes() == before
    QTest.mouseMove(window.canvas, at(window, 60, 160))
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 60, 160))
    assert document.labels.tobytes() == before
    assert not document.can_undo


def test_undo_in_the_middle_of_a_stroke_takes_back_the_stroke_alone(window, document):
    click(window, 60, 60)
    before = document.labels.tobytes()
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 160, 160))
    key(window, Qt.Key.Key_Z, CTRL)
    assert document.labels.tobytes() == before
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 160, 160))
    assert document.history.position == 1


@pytest.mark.parametrize("how", ["focus", "tool", "document"])
def test_a_stroke_ends_with_its_ground(window, editor, document, how):
    before = document.labels.tobytes()
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 60))
    QTest.mouseMove(window.canvas, at(window, 160, 160))
    if how == "focus":
        window.canvas.clearFocus()
    elif how == "tool":
        editor.set_tool("fill")
    else:
        window.files.show_document(document.copy())
        QTest.mouseMove(window.canvas, at(window, 60, 160))
        QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 60, 160))
        assert editor.document.stroke is None
        return
    assert document.labels.tobytes() == before
    assert document.stroke is None


def test_the_right_button_erases(window, document):
    drag(window, (100, 128), (150, 128), button=RIGHT)
    assert (document.labels[128, 100:150] == 0).all()
    assert document.history.names == ["Brush background"]


def test_a_second_button_does_not_end_the_stroke(window, document):
    QTest.mousePress(window.canvas, LEFT, NONE, at(window, 60, 60))
    QTest.mousePress(window.canvas, RIGHT, NONE, at(window, 60, 60))
    QTest.mouseRelease(window.canvas, RIGHT, NONE, at(window, 60, 60))
    assert document.stroke is not None
    QTest.mouseRelease(window.canvas, LEFT, NONE, at(window, 60, 60))
    assert document.stroke is None
    assert document.history.names == ["Brush hat"]


def test_ctrl_click_picks(window, editor, document):
    revision = document.revision
    click(window, 128, 150, modifiers=CTRL)
    assert editor.label == document.label_at(128, 150) != HAT
    assert document.revision == revision


def test_the_picker_picks(window, editor, document):
    key(window, Qt.Key.Key_I)
    click(window, 128, 150)
    assert editor.label == document.label_at(128, 150)


def test_shift_click_paints_a_straight_line(window, document):
    click(window, 30, 40)
    click(window, 220, 210, modifiers=SHIFT)
    steps = np.linspace(0, 1, 300)
    rows, columns = 40 + 170 * steps, 30 + 190 * steps
    assert (document.labels[rows.astype(int), columns.astype(int)] == HAT).all()
    assert (document.labels == HAT).sum() < 300 * 24


def test_the_lasso_by_drag(window, document):
    key(window, Qt.Key.Key_P)
    drag(window, (60, 60), (180, 60), (180, 180), (60, 180))
    assert (document.labels[62:178, 62:178] == HAT).all()
    assert (document.labels == HAT).sum() == pytest.approx(121 * 121, rel=0.04)
    assert document.history.names == ["Lasso hat"]


def test_the_lasso_by_clicks(window, document):
    key(window, Qt.Key.Key_P)
    for point in ((60, 60), (180, 60), (180, 180), (20, 20)):
        click(window, *point)
    assert not document.can_undo
    key(window, Qt.Key.Key_Backspace)
    key(window, Qt.Key.Key_Return)
    assert document.labels[90, 150] == HAT
    assert document.labels[150, 90] != HAT
    assert window.canvas.tools.lasso == []


def test_a_trembling_click_is_still_a_corner(window, document):
    key(window, Qt.Key.Key_P)
    for x, y in ((60, 60), (180, 60), (180, 180)):
        point = at(window, x, y)
        QTest.mousePress(window.canvas, LEFT, NONE, point)
        QTest.mouseMove(window.canvas, point + QPointF(2, 1).toPoint())
        QTest.mouseRelease(window.canvas, LEFT, NONE, point)
    assert len(window.canvas.tools.lasso) == 3
    click(window, 60, 180)
    QTest.mouseDClick(window.canvas, LEFT, NONE, at(window, 60, 180))
    assert document.labels[120, 120] == HAT


def test_the_lasso_is_drawn_up_to_the_cursor(window, document):
    def whites():
        image = window.canvas.grab().toImage()
        middle = at(window, 120, 40)
        rows = range(middle.y() - 3, middle.y() + 4)
        return max(image.pixelColor(middle.x(), y).lightness() for y in rows)

    key(window, Qt.Key.Key_P)
    before = whites()
    click(window, 60, 40)
    QTest.mouseMove(window.canvas, at(window, 180, 40))
    assert whites() > max(before, 150)


def test_escape_drops_the_lasso(window, document):
    key(window, Qt.Key.Key_P)
    click(window, 60, 60)
    click(window, 90, 60)
    key(window, Qt.Key.Key_Escape)
    assert window.canvas.tools.lasso == []
    key(window, Qt.Key.Key_Return)
    assert not document.can_undo


def test_fill_and_fill_of_the_whole_class(window, document):
    brow = BY_NAME["l_brow"].id
    y, x = (int(v.mean()) for v in np.nonzero(document.labels == brow))
    key(window, Qt.Key.Key_F)
    click(window, x, y)
    assert (document.labels != brow).all()
    # Two dabs of the class, apart: the fill takes one, with Shift both.
    stroke = document.begin_stroke(16, diameter=12)
    stroke.move_to(30, 200)
    stroke.commit()
    stroke = document.begin_stroke(16, diameter=12)
    stroke.move_to(220, 200)
    stroke.commit()
    click(window, 30, 200)
    assert (document.labels == 16).any()
    click(window, 220, 200, modifiers=SHIFT)
    assert not (document.labels == 16).any()


def test_alt_drag_sets_the_size(window, editor, document):
    revision = document.revision
    drag(window, (100, 100), (130, 100), modifiers=ALT)
    assert editor.brush == pytest.approx(50, abs=2)
    drag(window, (130, 100), (0, 100), modifiers=ALT)
    assert editor.brush == 1
    assert document.revision == revision


def test_shift_drag_sets_the_size_and_paints_nothing(window, editor, document):
    click(window, 30, 40)
    revision = document.revision
    drag(window, (100, 100), (110, 100), (140, 100), modifiers=SHIFT)
    assert editor.brush == pytest.approx(50, abs=2)  # from where the drag began: a click that trembles sizes nothing
    assert document.revision == revision
    drag(window, (220, 210), (221, 211), modifiers=SHIFT)
    assert document.label_at(125, 125) == document.label_at(220, 210) == HAT
    assert editor.brush == pytest.approx(50, abs=2)
    QTest.mousePress(window.canvas, LEFT, SHIFT, at(window, 60, 200))
    key(window, Qt.Key.Key_Escape)
    QTest.mouseRelease(window.canvas, LEFT, SHIFT, at(window, 60, 200))
    assert document.history.position == 2


def test_shift_drag_with_another_tool_is_that_tool_s(window, editor, document):
    editor.set_tool("fill")
    label = document.label_at(100, 100)
    drag(window, (100, 100), (140, 100), modifiers=SHIFT)
    assert editor.brush == 20
    assert not (document.labels == label).any()


@pytest.mark.parametrize("corner", [(0, 0), (SIDE, 0), (0, SIDE), (SIDE, SIDE)])
def test_drags_over_the_corners_clip(window, document, corner):
    x, y = corner
    before = document.snapshot()
    drag(window, (x - 30, y - 30), (x, y), (x + 30, y - 30), (x + 30, y + 30))
    changed = document.labels != before
    assert changed[min(y, SIDE - 1), min(x, SIDE - 1)]
    away = np.ones_like(changed)
    rows, columns = slice(max(0, y - 50), y + 50), slice(max(0, x - 50), x + 50)
    away[rows, columns] = False
    assert not (changed & away).any()


def test_the_mirrored_brush(window, editor, document):
    key(window, Qt.Key.Key_M)
    editor.set_label(BY_NAME["l_eye"].id)
    click(window, 40, 220)
    partner = MIRROR[BY_NAME["l_eye"].id]
    assert document.label_at(40, 220) == BY_NAME["l_eye"].id
    assert document.label_at(SIDE - 41, 220) == partner


def test_the_mirrored_brush_shows_its_axis_and_its_other_half(window):
    def shown():
        return image_photo(window.canvas.grab().toImage()).astype(int)

    QTest.mouseMove(window.canvas, at(window, 40, 220))
    before = shown()
    key(window, Qt.Key.Key_M)
    changed = np.argwhere(np.abs(shown() - before).max(axis=2) > 40)
    axis, partner = at(window, SIDE / 2, 30), at(window, SIDE - 40, 220)
    assert (np.abs(changed - (axis.y(), axis.x())).max(axis=1) <= 3).any()
    assert (np.abs(changed - (partner.y(), partner.x())).max(axis=1) <= 14 * window.canvas.scale).any()
    for view in window.views:
        (own, _), (other, _) = view._ring, view._partner
        assert (own.x() + other.x(), own.y()) == (SIDE, other.y())
    key(window, Qt.Key.Key_F)  # no brush
    assert window.canvas.axis is None
    key(window, Qt.Key.Key_B)
    key(window, Qt.Key.Key_M)
    assert (shown() == before).all()


def test_paint_only_over_the_class_under_the_cursor(window, editor, document):
    QTest.mouseMove(window.canvas, at(window, 128, 150))
    under = document.label_at(128, 150)
    key(window, Qt.Key.Key_L)
    assert document.only_over == under
    assert "only over" in window.status["brush"]
    before = document.snapshot()
    drag(window, (10, 150), (246, 150))
    changed = document.labels != before
    assert changed.any()
    assert (before[changed] == under).all()
    key(window, Qt.Key.Key_L)
    assert document.only_over is None


def test_locked_classes_stay(window, editor, document):
    window.palette_panel._locks[SKIN].click()
    skin = document.labels == SKIN
    drag(window, (10, 130), (246, 130))
    assert (document.labels[skin] == SKIN).all()
    assert window.messages == []


@pytest.mark.parametrize("tool", ["brush", "fill", "lasso"])
def test_what_painted_nothing_says_why(window, editor, document, tool):
    def paint():
        if tool == "lasso":
            drag(window, (95, 145), (105, 145), (105, 155), (95, 155))
        else:
            click(window, 100, 150)
        return window.messages[-1] if window.messages else None

    def cursor():
        QTest.mouseMove(window.canvas, at(window, 99, 149))
        QTest.mouseMove(window.canvas, at(window, 100, 150))
        return window.canvas.cursor().shape()

    editor.set_tool(tool)
    editor.set_brush(4)
    under = document.label_at(100, 150)
    title = LABELS[under].title
    assert cursor() == Qt.CursorShape.CrossCursor
    window.palette_panel._locks[under].click()
    assert cursor() == Qt.CursorShape.ForbiddenCursor
    assert paint() == ("info", f"Nothing was painted: {title} is locked, see the palette.")
    window.palette_panel._locks[under].click()
    assert cursor() == Qt.CursorShape.CrossCursor
    editor.set_option("only_over", HAIR)
    assert cursor() == Qt.CursorShape.ForbiddenCursor
    assert paint()[1].startswith("Nothing was painted: you paint only over hair")
    assert document.history.names == []
    editor.set_option("only_over", None)
    window.messages.clear()
    assert paint() is None
    assert paint()[1] == ("Nothing was painted: all of it is hat already. Undo would take back the edit before.")
    assert len(document.history.names) == 1


def test_space_and_the_middle_button_pan(window, document):
    centre, revision = QPointF(window.viewport.centre), document.revision
    QTest.keyPress(window.canvas, Qt.Key.Key_Space)
    drag(window, (100, 100), (130, 110))
    QTest.keyRelease(window.canvas, Qt.Key.Key_Space)
    moved = centre - window.viewport.centre
    assert (moved.x(), moved.y()) == (pytest.approx(30, abs=1), pytest.approx(10, abs=1))
    assert window.canvas.cursor().shape() == Qt.CursorShape.CrossCursor
    drag(window, (130, 110), (100, 100), button=MIDDLE)
    assert (window.viewport.centre - centre).manhattanLength() < 2
    assert document.revision == revision
    click(window, 100, 100)
    assert document.revision > revision


def test_the_wheel_zooms_at_the_cursor(window):
    canvas = window.canvas
    position = QPointF(at(window, 60, 200))
    point = canvas.to_image(position)
    wheel(canvas, position, 120)
    once = canvas.viewport.zoom
    wheel(canvas, position, 240)
    assert (canvas.to_image(position) - point).manhattanLength() < 1e-6
    wheel(canvas, position, -360)
    wheel(canvas, position, 0)
    for _ in range(12):  # a trackpad
        wheel(canvas, position, 10)
    assert canvas.viewport.zoom == pytest.approx(once)
    assert (canvas.to_image(position) - point).manhattanLength() < 1e-6


def test_the_views_show_the_same_part(window):
    wheel(window.canvas, QPointF(at(window, 60, 200)), 600)
    for view in window.views:
        middle = view.to_image(QPointF(view.width() / 2, view.height() / 2))
        assert (middle - window.viewport.centre).manhattanLength() < 1e-6
    wheel(window.photo_view, QPointF(20, 30), 120)
    key(window, Qt.Key.Key_F, CTRL)
    for view in window.views:
        rect = window.viewport.image_rect(view.view_size())
        assert view.rect().toRectF().contains(rect)
        assert min(view.width() - rect.width(), view.height() - rect.height()) < 12


def test_the_pens_eraser_and_pressure(window, editor, document):
    def pen(kind, x, y, *, pressure=1.0, eraser=False):
        types = QPointingDevice.PointerType
        device = QPointingDevice(
            "pen", 7, QInputDevice.DeviceType.Stylus, types.Eraser if eraser else types.Pen,
            QInputDevice.Capability.Pressure, 1, 1,
        )  # fmt: skip
        position = QPointF(at(window, x, y))
        event = QTabletEvent(
            kind, device, position, window.canvas.mapToGlobal(position), pressure, 0, 0, 0, 0, 0, NONE, LEFT, LEFT
        )
        QApplication.sendEvent(window.canvas, event)

    editor.set_option("pressure", True)
    pen(QEvent.Type.TabletPress, 60, 60, pressure=0.5)
    pen(QEvent.Type.TabletRelease, 60, 60, pressure=0.0)
    assert (document.labels == HAT).sum() == pytest.approx(np.pi * 25, rel=0.15)
    pen(QEvent.Type.TabletPress, 128, 128, eraser=True)
    pen(QEvent.Type.TabletMove, 140, 128, eraser=True)
    pen(QEvent.Type.TabletRelease, 140, 128, eraser=True)
    assert document.label_at(134, 128) == 0
    assert document.history.names == ["Brush hat", "Brush background"]

"""The window's keys, its palette, what it shows and what it only shows."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QSettings, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QSlider

from maskedit.gui.canvas.view_area import LAYOUTS
from maskedit.gui.commands.handlers import Commands
from maskedit.gui.commands.table import COMMANDS
from maskedit.labels import LABELS, palette
from tests.gui.harness import CTRL, LEFT, NONE, SHIFT, at, click, drag, key, settle


def pixel(widget, x: int, y: int) -> tuple[int, int, int]:
    image = widget.grab().toImage()
    scale = image.devicePixelRatio()
    return image.pixelColor(round(x * scale), round(y * scale)).getRgb()[:3]


def canvas_pixel(window, x, y):
    point = at(window, x, y)
    return np.array(pixel(window.canvas, point.x(), point.y()), int)


# Keys


def test_every_action_is_in_a_menu_with_its_keys(window):
    for command in COMMANDS:
        action = window.actions_by_id[command.id]
        assert len(action.shortcuts()) == len(command.keys)
        assert not any(sequence.isEmpty() for sequence in action.shortcuts())
        assert callable(window.commands.by_id[command.id])
        assert command.tip in action.toolTip()
    assert isinstance(window.commands, Commands)
    menus = [action.text() for action in window.menuBar().actions()]
    letters = [text[text.index("&") + 1] for text in menus]
    assert len(set(letters)) == len(menus) == 7


def test_digits_choose_classes(window):
    key(window, Qt.Key.Key_1)
    assert window.editor.label == 1
    key(window, Qt.Key.Key_3)
    assert window.editor.label == 13
    key(window, Qt.Key.Key_Comma)
    assert window.editor.label == 12
    key(window, Qt.Key.Key_Period)
    key(window, Qt.Key.Key_Period)
    assert window.editor.label == 14
    key(window, Qt.Key.Key_X)
    assert window.editor.label == 13


@pytest.mark.slow
@pytest.mark.parametrize(
    ("present", "digits", "chosen", "last"),
    [
        (14, "13", 13, 14),
        (1, "13", 13, 1),  # the first digit is the present class
        (13, "13", 13, 17),  # nothing was chosen in the end
        (14, "12", 12, 14),
        (14, "3", 3, 14),
        (14, "25", 5, 2),  # two numbers
        (14, "184", 4, 18),
    ],
)
def test_the_first_of_two_digits_was_never_chosen(window, present, digits, chosen, last):
    editor = window.editor
    editor.set_label(17)
    editor.set_label(present)
    told = []
    editor.label_changed.connect(told.append)
    for digit in digits:
        key(window, Qt.Key(ord(digit)))
    assert (editor.label, editor.last_label) == (chosen, last)
    assert all(before != after for before, after in zip([present, *told], told, strict=False))
    key(window, Qt.Key.Key_X)
    assert editor.label == last


@pytest.mark.slow
@pytest.mark.parametrize("widget", ["opacity", "brush", "row", "eye", "lock", "result"])
@pytest.mark.parametrize("by", ["mouse", "tab"])
def test_no_widget_swallows_the_keys(window, widget, by):
    panel = window.palette_panel
    target = {
        "opacity": window.opacity,
        "brush": window.menus.bar.findChild(QSlider),
        "row": panel._rows[11],
        "eye": panel._eyes[5],
        "lock": panel._locks[5],
        "result": window.result_view,
    }[widget]
    if by == "mouse":
        QTest.mouseClick(target, LEFT)
        assert not target.hasFocus()
    else:
        target.setFocus(Qt.FocusReason.TabFocusReason)
        assert target.hasFocus()
    editor = window.editor
    editor.set_tool("fill")
    key(window, Qt.Key.Key_B)
    assert editor.tool == "brush"
    editor.set_brush(20)
    key(window, Qt.Key.Key_BracketRight)
    assert editor.brush == 22
    key(window, Qt.Key.Key_BracketLeft)
    assert editor.brush == 20
    label, last = editor.label, editor.last_label
    key(window, Qt.Key.Key_X)
    assert (editor.label, editor.last_label) == (last, label)
    click(window, 60, 220)
    assert window.canvas.hasFocus()
    target.setFocus(Qt.FocusReason.TabFocusReason)
    key(window, Qt.Key.Key_Z, CTRL)
    assert editor.document.can_redo


def test_sliders_work_with_keys_and_mouse(window):
    slider = window.menus.bar.findChild(QSlider)
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    brush = window.editor.brush
    for _ in range(10):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    assert window.editor.brush > brush
    for diameter in (1, 2, 3, 24, 255, 256):
        window.editor.set_brush(diameter)
        assert window.editor.brush == diameter
        assert f"{diameter} px" in window.status["brush"]
    QTest.keyClick(window.opacity, Qt.Key.Key_Home)
    assert window.canvas.opacity == 0


def test_the_brush_has_its_steps(window):
    editor = window.editor
    editor.set_brush(1)
    key(window, Qt.Key.Key_BracketRight)
    assert editor.brush == 2
    window.actions_by_id["much_larger"].trigger()
    assert editor.brush == 7
    window.actions_by_id["much_smaller"].trigger()
    window.actions_by_id["much_smaller"].trigger()
    assert editor.brush == 1


def test_everything_has_an_accessible_name(window):
    assert all(view.accessibleName() for view in window.views)
    for widget in window.findChildren(QSlider):
        assert widget.accessibleName()
    for button in window.palette_panel.findChildren(QAbstractButton):
        assert button.accessibleName()


def test_hold_c_shows_the_photo(window):
    QTest.keyPress(window.canvas, Qt.Key.Key_C)
    assert window.result_view.show_before
    QTest.keyRelease(window.canvas, Qt.Key.Key_C)
    assert not window.result_view.show_before


def test_the_before_after_line(window):
    key(window, Qt.Key.Key_C, SHIFT)
    view = window.result_view
    assert view.split == 0.5
    rect = window.viewport.image_rect(view.view_size())
    QTest.mousePress(view, LEFT, NONE, QPointF(rect.left() + rect.width() * 0.5, rect.center().y()).toPoint())
    QTest.mouseMove(view, QPointF(rect.left() + rect.width() * 0.75, rect.center().y()).toPoint())
    QTest.mouseRelease(view, LEFT, NONE, QPointF(rect.left() + rect.width() * 0.75, rect.center().y()).toPoint())
    assert view.split == pytest.approx(0.75, abs=0.01)
    photo = window.editor.document.photo[20, 60].astype(int)
    place = window.viewport.to_view(QPointF(60, 20), view.view_size()).toPoint()
    assert np.abs(np.array(pixel(view, place.x(), place.y())) - photo).max() < 40
    view.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.split == pytest.approx(0.73, abs=0.01)
    window.actions_by_id["compare"].trigger()
    assert view.split is None


# What the screen shows


def test_painted_pixels_and_the_ring_are_seen(window):
    window.editor.set_label(14)
    window.opacity.setValue(100)
    before = canvas_pixel(window, 60, 220)
    click(window, 60, 220)
    QTest.mouseMove(window.canvas, at(window, 150, 220))
    assert np.abs(canvas_pixel(window, 60, 220) - np.array(LABELS[14].colour)).max() < 8
    assert np.abs(before - np.array(LABELS[14].colour)).max() > 60
    for view in window.views:
        assert view._ring is not None
    # White on black around the cursor.
    rect = window.canvas._ring_rect(window.canvas._ring)
    image = window.canvas.grab().toImage()
    row = [
        image.pixelColor(x, round(rect.center().y())).lightness()
        for x in range(round(rect.right()) - 4, round(rect.right()) + 5)
    ]
    assert max(row) - min(row) > 100


def test_the_outline_of_the_class_comes_back_after_painting(window):
    QTest.mouseMove(window.canvas, at(window, 128, 150))
    assert window.canvas._outlined == window.editor.document.label_at(128, 150)
    window.editor.set_label(14)
    drag(window, (128, 150), (150, 150))
    assert window.canvas._outlined == 14
    key(window, Qt.Key.Key_Z, CTRL)
    assert window.canvas._outlined == window.editor.document.label_at(150, 150) != 14


def test_the_status_bar_tells_what_is_under_the_cursor(window):
    QTest.mouseMove(window.canvas, at(window, 120, 150))
    QTest.mouseMove(window.canvas, at(window, 128, 150))
    label = window.editor.document.label_at(128, 150)
    assert window.status["pointer"].endswith(f" · {LABELS[label].title}")
    assert window.status["zoom"].endswith(" %")
    assert "24 px" in window.status["brush"]


def test_eyes_opacity_and_palettes_change_the_screen_only(window):
    document = window.editor.document
    before, revision = document.labels.tobytes(), document.revision
    skin = canvas_pixel(window, 128, 150)
    label = document.label_at(128, 150)
    window.palette_panel._eyes[label].click()
    photo = document.photo[150, 128].astype(int)
    assert np.abs(canvas_pixel(window, 128, 150) - photo).max() < 40
    window.palette_panel._eyes[label].click()
    assert np.abs(canvas_pixel(window, 128, 150) - skin).max() < 3
    window.actions_by_id["colour_blind"].trigger()
    window.opacity.setValue(100)
    safe = palette(colour_blind=True)[label].astype(int)
    assert np.abs(canvas_pixel(window, 128, 150) - safe).max() < 8
    window.editor.set_label(13)
    window.actions_by_id["isolate"].trigger()
    assert np.abs(canvas_pixel(window, 128, 150) - photo).max() < 40
    key(window, Qt.Key.Key_V)
    assert window.canvas.labels_hidden
    assert document.labels.tobytes() == before
    assert document.revision == revision
    assert not document.is_modified


def test_the_chosen_class_stands_out(window):
    key(window, Qt.Key.Key_4)
    rows = window.palette_panel._rows
    assert [row.isChecked() for row in rows].index(True) == 4
    assert rows[4].text().startswith("▸")
    assert sum(row.text().startswith("▸") for row in rows) == 1
    QTest.mouseClick(rows[4], LEFT)  # a click on the chosen one does not unchoose it
    assert rows[4].isChecked()


@pytest.mark.slow
def test_a_dark_theme(window):
    dark = QPalette(QColor("#2b2b2b"))
    light = QApplication.palette()
    try:
        QApplication.setPalette(dark)
        QTest.qWait(20)
        assert window.grab().toImage().pixelColor(600, 4).lightness() < 80
        assert window.menus.bar.grab().toImage().pixelColor(2, 8).lightness() < 80
        icon = window.actions_by_id["save"].icon().pixmap(20, 20).toImage()
        strokes = [icon.pixelColor(x, y) for x in range(icon.width()) for y in range(icon.height())]
        assert max(colour.lightness() for colour in strokes if colour.alpha() > 200) > 150
        assert f"solid {dark.color(QPalette.ColorRole.WindowText).name()}" in window.palette_panel._rows[0].styleSheet()
        row = window.palette_panel._rows[1]
        assert pixel(row, row.width() - 12, row.height() // 2) == LABELS[1].colour
    finally:
        QApplication.setPalette(light)
        QTest.qWait(20)


def test_messages_lie_over_the_views(window):
    window.message_bar.hide()
    QTest.qWait(10)
    before = window.canvas.geometry(), window.viewport.zoom
    window.editor.message.emit("error", "<b>Something</b> went wrong. " * 12)
    QTest.qWait(10)
    assert window.message_bar.isVisible()
    assert (window.canvas.geometry(), window.viewport.zoom) == before
    assert window.centralWidget().rect().contains(window.message_bar.geometry())
    window.resize(900, 560)
    QTest.qWait(20)
    assert window.centralWidget().rect().contains(window.message_bar.geometry())
    window.message_bar.findChild(QAbstractButton).click()
    assert not window.message_bar.isVisible()
    window.editor.message.emit("error", "Once more.")
    key(window, Qt.Key.Key_Escape)
    assert not window.message_bar.isVisible()


def test_labels_and_result_have_one_size(window):
    for layout in LAYOUTS:
        window.set_layout(layout)
        assert window.actions_by_id[f"layout_{layout}"].isChecked()
        if layout != "over":
            assert window.canvas.size() == window.result_view.size()
            assert window.canvas.scale == window.result_view.scale == window.viewport.zoom
    window.set_layout("row")
    assert window.photo_view.scale == window.viewport.zoom


def test_the_layout_and_the_photo_view_are_remembered(window):
    zoom = window.viewport.zoom
    key(window, Qt.Key.Key_1, CTRL)
    assert not window.photo_view.isVisible()
    key(window, Qt.Key.Key_5, CTRL)
    assert window.viewport.zoom < 0.6 * zoom
    assert window._settings.value("photo_view", True, type=bool) is False
    window._settings.sync()
    again = type(window)(window.editor, QSettings("maskedit", "maskedit"))
    assert not again.actions_by_id["photo_view"].isChecked()
    assert again.actions_by_id["layout_rows"].isChecked()
    key(window, Qt.Key.Key_4, CTRL)
    assert window.photo_view.isVisible()  # three in a row are three


def test_the_labels_lie_over_the_result(window):
    wide = window.canvas.width()
    key(window, Qt.Key.Key_6, CTRL)
    assert not window.result_view.isVisible()
    assert window.canvas.width() > 1.8 * wide
    assert window.canvas.opacity == 0.25
    assert not window.actions_by_id["compare"].isEnabled()
    window.opacity.setValue(0)
    point = 128, 150
    result, photo = (
        picture[150, 128].astype(int) for picture in (window.editor.render.result, window.editor.document.photo)
    )
    assert np.abs(canvas_pixel(window, *point) - result).max() < 8
    QTest.keyPress(window.canvas, Qt.Key.Key_C)
    assert np.abs(canvas_pixel(window, *point) - photo).max() < 8
    QTest.keyRelease(window.canvas, Qt.Key.Key_C)
    window.set_layout("side")
    assert window.canvas.opacity == 0.75
    assert np.abs(canvas_pixel(window, *point) - result).max() > 40


def test_geometry_comes_back(window, open_window, engine):
    window.resize(780, 560)  # the offscreen screen has 800 x 600 px
    size = window.size()
    window.close()
    assert not window.isVisible()
    again = type(window)(window.editor, window._settings)
    assert again.size().height() == size.height()
    assert abs(again.size().width() - size.width()) < 40


def test_reset_is_one_edit(window):
    document = window.editor.document
    before = document.labels.tobytes()
    click(window, 60, 60)
    click(window, 160, 60)
    window.actions_by_id["reset"].trigger()
    assert document.labels.tobytes() == before
    assert len(document.history.names) == 3
    settle(window)

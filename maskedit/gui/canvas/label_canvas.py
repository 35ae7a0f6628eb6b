"""The paintable label map: one widget with its own image, of which only the touched box is repainted."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPainterPath, QPen, QPointingDevice, QTabletEvent
from PySide6.QtWidgets import QApplication, QWidget

from maskedit.document.history import Box
from maskedit.gui.canvas.piece_frame import arrow_step, cursor_on, draw_frame
from maskedit.gui.canvas.tools import Tools, whole
from maskedit.gui.canvas.viewport import Viewport
from maskedit.gui.canvas.views import ImageView, ResultView, outline_path
from maskedit.gui.editor import BRUSHES, Editor
from maskedit.gui.qimage import LabelImage, tint_image
from maskedit.labels import NUM_LABELS, palette

_SURE = 0.9
"""Probability from which the parser counts as sure of a label."""
_OBEY_LOCKS = (*BRUSHES, "fill", "lasso")
_HATCH = np.array([[255, 0, 200], [255, 255, 255]], np.uint8)
"""Magenta and white by turns: no class of either palette has the look of it."""


def _hatched(confidence: np.ndarray) -> QImage:
    """Stripes wherever a parser was unsure, the less transparent the more it was; (H, W) uint8, 255 is sure."""
    doubt = np.clip(1 - confidence / (255 * _SURE), 0, 1)
    opacity = np.where(doubt > 0, np.minimum(0.35 + 1.2 * doubt, 0.9), 0)
    rows, columns = np.indices(confidence.shape)
    stripes = (rows + columns) // max(1, confidence.shape[0] // 128) % 2
    return tint_image(opacity, _HATCH[stripes])


class LabelCanvas(ImageView):
    """Shows the label map over the photo and turns the pointer into edits."""

    def __init__(self, editor: Editor, viewport: Viewport, parent: QWidget | None = None):
        super().__init__(viewport, "Labels: paint here", parent)
        self._editor = editor
        self.tools = Tools(editor)
        self._labels: LabelImage | None = None
        self._photo: QImage | None = None
        self._result: ResultView | None = None
        self.opacity = 0.75
        self.labels_hidden = False
        self.hidden: frozenset[int] = frozenset()
        self.isolated = False
        self._outlined: int | None = None
        self._outline: QPainterPath | None = None
        self._doubt: QImage | None = None
        self._resize_from: tuple[QPointF, int] | None = None
        self._shift_from: QPointF | None = None
        """Where a brush was pressed with Shift: a click is a straight line, a drag sizes the brush."""
        self._pen_down = False
        self._button = Qt.MouseButton.NoButton
        """The button that began the gesture; the other one does not end it."""
        self._pressed_at = QPointF()
        self._hovered_at: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.resting_cursor = Qt.CursorShape.CrossCursor
        self.setCursor(self.resting_cursor)
        editor.labels_changed.connect(self._labels_changed)
        editor.label_changed.connect(self._label_changed)
        editor.tool_changed.connect(self._tool_changed)
        editor.brush_changed.connect(self._refresh_ring)
        editor.options_changed.connect(self._update_cursor)
        editor.history_changed.connect(self._gesture_ended)

    # What it shows ----------------------------------------------------------------------------------------------

    def set_photo(self, photo: QImage) -> None:
        """Another document: its photo lies under the labels."""
        self._photo = photo
        document = self._editor.document
        self._labels = LabelImage(document.labels, self._colours())
        self._outlined = self._outline = self._doubt = None
        self.update()

    def lie_over(self, result: ResultView | None) -> None:
        """Show the labels over what a result view shows, which is hidden itself; None: over the photo."""
        if result is self._result:
            return
        if self._result is not None:
            self._result.redrawn.disconnect(self.update)
        self._result = result
        if result is not None:
            result.redrawn.connect(self.update)
        self.update()

    def set_isolated(self, on: bool) -> None:
        """Show the chosen class alone."""
        self.isolated = on
        self.refresh_colours()

    def hide_labels(self, on: bool) -> None:
        """Show the photo without its labels."""
        self.labels_hidden = on
        self.update()

    def set_confidence(self, confidence: np.ndarray | None) -> None:
        """Hatch where the parser was unsure of its labels: (S, S) uint8, 255 is sure; None takes the hatching away.

        It goes by itself when another document is shown.
        """
        self._doubt = None if confidence is None else _hatched(confidence)
        self.update()

    def refresh_colours(self) -> None:
        """After a change of palette, hidden classes or isolation."""
        if self._labels is not None:
            self._labels.set_colours(self._colours())
            self._labels.update(self._editor.document.labels, whole(self._editor.document))
            self.update()

    def _colours(self) -> np.ndarray:
        alpha = np.full((NUM_LABELS, 1), 255, np.uint8)
        alpha[list(self.hidden)] = 0
        if self.isolated:
            alpha[:] = 0
            alpha[self._editor.label] = 255
        return np.concatenate([palette(colour_blind=self._editor.colour_blind), alpha], axis=1)

    @Slot(object)
    def _labels_changed(self, box: Box) -> None:
        self._labels.update(self._editor.document.labels, box)
        if self.tools.pieces.floating is None:
            self.update(self.box_rect(box))
        else:
            self.update()  # the frame may reach far beyond what changed
        if self._outline is not None:
            self._outline = self._outlined = None
            self.update()

    @Slot()
    def _label_changed(self) -> None:
        if self.isolated:
            self.refresh_colours()

    @Slot()
    def _tool_changed(self) -> None:
        self._refresh_ring()
        self._update_cursor()
        self.update()

    @Slot()
    def _gesture_ended(self) -> None:
        """The outline of the class under the cursor comes back without a move of the mouse; a frame goes."""
        self.update()
        document = self._editor.document
        if self._hovered_at is not None and document is not None and not self.tools.busy:
            self.outline_label(document.label_at(self._hovered_at.x(), self._hovered_at.y()))
        self._update_cursor()

    def draw_content(self, painter: QPainter, rect: QRectF) -> None:
        if self._labels is None:
            super().draw_content(painter, rect)
            return
        result = self._result
        if result is None or result.image is None:
            painter.drawImage(rect, self._photo)
        else:
            result.draw_content(painter, rect)
        if not self.labels_hidden and not (result is not None and result.show_before):
            painter.setOpacity(self.opacity)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.scale < 1)
            painter.drawImage(rect, self._labels.image)
            painter.setOpacity(1.0)
            if self._doubt is not None:
                painter.drawImage(rect, self._doubt)
        self._draw_outline(painter, rect)
        self._draw_axis(painter, rect)
        self._draw_lasso(painter)
        self._draw_piece(painter)

    def _draw_piece(self, painter: QPainter) -> None:
        floating = self.tools.pieces.floating
        if floating is not None:
            size = self.view_size()
            draw_frame(painter, floating.placement, lambda at: self.viewport.to_view(at, size), pixel=1 / self.scale)

    def _draw_outline(self, painter: QPainter, rect: QRectF) -> None:
        """The edge of the class under the cursor: colours alone do not tell all classes apart."""
        if self._outline is None or self.labels_hidden:
            return
        self.draw_outline(painter, rect, self._outline, self._labels.image.width())

    def _draw_axis(self, painter: QPainter, rect: QRectF) -> None:
        """Where the mirrored brush has its mirror."""
        if self.axis is None:
            return
        x = self.viewport.to_view(QPointF(self.axis, 0), self.view_size()).x()
        for pen in (QPen(QColor(0, 0, 0, 110), 3.0), QPen(QColor(255, 255, 255, 210), 1.0, Qt.PenStyle.DashLine)):
            painter.setPen(pen)
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))

    def _draw_lasso(self, painter: QPainter) -> None:
        points = [self.viewport.to_view(QPointF(*point), self.view_size()) for point in self.tools.lasso]
        if not points:
            return
        line = list(points)
        if self._hovered_at is not None and not self.tools.lasso_dragged:
            line.append(self.viewport.to_view(self._hovered_at, self.view_size()))  # where the next corner would be
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((Qt.GlobalColor.black, 3.0), (Qt.GlobalColor.white, 1.2)):
            painter.setPen(QPen(colour, width))
            painter.drawPolyline([*line, line[0]] if len(line) > 2 else line)
        painter.setBrush(Qt.GlobalColor.white)
        painter.setPen(QPen(Qt.GlobalColor.black, 1.0))
        for point in points if not self.tools.lasso_dragged else points[:1]:
            painter.drawEllipse(point, 3, 3)

    def outline_label(self, label: int | None) -> None:
        """Draw the edge of one class, or of none; scans the map only when the class changes."""
        if label == self._outlined:
            return
        self._outlined, self._outline = label, None
        if label is not None:
            self._outline = outline_path(self._editor.document.labels == label)
        self.update()

    def label_under_cursor(self) -> int | None:
        """The class under the cursor; None when the cursor is elsewhere."""
        if self._editor.document is None or self._hovered_at is None:
            return None
        return self._editor.document.label_at(self._hovered_at.x(), self._hovered_at.y())

    @Slot()
    def _refresh_ring(self) -> None:
        """The ring follows the brush's size and hides with tools that have none."""
        if self._hovered_at is not None:
            self._show_ring(self._hovered_at)
            self.hovered.emit(self._hovered_at)

    def _show_ring(self, point: QPointF) -> None:
        paints = self._editor.tool in BRUSHES
        self.set_ring(point if paints else None, self._editor.brush)

    # Pointer ----------------------------------------------------------------------------------------------------

    def _point(self, position: QPointF) -> tuple[float, float]:
        point = self.to_image(position)
        return point.x(), point.y()

    def _hover(self, position: QPointF) -> None:
        point = self._hovered_at = self.to_image(position)
        self._show_ring(point)
        self._update_lasso()
        if not self.tools.busy and self._editor.document is not None:
            self.outline_label(self._editor.document.label_at(point.x(), point.y()))
        self._update_cursor()
        self.hovered.emit(point)

    @Slot()
    def _update_cursor(self) -> None:
        """The cursor says what a press would do to the piece under it, and where a tool may not paint."""
        pieces, point, cursor = self.tools.pieces, self._hovered_at, Qt.CursorShape.CrossCursor
        pieces.pixel = 1 / self.scale
        if pieces.floating is not None and point is not None:
            cursor = cursor_on(pieces.held or pieces.grip_at((point.x(), point.y())), pieces.floating.placement)
        elif self.tools.busy:
            return  # what it was at the press
        elif self._is_barred():
            cursor = Qt.CursorShape.ForbiddenCursor
        if cursor != self.resting_cursor:
            self.resting_cursor = cursor
            self.show_cursor()

    def _is_barred(self) -> bool:
        """Whether the tool would paint over the class under the cursor, which is protected."""
        under = self.label_under_cursor()
        return under is not None and self._editor.tool in _OBEY_LOCKS and self._editor.document.is_protected(under)

    def abort(self) -> None:
        """Put back what the gesture in progress did."""
        self.tools.abort()
        self._hands_off()

    def leave(self) -> None:
        """Something else is to be done: a piece is let go, any other gesture put back."""
        self.tools.leave()
        self._hands_off()

    def _hands_off(self) -> None:
        self._resize_from = self._shift_from = None
        self._pen_down = False
        self._button = Qt.MouseButton.NoButton
        self.update()

    # Qt ---------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        resizing = self._resize_from is not None or self._shift_from is not None
        if self._button != Qt.MouseButton.NoButton or resizing or self._pan_from is not None:
            return
        if self._editor.document is None or self.pans(event):
            self.start_pan(event.position())
            return
        modifiers, point = event.modifiers(), self._point(event.position())
        left = event.button() == Qt.MouseButton.LeftButton
        if left and modifiers & Qt.KeyboardModifier.AltModifier:
            self._resize_from = (event.position(), self._editor.brush)
        elif left and modifiers & Qt.KeyboardModifier.ControlModifier:
            self.tools.pick(point)
        elif left and modifiers & Qt.KeyboardModifier.ShiftModifier and self._editor.tool in BRUSHES:
            self._shift_from = event.position()
        elif left or event.button() == Qt.MouseButton.RightButton:
            self._button, self._pressed_at = event.button(), event.position()
            self.outline_label(None)
            self.tools.pieces.pixel = 1 / self.scale
            shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
            self.tools.press(point, erase=not left, shift=shift)
            self._update_lasso()

    def mouseMoveEvent(self, event) -> None:
        if self._pan_from is not None:
            super().mouseMoveEvent(event)
            return
        if self._resize_from is not None:
            start, brush = self._resize_from
            self._editor.set_brush(brush + (event.position().x() - start.x()) / max(self.scale, 0.25))
            self._show_ring(self.to_image(start))
            return
        if self._shift_from is not None:
            if (event.position() - self._shift_from).manhattanLength() >= QApplication.startDragDistance():
                self._shift_from, self._resize_from = None, (event.position(), self._editor.brush)
            return
        if event.buttons() & self._button and not self._is_still_a_click(event.position()):
            shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.tools.move(self._point(event.position()), shift=shift)
            self._update_lasso()
        self._hover(event.position())

    def _is_still_a_click(self, position: QPointF) -> bool:
        """A hand trembles: a corner of the lasso that was clicked must not become a drag, which would close it, and a
        region that was only taken not be moved."""
        moved = (position - self._pressed_at).manhattanLength()
        waiting = (bool(self.tools.lasso) and not self.tools.lasso_dragged) or self.tools.pieces.untouched
        return waiting and moved < QApplication.startDragDistance()

    def mouseReleaseEvent(self, event) -> None:
        if self._pan_from is not None:
            super().mouseReleaseEvent(event)
        elif self._resize_from is not None:
            self._resize_from = None
            self._hover(event.position())
        elif self._shift_from is not None:
            if event.button() == Qt.MouseButton.LeftButton:
                point, self._shift_from = self._point(self._shift_from), None
                self.tools.press(point, erase=False, shift=True)
                self.tools.release()
        elif event.button() == self._button:
            self._button = Qt.MouseButton.NoButton
            self.tools.release()
            self._update_lasso()

    def mouseDoubleClickEvent(self, event) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        if self.tools.lasso and left:
            self.tools.close_lasso()
            self.update()
        elif not (left and self.tools.pieces.press_twice(self._point(event.position()))):
            self.mousePressEvent(event)

    def tabletEvent(self, event: QTabletEvent) -> None:
        eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
        diameter = max(1.0, self._editor.brush * event.pressure()) if self._editor.pressure else None
        point = self._point(event.position())
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier and not self.space_held
        if event.type() == QEvent.Type.TabletPress and plain and event.button() == Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._pen_down, self._pressed_at = True, event.position()
            self.tools.press(point, erase=eraser, diameter=diameter)
        elif event.type() == QEvent.Type.TabletMove and self._pen_down:
            if not self._is_still_a_click(event.position()):
                self.tools.move(point, diameter=diameter)
            self._hover(event.position())
        elif event.type() == QEvent.Type.TabletRelease and self._pen_down:
            self._pen_down = False
            self.tools.release()
        else:
            event.ignore()  # Qt sends it again as a mouse event
            return
        self._update_lasso()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.tools.lasso and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.tools.close_lasso()
        elif self.tools.lasso and event.key() == Qt.Key.Key_Backspace:
            self.tools.step_back()
        elif self.tools.pieces.floating is None or not self._piece_key(event):
            super().keyPressEvent(event)
            return
        self.update()

    def _piece_key(self, event: QKeyEvent) -> bool:
        """Enter lets the piece go, Delete takes it away, arrows move it; whether it was one of these."""
        step = arrow_step(event.key())
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.tools.pieces.let_go()
        elif event.key() == Qt.Key.Key_Delete:
            self.tools.pieces.remove()
        elif step is not None:
            many = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self.tools.pieces.nudge(many * step[0], many * step[1])
        else:
            return False
        return True

    def _update_lasso(self) -> None:
        if self.tools.lasso:
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered_at = None
        self.set_ring(None)
        self.outline_label(None)
        super().leaveEvent(event)

    def focusOutEvent(self, event) -> None:
        self.tools.interrupt()  # a piece waits until its person comes back
        self._hands_off()
        super().focusOutEvent(event)

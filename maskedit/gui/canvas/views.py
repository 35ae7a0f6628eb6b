"""The Photo and Result views, and what all three views share: zoom, pan, the brush's ring."""

from __future__ import annotations

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from maskedit.document.history import Box
from maskedit.gui.canvas.viewport import Viewport
from maskedit.gui.qimage import tint_image

SURROUND = QColor(38, 38, 42)
"""A neutral dark ground in light and dark themes alike: colours are judged against it."""
WHEEL_STEP = 1.2
_FRAME = QColor(150, 150, 156)
_UNTOUCHED = np.array([48, 48, 52], np.uint8)
"""Laid over what an edit leaves as it is: dims it and takes its colours away."""


def outline_path(mask: np.ndarray) -> QPainterPath:
    """The edges of a mask (H, W) bool, in its pixels."""
    edged = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    contours, _ = cv2.findContours(edged, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    path = QPainterPath()
    for contour in contours:
        corners = [QPointF(float(x) - 0.5, float(y) - 0.5) for x, y in contour[:, 0]]
        path.moveTo(corners[0])
        for corner in corners[1:]:
            path.lineTo(corner)
        path.closeSubpath()
    return path


class ImageView(QWidget):
    """Shows one image under the shared viewport.

    ``hovered`` tells the image point under the cursor, or None when the cursor leaves.
    """

    hovered = Signal(object)  # QPointF | None

    def __init__(self, viewport: Viewport, name: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.viewport = viewport
        self.image: QImage | None = None
        self.empty_text = ""
        self._ring: tuple[QPointF, float] | None = None
        self._partner: tuple[QPointF, float] | None = None
        self.axis: float | None = None
        """The column about which the brush is mirrored, in image pixels; None: it is not."""
        self._framed = False
        self._pan_from: QPointF | None = None
        self.space_held = False
        self.resting_cursor = Qt.CursorShape.ArrowCursor
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        viewport.changed.connect(self.update)

    # Drawing ----------------------------------------------------------------------------------------------------

    def set_image(self, image: QImage | None) -> None:
        """Show another image of the document's size."""
        self.image = image
        self.update()

    def set_framed(self, on: bool) -> None:
        """Draw a frame: the view lies on another one."""
        self._framed = on
        self.update()

    def view_size(self) -> QSizeF:
        return QSizeF(self.size())

    @property
    def scale(self) -> float:
        """Screen pixels for an image pixel on this view."""
        return self.viewport.scale(self.view_size())

    def box_rect(self, box: Box) -> QRect:
        """Where a box of the map lies on the screen, with room for smoothing."""
        corners = (QPointF(box.x0, box.y0), QPointF(box.x1, box.y1))
        first, last = (self.viewport.to_view(corner, self.view_size()) for corner in corners)
        return QRectF(first, last).toAlignedRect().adjusted(-2, -2, 2, 2)

    def set_ring(self, centre: QPointF | None, diameter: float = 0.0) -> None:
        """Draw the brush at an image point, in its true size, and its mirror image if it has one; None hides both."""
        before = self._ring, self._partner
        self._ring = self._partner = None
        if centre is not None:
            self._ring = centre, diameter
            if self.axis is not None:
                self._partner = QPointF(2 * self.axis - centre.x(), centre.y()), diameter
        for ring in (*before, self._ring, self._partner):
            if ring is not None:
                self.update(self._ring_rect(ring).toAlignedRect().adjusted(-3, -3, 3, 3))

    def set_axis(self, axis: float | None) -> None:
        """Show the brush's mirror image about a column of the image, too; None: no more."""
        if axis != self.axis:
            self.axis = axis
            self.set_ring(*self._ring or (None,))
            self.update()

    def _ring_rect(self, ring: tuple[QPointF, float]) -> QRectF:
        centre = self.viewport.to_view(ring[0], self.view_size())
        radius = max(ring[1] * self.scale / 2, 1.5)
        return QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)

    def draw_content(self, painter: QPainter, rect: QRectF) -> None:
        """Paint the image, whose place is ``rect``; the surroundings are filled already."""
        if self.image is not None:
            painter.drawImage(rect, self.image)
        elif self.empty_text:
            painter.setPen(QColor(170, 170, 176))
            room = self.rect().adjusted(16, 16, -16, -16)
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.empty_text)

    def draw_outline(self, painter: QPainter, rect: QRectF, path: QPainterPath, width: int) -> None:
        """Draw the edge of a region, white on black; ``path`` is in pixels of a map ``width`` px wide."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(rect.topLeft())
        painter.scale(rect.width() / width, rect.width() / width)
        for colour, thickness in ((QColor(0, 0, 0, 150), 2.6), (QColor(255, 255, 255, 220), 1.2)):
            pen = QPen(colour, thickness)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawPath(path)
        painter.restore()

    def _draw_ring(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for ring, style in ((self._partner, Qt.PenStyle.DotLine), (self._ring, Qt.PenStyle.SolidLine)):
            if ring is not None:
                rect = self._ring_rect(ring)
                # White on black, so that it is seen on every ground.
                for pen in (QPen(Qt.GlobalColor.black, 3.0), QPen(Qt.GlobalColor.white, 1.2, style)):
                    painter.setPen(pen)
                    painter.drawEllipse(rect)

    # Pointer ----------------------------------------------------------------------------------------------------

    def to_image(self, point: QPointF) -> QPointF:
        return self.viewport.to_image(point, self.view_size())

    def start_pan(self, point: QPointF) -> None:
        self._pan_from = point
        self.show_cursor()

    def set_space_held(self, on: bool) -> None:
        """With the space bar down the left button pans."""
        self.space_held = on
        self.show_cursor()

    def show_cursor(self) -> None:
        if self._pan_from is not None:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor if self.space_held else self.resting_cursor)

    def pans(self, event) -> bool:
        """Whether this press starts a pan."""
        middle = event.button() == Qt.MouseButton.MiddleButton
        return middle or (event.button() == Qt.MouseButton.LeftButton and self.space_held)

    # Qt ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), SURROUND)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.scale < 3)
        self.draw_content(painter, self.viewport.image_rect(self.view_size()))
        self._draw_ring(painter)
        if self._framed:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(_FRAME, 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def wheelEvent(self, event) -> None:
        # A wheel sends whole notches, a trackpad many small parts of one: fractions of a step lose none of them.
        notches = event.angleDelta().y() / 120
        if notches:
            point = self.to_image(event.position())
            self.viewport.set_zoom(self.viewport.zoom * WHEEL_STEP**notches, fixed=point)
        event.accept()

    def mousePressEvent(self, event) -> None:
        if self.pans(event) or event.button() == Qt.MouseButton.LeftButton:
            self.start_pan(event.position())

    def mouseMoveEvent(self, event) -> None:
        if self._pan_from is not None:
            self.viewport.pan(event.position() - self._pan_from, self.view_size())
            self._pan_from = event.position()
        self.hovered.emit(self.to_image(event.position()))

    def mouseReleaseEvent(self, event) -> None:
        if self._pan_from is not None:
            self._pan_from = None
            self.show_cursor()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)


class ResultView(ImageView):
    """The render; a line splits it into before and after, and ``show_before`` shows the photo alone.

    ``redrawn`` tells that it shows something else.
    """

    redrawn = Signal()

    def __init__(self, viewport: Viewport, name: str, parent: QWidget | None = None):
        super().__init__(viewport, name, parent)
        self.before: QImage | None = None
        self.show_before = False
        # Tab reaches it, so that the arrow keys can move the line; a click leaves the keys with the canvas.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.split: float | None = None
        """Where the line stands, 0..1 of the image's width; None: no line."""
        self._dragging = False
        self._overlay: tuple[QImage, QPainterPath] | None = None

    def set_image(self, image: QImage | None) -> None:
        super().set_image(image)
        self.redrawn.emit()

    def _redraw(self) -> None:
        self.update()
        self.redrawn.emit()

    def set_overlay(self, alpha: np.ndarray | None) -> None:
        """Show what will change, (S, S) float32 0..1: the rest is dimmed and loses colour; None dims nothing."""
        self._overlay = None
        if alpha is not None:
            # Below half a grey level nothing is seen to change.
            self._overlay = tint_image(0.65 * (1 - alpha), _UNTOUCHED), outline_path(alpha > 1 / 512)
        self._redraw()

    def set_split(self, split: float | None) -> None:
        self.split = None if split is None else min(max(split, 0.0), 1.0)
        self._redraw()

    def set_show_before(self, on: bool) -> None:
        self.show_before = on
        self._redraw()

    def draw_content(self, painter: QPainter, rect: QRectF) -> None:
        if self.show_before and self.before is not None:
            painter.drawImage(rect, self.before)
            return
        super().draw_content(painter, rect)
        if self._overlay is not None and self.image is not None:
            tint, edge = self._overlay
            painter.drawImage(rect, tint)
            self.draw_outline(painter, rect, edge, tint.width())
        if self.split is None or self.before is None or self.image is None:
            return
        line = self._line(rect)
        painter.save()
        painter.setClipRect(QRectF(rect.topLeft(), QPointF(line, rect.bottom())), Qt.ClipOperation.IntersectClip)
        painter.drawImage(rect, self.before)
        painter.restore()
        for colour, width in ((Qt.GlobalColor.black, 3.0), (Qt.GlobalColor.white, 1.2)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(line, rect.top()), QPointF(line, rect.bottom()))
        handle = QPointF(line, rect.center().y())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(Qt.GlobalColor.black, 1.0))
        painter.setBrush(Qt.GlobalColor.white)
        painter.drawEllipse(handle, 6, 6)

    def _line(self, rect: QRectF) -> float:
        return rect.left() + rect.width() * self.split

    def mousePressEvent(self, event) -> None:
        rect = self.viewport.image_rect(self.view_size())
        left = event.button() == Qt.MouseButton.LeftButton
        if self.split is not None and left and not self.space_held:
            self._dragging = True
            self.set_split((event.position().x() - rect.left()) / rect.width())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event) -> None:
        if self._dragging:
            rect = self.viewport.image_rect(self.view_size())
            self.set_split((event.position().x() - rect.left()) / rect.width())
        else:
            super().mouseMoveEvent(event)

    def paintEvent(self, event) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setPen(QPen(self.palette().highlight(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def keyPressEvent(self, event) -> None:
        step = {Qt.Key.Key_Left: -0.02, Qt.Key.Key_Right: 0.02}.get(event.key())
        if self.split is None or step is None:
            super().keyPressEvent(event)
        else:
            self.set_split(self.split + step)

    def mouseReleaseEvent(self, event) -> None:
        self._dragging = False
        super().mouseReleaseEvent(event)

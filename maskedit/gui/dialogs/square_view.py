"""A photo with a square in it that the mouse, the wheel and keys move, scale and turn."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen, QPolygonF, QTransform
from PySide6.QtWidgets import QSizePolicy, QWidget

from maskedit.face.align import LEFT_EYE_AT, MOUTH_AT, RIGHT_EYE_AT
from maskedit.gui.canvas.views import SURROUND
from maskedit.gui.theme import ACCENT
from maskedit.imaging import Square

MIN_SIDE = 32
"""Pixels of the photo: a smaller square shows no face."""
_MARKS = [
    line
    for (x, y), across, down in ((RIGHT_EYE_AT, 0.035, 0.035), (LEFT_EYE_AT, 0.035, 0.035), (MOUTH_AT, 0.08, 0.025))
    for line in (QLineF(x - across, y, x + across, y), QLineF(x, y - down, x, y + down))
]
"""Crosses where CelebA-HQ's squares have eyes and mouth, in parts of the side."""
_MARGIN = 40
"""Screen pixels around the photo: room for the knob."""
_REACH = 12
"""Screen pixels: so near a handle, the mouse takes it."""
HINT = (
    "Drag the square to move it, a corner to scale it, the knob to turn it. The wheel scales, with Shift it turns. "
    "Keys: arrows move (Shift: finely), + and − scale, comma and period turn."
)


def limited(square: Square, *, width: int, height: int) -> Square:
    """The nearest square that a photo of this size allows: its centre on the photo, its side of a sensible length."""
    side = min(max(square.side, MIN_SIDE), largest_side(width, height))
    x, y = min(max(square.x, 0.0), width), min(max(square.y, 0.0), height)
    return Square(x, y, side, math.remainder(square.degrees, 360))


def largest_side(width: int, height: int) -> int:
    return max(2 * max(width, height), MIN_SIDE)


def draw_marks(painter: QPainter, place: QTransform) -> None:
    """Where eyes and mouth belong, white on black; ``place`` maps the unit square onto the screen."""
    lines = [place.map(line) for line in _MARKS]
    for colour, width in ((Qt.GlobalColor.black, 3.0), (Qt.GlobalColor.white, 1.2)):
        painter.setPen(QPen(colour, width))
        painter.drawLines(lines)


class SquareView(QWidget):
    """A photo and a square in it that one can move, scale and turn; ``changed`` tells whenever it did."""

    changed = Signal()

    def __init__(self, image: QImage, size: tuple[int, int], square: Square, parent: QWidget | None = None):
        """``image`` shows a photo of ``size``, (width, height) in pixels."""
        super().__init__(parent)
        self._image = image
        self._width, self._height = size
        self.square = limited(square, width=self._width, height=self._height)
        self._grip: str | None = None
        self._pressed: tuple[QPointF, Square] | None = None
        """Where the drag began, in pixels of the photo, and the square as it was."""
        self._scale, self._middle = 1.0, QPointF()
        self.setAccessibleName("The photo and the square to edit")
        self.setAccessibleDescription(HINT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(320, 320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_square(self, square: Square) -> None:
        """Take another square, as far as the photo allows it."""
        self.square = limited(square, width=self._width, height=self._height)
        if self._grip is None:  # nothing glides away under a dragging hand
            self._fit()
        self.update()
        self.changed.emit()

    # Geometry ---------------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        """Keep the whole photo and the whole square in sight."""
        xs, ys = self.square.corners().T
        bounds = QRectF(0, 0, self._width, self._height)
        bounds |= QRectF(QPointF(xs.min(), ys.min()), QPointF(xs.max(), ys.max()))
        across, down = max(16, self.width() - 2 * _MARGIN), max(16, self.height() - 2 * _MARGIN)
        self._scale, self._middle = min(across / bounds.width(), down / bounds.height()), bounds.center()

    def to_view(self, point: QPointF) -> QPointF:
        """A point of the photo on this widget."""
        return (point - self._middle) * self._scale + QPointF(self.width() / 2, self.height() / 2)

    def to_photo(self, point: QPointF) -> QPointF:
        """A point of this widget in pixels of the photo."""
        return (point - QPointF(self.width() / 2, self.height() / 2)) / self._scale + self._middle

    def corners(self) -> list[QPointF]:
        """The square's corners on this widget, from the upper left one clockwise as the square is seen upright."""
        return [self.to_view(QPointF(x, y)) for x, y in self.square.corners()]

    def knob(self) -> QPointF:
        """The handle that turns the square: beyond the middle of its upper edge."""
        up = math.radians(self.square.degrees - 90)
        away = self.square.side * self._scale / 2 + 26
        return self.to_view(QPointF(self.square.x, self.square.y)) + QPointF(math.cos(up), math.sin(up)) * away

    def _grip_at(self, point: QPointF) -> str | None:
        """``"turn"``, ``"scale"``, ``"move"`` or None: what a drag from here would do."""
        if QLineF(point, self.knob()).length() <= _REACH:
            return "turn"
        corners = self.corners()
        # A small square keeps a middle to be moved by.
        reach = min(_REACH, 0.3 * self.square.side * self._scale)
        if min(QLineF(point, corner).length() for corner in corners) <= reach:
            return "scale"
        inside = QPolygonF(corners).containsPoint(point, Qt.FillRule.WindingFill)
        return "move" if inside else None

    def _drag(self, point: QPointF) -> None:
        start, before = self._pressed
        centre = QPointF(before.x, before.y)
        was, now = QLineF(centre, start), QLineF(centre, point)
        if self._grip == "move":
            self.set_square(replace(before, x=before.x + point.x() - start.x(), y=before.y + point.y() - start.y()))
        elif self._grip == "scale":
            self.set_square(replace(before, side=before.side * max(now.length(), 1e-3) / was.length()))
        else:
            self.set_square(replace(before, degrees=before.degrees + now.angleTo(was)))

    # Qt ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), SURROUND)
        painter.drawImage(
            QRectF(self.to_view(QPointF(0, 0)), self.to_view(QPointF(self._width, self._height))), self._image
        )
        corners, knob = QPolygonF(self.corners()), self.knob()
        outside = QPainterPath()
        outside.addRect(self.rect())
        outside.addPolygon(corners)
        outside.closeSubpath()
        painter.fillPath(outside, QColor(0, 0, 0, 140))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((Qt.GlobalColor.black, 3.0), (Qt.GlobalColor.white, 1.2)):
            painter.setPen(QPen(colour, width))
            painter.drawPolygon(corners)
            painter.drawLine(QLineF((corners[0] + corners[1]) / 2, knob))
        if self.square.side * self._scale > 80:  # on a smaller one they would hide the face
            matrix = self.square.matrix(1)
            to_photo = QTransform(
                matrix[0, 0], matrix[1, 0], matrix[0, 1], matrix[1, 1], matrix[0, 2], matrix[1, 2]
            )  # fmt: skip
            origin = self.to_view(QPointF(0, 0))
            draw_marks(painter, to_photo * QTransform(self._scale, 0, 0, self._scale, origin.x(), origin.y()))
        painter.setPen(QPen(Qt.GlobalColor.black, 1.0))
        painter.setBrush(Qt.GlobalColor.white)
        radius = min(5.0, 0.15 * self.square.side * self._scale)
        for corner in corners:
            painter.drawEllipse(corner, radius, radius)
        painter.setPen(QPen(Qt.GlobalColor.white, 1.5))
        painter.setBrush(ACCENT)
        painter.drawEllipse(knob, 7, 7)
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
            painter.setPen(QPen(self.palette().highlight(), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def resizeEvent(self, event) -> None:
        self._fit()

    def mousePressEvent(self, event) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = self._grip_at(event.position())
            self._pressed = self.to_photo(event.position()), self.square

    def mouseMoveEvent(self, event) -> None:
        if self._grip is not None:
            self._drag(self.to_photo(event.position()))
            return
        grip = self._grip_at(event.position())
        right = self.to_photo(event.position()).x() > self.square.x
        lower = self.to_photo(event.position()).y() > self.square.y
        diagonal = Qt.CursorShape.SizeFDiagCursor if right == lower else Qt.CursorShape.SizeBDiagCursor
        shapes = {"turn": Qt.CursorShape.PointingHandCursor, "scale": diagonal, "move": Qt.CursorShape.SizeAllCursor}
        self.setCursor(shapes.get(grip, Qt.CursorShape.ArrowCursor))

    def mouseReleaseEvent(self, event) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._grip is not None:
            self._grip = self._pressed = None
            self._fit()
            self.update()

    def wheelEvent(self, event) -> None:
        # With Shift some systems turn the wheel's way, too.
        notches = (event.angleDelta().y() or event.angleDelta().x()) / 120
        square = self.square
        if event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier):
            self.set_square(replace(square, degrees=square.degrees + notches))
        else:
            self.set_square(replace(square, side=square.side * 1.04**notches))
        event.accept()

    def keyPressEvent(self, event) -> None:
        square, key = self.square, Qt.Key
        fine = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        step = square.side * (0.001 if fine else 0.01)
        moved = {
            key.Key_Left: replace(square, x=square.x - step),
            key.Key_Right: replace(square, x=square.x + step),
            key.Key_Up: replace(square, y=square.y - step),
            key.Key_Down: replace(square, y=square.y + step),
            key.Key_Plus: replace(square, side=square.side * 1.01),
            key.Key_Equal: replace(square, side=square.side * 1.01),  # where plus wants Shift
            key.Key_Minus: replace(square, side=square.side / 1.01),
            key.Key_Comma: replace(square, degrees=square.degrees - 1),
            key.Key_Period: replace(square, degrees=square.degrees + 1),
        }.get(event.key())
        if moved is None:
            super().keyPressEvent(event)
        else:
            self.set_square(moved)

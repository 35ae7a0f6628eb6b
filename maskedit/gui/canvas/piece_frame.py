"""The frame around what floats: its edge, its handles, and the shape that the cursor has on each of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from maskedit.document.placement import FRAME, HANDLES, INSIDE, TURN, Placement, Point, handles

_HANDLE = 4.0
"""Half the side of a handle on the screen."""
_SIZE_CURSORS = (
    Qt.CursorShape.SizeHorCursor,
    Qt.CursorShape.SizeFDiagCursor,
    Qt.CursorShape.SizeVerCursor,
    Qt.CursorShape.SizeBDiagCursor,
)
"""For a handle that draws to the right, to the lower right, down, to the lower left; and the other way."""


def draw_frame(painter: QPainter, placement: Placement, to_view: Callable[[QPointF], QPointF], *, pixel: float) -> None:
    """Draw it white on black, which is seen on every class and in every theme.

    Args:
        to_view: from a point of the map to one of the screen.
        pixel: how many pixels of the map one of the screen is.
    """
    points = {name: to_view(QPointF(*point)) for name, point in handles(placement, pixel=pixel).items()}
    edge = QPolygonF([to_view(QPointF(*corner)) for corner in placement.grown(FRAME * pixel).corners()])
    top = to_view(QPointF(*placement.grown(FRAME * pixel).at(0, -1)))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((QColor(0, 0, 0, 170), 3.0), (QColor(255, 255, 255), 1.2)):
        painter.setPen(QPen(colour, width))
        painter.drawPolygon(edge)
        painter.drawLine(top, points[TURN])
    painter.setPen(QPen(Qt.GlobalColor.black, 1.4))
    painter.setBrush(Qt.GlobalColor.white)
    for name, point in points.items():
        rect = QRectF(point.x() - _HANDLE, point.y() - _HANDLE, 2 * _HANDLE, 2 * _HANDLE)
        if name == TURN:
            painter.drawEllipse(rect.adjusted(-1, -1, 1, 1))
        else:
            painter.drawRect(rect)


def cursor_on(held: str | None, placement: Placement) -> Qt.CursorShape:
    """The cursor over a part of the frame, one of the answers of `grip`."""
    if held is None:
        return Qt.CursorShape.CrossCursor
    if held in (INSIDE, TURN):
        return Qt.CursorShape.SizeAllCursor if held == INSIDE else Qt.CursorShape.PointingHandCursor
    angle = math.degrees(math.atan2(HANDLES[held][1], HANDLES[held][0])) + placement.degrees
    return _SIZE_CURSORS[round(angle / 45) % 4]


def arrow_step(key: int) -> Point | None:
    """One pixel the way that an arrow key points; None for another key."""
    return {
        Qt.Key.Key_Left: (-1.0, 0.0),
        Qt.Key.Key_Right: (1.0, 0.0),
        Qt.Key.Key_Up: (0.0, -1.0),
        Qt.Key.Key_Down: (0.0, 1.0),
    }.get(key)

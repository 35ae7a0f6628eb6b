"""How the three views share the window: which of them are shown, where, and how large.

The views in which one paints and sees what comes of it have one size, so that one zoom is one scale in both. The photo
has that scale in a row of three; else it is small, in room that is left over or on a corner of the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from maskedit.gui.canvas.label_canvas import LabelCanvas
from maskedit.gui.canvas.views import ImageView, ResultView

LAYOUTS = ("auto", "side", "row", "rows", "over")
"""As fits the window; labels and result side by side; all three in a row; labels above the result; labels over it."""
_GAP = 4
_ROOM = 150
"""Pixels of the screen that are left over from which the photo is shown there, and not over a corner."""
_SHARE = 0.4
"""The share of a large view that they must have, too, where views could grow into them when one zooms in."""
_AS_GOOD = 0.9
"""The share of the largest pictures from which three of one size are as good as two and a smaller one."""
_INSET = (110, 240)
"""The least and the most that a photo on a corner measures."""


@dataclass(frozen=True)
class Places:
    """Where the panels lie, titles included; None for those that are not shown."""

    labels: QRect
    result: QRect | None
    photo: QRect | None
    inset: bool = False
    """Whether the photo lies on a corner of another panel; it has no title then."""


def places(layout: str, size: QSize, *, photo: bool, title: int) -> Places:
    """Share an area of ``size`` out among the panels.

    Args:
        layout: one of ``LAYOUTS``.
        photo: whether the photo is shown.
        title: the height of a panel's title.
    """

    def square(columns: int, rows: int) -> int:
        """The side of the largest picture that has room in each cell of such a grid."""
        return min(_cell(size.width(), columns), _cell(size.height(), rows) - title)

    if layout == "auto":
        side, rows = square(2, 1), square(1, 2)
        layout = "side" if side >= rows else "rows"
        if photo and square(3, 1) >= _AS_GOOD * max(side, rows):
            layout = "row"
    columns, rows = {"side": (2, 1), "row": (3 if photo else 2, 1), "rows": (1, 2), "over": (1, 1)}[layout]
    picture = square(columns, rows)
    room, apart = QRect(0, 0, size.width(), size.height()), None
    if photo and layout not in ("row", "over"):
        # What the large pictures leave: beside them, or below.
        right = size.width() - columns * picture - columns * _GAP
        below = size.height() - rows * (picture + title) - rows * _GAP
        if right >= _ROOM:
            width = min(right, picture)
            apart = QRect(0, 0, width, size.height())
            room.setLeft(width + _GAP)
        elif below >= max(_ROOM, _SHARE * picture):
            height = min(below, picture + title)
            apart = QRect(0, size.height() - height, size.width(), height)
            room.setHeight(size.height() - height - _GAP)
    cells = _cells(room, columns, rows)
    if layout == "row" and photo:
        return Places(labels=cells[1], result=cells[2], photo=cells[0])
    labels, result = cells[0], cells[1] if len(cells) > 1 else None
    if not photo or apart is not None:
        return Places(labels, result, apart)
    side = min(max(round(0.26 * picture), _INSET[0]), _INSET[1])
    under = result or labels
    return Places(labels, result, QRect(under.right() - side - 5, under.top() + title + 6, side, side), inset=True)


def _cell(length: int, count: int) -> int:
    return (length - _GAP * (count - 1)) // count


def _cells(room: QRect, columns: int, rows: int) -> list[QRect]:
    """The cells of a grid in ``room``, row by row, all of exactly one size."""
    width, height = _cell(room.width(), columns), _cell(room.height(), rows)
    return [
        QRect(room.left() + column * (width + _GAP), room.top() + row * (height + _GAP), width, height)
        for row in range(rows)
        for column in range(columns)
    ]


class ViewArea(QWidget):
    """Holds the three views, each under its title, and places them."""

    def __init__(self, photo: ImageView, labels: LabelCanvas, result: ResultView, parent: QWidget | None = None):
        super().__init__(parent)
        self._views = {"labels": labels, "result": result, "photo": photo}  # the last one lies on top
        self._panels = {name: _Panel(name.capitalize(), view, self) for name, view in self._views.items()}
        self.layout_name = LAYOUTS[0]
        self.photo_shown = True
        self.setMinimumSize(360, 240)

    def arrange(self, layout: str, *, photo: bool) -> None:
        """Take another of ``LAYOUTS``, with or without the photo."""
        self.layout_name, self.photo_shown = layout, photo
        labels, result = self._views["labels"], self._views["result"]
        labels.lie_over(result if layout == "over" else None)
        self._panels["labels"].title.setText("Labels over the result" if layout == "over" else "Labels")
        self._place()

    def _place(self) -> None:
        title = self._panels["labels"].title.sizeHint().height()
        found = places(self.layout_name, self.size(), photo=self.photo_shown, title=title)
        self._views["photo"].set_framed(found.inset)
        self._panels["photo"].title.setVisible(not found.inset)
        for name, panel in self._panels.items():
            place = getattr(found, name)
            panel.setVisible(place is not None)
            if place is not None:
                panel.setGeometry(place)

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._place()


class _Panel(QWidget):
    """A view under its title."""

    def __init__(self, title: str, view: ImageView, parent: QWidget):
        super().__init__(parent)
        self.title = QLabel(title)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.title)
        column.addWidget(view, 1)

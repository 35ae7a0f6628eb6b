"""Which face of a photo with several is to be edited."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QElapsedTimer, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from maskedit.gui.dialogs.crop import halvings
from maskedit.gui.panels.digits import WINDOW
from maskedit.gui.qimage import photo_image
from maskedit.gui.theme import ACCENT
from maskedit.imaging import Square, cut_square

CROP = 2
"""What the dialog ends with when the person wants to crop by hand."""
THUMBNAIL = 144


class FacesView(QWidget):
    """A photo with its faces outlined and numbered from 1; a click on one picks it."""

    picked = Signal(int)
    accepted = Signal()

    def __init__(self, photo: np.ndarray, squares: list[Square], parent: QWidget | None = None):
        super().__init__(parent)
        self._width = photo.shape[1]
        self._height = photo.shape[0]
        self._image = photo_image(halvings(photo)[-1])
        self._squares = squares
        self._chosen = -1
        self.setMinimumSize(320, 200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("The photo with its faces numbered")

    def choose(self, index: int) -> None:
        self._chosen = index
        self.update()

    def photo_rect(self) -> QRectF:
        """Where the photo lies on the widget."""
        scale = min(self.width() / self._width, self.height() / self._height)
        width, height = self._width * scale, self._height * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def outline(self, index: int) -> QPolygonF:
        """A face's square on the widget."""
        rect = self.photo_rect()
        scale = rect.width() / self._width
        return QPolygonF([rect.topLeft() + QPointF(x, y) * scale for x, y in self._squares[index].corners()])

    def face_at(self, point: QPointF) -> int | None:
        """The smallest square under a point: in front of a larger one."""
        under = [i for i in range(len(self._squares)) if self.outline(i).containsPoint(point, Qt.FillRule.WindingFill)]
        return min(under, key=lambda index: self._squares[index].side, default=None)

    # Qt ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        rect = self.photo_rect()
        painter.drawImage(rect, self._image)
        painter.setClipRect(rect)
        # The chosen one last: nothing lies over it.
        for index in sorted(range(len(self._squares)), key=lambda index: index == self._chosen):
            self._draw_face(painter, rect, index)

    def _draw_face(self, painter: QPainter, rect: QRectF, index: int) -> None:
        chosen = index == self._chosen
        outline = self.outline(index)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        # White on black, so that it is seen on every photo; the chosen one in the accent's colour.
        for colour, width in (
            (QColor("black"), 5.0 if chosen else 3.0),
            (ACCENT if chosen else "white", 3.0 if chosen else 1.2),
        ):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawPolygon(outline)
        place = outline.boundingRect().intersected(rect.adjusted(2, 2, -2, -2))
        badge = QRectF(place.left(), place.top(), 14 + 8 * len(str(index + 1)), 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ACCENT if chosen else QColor(0, 0, 0, 190))
        painter.drawRoundedRect(badge, 4, 4)
        painter.setPen(Qt.GlobalColor.white)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(index + 1))

    def mousePressEvent(self, event) -> None:
        index = self.face_at(event.position())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(index)

    def mouseDoubleClickEvent(self, event) -> None:
        if self.face_at(event.position()) is not None and event.button() == Qt.MouseButton.LeftButton:
            self.accepted.emit()


class FaceList(QListWidget):
    """The faces, large and numbered from 1; typing a number picks that one."""

    def __init__(self, thumbnails: list[QIcon], parent: QWidget | None = None):
        super().__init__(parent)
        self._typed = ""
        self._since_digit = QElapsedTimer()
        self.setAccessibleName("Faces")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setGridSize(QSize(THUMBNAIL + 16, THUMBNAIL + 32))
        self.setViewportMargins(0, 6, 0, 0)
        self.setBackgroundRole(QPalette.ColorRole.Base)  # the margin's, too
        self.setAutoFillBackground(True)
        rows = 1 if len(thumbnails) <= 5 else 2
        self.setFixedHeight(rows * (THUMBNAIL + 32) + 14)
        for number, thumbnail in enumerate(thumbnails, start=1):
            item = QListWidgetItem(thumbnail, str(number), self)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"Face {number}")

    def keyboardSearch(self, search: str) -> None:
        """A second digit soon after the first makes it a number of two."""
        soon = self._since_digit.isValid() and self._since_digit.elapsed() <= WINDOW * 1000
        for number in (self._typed + search, search) if soon else (search,):
            if number.isdecimal() and 1 <= int(number) <= self.count():
                self.setCurrentRow(int(number) - 1)
                self._typed = number
                self._since_digit.start()
                return


class FaceDialog(QDialog):
    """The photo with its faces numbered, and each face large; ends with `CROP` when none of them is meant."""

    def __init__(self, photo: np.ndarray, squares: list[Square], parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Choose a face")
        self.view = FacesView(photo, squares)
        self.list = FaceList([self._thumbnail(photo, square) for square in squares])
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self.buttons.button(standard.Ok).setText("Edit this face")
        self.buttons.button(standard.Ok).setDefault(True)
        self.crop_button = self.buttons.addButton("None of these: crop by hand…", QDialogButtonBox.ButtonRole.ResetRole)
        self.crop_button.setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("Click a face or press its number; a double click or Enter opens it."))
        layout.addWidget(self.view, 1)
        layout.addWidget(self.list)
        layout.addWidget(self.buttons)

        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.crop_button.clicked.connect(lambda: self.done(CROP))
        self.list.currentRowChanged.connect(self.view.choose)
        self.list.itemDoubleClicked.connect(self.accept)
        self.view.picked.connect(self.list.setCurrentRow)
        self.view.accepted.connect(self.accept)
        self.list.setCurrentRow(0)
        self.list.setFocus()
        self.resize(860, 700)

    def chosen(self) -> int:
        """The index of the face that is picked."""
        return self.list.currentRow()

    def keyPressEvent(self, event) -> None:
        if event.text().isdecimal():  # a button has the focus
            self.list.keyboardSearch(event.text())
        else:
            super().keyPressEvent(event)

    def _thumbnail(self, photo: np.ndarray, square: Square) -> QIcon:
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap.fromImage(photo_image(cut_square(photo, square, round(THUMBNAIL * ratio))))
        pixmap.setDevicePixelRatio(ratio)
        # The chosen one gets a frame; Qt alone would tint the whole face.
        framed = QPixmap(pixmap)
        painter = QPainter(framed)
        painter.setPen(QPen(ACCENT, 8))
        painter.drawRect(0, 0, THUMBNAIL, THUMBNAIL)
        painter.end()
        icon = QIcon(pixmap)
        icon.addPixmap(framed, QIcon.Mode.Selected)
        return icon

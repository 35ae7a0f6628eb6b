"""Place the square that is to be edited in a photo by hand: with the mouse, the wheel, keys or numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QPainter, QPixmap, QTransform
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from maskedit.gui.dialogs.square_view import HINT, MIN_SIDE, SquareView, draw_marks, largest_side
from maskedit.gui.qimage import photo_image
from maskedit.imaging import Square, cut_square, resize_photo

PREVIEW = 240
"""Screen pixels."""


def halvings(photo: np.ndarray, *, longest: int = 3000) -> list[np.ndarray]:
    """A photo (H, W, 3) uint8 and its halves, quarters, ... down to one with at most so many pixels a side."""
    levels = [photo]
    while max(levels[-1].shape) > longest:
        height, width = levels[-1].shape[:2]
        levels.append(resize_photo(levels[-1], (max(1, width // 2), max(1, height // 2))))
    return levels


class CropDialog(QDialog):
    """The square in the photo, and beside it what it shows: that is what a person judges."""

    def __init__(self, photo: np.ndarray, square: Square | None, note: str = "", parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Place the square")
        height, width = photo.shape[:2]
        if square is None:
            square = Square(width / 2, height / 2, 0.8 * min(width, height))
        self._levels = halvings(photo)
        self.view = SquareView(photo_image(self._levels[-1]), (width, height), square)
        self._start = self.view.square
        self.preview = QLabel()
        self.preview.setFixedSize(PREVIEW, PREVIEW)
        self.preview.setAccessibleName("What the square shows")

        self.size_slider, self.size_box = QSlider(Qt.Orientation.Horizontal), QSpinBox()
        self.size_slider.setRange(0, 1000)
        self.size_slider.setAccessibleName("Size")
        self.size_box.setRange(MIN_SIDE, largest_side(width, height))
        self.size_box.setSuffix(" px")
        self.size_box.setAccessibleName("Size in pixels of the photo")
        self.turn_slider, self.turn_box = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        self.turn_slider.setRange(-180, 180)
        self.turn_slider.setAccessibleName("Turn")
        self.turn_box.setRange(-180, 180)
        self.turn_box.setDecimals(1)
        self.turn_box.setWrapping(True)
        self.turn_box.setSuffix("°")
        self.turn_box.setAccessibleName("Turn in degrees, clockwise")
        self.left, self.right = self._button("Quarter turn left"), self._button("Quarter turn right")
        self.reset = self._button("Reset")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        use = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        use.setText("Use this square")
        use.setDefault(True)
        self._lay_out(note)

        # As often as the screen follows, however fast the mouse is.
        self._redraw = QTimer(self, singleShot=True, interval=0)
        self._redraw.timeout.connect(self._show_preview)
        self.view.changed.connect(self._follow)
        self.size_slider.valueChanged.connect(lambda value: self._change(side=self._side(value)))
        self.size_box.valueChanged.connect(lambda value: self._change(side=value))
        self.turn_slider.valueChanged.connect(lambda value: self._change(degrees=value))
        self.turn_box.valueChanged.connect(lambda value: self._change(degrees=value))
        self.left.clicked.connect(lambda: self._change(degrees=self.square.degrees - 90))
        self.right.clicked.connect(lambda: self._change(degrees=self.square.degrees + 90))
        self.reset.clicked.connect(lambda: self.view.set_square(self._start))
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._follow()
        self._show_preview()
        self.view.setFocus()
        self.resize(960, 680)

    @property
    def square(self) -> Square:
        """The square as it stands."""
        return self.view.square

    def _button(self, text: str) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)  # Enter uses the square, wherever one is
        return button

    def _lay_out(self, note: str) -> None:
        controls = QGridLayout()
        for row, (name, slider, box) in enumerate(
            (("&Size", self.size_slider, self.size_box), ("&Turn", self.turn_slider, self.turn_box))
        ):
            label = QLabel(name)
            label.setBuddy(box)
            controls.addWidget(label, row, 0)
            controls.addWidget(slider, row, 1)
            controls.addWidget(box, row, 2)
        hint = QLabel(HINT)
        hint.setWordWrap(True)
        side = QVBoxLayout()
        side.addWidget(self.preview)
        side.addLayout(controls)
        for button in (self.left, self.right, self.reset):
            side.addWidget(button)
        side.addStretch(1)
        side.addWidget(hint)
        row = QHBoxLayout()
        row.addWidget(self.view, 1)
        row.addSpacing(6)
        row.addLayout(side)
        layout = QVBoxLayout(self)
        if note:
            told = QLabel(note)
            told.setTextFormat(Qt.TextFormat.PlainText)  # names of files are no HTML
            told.setWordWrap(True)
            layout.addWidget(told)
        layout.addLayout(row, 1)
        layout.addWidget(self.buttons)

    def _change(self, **changes: float) -> None:
        self.view.set_square(replace(self.square, **changes))

    def _side(self, value: int) -> float:
        """The side for a place of the slider: equal ways scale by equal factors."""
        low, high = self.size_box.minimum(), self.size_box.maximum()
        return low * (high / low) ** (value / 1000)

    def _follow(self) -> None:
        """The controls show the square; what they round is not written back into it."""
        low, high = self.size_box.minimum(), self.size_box.maximum()
        square = self.square
        for control, value in (
            (self.size_slider, round(1000 * math.log(square.side / low) / max(math.log(high / low), 1e-9))),
            (self.size_box, round(square.side)),
            (self.turn_slider, round(square.degrees)),
            (self.turn_box, square.degrees),
        ):
            with QSignalBlocker(control):
                control.setValue(value)
        self._redraw.start()

    def _show_preview(self) -> None:
        ratio = self.devicePixelRatioF()
        side = round(PREVIEW * ratio)
        # From the smallest photo that is sharp enough: a preview has to follow the mouse.
        height, width = self._levels[0].shape[:2]
        sharp = [level for level in self._levels if self.square.side * level.shape[1] >= side * width]
        photo = sharp[-1] if sharp else self._levels[0]
        across, down = photo.shape[1] / width, photo.shape[0] / height
        square = replace(self.square, x=self.square.x * across, y=self.square.y * down, side=self.square.side * across)
        pixmap = QPixmap.fromImage(photo_image(cut_square(photo, square, side)))
        pixmap.setDevicePixelRatio(ratio)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_marks(painter, QTransform.fromScale(PREVIEW, PREVIEW))
        painter.end()
        self.preview.setPixmap(pixmap)

"""The style of the chosen class: where its colours come from, and how much of them there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from maskedit.document.styles import THUMBNAIL, PartStyle
from maskedit.gui.editor import Editor
from maskedit.gui.qimage import photo_image


def thumbnail(style: PartStyle) -> QPixmap:
    """The little picture of where a style came from."""
    pixels = np.frombuffer(style.thumbnail, np.uint8).reshape(THUMBNAIL, THUMBNAIL, 3)
    return QPixmap.fromImage(photo_image(pixels))


class StylePanel(QWidget):
    """Follows the chosen class; shows and sets the strength of its style.

    Args:
        run: runs a command by its id.
    """

    def __init__(self, editor: Editor, run: Callable[[str], None], parent: QWidget | None = None):
        super().__init__(parent)
        self._editor = editor
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 2, 8, 2)
        grid.setSpacing(4)
        self.picture = QLabel()
        self.picture.setFixedSize(THUMBNAIL, THUMBNAIL)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)  # a photo's name is no HTML
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, 100)
        self.strength.setSingleStep(5)
        # Tab reaches it, a click does not: the keys stay with the canvas.
        self.strength.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.strength.setAccessibleName("Strength of the style")
        self.strength.setToolTip("How far the colours move to those of the style")
        self.strength.valueChanged.connect(self._strength_moved)
        self.strength.sliderReleased.connect(self._strength_chosen)
        grid.addWidget(self.picture, 0, 0, 2, 1)
        grid.addWidget(self.title, 0, 1)
        grid.addWidget(self.strength, 1, 1)
        row = QHBoxLayout()
        row.setSpacing(2)
        self.buttons: dict[str, QToolButton] = {}
        for command, text, tip in (
            ("style_from_photo", "Photo…", "Colours of this class from another photo"),
            ("style_from_colour", "Colour…", "One colour for this class"),
            ("own_style", "Own", "The photo's own colours again"),
        ):
            button = QToolButton(text=text)
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _=False, command=command: run(command))
            row.addWidget(button)
            self.buttons[command] = button
        grid.addLayout(row, 2, 0, 1, 2)
        editor.label_changed.connect(self.refresh)
        editor.document_changed.connect(self.refresh)
        editor.history_changed.connect(self.refresh)
        self.refresh()

    @property
    def chosen(self) -> PartStyle | None:
        """What the chosen class has; None for the photo's own."""
        document = self._editor.document
        return None if document is None else document.styles.get(self._editor.part)

    @Slot()
    def refresh(self) -> None:
        """Show what the document has."""
        style, part = self.chosen, self._editor.part
        self.picture.setPixmap(QPixmap() if style is None else thumbnail(style))
        self.picture.setVisible(style is not None)
        if part is None:
            text = "This class has no style"
        elif style is None:
            text = f"{part.capitalize()}: own style"
        else:
            text = f"{part.capitalize()}: {style.name}"
        self.title.setText(text)
        self.title.setToolTip(text)
        self.strength.setEnabled(style is not None)
        if not self.strength.isSliderDown():
            self.strength.blockSignals(True)
            self.strength.setValue(0 if style is None else round(100 * style.strength))
            self.strength.blockSignals(False)
        usable = part is not None and self._editor.document is not None
        self.buttons["style_from_photo"].setEnabled(usable)
        self.buttons["style_from_colour"].setEnabled(usable)
        self.buttons["own_style"].setEnabled(style is not None)

    @Slot(int)
    def _strength_moved(self, percent: int) -> None:
        if self.chosen is None:
            return
        if self.strength.isSliderDown():
            self._editor.try_style(self._editor.part, replace(self.chosen, strength=percent / 100))
        else:  # a key, or a click beside the handle
            self._strength_chosen()

    @Slot()
    def _strength_chosen(self) -> None:
        if self.chosen is not None:
            part, percent = self._editor.part, self.strength.value()
            style = replace(self.chosen, strength=percent / 100)
            self._editor.set_style(part, style, name=f"Style of {part} {percent} %")

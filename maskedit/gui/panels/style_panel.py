"""The style of the chosen class: where its colours come from, and how much of them there is."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from maskedit.document.styles import THUMBNAIL, PartStyle
from maskedit.gui.editor import Editor
from maskedit.gui.panels.quiet_slider import QuietSlider
from maskedit.gui.qimage import photo_image

_PAUSE = 700
"""Milliseconds without a key or a notch of the wheel after which the strength is taken; longer than a key that is held
waits before it repeats."""


def thumbnail(style: PartStyle) -> QPixmap:
    """The little picture of where a style came from."""
    pixels = np.frombuffer(style.thumbnail, np.uint8).reshape(THUMBNAIL, THUMBNAIL, 3)
    return QPixmap.fromImage(photo_image(pixels))


def plain_tip(text: str) -> str:
    """A tooltip that shows ``text`` to the letter: a name from somebody's session would be read as HTML."""
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>")


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
        self.strength = QuietSlider(0, 100)
        self.strength.setAccessibleName("Strength of the style")
        self.strength.setToolTip("How far the colours move to those of the style")
        self._held: str | None = None
        """The part that was chosen when the handle was pressed: keys may choose another while it is held."""
        self._trying: str | None = None
        """The part whose strength is shown and not yet taken."""
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._strength_chosen)
        self.strength.sliderPressed.connect(self._strength_pressed)
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
        editor.label_changed.connect(self._label_changed)
        editor.document_changed.connect(self._document_changed)
        editor.history_changed.connect(self._document_changed)
        self.refresh()

    @property
    def chosen(self) -> PartStyle | None:
        """What the chosen class has; None for the photo's own."""
        return self._style_of(self._editor.part)

    def _style_of(self, part: str | None) -> PartStyle | None:
        document = self._editor.document
        return None if document is None else document.styles.get(part)

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
        self.title.setToolTip(plain_tip(text))
        self.strength.setEnabled(style is not None)
        if not self.strength.isSliderDown() and self._trying is None:
            self.strength.show_value(0 if style is None else round(100 * style.strength))
        usable = part is not None and self._editor.document is not None
        self.buttons["style_from_photo"].setEnabled(usable)
        self.buttons["style_from_colour"].setEnabled(usable)
        self.buttons["own_style"].setEnabled(style is not None)

    @Slot()
    def _label_changed(self) -> None:
        if self._pause.isActive():  # keys have set the strength of the class that was chosen before
            self._strength_chosen()
        self.refresh()

    @Slot()
    def _document_changed(self) -> None:
        if self._editor.render.tried is None:  # undone, or replaced by another edit or document
            self._trying = None
            self._pause.stop()
        self.refresh()

    @Slot()
    def _strength_pressed(self) -> None:
        self._strength_chosen()
        self._held = self._editor.part

    @Slot(int)
    def _strength_moved(self, percent: int) -> None:
        held = self.strength.isSliderDown()
        part = self._held if held else self._editor.part
        style = self._style_of(part)
        if style is None:
            return
        self._trying = part
        self._editor.try_style(part, replace(style, strength=percent / 100))
        if not held:  # a key, the wheel, or a click beside the handle: more of them may follow
            self._pause.start()

    @Slot()
    def _strength_chosen(self) -> None:
        """Take what was tried, as one edit; in any case nothing is tried any more."""
        self._pause.stop()
        self._editor.render.try_styles(None)
        (part, self._trying), percent = (self._trying, None), self.strength.value()
        style = self._style_of(part)
        if style is None:
            self.refresh()
        else:
            style = replace(style, strength=percent / 100)
            self._editor.set_style(part, style, name=f"Style of {part} {percent} %")

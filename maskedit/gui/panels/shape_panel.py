"""Sliders that shape the label map: a smile, the brows, the jaw, the hair, and towards another face."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from maskedit.document.shapes import SHAPES
from maskedit.gui.editor import Editor
from maskedit.gui.files.files import BUNDLED
from maskedit.gui.files.others import Others
from maskedit.gui.panels.quiet_slider import QuietSlider
from maskedit.gui.shaping import MORPH, Shaping
from maskedit.opening.other_face import OtherFace

_PAUSE = 700
"""Milliseconds without a key or a notch of the wheel after which a slider counts as let go."""


class ShapePanel(QWidget):
    """For each slider its title and number, and under them the slider itself.

    The map follows while one moves; let go, it is one edit.

    Args:
        others: finds the face that is morphed towards.
        run: runs a command by its id.
    """

    wanted = Signal()
    """It has news, and should be seen."""

    def __init__(self, editor: Editor, others: Others, run: Callable[[str], None], parent: QWidget | None = None):
        super().__init__(parent)
        self._others = others
        self.shaping = Shaping(editor, self)
        self.sliders: dict[str, QuietSlider] = {}
        self._titles: dict[str, QLabel] = {}
        self._numbers: dict[str, QLabel] = {}
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self.shaping.end)
        editor.hand_comes.connect(self._finish)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(0, 1)
        for name, shape in SHAPES.items():
            self._add_row(grid, name, shape.title, QuietSlider(round(100 * shape.lowest), 100))
        self._add_row(grid, MORPH, "Morph", QuietSlider(0, 100))
        grid.addLayout(self._buttons(run), grid.rowCount(), 0, 1, 2)
        grid.setRowStretch(grid.rowCount(), 1)
        self.shaping.changed.connect(self.refresh)
        self.refresh()

    def _add_row(self, grid: QGridLayout, name: str, title: str, slider: QuietSlider) -> None:
        row = grid.rowCount()
        self._titles[name], self._numbers[name], self.sliders[name] = QLabel(title), QLabel("0"), slider
        self._titles[name].setBuddy(slider)
        self._titles[name].setTextFormat(Qt.TextFormat.PlainText)  # a photo's name is no HTML
        self._titles[name].setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._numbers[name].setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._numbers[name].setMinimumWidth(self.fontMetrics().horizontalAdvance("+100"))
        slider.setAccessibleName(title)
        slider.sliderPressed.connect(self._pressed)
        slider.valueChanged.connect(partial(self._moved, name))
        slider.sliderReleased.connect(self._released)
        slider.installEventFilter(self)
        grid.addWidget(self._titles[name], row, 0)
        grid.addWidget(self._numbers[name], row, 1)
        grid.addWidget(slider, row + 1, 0, 1, 2)

    def ask_face(self) -> None:
        """Ask for a file with the face that is morphed towards."""
        self._others.ask_face(self._towards)

    def _towards(self, face: OtherFace) -> None:
        self.shaping.morph_towards(face)
        self.wanted.emit()

    def _buttons(self, run: Callable[[str], None]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self._faces = QMenu(self)
        self._faces.addAction("Photo or label map…", lambda: run("morph"))
        for title, name in BUNDLED:
            self._faces.addAction(title, lambda name=name: self._others.bundled_face(name, self._towards))
        self.buttons: dict[str, QToolButton] = {}
        for command, text, tip in (
            ("morph", "Face", "The face that the map is morphed towards"),
            ("vary", "Vary", "Another face close by; at each click another one"),
            ("clean_up", "Clean up", "Specks go, ragged borders become smooth"),
        ):
            button = QToolButton(text=text)
            button.setToolTip(tip)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            if command == "morph":
                button.setMenu(self._faces)
                button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            else:
                button.clicked.connect(partial(self._run, run, command))
            row.addWidget(button)
            self.buttons[command] = button
        return row

    def _run(self, run: Callable[[str], None], command: str) -> None:
        self._finish()
        run(command)

    @Slot()
    def refresh(self) -> None:
        """Show what is set, and which sliders have something to move."""
        setting, missing = self.shaping.setting, self.shaping.missing()
        for name, slider in self.sliders.items():
            reason = missing.get(name)
            tip = SHAPES[name].tip if name in SHAPES else "From this map to the other face's"
            for widget in (self._titles[name], slider):
                widget.setEnabled(reason is None)
                widget.setToolTip(reason or tip)
            if not self.shaping.moving:
                amount = 0.0 if setting is None else setting.amounts.get(name, 0.0)
                slider.show_value(round(100 * amount))
            self._show_number(name)
        other = self.shaping.other
        self._titles[MORPH].setText("Morph" if other is None else f"Morph to {other.name}")
        for button in self.buttons.values():
            button.setEnabled(setting is not None)

    def _show_number(self, name: str) -> None:
        value = self.sliders[name].value()
        self._numbers[name].setText(f"{value:+d}" if value and name != MORPH else str(value))

    @Slot()
    def _pressed(self) -> None:
        self._finish()
        self.shaping.begin()

    def _moved(self, name: str, value: int) -> None:
        if not self.sliders[name].isSliderDown():  # a key, the wheel, a click beside the handle: more may follow
            if not self.shaping.moving:
                self.shaping.begin()
            self._pause.start()
        self.shaping.move(name, value / 100)
        self._show_number(name)

    @Slot()
    def _released(self) -> None:
        self._pause.stop()
        self.shaping.end()

    @Slot()
    def _finish(self) -> None:
        """What keys have moved is let go."""
        if self._pause.isActive():
            self._released()

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.FocusOut:
            self._finish()
        elif event.type() == QEvent.Type.MouseButtonDblClick and watched.isEnabled():
            watched.setValue(0)
            return True
        return super().eventFilter(watched, event)

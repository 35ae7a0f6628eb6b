"""The preferences: what is remembered, each of it set at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from maskedit.gui.commands.table import COMMANDS
from maskedit.gui.preferences import DEFAULTS, Preferences
from maskedit.gui.theme import SCHEMES
from maskedit.render.modes import ENGINES

if TYPE_CHECKING:
    from maskedit.gui.files.weights import Weights

_ENGINES = {
    "auto": "The fastest on this machine",
    "torch": "PyTorch",
    "openvino": "OpenVINO",
    "int8": "OpenVINO, 8-bit integers",
    "graph": "CUDA graph (NVIDIA GPU)",
    "compiled": "CUDA graph, compiled (NVIDIA GPU)",
}
_LAYOUTS = {command.id: command.text for command in COMMANDS if command.group == "layout"}
_PALETTES = ("Published colours", "Colour-blind palette")
_TOGGLES = {"bar_text": "Text beside the icons of the tool bar", "live": "Live preview: render while you paint"}


class PreferencesDialog(QDialog):
    """Shows and sets preferences; those that are commands too are set by them.

    Args:
        actions: the window's, by the commands' ids.
        weights: know the engine that renders.
    """

    def __init__(
        self,
        preferences: Preferences,
        actions: dict[str, QAction],
        weights: Weights,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self._preferences, self._actions, self._weights = preferences, actions, weights
        self.theme = QComboBox()
        self.theme.addItems([scheme.capitalize() for scheme in SCHEMES])
        self.palette_choice = QComboBox()
        self.palette_choice.addItems(_PALETTES)
        self.layout_choice = QComboBox()
        for command, text in _LAYOUTS.items():
            self.layout_choice.addItem(text, command)
        self.toggles = {name: QCheckBox(text) for name, text in _TOGGLES.items()}
        self.engine = QComboBox()
        for engine in ENGINES:
            self.engine.addItem(_ENGINES.get(engine, engine), engine)
        self.autosave = QSpinBox(minimum=10, maximum=3600, singleStep=10, suffix=" s", prefix="every ")
        self.autosave.setToolTip("Unsaved work is written aside, and offered at the next start after a crash")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self._lay_out()
        self._show()
        weights.changed.connect(self._show)
        self.theme.activated.connect(self._theme_chosen)
        self.palette_choice.activated.connect(lambda row: self._toggle("colour_blind", bool(row)))
        self.layout_choice.activated.connect(lambda _: self._toggle(self.layout_choice.currentData(), True))
        for name, box in self.toggles.items():
            box.clicked.connect(lambda on, name=name: self._toggle(name, on))
        self.engine.activated.connect(lambda _: self._choose_engine(self.engine.currentData()))
        self.autosave.valueChanged.connect(self._autosave_chosen)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.addRow("&Theme", self.theme)
        form.addRow("Class &palette", self.palette_choice)
        form.addRow("&Layout", self.layout_choice)
        form.addRow("", self.toggles["bar_text"])
        form.addRow("&Engine", self.engine)
        form.addRow("", self.toggles["live"])
        form.addRow("Keep unsaved work &aside", self.autosave)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.RestoreDefaults | QDialogButtonBox.StandardButton.Close
        )
        self.buttons.rejected.connect(self.reject)
        close = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setIcon(QIcon())  # Fusion's cross is black in a dark theme, too
        restore = self.buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        restore.setAutoDefault(False)
        restore.clicked.connect(self._restore)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(self.note)
        column.addWidget(self.buttons)

    @Slot()
    def _show(self) -> None:
        theme = self._preferences["theme"]
        self.theme.setCurrentIndex(list(SCHEMES).index(theme) if theme in SCHEMES else 0)
        self.palette_choice.setCurrentIndex(int(self._actions["colour_blind"].isChecked()))
        for row, command in enumerate(_LAYOUTS):
            if self._actions[command].isChecked():
                self.layout_choice.setCurrentIndex(row)
        for name, box in self.toggles.items():
            box.setChecked(self._actions[name].isChecked())
        self.engine.setCurrentIndex(self.engine.findData(self._weights.engine))
        self.engine.setEnabled(not self._weights.busy)
        self.note.setText(self._weights.note)
        self.note.setVisible(bool(self._weights.note))
        self.autosave.setValue(self._preferences["autosave"])

    def _toggle(self, command: str, on: bool) -> None:
        if self._actions[command].isChecked() != on:
            self._actions[command].trigger()

    def _theme_chosen(self, row: int) -> None:
        self._preferences["theme"] = list(SCHEMES)[row]

    def _autosave_chosen(self, seconds: int) -> None:
        self._preferences["autosave"] = seconds

    def _choose_engine(self, engine: str) -> None:
        if engine != self._weights.engine:
            self._weights.use(engine=engine)

    def _restore(self) -> None:
        for name in ("theme", "autosave"):
            self._preferences[name] = DEFAULTS[name]
        for command in ("colour_blind", *self.toggles):
            self._toggle(command, DEFAULTS[command])
        self._toggle(next(iter(_LAYOUTS)), True)
        self._choose_engine(DEFAULTS["engine"])
        self._show()

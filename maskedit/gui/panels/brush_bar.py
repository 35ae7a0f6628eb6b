"""The brush's size in the tool bar: its diameter in words and a slider."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QWidget

from maskedit.gui.editor import MAX_BRUSH, Editor

_STEPS = 200


class BrushBar(QWidget):
    """Shows and sets the editor's brush."""

    def __init__(self, editor: Editor, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor = editor
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 6, 0)
        self.text = QLabel()
        self.text.setMinimumWidth(self.text.fontMetrics().horizontalAdvance(f"Brush {MAX_BRUSH} px") + 4)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 10)
        self.slider.setFixedWidth(130)
        # Tab reaches it, a click does not: the keys stay with the canvas.
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.setAccessibleName("Brush size")
        self.slider.setToolTip("Brush size ([ and ], or Shift+drag, Alt+drag)")
        self.slider.valueChanged.connect(self._moved)
        row.addWidget(self.text)
        row.addWidget(self.slider)
        editor.brush_changed.connect(self._show)
        self._show(editor.brush)

    @Slot(int)
    def _moved(self, value: int) -> None:
        # Equal steps of the slider are equal ratios of the diameter: fine control where brushes are small.
        self._editor.set_brush(MAX_BRUSH ** (value / _STEPS))

    @Slot(int)
    def _show(self, diameter: int) -> None:
        self.text.setText(f"Brush {diameter} px")
        if round(MAX_BRUSH ** (self.slider.value() / _STEPS)) != diameter:
            self.slider.blockSignals(True)
            self.slider.setValue(round(_STEPS * math.log(diameter) / math.log(MAX_BRUSH)))
            self.slider.blockSignals(False)

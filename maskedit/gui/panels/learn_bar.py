"""How far learning a face has come, or an edit of many photos: a strip in the status bar, with a way to stop."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QToolButton, QWidget


class LearnBar(QFrame):
    """Shows itself with the first `show_progress` and goes with `finish`."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None, *, stop_tip: str = "Stop learning this face"):
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)  # the text says it
        self.bar.setFixedSize(160, 10)
        self.stop = QToolButton(text="Stop")
        # A click leaves the keys with the canvas.
        self.stop.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.stop.setToolTip(stop_tip)
        self.stop.clicked.connect(self._cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(8)
        row.addWidget(self.text)
        row.addWidget(self.bar)
        row.addWidget(self.stop)
        self.hide()

    def show_progress(self, done: int, total: int, text: str) -> None:
        """``done`` of ``total`` steps, and what there is to say; a ``total`` of 0: nobody knows how many."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.setAccessibleName(text)
        self.text.setText(text)
        self.show()

    def finish(self) -> None:
        """It is over, for whatever reason."""
        self.stop.setEnabled(True)
        self.stop.setText("Stop")
        self.hide()

    def _cancel(self) -> None:
        self.stop.setEnabled(False)  # until it has stopped: once is enough
        self.stop.setText("Stopping…")
        self.cancelled.emit()

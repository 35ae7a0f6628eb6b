"""What the editor has to say: over the views, never a modal box, and nothing moves when it comes or goes."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QEvent, Qt, QTimer, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from maskedit.gui.states import Level

_COLOURS = {Level.ERROR: "#b3261e", Level.INFO: "#2b5fb3"}
_MARGIN = 12
_MAX_WIDTH = 820
_READING = 2500
"""Milliseconds in which an error stays whatever comes."""


class MessageBar(QFrame):
    """Lies over the bottom of ``parent``; errors stay until they are closed, the rest goes by itself."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("message")
        self.setFrameShape(QFrame.Shape.NoFrame)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)  # file names are no HTML
        close = QToolButton(text="✕")
        close.setAutoRaise(True)
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.setAccessibleName("Close the message")
        close.clicked.connect(self.hide)
        row.addWidget(self.text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._since_error = QElapsedTimer()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.hide)
        self.hide()
        parent.installEventFilter(self)

    @Slot(str, str)
    def tell(self, level: Level, text: str, seconds: float = 6.0) -> None:
        """Show a message: an error until it is closed, an info for so many seconds.

        An info does not push away an error that nobody can have read yet.
        """
        fresh = self._since_error.isValid() and self._since_error.elapsed() < _READING
        if level == Level.INFO and fresh and not self.isHidden():
            return
        self._since_error.invalidate()
        if level == Level.ERROR:
            self._since_error.start()
        self.setStyleSheet(
            f"#message {{ background: {_COLOURS[level]}; border-radius: 6px; }}"
            "QLabel, QToolButton { color: white; background: transparent; border: none; }"
            "QToolButton:hover, QToolButton:focus { border: 1px solid white; border-radius: 3px; }"
        )
        self.setProperty("level", level)
        self.text.setText(text)
        self.setAccessibleName(text)
        self.show()
        self._place()
        if level == Level.INFO:
            self._timer.start(round(seconds * 1000))
        else:
            self._timer.stop()

    def _place(self) -> None:
        parent, layout = self.parentWidget(), self.layout()
        wanted = self.text.fontMetrics().horizontalAdvance(self.text.text()) + 70
        width = max(120, min(wanted, _MAX_WIDTH, parent.width() - 2 * _MARGIN))
        height = layout.totalHeightForWidth(width)
        self.setGeometry((parent.width() - width) // 2, parent.height() - height - _MARGIN, width, height)
        self.raise_()

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

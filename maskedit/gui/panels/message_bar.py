"""What the editor has to say: over the views, never a modal box, and nothing moves when it comes or goes."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from maskedit.gui.states import Level

_COLOURS = {Level.ERROR: "#b3261e", Level.INFO: "#2b5fb3"}
_MARGIN = 12
_MAX_WIDTH = 820
_READING = 2500
"""Milliseconds in which an error stays whatever comes."""


class MessageBar(QFrame):
    """Lies over the bottom of ``parent``; errors stay until they are closed, the rest goes by itself.

    What takes long is told as long as it takes (`tell_work`), wherever no other message stands; ``given_up`` tells that
    the person does not want it any more.
    """

    given_up = Signal()

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("message")
        self.setFrameShape(QFrame.Shape.NoFrame)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(10)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)  # file names are no HTML
        self.busy = QProgressBar()
        self.busy.setRange(0, 0)  # nobody knows how long it takes
        self.busy.setTextVisible(False)
        self.busy.setFixedSize(90, 8)
        self.busy.setAccessibleName("Work under way")
        self.close_button = QToolButton()
        self.close_button.setAccessibleName("Close the message")
        self.close_button.setAutoRaise(True)
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.clicked.connect(self.dismiss)
        row.addWidget(self.text, 1)
        row.addWidget(self.busy, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self._work, self._can_give_up, self._shows_work = "", False, False
        self._since_error = QElapsedTimer()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._go)
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
        self._show(level, text)
        if level == Level.INFO:
            self._timer.start(round(seconds * 1000))
        else:
            self._timer.stop()

    def tell_work(self, text: str, *, can_give_up: bool = False) -> None:
        """Something takes its time, which is told until this is called again; an empty text: nothing does."""
        self._work, self._can_give_up = text, can_give_up
        if self.isHidden() or self._shows_work:
            self._go()

    @Slot()
    def dismiss(self) -> None:
        """Close the message; where it tells of work, give that up if it can be."""
        if not self._shows_work:
            self._go()
        elif self._can_give_up:
            self.given_up.emit()

    @Slot()
    def _go(self) -> None:
        """The message has had its time: what takes long is told again, or nothing."""
        self._timer.stop()
        self._shows_work = bool(self._work)
        if self._work:
            self._show(Level.INFO, self._work, work=True)
        else:
            self.hide()

    def _show(self, level: Level, text: str, *, work: bool = False) -> None:
        self._shows_work = work
        self.setStyleSheet(
            f"#message {{ background: {_COLOURS[level]}; border-radius: 6px; }}"
            "QLabel, QToolButton { color: white; background: transparent; border: none; }"
            "QToolButton:hover, QToolButton:focus { border: 1px solid white; border-radius: 3px; }"
        )
        self.setProperty("level", level)
        self.text.setText(text)
        self.busy.setVisible(work)
        self.close_button.setText("Cancel" if work else "✕")
        self.close_button.setAccessibleName("Cancel" if work else "Close the message")
        self.close_button.setVisible(self._can_give_up or not work)
        self.setAccessibleName(text)
        self.show()
        self._place()

    def _place(self) -> None:
        parent, layout = self.parentWidget(), self.layout()
        wanted = self.text.fontMetrics().horizontalAdvance(self.text.text()) + (200 if self._shows_work else 70)
        width = max(120, min(wanted, _MAX_WIDTH, parent.width() - 2 * _MARGIN))
        height = layout.totalHeightForWidth(width)
        self.setGeometry((parent.width() - width) // 2, parent.height() - height - _MARGIN, width, height)
        self.raise_()

    def eventFilter(self, watched, event) -> bool:
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return super().eventFilter(watched, event)

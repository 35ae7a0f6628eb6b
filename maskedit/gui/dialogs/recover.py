"""Which of the works that editors left behind is to be opened, or thrown away."""

from __future__ import annotations

import datetime

from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from maskedit.document.session import LeftWork
from maskedit.gui.qimage import photo_image

OPEN, DISCARD = 1, 2
"""What the dialog ends with; 0 is later."""


class RecoverDialog(QDialog):
    """Lists works with their pictures, names and times, the first one chosen; Esc leaves all of them for later."""

    def __init__(self, works: list[LeftWork], parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Recover unsaved work?")
        side = max((len(work.picture) for work in works if work.picture is not None), default=48)
        self.list = QListWidget()
        self.list.setAccessibleName("Unsaved work")
        self.list.setIconSize(QSize(side, side))
        self.list.setSpacing(3)
        for work in works:
            picture = QIcon() if work.picture is None else QIcon(QPixmap.fromImage(photo_image(work.picture)))
            QListWidgetItem(picture, f"{work.name}\n{_when(work.written)}", self.list)
        self.list.setCurrentRow(0)
        self.list.setFixedHeight(min(len(works), 4) * (side + 10) + 8)

        self.buttons = QDialogButtonBox()
        role = QDialogButtonBox.ButtonRole
        self.open_button = self.buttons.addButton("&Open", role.AcceptRole)
        self.discard_button = self.buttons.addButton("&Throw away", role.DestructiveRole)
        self.later_button = self.buttons.addButton("&Later", role.RejectRole)
        self.open_button.setDefault(True)
        self.discard_button.setAutoDefault(False)
        column = QVBoxLayout(self)
        text = "its work" if len(works) == 1 else "its work; what you do not open now is offered again"
        column.addWidget(QLabel(f"maskedit did not close properly. This is {text}:"))
        column.addWidget(self.list)
        column.addWidget(self.buttons)
        self.setMinimumWidth(420)
        self.list.setFocus()

        self.open_button.clicked.connect(lambda: self.done(OPEN))
        self.discard_button.clicked.connect(lambda: self.done(DISCARD))
        self.later_button.clicked.connect(self.reject)
        self.list.itemDoubleClicked.connect(lambda _: self.done(OPEN))

    def chosen(self) -> int:
        """The index of the work that is meant."""
        return self.list.currentRow()


def _when(written: float | None) -> str:
    """When a recovery file was written, for a person."""
    if written is None:  # another editor has just taken it over
        return "at an unknown time"
    return datetime.datetime.fromtimestamp(written).strftime("%d %B %H:%M")

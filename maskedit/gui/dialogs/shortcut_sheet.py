"""Every key and gesture on one sheet, by what it is for."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QWidget

from maskedit.gui.commands.table import COMMANDS, MOUSE_KEYS, PURPOSES

_COLUMNS = 3


def shortcut_sheet(parent: QWidget) -> QDialog:
    """The sheet over a window, made from the table of commands; it goes when it is closed."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Shortcuts")
    row = QHBoxLayout(dialog)
    row.setSpacing(36)
    heights, columns = [0] * _COLUMNS, [_Column(row) for _ in range(_COLUMNS)]
    for purpose in PURPOSES:
        shortest, rows = heights.index(min(heights)), rows_of(purpose)
        columns[shortest].add(purpose, rows)
        heights[shortest] += len(rows) + 2  # its title, and the gap below it
    return dialog


def rows_of(purpose: str) -> list[tuple[str, str]]:
    """Keys and what they do, of all that serves one of the `PURPOSES`: first the keyboard, then the mouse."""
    rows = [
        (" or ".join(map(written, command.keys)), command.text.rstrip("…"))
        for command in COMMANDS
        if command.keys and command.purpose == purpose
    ]
    return rows + [(keys, text) for keys, text, of in MOUSE_KEYS if of == purpose]


def written(key: str) -> str:
    """A key of the table as this system writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


class _Column:
    """Groups one below the other, their keys as wide as the widest; goes into the layout ``row``."""

    def __init__(self, row: QHBoxLayout):
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        row.addLayout(self._grid)
        row.setAlignment(self._grid, Qt.AlignmentFlag.AlignTop)

    def add(self, purpose: str, rows: list[tuple[str, str]]) -> None:
        """A title, and a line for each of (keys, what they do)."""
        line = self._grid.rowCount()
        if line > 1:  # a new grid has one row
            self._grid.setRowMinimumHeight(line, 10)
        self._grid.addWidget(_label(purpose, bold=True, size=1.15), line + 1, 0, 1, 2)
        for below, (keys, text) in enumerate(rows, line + 2):
            self._grid.addWidget(_label(keys, bold=True), below, 0)
            self._grid.addWidget(_label(text), below, 1)


def _label(text: str, *, bold: bool = False, size: float = 1.0) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)  # keys such as < are no HTML
    font = label.font()
    font.setBold(bold)
    font.setPointSizeF(font.pointSizeF() * size)
    label.setFont(font)
    return label

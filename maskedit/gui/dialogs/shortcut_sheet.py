"""Every key and gesture on one sheet, by what it is for."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from maskedit.gui.commands.table import COMMANDS, MOUSE_KEYS, PURPOSES

_COLUMNS = 3


def shortcut_sheet(parent: QWidget) -> QDialog:
    """The sheet over a window, made from the table of commands; it goes when it is closed."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Shortcuts")
    row = QHBoxLayout(dialog)
    row.setSpacing(36)
    for groups in _columns([(purpose, rows_of(purpose)) for purpose in PURPOSES]):
        column = QVBoxLayout()
        column.setSpacing(16)
        for purpose, rows in groups:
            column.addLayout(_group(purpose, rows))
        column.addStretch()
        row.addLayout(column)
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


def _columns(groups: list[tuple[str, list]]) -> list[list[tuple[str, list]]]:
    """The groups in their order, in columns that are about equally high."""
    share = sum(len(rows) + 2 for _, rows in groups) / _COLUMNS
    columns: list[list[tuple[str, list]]] = [[] for _ in range(_COLUMNS)]
    above = 0
    for purpose, rows in groups:
        height = len(rows) + 2  # its title and the gap below it
        columns[min(int((above + height / 2) / share), _COLUMNS - 1)].append((purpose, rows))
        above += height
    return columns


def _group(purpose: str, rows: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(1, 1)
    title = QLabel(purpose)
    font = title.font()
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() * 1.15)
    title.setFont(font)
    grid.addWidget(title, 0, 0, 1, 2)
    for line, (keys, text) in enumerate(rows, 1):
        key, what = QLabel(keys), QLabel(text)
        for label in (key, what):
            label.setTextFormat(Qt.TextFormat.PlainText)  # keys such as < are no HTML
        bold = key.font()
        bold.setBold(True)
        key.setFont(bold)
        grid.addWidget(key, line, 0)
        grid.addWidget(what, line, 1)
    return grid

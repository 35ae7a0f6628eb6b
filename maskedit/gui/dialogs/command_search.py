"""The commands of the table to search and to look up: the command palette, and every key on one sheet."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from maskedit.gui.commands.table import COMMANDS, MOUSE_KEYS


class CommandPalette(QDialog):
    """Find a command by a part of its name and run it; ``enabled`` are the ids that can be run now."""

    def __init__(self, enabled: set[str], parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Commands")
        self.resize(520, 420)
        self._enabled = enabled
        self.line = QLineEdit(placeholderText="Type a part of a command's name")
        self.line.setAccessibleName("Search commands")
        self.line.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setStyleSheet("QTreeWidget::item { padding: 2px 4px; }")
        self.list.setAccessibleName("Commands")
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.chosen: str | None = None
        layout = QVBoxLayout(self)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.line.textChanged.connect(self._filter)
        self.line.returnPressed.connect(self._take)
        self.list.itemActivated.connect(self._take)
        # The arrow keys choose in the list while one types.
        self.line.installEventFilter(self)
        self._filter("")

    def _filter(self, text: str) -> None:
        self.list.clear()
        words = text.lower().split()
        for command in COMMANDS:
            known = all(word in f"{command.menu} {command.text} {command.tip}".lower() for word in words)
            if known and command.id != "palette":
                item = QTreeWidgetItem([f"{command.menu}: {command.text.rstrip('…')}", ", ".join(command.keys)])
                item.setToolTip(0, command.tip)
                item.setData(0, Qt.ItemDataRole.UserRole, command.id)
                item.setDisabled(command.id not in self._enabled)
                self.list.addTopLevelItem(item)
        items = [self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount())]
        # A command whose name matches comes before those that only mention the word.
        named = [item for item in items if all(word in item.text(0).lower() for word in words)]
        self.list.setCurrentItem(next((item for item in named + items if not item.isDisabled()), None))

    def _take(self) -> None:
        item = self.list.currentItem()
        if item is not None and not item.isDisabled():
            self.chosen = item.data(0, Qt.ItemDataRole.UserRole)
            self.accept()

    def eventFilter(self, watched, event) -> bool:
        moves = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if event.type() == QEvent.Type.KeyPress and event.key() in moves:
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)


def shortcut_sheet(parent: QWidget) -> QDialog:
    """Every key on one sheet, made from the table of commands."""
    dialog = QDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle("Shortcuts")
    grid = QGridLayout(dialog)
    grid.setHorizontalSpacing(18)
    grid.setVerticalSpacing(5)
    rows = [(", ".join(command.keys), command.text.rstrip("…")) for command in COMMANDS if command.keys]
    rows += list(MOUSE_KEYS)
    half = (len(rows) + 1) // 2
    for index, (keys, text) in enumerate(rows):
        key = QLabel(f"<b>{keys.replace('<', '&lt;')}</b>")
        grid.addWidget(key, index % half, 2 * (index // half))
        grid.addWidget(QLabel(text), index % half, 2 * (index // half) + 1)
    return dialog

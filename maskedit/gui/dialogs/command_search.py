"""The command palette: commands, classes and recent files, found by a part of their name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QDialog, QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget


@dataclass(frozen=True)
class Choice:
    """One thing that the palette finds; ``run`` is called once the palette has closed."""

    id: str
    kind: str
    """What stands before the name, such as the menu of a command."""
    name: str
    run: Callable[[], object]
    tip: str = ""
    keys: str = ""
    enabled: bool = True
    colour: tuple[int, int, int] | None = None
    """RGB 0..255 of a class."""


def ranked(choices: Sequence[Choice], text: str) -> list[Choice]:
    """Those that have all words of ``text``, the best first, and otherwise in the given order.

    Whole words of a name count most, then beginnings of words, then parts of words, then whole words of the kind and of
    the tip. Only where there is none of these, all of a tip is searched; and only where that has none either, letters
    that stand in the name in this order with others between them: so "hair" finds the class, and nothing by chance.
    """
    words = text.lower().split()
    ranks = [(max((_rank(choice, word) for word in words), default=0), choice) for choice in choices]
    found = [choice for rank, choice in sorted(ranks, key=lambda pair: pair[0]) if rank < _NOT_NAMED]
    if not found:
        found = [choice for choice in choices if all(word in f"{choice.kind} {choice.tip}".lower() for word in words)]
    if not found:
        letters = re.compile(".*".join(map(re.escape, "".join(words))))
        found = [choice for choice in choices if letters.search(choice.name.lower())]
    return found


_NOT_NAMED = 4


def _rank(choice: Choice, word: str) -> int:
    name, names = choice.name.lower(), _words(choice.name)
    if word in names:
        return 0
    if any(other.startswith(word) for other in names):
        return 1
    if word in name:
        return 2
    return 3 if word in _words(f"{choice.kind} {choice.tip}") else _NOT_NAMED


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


class CommandPalette(QDialog):
    """Find something by a part of its name; ``chosen`` is what was taken, or None."""

    def __init__(self, choices: Sequence[Choice], parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Commands")
        self.resize(520, 420)
        self._choices, self._shown = choices, list(choices)
        self.line = QLineEdit(placeholderText="Type a part of a command, class, tool or recent file")
        self.line.setAccessibleName("Search commands, classes and recent files")
        self.line.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setStyleSheet("QTreeWidget::item { padding: 2px 4px; }")
        self.list.setAccessibleName("What was found")
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.chosen: Choice | None = None
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
        self._shown = ranked(self._choices, text)
        for choice in self._shown:
            item = QTreeWidgetItem([f"{choice.kind}: {choice.name}", choice.keys])
            item.setToolTip(0, choice.tip)
            item.setDisabled(not choice.enabled)
            if choice.colour is not None:
                item.setIcon(0, _swatch(choice.colour))
            self.list.addTopLevelItem(item)
        first = next((row for row, choice in enumerate(self._shown) if choice.enabled), None)
        self.list.setCurrentItem(None if first is None else self.list.topLevelItem(first))

    def _take(self) -> None:
        row = self.list.indexOfTopLevelItem(self.list.currentItem()) if self.list.currentItem() else -1
        if row >= 0 and self._shown[row].enabled:
            self.chosen = self._shown[row]
            self.accept()

    def eventFilter(self, watched, event) -> bool:
        moves = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if event.type() == QEvent.Type.KeyPress and event.key() in moves:
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)


def _swatch(colour: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(32, 32)
    pixmap.fill(QColor(*colour))
    return QIcon(pixmap)

"""The history as a list: every edit by its name, the present state marked; a click goes there."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QVBoxLayout, QWidget

from maskedit.document.history import History
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.panels.snapshot_list import SnapshotList

BEGINNING = "Photo as parsed"
EARLIEST = "The earliest step kept"
"""The first row where the oldest edits were dropped."""


class HistoryPanel(QWidget):
    """Shows the history of the open document, and goes back and forth in it; below it are the snapshots."""

    def __init__(self, editor: Editor, dialogs: Dialogs, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor = editor
        self._model = _HistoryModel(self)
        self.list = _List()
        self.list.setModel(self._model)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.viewport().setBackgroundRole(QPalette.ColorRole.Window)
        self.list.setUniformItemSizes(True)  # a long history is as quick as a short one
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        # Tab reaches it, a click does not: the keys stay with the canvas.
        self.list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.list.setAccessibleName("History")
        self.list.clicked.connect(self._go_to)
        self.list.activated.connect(self._go_to)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.list, 3)
        self.snapshots = SnapshotList(editor, dialogs)
        column.addWidget(self.snapshots, 2)
        editor.document_changed.connect(self._refresh)
        editor.history_changed.connect(self._refresh)
        self._refresh()

    def sizeHint(self) -> QSize:
        """No wider than the palette, in whose place it is."""
        return QSize(200, 400)

    @Slot()
    def _refresh(self) -> None:
        document = self._editor.document
        if document is None or not self._model.show(document.history):
            return
        present = self._model.index(document.history.position)
        self.list.setCurrentIndex(present)
        self.list.scrollTo(present)

    @Slot(QModelIndex)
    def _go_to(self, index: QModelIndex) -> None:
        self._editor.go_to(index.row())
        self._refresh()
        if self._editor.document is not None:  # in the middle of a stroke nothing has changed
            self.list.setCurrentIndex(self._model.index(self._editor.document.history.position))


class _HistoryModel(QAbstractListModel):
    """The states of a document, oldest first: row n is that in which n edits are applied."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self._rows: list[str] = []
        self._position = 0

    def show(self, history: History) -> bool:
        """Take over what a history holds; whether there is anything new."""
        rows = [BEGINNING if history.complete else EARLIEST, *history.names]
        if (rows, history.position) == (self._rows, self._position):
            return False
        self.beginResetModel()
        self._rows, self._position = rows, history.position
        self.endResetModel()
        return True

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = index.row()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[row]
        if role == Qt.ItemDataRole.FontRole and row == self._position:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ForegroundRole and row > self._position:
            faint = QColor(self.parent().palette().color(QPalette.ColorRole.WindowText))
            faint.setAlphaF(0.45)
            return faint
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(0, self.parent().fontMetrics().height() + 7)
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return "undone" if row > self._position else "the present state" if row == self._position else None
        return None


class _List(QListView):
    def keyboardSearch(self, search: str) -> None:
        """Letters are keys of tools, and choose no row."""

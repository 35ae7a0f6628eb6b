"""Snapshots as a list: a click shows one, a button that is held compares with it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPalette
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from maskedit.document.snapshots import Snapshot
from maskedit.errors import UserError
from maskedit.gui import theme
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.panels.style_panel import plain_tip
from maskedit.gui.states import Level

_EMPTY = "None yet. A snapshot keeps the labels and styles of a moment, to come back to or to compare with."


class SnapshotList(QWidget):
    """Takes, shows, compares and removes the snapshots of the open document.

    ``compared`` tells the picture of a snapshot as long as the result is to be compared with it, then None.
    """

    compared = Signal(object)  # QImage | None

    def __init__(self, editor: Editor, dialogs: Dialogs, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor, self._dialogs = editor, dialogs
        self._shown: tuple[Snapshot, ...] | None = None
        self._held: Snapshot | None = None
        self._pictures: WeakKeyDictionary[Snapshot, QImage] = WeakKeyDictionary()
        head = QHBoxLayout()
        head.addWidget(QLabel("Snapshots"), 1)
        self.take_button = QToolButton(text="Take…")
        self.take_button.setToolTip("Keep the labels and styles as they are now, under a name (Ctrl+K)")
        self.take_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.take_button.clicked.connect(self.take)
        head.addWidget(self.take_button)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self._scroll, 1)
        editor.document_changed.connect(self._refresh)
        editor.history_changed.connect(self._refresh)
        self._refresh()

    # What can be done -------------------------------------------------------------------------------------------

    @Slot()
    def take(self) -> None:
        """Ask for a name, and keep the present labels and styles under it."""
        document = self._editor.document
        if document is None:
            return
        self._editor.let_go()
        name = self._dialogs.ask_name("Take a snapshot", "Name", f"Snapshot {len(document.snapshots) + 1}")
        name = (name or "").strip()
        if not name or document is not self._editor.document:
            return
        try:
            snapshot = document.take_snapshot(name)
        except UserError as error:
            self._editor.tell(Level.ERROR, str(error))
            return
        if self._editor.render.up_to_date:
            self._pictures[snapshot] = self._editor.render.result_image
        self._editor.history_changed.emit()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take over what a snapshot holds, as one edit."""
        self._editor.show_snapshot(snapshot)

    def remove(self, snapshot: Snapshot) -> None:
        """Drop a snapshot; the document stays as it is."""
        document = self._editor.document
        document.snapshots = [each for each in document.snapshots if each is not snapshot]
        self._editor.history_changed.emit()

    def compare(self, snapshot: Snapshot | None) -> None:
        """Show the picture of a snapshot in the result's place until None is given; one that was never drawn, or was
        read from a file, is drawn first."""
        self._held = snapshot
        if snapshot is None or snapshot in self._pictures:
            self.compared.emit(None if snapshot is None else self._pictures[snapshot])
            return

        def drawn(picture: QImage) -> None:
            self._pictures[snapshot] = picture
            if self._held is snapshot:
                self.compared.emit(picture)

        labels = snapshot.labels(self._editor.document.reference_labels)
        self._editor.draw(labels, snapshot.styles, drawn)

    # What is shown ----------------------------------------------------------------------------------------------

    @Slot()
    def _refresh(self) -> None:
        document = self._editor.document
        self.take_button.setEnabled(document is not None)
        snapshots = () if document is None else document.snapshots
        if snapshots is self._shown:
            return
        self._shown = snapshots
        if self._held is not None:
            self.compare(None)  # its button goes, and will not be let go of
        rows = QWidget()
        column = QVBoxLayout(rows)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for snapshot in snapshots:
            column.addLayout(self._row(snapshot))
        if not snapshots:
            empty = QLabel(_EMPTY)
            empty.setWordWrap(True)
            empty.setForegroundRole(QPalette.ColorRole.PlaceholderText)
            column.addWidget(empty)
        column.addStretch(1)
        before = self._scroll.takeWidget()
        if before is not None:
            before.deleteLater()  # not now: one of its buttons may have been clicked
        self._scroll.setWidget(rows)

    def _row(self, snapshot: Snapshot) -> QHBoxLayout:
        show = QPushButton(snapshot.name.replace("&", "&&"))
        show.setFlat(True)
        show.setStyleSheet("QPushButton { text-align: left; padding: 3px 4px; }")
        show.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        show.setToolTip(plain_tip(f"Show {snapshot.name}: its labels and styles, as one edit"))
        show.clicked.connect(lambda: self.show_snapshot(snapshot))
        compare = self._tool(
            "mdi6.compare", f"Compare with {snapshot.name}", "hold the button, and the result shows it"
        )
        compare.pressed.connect(lambda: self.compare(snapshot))
        compare.released.connect(lambda: self.compare(None))
        remove = self._tool("mdi6.close", f"Remove {snapshot.name}", "the document stays as it is")
        remove.clicked.connect(lambda: self.remove(snapshot))
        row = QHBoxLayout()
        row.setSpacing(1)
        for widget in (show, compare, remove):
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(widget, 1 if widget is show else 0)
        return row

    def _tool(self, icon: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setAutoRaise(True)
        button.setIcon(theme.icon(icon, self.palette()))
        button.setAccessibleName(name)
        button.setToolTip(plain_tip(f"{name}: {tip}"))
        return button

    # Qt ---------------------------------------------------------------------------------------------------------

    def changeEvent(self, event) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._shown is not None:
            self._shown = None  # the icons have the theme's colour
            self._refresh()

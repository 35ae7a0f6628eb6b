"""The questions the window asks, each a function or a small dialog of its own so that tests can answer them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

import maskedit
from maskedit.document.document import Document
from maskedit.gui.actions import COMMANDS, MOUSE_KEYS
from maskedit.gui.crop_dialog import CropDialog
from maskedit.gui.face_dialog import CROP, FaceDialog
from maskedit.gui.source_dialog import SourceDialog
from maskedit.imaging import Square

PHOTOS = "Photos and sessions (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.maskedit);;All files (*)"
LABEL_MAPS = "Label maps (*.png *.bmp *.tif *.tiff);;All files (*)"
SESSIONS = "maskedit sessions (*.maskedit)"


def ask_open(parent: QWidget, title: str, folder: str, filters: str) -> Path | None:
    """A file to open, or None."""
    name, _ = QFileDialog.getOpenFileName(parent, title, folder, filters)
    return Path(name) if name else None


def ask_save(parent: QWidget, title: str, suggestion: Path, filters: str) -> Path | None:
    """Where to save, or None; a missing extension is the chosen filter's. Asks before an existing file is replaced."""
    # The file dialog's own question comes before the extension is added, so it is asked here instead.
    option = QFileDialog.Option.DontConfirmOverwrite
    name, chosen = QFileDialog.getSaveFileName(parent, title, str(suggestion), filters, options=option)
    if not name:
        return None
    path = Path(name)
    if path.suffix.lower() not in _suffixes(filters):
        # Appended, not exchanged: in "anna.2024" the dot belongs to the name.
        path = path.with_name(path.name + (_suffixes(chosen) or [suggestion.suffix])[0])
    if path.exists() and not ask_overwrite(parent, path):
        return None
    return path


def _suffixes(filters: str) -> list[str]:
    return re.findall(r"\*(\.\w+)", filters)


def ask_overwrite(parent: QWidget, path: Path) -> bool:
    """Whether an existing file may be replaced."""
    answer = QMessageBox.question(parent, "Replace the file?", f"{path.name} exists already. Replace it?")
    return answer == QMessageBox.StandardButton.Yes


def ask_unsaved(parent: QWidget, name: str) -> str:
    """``"save"``, ``"discard"`` or ``"cancel"`` for a document with unsaved edits."""
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.warning(
        parent,
        "Unsaved changes",
        f"{name} has changes that are not saved.",
        buttons.Save | buttons.Discard | buttons.Cancel,
        buttons.Save,
    )
    return {buttons.Save: "save", buttons.Discard: "discard"}.get(answer, "cancel")


def ask_recover(parent: QWidget, when: str) -> str:
    """``"open"``, ``"discard"`` or ``"later"`` for work that an editor left behind which did not close properly.

    Esc is "later": nobody throws work away by closing a box.
    """
    box = _message_box(parent, "Recover unsaved work?", f"maskedit did not close properly. Open the work of {when}?")
    box.setIcon(QMessageBox.Icon.Question)
    open_it = box.addButton("Open", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Throw away", QMessageBox.ButtonRole.DestructiveRole)
    later = box.addButton("Later", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(open_it)
    box.setEscapeButton(later)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return "open" if clicked is open_it else "discard" if clicked is discard else "later"


def ask_lossy(parent: QWidget, text: str) -> bool:
    """Whether to read a label map from a lossy file all the same; ``text`` says what is wrong with it."""
    box = _message_box(parent, "Lossy label map", f"{text}\n\nRead it all the same, as well as it can be?")
    box.setIcon(QMessageBox.Icon.Warning)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    return _agreed(box, "Read it", refuse=cancel, default=cancel)


def ask_order(parent: QWidget, order_name: str) -> bool:
    """Whether to bring a label map into our class order that looks like one in another project's."""
    text = f"The label map looks like one in the class order of {order_name}: in maskedit's own it shows no face."
    box = _message_box(parent, "Another class order", f"{text}\n\nRemap its classes?")
    box.setIcon(QMessageBox.Icon.Question)
    return _agreed(box, "Remap", refuse=box.addButton("Leave as it is", QMessageBox.ButtonRole.RejectRole))


def _agreed(box: QMessageBox, agree: str, *, refuse: QPushButton, default: QPushButton | None = None) -> bool:
    """Ask, and tell whether the button ``agree`` was clicked; Esc refuses. It is the default when none is given."""
    accept = box.addButton(agree, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(default or accept)
    box.setEscapeButton(refuse)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return clicked is accept


def _message_box(parent: QWidget, title: str, text: str) -> QMessageBox:
    box = QMessageBox(parent)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)  # names of files and lines of model cards are no HTML
    box.setText(text)
    return box


@dataclass(frozen=True)
class Export:
    """What to write: ``kind`` is ``photo``, ``result``, ``palette``, ``ids``, ``cutout`` or ``sheet``."""

    kind: str
    quality: int


class ExportDialog(QDialog):
    """Which picture to export, and how good a JPEG or WebP."""

    KINDS = (
        ("photo", "The whole photo, with the edited face, at its own size"),
        ("result", "Result: the square with the edited face"),
        ("palette", "Label map, in the published colours"),
        ("ids", "Label map, grey ids 0-18"),
        ("cutout", "Changed region of the result, transparent around it"),
        ("sheet", "Before-after sheet"),
    )

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Export")
        self.kind = QComboBox()
        for kind, text in self.KINDS:
            self.kind.addItem(text, kind)
        self.quality = QSlider(Qt.Orientation.Horizontal)
        self.quality.setRange(50, 100)
        self.quality.setValue(95)
        self.quality.setAccessibleName("Quality")
        shown = QLabel("95")
        self.quality.valueChanged.connect(shown.setNum)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Choose file…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        grid = QGridLayout(self)
        grid.addWidget(QLabel("What"), 0, 0)
        grid.addWidget(self.kind, 0, 1, 1, 2)
        grid.addWidget(QLabel("Quality (JPEG, WebP)"), 1, 0)
        grid.addWidget(self.quality, 1, 1)
        grid.addWidget(shown, 1, 2)
        grid.addWidget(buttons, 2, 0, 1, 3)

    def choice(self) -> Export:
        return Export(self.kind.currentData(), self.quality.value())


def ask_export(parent: QWidget) -> Export | None:
    """What to export, or None."""
    dialog = ExportDialog(parent)
    choice = dialog.choice if dialog.exec() == QDialog.DialogCode.Accepted else lambda: None
    dialog.deleteLater()  # its parent would keep it until the end
    return choice()


def ask_source(
    parent: QWidget, document: Document, source: np.ndarray, colour_blind: bool
) -> tuple[bool, frozenset[int] | None]:
    """(go on, classes): the ticked classes, or None for the whole map; in the palette that the canvas shows."""
    dialog = SourceDialog(document, source, parent, colour_blind=colour_blind)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return accepted, dialog.classes()


def ask_crop(parent: QWidget, photo: np.ndarray, square: Square | None, note: str = "") -> Square | None:
    """The square of a photo (H, W, 3) uint8 to edit, placed by hand, or None.

    Args:
        square: where it starts; None is the middle of the photo.
        note: stands on top: why one is asked, say.
    """
    dialog = CropDialog(photo, square, note, parent)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    dialog.deleteLater()
    return dialog.square if accepted else None


def ask_face(parent: QWidget, photo: np.ndarray, squares: list[Square]) -> int | str | None:
    """The index of the face to edit among the squares of a photo (H, W, 3) uint8.

    ``"crop"`` when the person wants to place a square by hand instead, None when nothing is to be opened.
    """
    dialog = FaceDialog(photo, squares, parent)
    result = dialog.exec()
    dialog.deleteLater()
    if result == CROP:
        return "crop"
    return dialog.chosen() if result == QDialog.DialogCode.Accepted else None


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


def ask_command(parent: QWidget, enabled: set[str]) -> str | None:
    """The id of a command to run, or None."""
    dialog = CommandPalette(enabled, parent)
    dialog.exec()
    dialog.deleteLater()
    return dialog.chosen


def about(parent: QWidget, engine: str, weights: str, log_file: Path) -> None:
    """Version, engine, what the weights say of themselves, their licence included, and where the log is."""
    parts = (
        f"maskedit {maskedit.__version__}\nThe code is Apache-2.0.",
        f"Engine: {engine}",
        weights or "The weights are not loaded.",
        f"Log: {log_file}\nHelp > Copy bug report puts its end on the clipboard.",
    )
    box = _message_box(parent, "About maskedit", "\n\n".join(parts))
    box.exec()
    box.deleteLater()


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

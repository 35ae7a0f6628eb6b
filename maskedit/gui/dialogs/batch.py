"""Which photos get an edit, and where they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from maskedit.errors import UserError
from maskedit.opening.files import photos_in

_PHOTOS = "Photos (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.gif *.avif *.jp2);;All files (*)"


@dataclass(frozen=True)
class BatchWanted:
    """Photos to edit, and the folder that they are written to."""

    photos: list[Path]
    folder: Path


class BatchDialog(QDialog):
    """A list of photos, filled with files and whole folders, and the folder for the results.

    Args:
        start: the folder in which files are looked for first.
    """

    def __init__(self, start: str, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Apply this edit to other photos")
        self._start = start
        self._photos: list[Path] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Photos")
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("Where the edited photos go; nothing there is replaced")
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self.apply_button = self.buttons.button(standard.Ok)
        self.apply_button.setText("Apply")

        side = QVBoxLayout()
        for text, act in (
            ("Add photos…", self._ask_photos), ("Add a folder…", self._ask_folder), ("Remove", self._remove)
        ):  # fmt: skip
            button = QPushButton(text, autoDefault=False)
            button.clicked.connect(act)
            side.addWidget(button)
        side.addStretch(1)
        choose = QPushButton("Choose…", autoDefault=False)
        choose.clicked.connect(self._ask_output)
        caption = QLabel("&Into the folder")
        caption.setBuddy(self.folder)
        grid = QGridLayout(self)
        text = "The edit is carried over to the largest face of each photo, by its eyes and mouth."
        grid.addWidget(QLabel(text), 0, 0, 1, 2)
        grid.addWidget(self.list, 1, 0)
        grid.addLayout(side, 1, 1)
        grid.addWidget(caption, 2, 0)
        grid.addWidget(self.folder, 3, 0)
        grid.addWidget(choose, 3, 1)
        grid.addWidget(self.note, 4, 0, 1, 2)
        grid.addWidget(self.buttons, 5, 0, 1, 2)
        self.resize(620, 440)

        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.folder.textChanged.connect(self._update)
        self._update()

    def add(self, paths: Iterable[Path]) -> None:
        """Take photos into the list, or those that are in folders."""
        self.note.clear()
        for path in paths:
            try:
                found = photos_in(path) if path.is_dir() else [path]
            except UserError as error:
                self.note.setText(str(error))
                continue
            self._photos += [photo for photo in found if photo not in self._photos]
        if self._photos and not self.folder.text():
            self.folder.setText(str(self._photos[0].absolute().parent / "edited"))
        self._show()

    def wanted(self) -> BatchWanted:
        """What the person has chosen."""
        return BatchWanted(list(self._photos), Path(self.folder.text().strip()).absolute())

    def _show(self) -> None:
        self.list.clear()
        self.list.addItems([str(photo) for photo in self._photos])
        self._update()

    def _update(self) -> None:
        count = len(self._photos)
        self.apply_button.setText(f"Apply to {count} photo{'s' * (count != 1)}" if count else "Apply")
        self.apply_button.setEnabled(count > 0 and bool(self.folder.text().strip()))

    def _remove(self) -> None:
        gone = {item.text() for item in self.list.selectedItems()}
        self._photos = [photo for photo in self._photos if str(photo) not in gone]
        self._show()

    def _ask_photos(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Photos", self._start, _PHOTOS)
        self.add(map(Path, names))

    def _ask_folder(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "A folder of photos", self._start):
            self.add([Path(name)])

    def _ask_output(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Where the edited photos go", self._start):
            self.folder.setText(name)

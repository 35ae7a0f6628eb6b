"""What the window asks the person: one object, so that tests answer in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QColorDialog, QDialog, QFileDialog, QInputDialog, QMessageBox, QPushButton, QWidget

import maskedit
from maskedit.document.document import Document
from maskedit.document.session import LeftWork
from maskedit.document.styles import Styles
from maskedit.gui.dialogs.batch import BatchDialog, BatchWanted
from maskedit.gui.dialogs.command_search import Choice, CommandPalette
from maskedit.gui.dialogs.crop import CropDialog
from maskedit.gui.dialogs.export import Export, ExportDialog
from maskedit.gui.dialogs.face import CROP, FaceDialog
from maskedit.gui.dialogs.preferences import PreferencesDialog
from maskedit.gui.dialogs.recover import DISCARD, OPEN, RecoverDialog
from maskedit.gui.dialogs.source import Preview, SourceDialog, Taken
from maskedit.gui.dialogs.weights import WeightsDialog
from maskedit.gui.preferences import Preferences
from maskedit.imaging import Square
from maskedit.opening.other_face import OtherFace

if TYPE_CHECKING:
    from maskedit.gui.files.weights import Weights

PHOTOS = "Photos and sessions (*.png *.jpg *.jpeg *.webp *.bmp *.tif *.tiff *.maskedit);;All files (*)"
LABEL_MAPS = "Label maps (*.png *.bmp *.tif *.tiff);;All files (*)"
SESSIONS = "maskedit sessions (*.maskedit)"
WEIGHTS = "Weights (*.safetensors)"
CHECKPOINTS = "PyTorch checkpoints (*.pth);;All files (*)"


class Dialogs:
    """Every modal question, over the window ``parent``; each waits for its answer, and Esc never loses anything."""

    def __init__(self, parent: QWidget | None):
        self._parent = parent

    def ask_open(self, title: str, folder: str, filters: str) -> Path | None:
        """A file to open, or None."""
        name, _ = QFileDialog.getOpenFileName(self._parent, title, folder, filters)
        return Path(name) if name else None

    def ask_save(self, title: str, suggestion: Path, filters: str) -> Path | None:
        """Where to save, or None; a missing extension is the chosen filter's. Asks before a file is replaced."""
        # The file dialog's own question comes before the extension is added, so it is asked here instead.
        option = QFileDialog.Option.DontConfirmOverwrite
        name, chosen = QFileDialog.getSaveFileName(self._parent, title, str(suggestion), filters, options=option)
        if not name:
            return None
        path = Path(name)
        if path.suffix.lower() not in _suffixes(filters):
            # Appended, not exchanged: in "anna.2024" the dot belongs to the name.
            path = path.with_name(path.name + (_suffixes(chosen) or [suggestion.suffix])[0])
        return None if path.exists() and not self.ask_overwrite(path) else path

    def ask_overwrite(self, path: Path) -> bool:
        """Whether an existing file may be replaced."""
        answer = QMessageBox.question(self._parent, "Replace the file?", f"{path.name} exists already. Replace it?")
        return answer == QMessageBox.StandardButton.Yes

    def ask_name(self, title: str, caption: str, suggestion: str) -> str | None:
        """A name, or None when the person would rather not; an empty one counts as that."""
        name, given = QInputDialog.getText(self._parent, title, caption, text=suggestion)
        return (name.strip() or None) if given else None

    def ask_delete(self, name: str) -> bool:
        """Whether something that cannot be had again may be deleted."""
        answer = QMessageBox.question(self._parent, "Delete the piece?", f"{name} will be gone for good. Delete it?")
        return answer == QMessageBox.StandardButton.Yes

    def ask_unsaved(self, name: str) -> str:
        """``"save"``, ``"discard"`` or ``"cancel"`` for a document with unsaved edits."""
        box = self._box("Unsaved changes", f"{name} has changes that are not saved.")
        box.setIcon(QMessageBox.Icon.Warning)
        save = box.addButton("&Save", QMessageBox.ButtonRole.AcceptRole)
        discard = box.addButton("&Discard", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton("&Cancel", QMessageBox.ButtonRole.RejectRole)
        clicked = _clicked(box, default=save, refuse=cancel)
        return "save" if clicked is save else "discard" if clicked is discard else "cancel"

    def ask_stop_learning(self) -> bool:
        """Whether the learning of a face, which would be lost, may be stopped."""
        box = self._box("Stop learning?", "A face is being learned; stop it? What is learned so far is lost.")
        box.setIcon(QMessageBox.Icon.Question)
        go_on = box.addButton("Go on learning", QMessageBox.ButtonRole.RejectRole)
        stop = box.addButton("Stop", QMessageBox.ButtonRole.DestructiveRole)
        return _clicked(box, default=go_on, refuse=go_on) is stop

    def ask_recover(self, works: list[LeftWork]) -> tuple[str, int]:
        """``"open"``, ``"discard"`` or ``"later"`` for works that editors left behind which did not close properly,
        and the index of the one that is meant.

        Esc is "later": nobody throws work away by closing a box.
        """
        dialog = RecoverDialog(works, self._parent)
        answer = _done(dialog)
        return {OPEN: "open", DISCARD: "discard"}.get(answer, "later"), dialog.chosen()

    def ask_lossy(self, text: str) -> bool:
        """Whether to read a label map from a lossy file all the same; ``text`` says what is wrong with it."""
        box = self._box("Lossy label map", f"{text}\n\nRead it all the same, as well as it can be?")
        box.setIcon(QMessageBox.Icon.Warning)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        read = box.addButton("Read it", QMessageBox.ButtonRole.AcceptRole)
        return _clicked(box, default=cancel, refuse=cancel) is read

    def ask_order(self, order_name: str) -> bool:
        """Whether to bring a label map into our class order that looks like one in another project's."""
        text = f"The label map looks like one in the class order of {order_name}: in maskedit's own it shows no face."
        box = self._box("Another class order", f"{text}\n\nRemap its classes?")
        box.setIcon(QMessageBox.Icon.Question)
        leave = box.addButton("Leave as it is", QMessageBox.ButtonRole.RejectRole)
        remap = box.addButton("Remap", QMessageBox.ButtonRole.AcceptRole)
        return _clicked(box, default=remap, refuse=leave) is remap

    def ask_export(self) -> Export | None:
        """What to export, or None."""
        dialog = ExportDialog(self._parent)
        return dialog.choice() if _done(dialog) == QDialog.DialogCode.Accepted else None

    def ask_batch(self, folder: str) -> BatchWanted | None:
        """Which photos get the edit, and where they are written, or None; ``folder`` is looked into first."""
        dialog = BatchDialog(folder, self._parent)
        return dialog.wanted() if _done(dialog) == QDialog.DialogCode.Accepted else None

    def ask_source(
        self, document: Document, face: OtherFace, styles: Styles, colour_blind: bool, preview: Preview
    ) -> Taken | None:
        """What to take of another face with its styles, or None; in the palette that the canvas shows."""
        dialog = SourceDialog(document, face, styles, self._parent, colour_blind=colour_blind, preview=preview)
        return dialog.taken() if _done(dialog) == QDialog.DialogCode.Accepted else None

    def ask_colour(self, title: str, before: tuple[int, int, int]) -> tuple[int, int, int] | None:
        """A colour, RGB 0..255, or None."""
        colour = QColorDialog.getColor(QColor(*before), self._parent, title)
        return (colour.red(), colour.green(), colour.blue()) if colour.isValid() else None

    def ask_crop(self, photo: np.ndarray, square: Square | None, note: str = "") -> Square | None:
        """The square of a photo (H, W, 3) uint8 to edit, placed by hand, or None.

        Args:
            square: where it starts; None is the middle of the photo.
            note: stands on top: why one is asked, say.
        """
        dialog = CropDialog(photo, square, note, self._parent)
        return dialog.square if _done(dialog) == QDialog.DialogCode.Accepted else None

    def ask_face(self, photo: np.ndarray, squares: list[Square]) -> int | str | None:
        """The index of the face to edit among the squares of a photo (H, W, 3) uint8.

        ``"crop"`` when the person wants to place a square by hand instead, None when nothing is to be opened.
        """
        dialog = FaceDialog(photo, squares, self._parent)
        answer = _done(dialog)
        if answer == CROP:
            return "crop"
        return dialog.chosen() if answer == QDialog.DialogCode.Accepted else None

    def ask_command(self, choices: Sequence[Choice]) -> Choice | None:
        """The one of these to run, or None."""
        dialog = CommandPalette(choices, self._parent)
        _done(dialog)
        return dialog.chosen

    def ask_preferences(self, preferences: Preferences, actions: dict[str, QAction], weights: Weights) -> None:
        """Let the person set what is remembered; each choice holds at once."""
        _done(PreferencesDialog(preferences, actions, weights, self._parent))

    def ask_weights(self, weights: Weights) -> None:
        """Show the card of the weights that draw, and let the person choose others; they draw at once."""
        _done(WeightsDialog(weights, self._parent))

    def about(self, engine: str, weights: str, log_file: Path) -> None:
        """Version, engine, what the weights say of themselves, their licence included, and where the log is."""
        parts = (
            f"maskedit {maskedit.__version__}\nThe code is Apache-2.0.",
            f"Engine: {engine}",
            weights or "The weights are not loaded.",
            f"Log: {log_file}\nHelp > Copy bug report puts its end on the clipboard.",
        )
        _done(self._box("About maskedit", "\n\n".join(parts)))

    def _box(self, title: str, text: str) -> QMessageBox:
        box = QMessageBox(self._parent)
        box.setWindowTitle(title)
        box.setTextFormat(Qt.TextFormat.PlainText)  # names of files and lines of model cards are no HTML
        box.setText(text)
        return box


def _done(dialog: QDialog) -> int:
    """Run a dialog; its parent keeps it no longer than this event."""
    code = dialog.exec()
    dialog.deleteLater()
    return code


def _clicked(box: QMessageBox, *, default: QPushButton, refuse: QPushButton) -> object:
    """The button of a box that was clicked; Esc is ``refuse``, and Alt with a letter of each button clicks it."""
    taken: set[str] = set()
    for button in box.buttons():
        text = button.text().replace("&", "")
        letter = next((each for each in text if each.isalpha() and each.lower() not in taken), "")
        taken.add(letter.lower())
        button.setText(text.replace(letter, f"&{letter}", 1) if letter else text)
    box.setDefaultButton(default)
    box.setEscapeButton(refuse)
    _done(box)
    return box.clickedButton()


def _suffixes(filters: str) -> list[str]:
    return re.findall(r"\*(\.\w+)", filters)

"""Opening, saving, exporting and recovering: between the editor and the disk.

Every way in ends in a whole new document or in one clear message with the open document untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from maskedit import imaging, resources
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.gui import dialogs
from maskedit.gui.editor import Editor, companion_labels
from maskedit.gui.qimage import image_photo
from maskedit.gui.recovery import Recovery

SIDE = 512
"""Documents are squares of this side in pixels: what the networks are made for."""
RECENT = 8
BUNDLED = (("Eileen Collins", "collins"), ("Grace Hopper", "hopper"))


def read_document(photo: Path, labels: Path | None = None) -> Document:
    """A photo file, with a label map file or the one beside it, as a square document; or a session file.

    Raises:
        UserError: a file is not what it should be, or there is no label map.
    """
    if photo.suffix.lower() == session.SUFFIX:
        return session.load_session(photo)
    pixels = imaging.read_photo(photo)  # first: nobody should be asked for the label map of what is no photo
    labels = labels or companion_labels(photo)
    if labels is None:
        raise MissingLabels(
            f"{photo.name} has no label map beside it ({photo.stem}_labels.png); choose the one that belongs to it."
        )
    square, label_map = imaging.fit_square(pixels, imaging.read_labels(labels), SIDE)
    return Document(square, label_map, name=photo.stem)


def bundled_document(name: str) -> Document:
    """One of the portraits that come with maskedit."""
    return read_document(*resources.portrait(name))


class MissingLabels(UserError):
    """The photo was found, its label map was not."""


class Files(QObject):
    """What the File menu does.

    Args:
        window: the parent of every dialog.
        editor: whose document is opened and saved.
        settings: remembers folders and recent files.
    """

    recent_changed = Signal()

    def __init__(self, window: QWidget, editor: Editor, settings: QSettings):
        super().__init__(window)
        self._window = window
        self._editor = editor
        self._settings = settings
        self.recovery = Recovery(editor, self)

    # Opening ----------------------------------------------------------------------------------------------------

    def guarded(self, work: Callable[[], None]) -> bool:
        """Run ``work``; a UserError becomes a message and nothing else changes."""
        try:
            work()
        except UserError as error:
            self._editor.message.emit("error", str(error))
            return False
        return True

    def open_dialog(self) -> None:
        path = dialogs.ask_open(self._window, "Open photo or session", self._folder(), dialogs.PHOTOS)
        if path is not None:
            self.open(path)

    def open(self, path: Path, labels: Path | None = None) -> bool:
        """Open a photo with its label map, or a session; asks for the map if none lies beside the photo."""
        if not self.may_leave():
            return False

        def work() -> None:
            try:
                document = read_document(path, labels)
            except MissingLabels as error:
                self._editor.message.emit("info", str(error))
                chosen = dialogs.ask_open(
                    self._window, f"Label map of {path.name}", str(path.parent), dialogs.LABEL_MAPS
                )
                if chosen is None:
                    return
                document = read_document(path, chosen)
            self.show_document(document)
            self._remember(path)

        before = self._editor.document
        self.guarded(work)
        return self._editor.document is not before

    def open_dropped(self, paths: list[Path], image: QImage | None = None) -> None:
        """What was dropped on the window: a file, a photo with its label map in either order, or bare pixels."""
        if image is not None:
            self.open_pixels(image_photo(image), "dropped photo")
        elif len(paths) == 1:
            self.open(paths[0])
        elif paths:
            photo, labels = paths[:2] if _is_label_map(paths[1]) or not _is_label_map(paths[0]) else paths[1::-1]
            self.open(photo, labels)

    def paste(self) -> None:
        """Open the file or the image on the clipboard."""
        clipboard = QApplication.clipboard()
        urls = clipboard.mimeData().urls()
        if urls and urls[0].isLocalFile():
            self.open(Path(urls[0].toLocalFile()))
        elif clipboard.mimeData().hasImage():
            self.open_pixels(image_photo(clipboard.image()), "pasted photo")
        else:
            self._editor.message.emit("error", "There is no image on the clipboard: copy one first.")

    def open_bundled(self, name: str) -> None:
        if self.may_leave():
            self.guarded(lambda: self.show_document(bundled_document(name)))

    def open_labels_dialog(self) -> None:
        """Another label map for the open photo: it becomes the photo's own, and the map to paint."""
        path = dialogs.ask_open(self._window, "Label map of this photo", self._folder(), dialogs.LABEL_MAPS)
        if path is not None:
            self.open_labels(path)

    def open_labels(self, path: Path) -> None:
        document = self._editor.document
        if document is None or not self.may_leave():
            return

        def work() -> None:
            labels = imaging.read_labels(path)
            photo, labels = imaging.fit_square(document.photo, labels, document.width)
            self.show_document(Document(photo, labels, name=document.name))

        self.guarded(work)

    def open_pixels(self, photo: np.ndarray, name: str) -> None:
        """A photo that came without a file (the clipboard): asks for its label map."""
        if not self.may_leave():
            return
        chosen = dialogs.ask_open(self._window, f"Label map of {name}", self._folder(), dialogs.LABEL_MAPS)
        if chosen is None:
            return

        def work() -> None:
            square, labels = imaging.fit_square(photo, imaging.read_labels(chosen), SIDE)
            self.show_document(Document(square, labels, name=name))

        self.guarded(work)

    def show_document(self, document: Document) -> None:
        self.recovery.forget(document.edit_count)
        self._editor.set_document(document)

    def source_dialog(self) -> None:
        path = dialogs.ask_open(self._window, "Label map or photo of another face", self._folder(), dialogs.PHOTOS)
        if path is not None:
            self.take_source(path)

    def take_source(self, path: Path) -> None:
        """Style copy or attribute transfer from a label map file, a session, or a photo with its map beside it."""
        if self._editor.document is None:
            return

        def work() -> None:
            self.take_labels(_source_labels(path), path.stem)

        self.guarded(work)

    def take_bundled(self, name: str) -> None:
        """Like `take_source`, from one of the portraits that come with maskedit."""
        if self._editor.document is not None:
            self.guarded(lambda: self.take_labels(bundled_document(name).snapshot(), name))

    def take_labels(self, source: np.ndarray, name: str) -> None:
        """Ask which classes to take from a label map, and take them as one edit."""
        document = self._editor.document
        accepted, classes = dialogs.ask_source(self._window, document, source)
        if accepted:
            self._editor.edited(document.replace_labels(source, classes=classes, name=f"Take labels from {name}"))

    # Saving -----------------------------------------------------------------------------------------------------

    def save(self) -> bool:
        """Save the session; True when it is on the disk."""
        document = self._editor.document
        if document is None:
            return False
        return self.save_as() if document.path is None else self._save_to(document.path)

    def save_as(self) -> bool:
        document = self._editor.document
        if document is None:
            return False
        suggestion = Path(self._folder()) / f"{document.name}{session.SUFFIX}"
        path = dialogs.ask_save(self._window, "Save session", document.path or suggestion, dialogs.SESSIONS)
        return path is not None and self._save_to(path)

    def _save_to(self, path: Path) -> bool:
        document = self._editor.document

        def work() -> None:
            session.save_session(path, document)
            document.path = path
            document.mark_saved()
            self.recovery.forget(document.edit_count)
            self._remember(path)
            self._editor.history_changed.emit()
            self._editor.message.emit("info", f"Saved {path.name}.")

        return self.guarded(work)

    def may_leave(self) -> bool:
        """Ask about unsaved edits; False when the person wants to stay, or when saving failed."""
        document = self._editor.document
        if document is None or not document.is_modified:
            return True
        answer = dialogs.ask_unsaved(self._window, document.name)
        return self.save() if answer == "save" else answer == "discard"

    # Export -----------------------------------------------------------------------------------------------------

    def export_dialog(self) -> None:
        document = self._editor.document
        if document is None:
            return
        export = dialogs.ask_export(self._window)
        if export is None:
            return
        labels_only = export.kind in ("palette", "ids")
        filters = ["PNG (*.png)"]
        if not labels_only:
            filters.append("WebP (*.webp)")
            if export.kind != "cutout":  # JPEG knows no transparency
                filters.append("JPEG (*.jpg *.jpeg)")
        suggestion = Path(self._folder()) / f"{document.name}_{'labels' if labels_only else export.kind}.png"
        path = dialogs.ask_save(self._window, "Export", suggestion, ";;".join(filters))
        if path is None:
            return
        if labels_only:
            self._export(path, export)
        else:
            # Never a picture that does not belong to the labels on the screen.
            if not self._editor.up_to_date:
                self._editor.message.emit("info", f"{path.name} is written once the render is up to date.")
            self._editor.when_up_to_date(lambda: self._export(path, export))

    def _export(self, path: Path, export: dialogs.Export) -> None:
        document, result = self._editor.document, self._editor.result

        def work() -> None:
            if export.kind in ("palette", "ids"):
                imaging.write_labels(path, document.snapshot(), kind=export.kind, overwrite=True)
            elif export.kind == "result":
                imaging.write_photo(path, result, quality=export.quality, overwrite=True)
            elif export.kind == "cutout":
                changed = document.labels != document.reference_labels
                imaging.write_photo(path, imaging.cutout(result, changed), quality=export.quality, overwrite=True)
            else:
                sheet = imaging.before_after_sheet(
                    document.photo, document.reference_labels, document.snapshot(), result
                )
                imaging.write_photo(path, sheet, quality=export.quality, overwrite=True)
            self._settings.setValue("folder", str(path.parent))
            self._editor.message.emit("info", f"Exported {path.name}.")

        self.guarded(work)

    # Leaving and coming back ------------------------------------------------------------------------------------

    def offer_recovery(self) -> bool:
        """At the start: offer the newest work that was left behind; True when it was opened."""
        found = self.recovery.found()
        if not found:
            return False
        if not dialogs.ask_recover(self._window, self.recovery.when(found[0])):
            self.recovery.discard(found)
            return False
        return self.guarded(lambda: self.recovery.take_over(found[0]))

    def close(self) -> None:
        """The person has left properly: nothing is left to recover."""
        self.recovery.close()

    # Settings ---------------------------------------------------------------------------------------------------

    def recent(self) -> list[Path]:
        """The last files opened or saved that are still there, newest first."""
        names = self._settings.value("recent", [], type=list)
        return [path for path in map(Path, names) if path.is_file()]

    def _remember(self, path: Path) -> None:
        path = path.absolute()
        recent = [path, *(other for other in self.recent() if other != path)][:RECENT]
        self._settings.setValue("recent", [str(other) for other in recent])
        self._settings.setValue("folder", str(path.parent))
        self.recent_changed.emit()

    def _folder(self) -> str:
        return self._settings.value("folder", str(Path.home()), type=str)


def _source_labels(path: Path) -> np.ndarray:
    """The label map that a file is, holds, or has beside it."""
    if path.suffix.lower() == session.SUFFIX:
        return session.load_session(path).snapshot()
    companion = companion_labels(path)
    if companion is not None:
        return imaging.read_labels(companion)
    return imaging.read_labels(path)


def _is_label_map(path: Path) -> bool:
    try:
        imaging.read_labels(path)
    except UserError:
        return False
    return True

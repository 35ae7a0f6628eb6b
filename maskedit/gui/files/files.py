"""Opening, saving, exporting and recovering: between the editor and the disk.

Every way in ends in a whole new document or in one clear message with the open document untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from maskedit import imaging
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.gui.dialogs.dialogs import LABEL_MAPS, PHOTOS, SESSIONS, Dialogs
from maskedit.gui.dialogs.export import Export
from maskedit.gui.editor import Editor
from maskedit.gui.files.batch import Batch
from maskedit.gui.files.faces import Faces
from maskedit.gui.files.others import Others
from maskedit.gui.files.recovery import Recovery
from maskedit.gui.qimage import image_photo
from maskedit.gui.rendering.jobs import Services
from maskedit.gui.states import Level
from maskedit.imaging import SourcePhoto
from maskedit.opening.documents import bundled_document, renewed, square_document, with_labels
from maskedit.opening.files import FoundLabels, inspect, is_label_map
from maskedit.render.full_size import full_size, square_metadata

RECENT = 8
LABEL_KINDS = ("palette", "ids")
"""Exports of the label map alone."""
WHOLE_KINDS = ("photo", "cutout", "layers")
"""Exports at the whole photo's size."""
_JPEG = b"\xff\xd8"
PARSED = "The label map is drawn. Where it is wrong, paint it right and choose Edit > These labels are the photo's own."
BUNDLED = (("Eileen Collins", "collins"), ("Grace Hopper", "hopper"))


class Files(QObject):
    """What the File menu does.

    Args:
        editor: whose document is opened and saved.
        dialogs: ask the person.
        settings: remembers folders and recent files.
    """

    recent_changed = Signal()

    def __init__(self, editor: Editor, dialogs: Dialogs, settings: QSettings, parent: QObject):
        super().__init__(parent)
        self._editor, self._dialogs, self._settings = editor, dialogs, settings
        self.recovery = Recovery(editor, self)
        self.faces = Faces(editor, dialogs, self)
        self.batch = Batch(editor, dialogs, self.may_stop_learning, self.guarded, self._folder, self)
        self.others = Others(editor, dialogs, self.faces, self._taken, self.guarded, self._folder, self)

    # Opening ----------------------------------------------------------------------------------------------------

    def guarded(self, work: Callable[[], None]) -> bool:
        """Run ``work``; a UserError becomes a message and nothing else changes."""
        try:
            work()
        except UserError as error:
            self._editor.tell(Level.ERROR, str(error))
            return False
        return True

    def _taken(self, found: FoundLabels) -> np.ndarray:
        """A label map that was found, by what the person decides about it; what was not exact about it is told."""
        if found.lossy and not self._dialogs.ask_lossy(found.lossy):
            raise UserError(found.lossy)
        remap = found.order is not None and self._dialogs.ask_order(found.order)
        labels, notes = found.taken(lossy=True, remap=remap)
        if notes:
            self._editor.tell(Level.INFO, f"{found.name}: {' '.join(notes)}")
        return labels

    def open_dialog(self) -> None:
        path = self._dialogs.ask_open("Open photo or session", self._folder(), PHOTOS)
        if path is not None:
            self.open(path)

    def open(self, path: Path, labels: Path | None = None) -> bool:
        """Open a session, or a photo: with its label map if there is one, else its face is found and parsed.

        Returns whether another document is open already; a face that is looked for comes later.
        """
        if not self.may_leave():
            return False

        def work() -> None:
            found = inspect(path, labels)
            if found.photo is not None and found.labels is None:
                self._open_face(found.photo, path)
                return
            document = found.session or square_document(found.photo, self._taken(found.labels))
            self._remember(path)
            self.show_document(document)

        before = self._editor.document
        self.guarded(work)
        return self._editor.document is not before

    def _open_face(self, photo: SourcePhoto, path: Path | None = None) -> None:
        """Open the face that is in a photo, once it is found and parsed; ``path`` is its file, if it has one."""

        def show(document: Document) -> None:
            if path is not None:
                self._remember(path)
            shown(document)

        shown = self._showing()
        self.faces.document_of(photo, show)

    def _showing(self) -> Callable[[Document], None]:
        """A function that shows a parsed document; call this just after the person has agreed to leave the open one.

        A person who goes on painting until the parsing is done is asked again.
        """
        left = _state(self._editor)

        def show(document: Document) -> None:
            if _state(self._editor) == left or self.may_leave():
                self.show_document(document)
                self._editor.tell(Level.INFO, PARSED)

        return show

    def open_dropped(self, paths: list[Path], image: QImage | None = None) -> None:
        """What was dropped on the window: a file, a photo with its label map in either order, or bare pixels."""
        if image is not None:
            self.open_pixels(image_photo(image), "dropped photo")
        elif len(paths) == 1:
            self.open(paths[0])
        elif paths:
            swapped = is_label_map(paths[0]) and not is_label_map(paths[1])
            photo, labels = paths[1::-1] if swapped else paths[:2]
            self.open(photo, labels)

    def paste(self) -> None:
        """Open the file or the image on the clipboard."""
        clipboard = QApplication.clipboard()
        data = clipboard.mimeData()  # None where nothing was ever copied, on some systems
        urls = [] if data is None else data.urls()
        if urls and urls[0].isLocalFile():
            self.open(Path(urls[0].toLocalFile()))
        elif data is not None and data.hasImage():
            self.open_pixels(image_photo(clipboard.image()), "pasted photo")
        else:
            self._editor.tell(Level.ERROR, "There is no image on the clipboard: copy one first.")

    def open_bundled(self, name: str) -> None:
        if self.may_leave():
            self.guarded(lambda: self.show_document(bundled_document(name)))

    def open_labels_dialog(self) -> None:
        """Another label map for the open photo: it becomes the photo's own, and the map to paint."""
        path = self._dialogs.ask_open("Label map of this photo", self._folder(), LABEL_MAPS)
        if path is not None:
            self.open_labels(path)

    def open_labels(self, path: Path) -> None:
        document = self._editor.document
        if document is None or not self.may_leave():
            return

        def work() -> None:
            self.show_document(with_labels(document, self._taken(FoundLabels(path))))

        self.guarded(work)

    def open_pixels(self, photo: np.ndarray, name: str) -> None:
        """A photo that came without a file, from the clipboard or another program."""
        if self.may_leave():
            self.guarded(lambda: self._open_face(SourcePhoto(imaging.png_bytes(photo), name)))

    def place_square(self) -> None:
        """Move the square of the open document over its photo; what was done to its labels comes along."""
        document = self._editor.document
        if document is not None and self.may_stop_learning():
            self.guarded(lambda: self.faces.place(document, self._show_moved))

    def _show_moved(self, document: Document) -> None:
        """Show the open document in another square."""
        learned = self._editor.document.face_weights is not None
        self.show_document(document)
        self.recovery.write()  # showing another document has dropped what was kept of this one
        again = " What was learned of this face was for the old square: learn it again (Ctrl+Shift+L)."
        self._editor.tell(Level.INFO, "The square is moved, and your edits with it." + again * learned)

    def parse_photo(self) -> None:
        """Have the parser draw the open photo's own label map anew."""
        document = self._editor.document
        if document is not None and self.may_leave():
            show = self._showing()
            self.faces.parse(document, lambda labels: show(renewed(document, labels)))

    def adopt_labels(self) -> None:
        """What is painted is what the photo shows: the label map was wrong, and is corrected now."""
        document = self._editor.document
        if document is not None and self.may_stop_learning():
            self.show_document(document.copy(reference_labels=document.snapshot()))
            self.recovery.write()  # showing another document has dropped what was kept of this one
            self._editor.tell(Level.INFO, "These labels are the photo's own now; edits count from here.")

    def show_document(self, document: Document) -> None:
        self.recovery.forget(document.edit_count)
        self._editor.set_document(document)

    # Saving -----------------------------------------------------------------------------------------------------

    def save(self) -> bool:
        """Save the session; True when it is on the disk."""
        document = self._editor.document
        if document is None:
            return False
        return self.save_as() if document.path is None else self._save_to(document.path, document)

    def save_as(self) -> bool:
        document = self._editor.document
        if document is None:
            return False
        suggestion = Path(self._folder()) / f"{_file_stem(document)}{session.SUFFIX}"
        path = self._dialogs.ask_save("Save session", document.path or suggestion, SESSIONS)
        return path is not None and self._save_to(path, document)

    def _save_to(self, path: Path, document: Document) -> bool:
        self._editor.let_go()  # what floats is seen, and belongs to what is saved

        def work() -> None:
            session.save_session(path, document)
            document.path = path
            document.mark_saved()
            self.recovery.forget(document.edit_count)
            self._remember(path)
            self._editor.history_changed.emit()
            self._editor.tell(Level.INFO, f"Saved {path.name}.")

        return self.guarded(work)

    def may_stop_learning(self) -> bool:
        """Ask before the learning of a face is lost; False when it shall go on."""
        return self._editor.tuning.progress is None or self._dialogs.ask_stop_learning()

    def may_leave(self) -> bool:
        """Ask about unsaved edits and a face that is being learned; False when the person wants to stay, or when saving
        failed."""
        document = self._editor.document
        if not self.may_stop_learning():
            return False
        if document is None or not document.is_modified:
            return True
        answer = self._dialogs.ask_unsaved(document.name)
        return self.save() if answer == "save" else answer == "discard"

    # Export -----------------------------------------------------------------------------------------------------

    def export_dialog(self) -> None:
        document = self._editor.document
        if document is None:
            return
        export = self._dialogs.ask_export()
        if export is None:
            return
        filters = _filters(export.kind, document)
        kind = {"palette": "face_labels", "ids": "face_labels", "photo": "edited"}.get(export.kind, export.kind)
        ending = {"JPEG": "jpg", "OpenRaster": "ora"}.get(filters[0].split()[0], "png")
        suggestion = Path(self._folder()) / f"{_file_stem(document)}_{kind}.{ending}"
        path = self._dialogs.ask_save("Export", suggestion, ";;".join(filters))
        if path is None or document is not self._editor.document:
            return
        if export.kind in LABEL_KINDS:
            self._export(path, export)
        else:
            # Never a picture that does not belong to the labels on the screen.
            if not self._editor.render.up_to_date:
                when = "the render is up to date" if self._editor.tuning.progress is None else "the face is learned"
                self._editor.tell(Level.INFO, f"{path.name} is written once {when}.")
            tell = self._editor.tell
            self._editor.render.when_up_to_date(
                lambda: self._export(path, export),
                otherwise=lambda reason: tell(Level.ERROR, f"{path.name} was not written: {reason}."),
            )

    def _export(self, path: Path, export: Export) -> None:
        document, rendered, result = self._editor.document, self._editor.render.rendered, self._editor.render.result
        own, labels = document.reference_labels, document.snapshot()

        def work(services: Services | None = None) -> None:
            if export.kind in LABEL_KINDS:
                imaging.write_labels(path, labels, kind=export.kind, overwrite=True)
                return
            metadata = None
            if export.kind in WHOLE_KINDS:
                sharper = partial(services.at_full_size, rendered)
                shown = rendered.request
                parse = services.finder.parser.parse if shown.styles else None
                edited, metadata = full_size(
                    document, rendered.result.composite, shown.labels, sharper, styles=shown.styles, parse=parse
                )
                if export.kind != "cutout":
                    edited.write(path, quality=export.quality, overwrite=True, metadata=metadata)
                    return
                picture = edited.cutout()
            elif export.kind == "result":
                picture = result
                metadata = square_metadata(document)
            else:
                picture = imaging.before_after_sheet(document.photo, own, labels, result)
            imaging.write_photo(path, picture, quality=export.quality, overwrite=True, metadata=metadata)

        def written(_: object = None) -> None:
            self._settings.setValue("folder", str(path.parent))
            self._editor.tell(Level.INFO, f"Exported {path.name}.")

        if export.kind in WHOLE_KINDS:  # not here: a large one takes seconds
            self._editor.jobs.run(work, written, promised=True, telling=f"Writing {path.name}…")
        elif self.guarded(work):
            written()

    # Leaving and coming back ------------------------------------------------------------------------------------

    def offer_recovery(self) -> bool:
        """At the start: offer the works that were left behind, newest first; True when one was opened.

        Nothing is thrown away but what the person threw away by name: a file that cannot be read stays for later.
        """
        works = self.recovery.found()
        while works:
            answer, index = self._dialogs.ask_recover(works)
            if answer == "later":
                return False
            work = works.pop(index)
            if answer == "discard":
                self.recovery.discard(work.path)
            elif self.guarded(partial(self.recovery.take_over, work.path)):
                return True
        return False

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


def _state(editor: Editor) -> tuple:
    """What a person would lose by leaving the open document: the same as long as nothing is done to it."""
    document = editor.document
    if document is None:
        return (None,)
    learning = editor.tuning.progress is not None
    return document, document.edit_count, document.revision, document.face_weights, document.snapshots, learning


def _filters(kind: str, document: Document) -> list[str]:
    """The files that a kind of export can be written as, what one expects first."""
    if kind == "layers":
        return ["OpenRaster (*.ora)"]
    if kind in LABEL_KINDS or kind == "cutout":  # what compresses with loss changes colours most where alpha is small
        return ["PNG (*.png)"]
    filters = ["PNG (*.png)", "WebP (*.webp)", "JPEG (*.jpg *.jpeg)"]
    if kind == "photo" and document.origin is not None and document.origin.data.startswith(_JPEG):
        filters.reverse()  # what the photo was is what one expects of it
    return filters


def _file_stem(document: Document) -> str:
    """What a file may be called after the document: the name in a session is a stranger's, and may be a path."""
    return Path(document.name.replace("\\", "/")).name.replace("\0", "").strip(". ") or "face"

"""Other faces: what is taken from them, labels and styles, and from a colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from maskedit.document.document import Document
from maskedit.document.styles import Styles
from maskedit.errors import UserError
from maskedit.gui.dialogs.dialogs import PHOTOS, Dialogs
from maskedit.gui.dialogs.source import Taken
from maskedit.gui.editor import Editor
from maskedit.gui.files.faces import Faces
from maskedit.gui.states import Level
from maskedit.opening.documents import bundled_document
from maskedit.opening.files import FoundLabels, inspect_source
from maskedit.opening.other_face import OtherFace
from maskedit.render.part_colours import colour_of, colour_style, style_of, styles_of

_START = (150, 90, 50)
"""The colour that is offered first where the photo shows nothing of a part."""


class Others(QObject):
    """Takes from other faces into the open document.

    Args:
        editor: whose document takes it.
        dialogs: ask the person.
        faces: finds and parses the face in a photo.
        taken: a label map that was found, by what the person decides about it.
        guarded: runs work whose UserError becomes a message.
        folder: where files are looked for first.
    """

    def __init__(
        self,
        editor: Editor,
        dialogs: Dialogs,
        faces: Faces,
        taken: Callable[[FoundLabels], np.ndarray],
        guarded: Callable[[Callable[[], None]], bool],
        folder: Callable[[], str],
        parent: QObject,
    ):
        super().__init__(parent)
        self._editor, self._dialogs, self._faces = editor, dialogs, faces
        self._taken, self._guarded, self._folder = taken, guarded, folder

    # Shape, style or both ---------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask for a file with another face, and what to take of it."""
        self.ask_face(self.take)

    def ask_face(self, then: Callable[[OtherFace], None]) -> None:
        """Ask for a file with another face, which goes to ``then``."""
        path = self._dialogs.ask_open("Label map or photo of another face", self._folder(), PHOTOS)
        if path is not None:
            self._face_in(path, then)

    def take_file(self, path: Path) -> None:
        """Labels and styles from a label map file, a session, or a photo, which is parsed if need be."""
        self._face_in(path, self.take)

    def take_bundled(self, name: str) -> None:
        """Like `take_file`, from one of the portraits that come with maskedit."""
        self.bundled_face(name, self.take)

    def bundled_face(self, name: str, then: Callable[[OtherFace], None]) -> None:
        """One of the portraits that come with maskedit goes to ``then``."""
        document = self._editor.document
        if document is not None:
            self._guarded(lambda: then(OtherFace.of_document(bundled_document(name), name, document.width)))

    def take(self, face: OtherFace) -> None:
        """Ask which classes of a face to take, their shape, style or both, and take them as one edit."""
        document = self._editor.document
        styles = {} if face.photo is None else styles_of(face.photo, face.own_labels, face.name)
        taken = self._dialogs.ask_source(document, face, styles, self._editor.colour_blind, self._preview)
        if taken is not None and document is self._editor.document:
            box = document.replace_labels(
                face.labels,
                classes=taken.classes,
                styles={part: styles[part] for part in taken.parts},
                name=f"Take {_words(taken)} from {face.name}",
            )
            self._editor.edited(box)

    def _preview(
        self, labels: np.ndarray, styles: Styles, then: Callable[[QImage], None], otherwise: Callable[[str], None]
    ) -> None:
        """Have the render thread draw the open document with other labels and styles, for a dialog."""
        self._editor.draw(labels, styles, then, otherwise, asked_by_dialog=True)

    # Style of the chosen class ----------------------------------------------------------------------------------

    def from_photo(self) -> None:
        """The chosen class takes the style that it has in another photo."""
        part = self._part()
        if part is None:
            return
        path = self._dialogs.ask_open(f"Photo with another style of {part}", self._folder(), PHOTOS)
        if path is not None:
            self._face_in(path, lambda face: self.take_style(part, face))

    def take_style(self, part: str, face: OtherFace) -> None:
        """A part takes its style from another face."""

        def work() -> None:
            if face.photo is None:
                raise UserError(f"{face.name} is a label map and shows no colours; choose a photo.")
            style = style_of(face.photo, face.own_labels, part, face.name)
            self._editor.set_style(part, style, name=f"Style of {part} from {face.name}")

        self._guarded(work)

    def from_colour(self) -> None:
        """The chosen class takes one colour."""
        part = self._part()
        if part is None:
            return
        document = self._editor.document
        before = colour_of(document.photo, document.reference_labels, part) or _START
        colour = self._dialogs.ask_colour(f"Colour of {part}", before)
        if colour is not None and document is self._editor.document:
            style = colour_style(colour)
            self._editor.set_style(part, style, name=f"Style of {part} {style.name}")

    def own(self) -> None:
        """The chosen class has the photo's own style again."""
        part = self._part()
        if part is not None:
            self._editor.set_style(part, None, name=f"Own style of {part}")

    def _part(self) -> str | None:
        part = self._editor.part
        if part is None:
            self._editor.tell(Level.INFO, "This class has no style: choose hair, skin, lips or another one.")
        return part if self._editor.document is not None else None

    def _face_in(self, path: Path, then: Callable[[OtherFace], None]) -> None:
        """Call ``then`` with the face in a file; a photo's is found and parsed first."""
        document = self._editor.document
        if document is None:
            return

        def parsed(face: Document) -> None:
            if document is self._editor.document:
                then(OtherFace.of_document(face, path.stem, document.width))

        def work() -> None:
            found = inspect_source(path)
            if found.session is not None:
                then(OtherFace.of_document(found.session, path.stem, document.width))
            elif found.labels is not None:
                then(OtherFace.of_labels(self._taken(found.labels), path.stem, found.photo, document.width))
            else:
                self._faces.document_of(found.photo, parsed)

        self._guarded(work)


def _words(taken: Taken) -> str:
    if not taken.parts:
        return "labels"
    return "style" if taken.classes is not None and not taken.classes else "labels and style"

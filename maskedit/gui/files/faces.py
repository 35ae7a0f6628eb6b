"""Faces in photos: find them, let the person choose or place the square, parse; all of it in the worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QObject

from maskedit.document.document import Document
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.rendering.jobs import Services
from maskedit.gui.states import Level
from maskedit.imaging import SourcePhoto, Square
from maskedit.opening.documents import moved_document, parsed_document, source_photo


class Faces(QObject):
    """Turns a photo's file into a document, and parses again what a document shows.

    Args:
        editor: whose worker does it, and who is told.
        dialogs: ask which face, and where it is.
    """

    def __init__(self, editor: Editor, dialogs: Dialogs, parent: QObject):
        super().__init__(parent)
        self._editor, self._dialogs = editor, dialogs
        self._asked = 0
        editor.document_changed.connect(self._forget)

    def _forget(self) -> None:
        """Another document is open: what was asked for before is not wanted any more."""
        self._asked += 1

    def document_of(self, photo: SourcePhoto, then: Callable[[Document], None]) -> None:
        """Find the face in a photo's file, ask where there is a choice or none, and call ``then`` with its document.

        Whoever asks for another photo meanwhile, or opens something else, does not want this one any more.
        """
        self._asked += 1
        asked = self._asked

        def find(services: Services) -> list[Square]:
            def given_up() -> bool:
                return asked != self._asked or services.leaving.is_set()

            return [face.square for face in services.finder.find(photo.pixels, given_up=given_up)]

        def found(squares: list[Square]) -> None:
            if asked != self._asked:
                return
            square, by_hand = self._chosen(photo, squares)
            if square is None:
                self._tell_not_opened(photo)
            else:
                self._parse(photo, square, then, by_hand=by_hand)

        telling = f"Looking for faces in {photo.name}…"
        self._editor.jobs.run(find, found, telling=telling, given_up=lambda: self._tell_not_opened(photo))

    def _tell_not_opened(self, photo: SourcePhoto) -> None:
        self._forget()
        self._editor.tell(Level.INFO, f"{photo.name} was not opened.")

    def _chosen(self, photo: SourcePhoto, squares: list[Square]) -> tuple[Square | None, bool]:
        """The one face there is, the one the person picks, or the square that the person places; whether the last."""
        choice: int | str | None = 0
        if len(squares) > 1:
            choice = self._dialogs.ask_face(photo.pixels, squares)
        if not squares:
            note = f"No face was found in {photo.name}: place the square so that eyes and mouth lie on the marks."
            return self._dialogs.ask_crop(photo.pixels, None, note), True
        if choice == "crop":
            return self._dialogs.ask_crop(photo.pixels, squares[0]), True
        return None if choice is None else squares[choice], False

    def place(self, document: Document, then: Callable[[Document], None]) -> None:
        """Let the person move the square of an open document; ``then`` gets the moved one, edits and all."""
        photo, origin = source_photo(document), document.origin
        before = Square.middle(document.width, document.height) if origin is None else origin.square
        square = self._dialogs.ask_crop(photo.pixels, before)
        if square is None or square == before:
            return
        asked, shown = self._asked, document.photo

        def parse(services: Services) -> tuple[Document, np.ndarray | None]:
            parser = services.finder.parser
            seen = parser.parse(shown) if shown.shape[0] == shown.shape[1] else None
            return parsed_document(photo, square, parser), seen

        def parsed(found: tuple[Document, np.ndarray | None]) -> None:
            if asked == self._asked:
                self._editor.let_go()
                then(moved_document(document, *found))  # with what was painted meanwhile, too

        self._editor.jobs.run(parse, parsed)

    def _parse(self, photo: SourcePhoto, square: Square, then: Callable[[Document], None], *, by_hand: bool) -> None:
        asked = self._asked

        def parsed(document: Document) -> None:
            if asked == self._asked:
                if by_hand:
                    document.mark_unsaved()  # a hand has placed it
                then(document)

        self._editor.jobs.run(
            lambda services: parsed_document(photo, square, services.finder.parser),
            parsed,
            telling=f"Drawing the label map of {photo.name}…",
            given_up=lambda: self._tell_not_opened(photo),
        )

    def parse(self, document: Document, then: Callable[[np.ndarray], None]) -> None:
        """The label map that the parser sees in the open document's photo, (S, S) uint8, goes to ``then``."""
        photo = document.photo

        def parsed(labels: np.ndarray) -> None:
            if document is self._editor.document:
                then(labels)

        telling = "Drawing the label map anew…"
        self._editor.jobs.run(lambda services: services.finder.parser.parse(photo), parsed, telling=telling)

    def confidence(self, document: Document, then: Callable[[np.ndarray], None], otherwise: Callable[[], None]) -> None:
        """How sure the parser is of each pixel of a document's photo, (S, S) uint8, goes to ``then``."""
        photo = document.photo

        def failed(reason: str) -> None:
            self._editor.tell(Level.ERROR, reason)
            otherwise()

        self._editor.jobs.run(
            lambda services: services.finder.parser.parse_with_confidence(photo).confidence,
            then,
            failed,
            telling="Looking where the parser was unsure…",
            given_up=otherwise,
        )

    def parse_again(self, points: Sequence[tuple[float, float]]) -> None:
        """Parse what a polygon of the open document encloses, closer, and take that over as one edit."""
        document = self._editor.document
        found = document.polygon_mask(points)
        if found is None:
            return
        if document.width != document.height:
            reason = "The parser sees squares only; place the square of this photo first."
            self._editor.tell(Level.ERROR, reason)
            return
        box, mask = found
        part = np.zeros((document.height, document.width), bool)
        part[box.slices] = mask
        photo, origin = document.photo, document.origin

        def parse(services: Services) -> np.ndarray:
            if origin is None:
                return services.finder.parser.parse_part(photo, Square.middle(document.width, document.height), part)
            return services.finder.parser.parse_part(source_photo(document).pixels, origin.square, part)

        def parsed(labels: np.ndarray) -> None:
            if document is not self._editor.document:
                return
            box = document.replace_labels(labels, where=part, name="Parse again")
            self._editor.edited(box)
            if box is None:
                self._editor.tell(Level.INFO, "The parser sees there what is painted already.")

        self._editor.jobs.run(parse, parsed, telling="Looking closer at that region…")

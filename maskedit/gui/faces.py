"""Faces in photos: find them, let the person choose or place the square, parse; all of it in the worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.gui import dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.worker import RenderWorker
from maskedit.imaging import Square

_STROKE_WAIT = 100
"""Milliseconds until it is looked again whether the hand has left the canvas."""


class Faces(QObject):
    """Turns a photo's file into a document, and parses again what a document shows.

    Args:
        window: the parent of every dialog.
        editor: whose worker does it, and who is told.
    """

    def __init__(self, window: QWidget, editor: Editor):
        super().__init__(window)
        self._window, self._editor = window, editor
        self._wanted = 0

    def document_of(self, data: bytes, name: str, then: Callable[[Document], None]) -> None:
        """Find the face in a photo's file, ask where there is a choice or none, and call ``then`` with its document.

        Somebody who asks for another photo meanwhile does not want this one any more.
        """
        self._wanted += 1
        number = self._wanted
        self._editor.message.emit("info", f"Looking for faces in {name}…")

        def find(worker: RenderWorker) -> tuple[np.ndarray, list[Square]]:
            photo = imaging.read_photo(data)
            return photo, [face.square for face in worker.finder.find(photo)]

        def found(result: tuple[np.ndarray, list[Square]]) -> None:
            if number != self._wanted:
                return
            square = self._chosen(*result, name=name)
            if square is None:
                self._editor.message.emit("info", f"{name} was not opened.")
            else:
                self._parse(data, square, name, then)

        self._editor.run(find, found)

    def _chosen(self, photo: np.ndarray, squares: list[Square], *, name: str) -> Square | None:
        """The one face there is, the one the person picks, or the square that the person places."""
        choice: int | str | None = 0
        if len(squares) > 1:
            choice = dialogs.ask_face(self._window, photo, squares)
        if not squares:
            note = f"No face was found in {name}: place the square so that eyes and mouth lie on the marks."
            return dialogs.ask_crop(self._window, photo, None, note)
        if choice == "crop":
            return dialogs.ask_crop(self._window, photo, squares[0])
        return None if choice is None else squares[choice]

    def place(self, document: Document, then: Callable[[Document], None]) -> None:
        """Let the person move the square of an open document; ``then`` gets the newly parsed one."""
        data, square = _origin(document)
        photo = imaging.read_photo(data)
        square = dialogs.ask_crop(self._window, photo, square)
        if square is not None:
            self._parse(data, square, document.name, then)

    def _parse(self, data: bytes, square: Square, name: str, then: Callable[[Document], None]) -> None:
        def parse(worker: RenderWorker) -> Document:
            from maskedit.face.opening import parsed_document

            return parsed_document(data, square, worker.finder.parser, name=name)

        self._editor.run(parse, then)

    def parse(self, document: Document, then: Callable[[np.ndarray], None]) -> None:
        """The label map that the parser sees in a document's photo, (S, S) uint8, goes to ``then``."""
        photo = document.photo
        self._editor.run(lambda worker: worker.finder.parser.parse(photo), then)

    def confidence(self, document: Document, then: Callable[[np.ndarray], None]) -> None:
        """How sure the parser is of each pixel of a document's photo, (S, S) uint8, goes to ``then``."""
        photo = document.photo
        self._editor.run(lambda worker: worker.finder.parser.parse_with_confidence(photo).confidence, then)

    def parse_again(self, points: Sequence[tuple[float, float]]) -> None:
        """Parse what a polygon of the open document encloses, closer, and take that over as one edit."""
        document = self._editor.document
        found = document.polygon_mask(points)
        if found is None:
            return
        box, mask = found
        part = np.zeros((document.height, document.width), bool)
        part[box.slices] = mask
        photo, origin = document.photo, document.origin

        def parse(worker: RenderWorker) -> np.ndarray:
            if origin is None:
                return worker.finder.parser.parse_part(photo, Square.middle(document.width, document.height), part)
            return worker.finder.parser.parse_part(imaging.read_photo(origin.data), origin.square, part)

        def parsed(labels: np.ndarray) -> None:
            if document is not self._editor.document:
                return
            if document.stroke is not None:
                QTimer.singleShot(_STROKE_WAIT, self, lambda: parsed(labels))
                return
            box = document.replace_labels(labels, where=part, name="Parse again")
            self._editor.edited(box)
            if box is None:
                self._editor.message.emit("info", "The parser sees there what is painted already.")

        self._editor.run(parse, parsed)


def _origin(document: Document) -> tuple[bytes, Square]:
    """The photo file and the square of a document; its own photo where it came from none."""
    if document.origin is not None:
        return document.origin.data, document.origin.square
    return imaging.png_bytes(document.photo), Square.middle(document.width, document.height)

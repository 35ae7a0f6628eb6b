"""A document's edit, to be laid on other photos: the same for the window and for ``maskedit-edit``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskedit.document.carrying import carried_to_face
from maskedit.document.document import Document
from maskedit.errors import UserError
from maskedit.imaging import SourcePhoto, Square


class Replay:
    """The changed labels and the styles of a document, whatever becomes of that later.

    Args:
        document: whose edit it is.
        face_points: landmarks of a label map (S, S) uint8 as shares of its side, (n, 2) float, or None; as
            `maskedit.face.align.face_points`.

    Raises:
        UserError: nothing is edited.
    """

    def __init__(self, document: Document, face_points: Callable[[np.ndarray], np.ndarray | None]):
        self._document, self._face_points = document.copy(), face_points
        if not document.styles and np.array_equal(document.committed_labels(), document.reference_labels):
            raise UserError(f"Nothing is edited in {document.name}; paint something, or give a part another style.")

    @property
    def square(self) -> Square:
        """Where the document lies in the photo that it was made for."""
        origin = self._document.origin
        return Square.middle(self._document.width, self._document.height) if origin is None else origin.square

    def made_for(self, photo: SourcePhoto) -> bool:
        """Whether this is the photo that was edited: the same file, or one that shows the very same in the square.

        Raises UserError when the file is no photo.
        """
        mine = self._document
        if mine.origin is not None and photo.data == mine.origin.data:
            return True
        return np.array_equal(photo.cut(self.square, mine.width), mine.photo)

    def own(self, photo: SourcePhoto) -> Document:
        """The edited document itself, as one of the photo file that it was made for."""
        document = self._document.copy()
        document.name = photo.name
        return document

    def lay_on(self, document: Document) -> None:
        """Carry the edit over to the face of another document, as one edit, and its styles with it."""
        mine, points = self._document, self._face_points
        labels = carried_to_face(
            mine.labels,
            mine.reference_labels,
            points(mine.reference_labels),
            document.reference_labels,
            points(document.reference_labels),
        )
        document.replace_labels(labels, styles=mine.styles, name=f"Edit of {mine.name}")

"""Photos and label maps as documents: the square that the editor paints on, cut out, with a label map of its own."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from maskedit import imaging, resources
from maskedit.document.carrying import RIM, affine_places, carried_history, carried_labels, nearest_pixels
from maskedit.document.document import Document
from maskedit.document.origin import SIDE, Origin
from maskedit.document.snapshots import Snapshot
from maskedit.imaging import SourcePhoto, Square
from maskedit.imaging.geometry import another_shape, same_shape
from maskedit.labels import NUM_LABELS


class Parser(Protocol):
    """What draws label maps: a `maskedit.face.parser.FaceParser`, which is not named, for it loads torch."""

    def parse(self, photo: np.ndarray) -> np.ndarray:
        """The label map (S, S) uint8 of a photo (S, S, 3) uint8."""
        ...


def parsed_document(photo: SourcePhoto, square: Square, parser: Parser) -> Document:
    """The document of a face: what ``square`` shows of a photo, with the label map that the parser sees in it.

    Args:
        square: where in the upright photo the face is, in its pixels.

    Raises:
        UserError: the file cannot be read as a photo, or is too large to be kept.
    """
    aligned = photo.cut(square, SIDE)
    return Document(aligned, parser.parse(aligned), origin=Origin(photo.data, square), name=photo.name)


def moved_document(document: Document, parsed: Document, seen: np.ndarray | None) -> Document:
    """The document of another square of the same photo, with all that hands did to the label map carried along.

    Carried are the corrections of the photo's own labels, the edits with their whole history, styles and locks; the
    face weights are not, for they are of the old square. The document counts as not saved.

    Args:
        document: of the old square.
        parsed: of the new one, as `parsed_document` makes it.
        seen: (S, S) uint8, what the parser sees in the old square: where its own labels differ, they were corrected.
            None where the parser cannot tell; then all of them are kept.
    """
    old, new = document.reference_labels, parsed.labels
    matrix = (np.linalg.inv(_to_photo(document)) @ _to_photo(parsed))[:2]
    if seen is None:
        seen = np.full_like(old, NUM_LABELS)  # nothing that the parser ever says
    pixels = nearest_pixels(affine_places(matrix, parsed.width), old.shape)
    own = carried_labels(old, seen, pixels, new)
    labels, history = carried_history(document.history, document.committed_labels(), old, matrix, own)
    moved = Document(
        parsed.photo, labels, reference_labels=own, name=document.name, path=document.path, origin=parsed.origin
    )
    moved.locked, moved.only_over = set(document.locked), document.only_over
    moved.restore_history(history, document.styles)
    moved.snapshots = [
        Snapshot.of(each.name, own, carried_labels(each.labels(old), old, pixels, own, rim=RIM), each.styles)
        for each in document.snapshots
    ]
    moved.mark_unsaved()
    return moved


def _to_photo(document: Document) -> np.ndarray:
    """(3, 3): from continuous pixels of a document to those of the photo that it was cut from."""
    if document.origin is None:  # it came from no file, and is all of its photo
        return np.eye(3)
    return np.vstack([document.origin.square.matrix(document.width), [0, 0, 1]])


def square_document(photo: SourcePhoto, labels: np.ndarray) -> Document:
    """The middle square of a photo and of its label map (h, w) uint8, which may be of another size.

    Raises:
        UserError: the file cannot be read as a photo, or the two are not of the same shape.
    """
    square, label_map = imaging.fit_square(photo.pixels, labels, SIDE)
    return Document(square, label_map, origin=Origin(photo.data, Square.middle(*photo.size)), name=photo.name)


def with_labels(document: Document, labels: np.ndarray) -> Document:
    """The same photo with another label map of its own, of the square on the screen or of the whole photo.

    Raises:
        UserError: the map has the shape of neither.
    """
    side = document.width
    if labels.shape == (side, side):
        return renewed(document, labels)  # as the editor exports it
    size = None if document.origin is None else source_photo(document).size
    square = same_shape(labels, (1, 1))
    if size is not None and (labels.shape == size[::-1] or (not square and same_shape(labels, size))):
        return renewed(document, imaging.cut_labels(labels, document.origin.square, side, size=size))
    if not square:
        raise another_shape(labels, size or (side, side))
    return renewed(document, imaging.square_labels(labels, side))


def renewed(document: Document, labels: np.ndarray) -> Document:
    """The same photo with ``labels`` (S, S) uint8 as its own, and nothing edited yet."""
    return Document(document.photo, labels, origin=document.origin, name=document.name)


def source_photo(document: Document) -> SourcePhoto:
    """The photo file that a document was cut from; its own photo as a file where it came from none."""
    origin = document.origin
    return SourcePhoto(imaging.png_bytes(document.photo) if origin is None else origin.data, document.name)


def bundled_document(name: str) -> Document:
    """One of the portraits that come with maskedit: ``"collins"`` or ``"hopper"``."""
    photo, labels = resources.portrait(name)
    return square_document(SourcePhoto(photo.read_bytes(), name), imaging.read_labels(labels))

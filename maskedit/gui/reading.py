"""Files as documents: what makes a photo and a label map the square that the editor paints on.

Asks nobody anything: whoever reads a label map comes in as a function, so that the window can put its questions there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from maskedit import imaging, resources
from maskedit.document import session
from maskedit.document.document import Document
from maskedit.errors import UserError

SIDE = 512
"""Documents are squares of this side in pixels: what the networks are made for."""
PHOTO_SIZE = "photo_size"
"""The key in ``Document.extras`` of the photo's [width, height] before its middle square was cut out."""

LabelReader = Callable[[Path], np.ndarray]


class MissingLabels(UserError):
    """The photo was found, its label map was not."""


def read_document(photo: Path, labels: Path | None = None, *, read_labels: LabelReader) -> Document:
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
    return square_document(pixels, read_labels(labels), name=photo.stem)


def square_document(photo: np.ndarray, labels: np.ndarray, *, name: str) -> Document:
    """The middle square of a photo (H, W, 3) and of its label map; remembers the size that the photo had."""
    square, label_map = imaging.fit_square(photo, labels, SIDE)
    document = Document(square, label_map, name=name)
    document.extras[PHOTO_SIZE] = [photo.shape[1], photo.shape[0]]
    return document


def with_labels(document: Document, labels: np.ndarray) -> Document:
    """The same photo with another label map of its own, of the shape of the whole photo or of the square.

    Raises:
        UserError: the map has neither shape.
    """
    photo, square = imaging.fit_square(document.photo, None, document.width)[0], (document.width, document.height)
    original = photo_size(document) or square
    if not any(_same_shape(labels, size) for size in (original, square)):
        (height, width), (photo_width, photo_height) = labels.shape, original
        raise UserError(
            f"The label map is {width} x {height} px and the photo {photo_width} x {photo_height} px, "
            "which are not the same shape; crop one of them so that both show the same part."
        )
    other = Document(photo, imaging.square_labels(labels, document.width), name=document.name)
    other.extras = dict(document.extras)
    return other


def photo_size(document: Document) -> tuple[int, int] | None:
    """(width, height) of the photo before it was cut; None when unknown: a session may hold anything there."""
    size = document.extras.get(PHOTO_SIZE)
    if not isinstance(size, list | tuple) or len(size) != 2:
        return None
    if not all(type(side) is int and 1 <= side <= 100_000 for side in size):
        return None
    return size[0], size[1]


def _same_shape(labels: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the aspect ratios agree within 1 %, as `imaging.fit_square` has it."""
    return abs(labels.shape[1] * size[1] / (labels.shape[0] * size[0]) - 1) <= 0.01


def bundled_document(name: str) -> Document:
    """One of the portraits that come with maskedit."""
    return read_document(*resources.portrait(name), read_labels=imaging.read_labels)


def source_labels(path: Path, *, read_labels: LabelReader) -> np.ndarray:
    """The label map that a file is, holds, or has beside it."""
    if path.suffix.lower() == session.SUFFIX:
        return session.load_session(path).snapshot()
    return read_labels(companion_labels(path) or path)


def is_label_map(path: Path) -> bool:
    """Whether the file can be read as a label map; a photo cannot."""
    try:
        imaging.read_labels(path)
    except UserError:
        return False
    return True


def companion_labels(photo: Path) -> Path | None:
    """The label map that lies beside a photo: ``NAME_labels.png``, or ``../masks/NAME.png`` as data sets have it."""
    candidates = [
        photo.with_name(f"{photo.stem}_labels.png"),
        photo.parent.parent / "masks" / f"{photo.stem}.png",
    ]
    return next((path for path in candidates if path.is_file() and path != photo), None)


def file_stem(document: Document) -> str:
    """What a file may be called after the document: the name in a session is a stranger's, and may be a path."""
    return Path(document.name.replace("\\", "/")).name.replace("\0", "").strip(". ") or "face"

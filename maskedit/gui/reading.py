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
from maskedit.document.origin import SIDE, Origin
from maskedit.errors import UserError
from maskedit.imaging import Square
from maskedit.labels import palette

_NEAR = 24
"""Levels of 255: so close to a published colour a lossy label map stays."""

LabelReader = Callable[[Path], np.ndarray]


def read_document(photo: Path, labels: Path | None = None, *, read_labels: LabelReader) -> Document | bytes:
    """A session as its document, a photo with a label map (the file, or one beside it that fits) as a square one.

    Of a photo without a label map, the bytes of its file come back, not looked into: its face is still to be found.

    Raises:
        UserError: a file is not what it should be.
    """
    if photo.suffix.lower() == session.SUFFIX:
        return session.load_session(photo)
    data, called = imaging.read_source(photo)
    beside = companion_labels(photo) if labels is None else None
    if labels is None and beside is None:
        return data
    pixels = imaging.read_photo(data, name=called)  # first: nobody should be asked for anything about what is no photo
    label_map = read_labels(labels or beside)
    if beside is not None and not _same_shape(label_map, pixels.shape[1::-1]):
        return data  # it is called as if it were this photo's, but shows something else
    return square_document(pixels, label_map, data=data, name=photo.stem)


def square_document(photo: np.ndarray, labels: np.ndarray, *, data: bytes, name: str) -> Document:
    """The middle square of a photo (H, W, 3), whose file is ``data``, and of its label map."""
    square, label_map = imaging.fit_square(photo, labels, SIDE)
    return Document(square, label_map, origin=Origin(data, Square.middle(photo.shape[1], photo.shape[0])), name=name)


def with_labels(document: Document, labels: np.ndarray) -> Document:
    """The same photo with another label map of its own, of the square on the screen or of the whole photo.

    Raises:
        UserError: the map has the shape of neither.
    """
    side = document.width
    if labels.shape == (side, side):
        return renewed(document, labels)  # as the editor exports it
    size = photo_size(document)
    whole = size is not None and (labels.shape == size[::-1] or not _same_shape(labels, (1, 1)))
    if whole and _same_shape(labels, size):
        label_map = imaging.cut_labels(labels, document.origin.square, side, size=size)
    elif _same_shape(labels, (1, 1)):
        label_map = imaging.square_labels(labels, side)
    else:
        (height, width), (photo_width, photo_height) = labels.shape, size or (side, side)
        raise UserError(
            f"The label map is {width} x {height} px and the photo {photo_width} x {photo_height} px, "
            "which are not the same shape; crop one of them so that both show the same part."
        )
    return renewed(document, label_map)


def renewed(document: Document, labels: np.ndarray) -> Document:
    """The same photo with ``labels`` (S, S) as its own, and nothing edited yet."""
    return Document(document.photo, labels, origin=document.origin, name=document.name)


def photo_size(document: Document) -> tuple[int, int] | None:
    """(width, height) of the photo that the document was cut from; None when it came from no photo."""
    if document.origin is None:
        return None
    photo = imaging.read_photo(document.origin.data)
    return photo.shape[1], photo.shape[0]


def _same_shape(labels: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether the aspect ratios agree within 1 %, as `imaging.fit_square` has it."""
    return abs(labels.shape[1] * size[1] / (labels.shape[0] * size[0]) - 1) <= 0.01


def bundled_document(name: str) -> Document:
    """One of the portraits that come with maskedit."""
    return read_document(*resources.portrait(name), read_labels=imaging.read_labels)


def source_labels(path: Path, *, read_labels: LabelReader) -> np.ndarray | bytes:
    """The label map that a file is, holds, or has beside it; of a photo without one, the bytes of its file.

    Raises:
        UserError: a file is not what it should be.
    """
    if path.suffix.lower() == session.SUFFIX:
        return session.load_session(path).snapshot()
    companion = companion_labels(path)
    if companion is None and not is_label_map(path) and not _is_nearly_label_map(path):
        return imaging.read_source(path)[0]
    return read_labels(companion or path)


def is_label_map(path: Path) -> bool:
    """Whether the file can be read as a label map; a photo cannot."""
    try:
        imaging.read_labels(path)
    except UserError:
        return False
    return True


def _is_nearly_label_map(path: Path) -> bool:
    """Whether the file holds about the published colours: a label map that went through JPEG, not a photo.

    Raises:
        UserError: the file is no image at all.
    """
    colours = imaging.read_photo(path)[::4, ::4].reshape(-1, 3).astype(np.float32)
    nearest = np.full(len(colours), np.inf, np.float32)
    for colour in palette().astype(np.float32):
        nearest = np.minimum(nearest, ((colours - colour) ** 2).sum(axis=1))
    return bool((nearest < _NEAR**2).mean() > 0.9)


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

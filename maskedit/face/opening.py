"""A photo and a square of it as a document: cut out, parsed, ready to paint."""

from __future__ import annotations

import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.origin import SIDE, Origin
from maskedit.face.parser import FaceParser
from maskedit.imaging import Square


def parsed_document(
    data: bytes, square: Square, parser: FaceParser, *, name: str, photo: np.ndarray | None = None
) -> Document:
    """The document of a face: what ``square`` shows of a photo, with the label map that the parser sees in it.

    Args:
        data: the photo file as it came.
        square: where in the photo, upright by its EXIF orientation, the face is; in its pixels.
        photo: (H, W, 3) uint8 RGB, the file's picture, for who has read it already.

    Raises:
        UserError: the file cannot be read as a photo, or is too large to be kept.
    """
    aligned = imaging.cut_square(imaging.read_photo(data) if photo is None else photo, square, SIDE)
    return Document(aligned, parser.parse(aligned), origin=Origin(data, square), name=name)

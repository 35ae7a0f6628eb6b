"""The edited face in the photo that it came from, at the photo's own size, with the photo's own metadata."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.styles import Styles
from maskedit.errors import UserError
from maskedit.imaging import PhotoMetadata, Square
from maskedit.render.compositing import Composite
from maskedit.render.pasting import paste_back
from maskedit.render.restyling import Parse, Restyling

logger = logging.getLogger(__name__)


def full_size(
    document: Document,
    composite: Composite,
    styles: Styles,
    sharper: Callable[[np.ndarray, Square], Composite] | None = None,
    parse: Parse | None = None,
) -> tuple[np.ndarray, PhotoMetadata]:
    """The whole photo (H, W, 3) uint8 RGB, upright, with the edit in it, and the metadata to write into its file.

    A document that came from no photo file is its own photo.

    Args:
        composite: the edit.
        styles: those of the photo that it is laid into.
        sharper: makes the composite anew for the whole photo, with its styles, and the square in it, as
            `maskedit.EditRenderer.at_full_size` does; None takes it as it is.
        parse: sees where a part with a style goes on beyond the square, as for `maskedit.EditRenderer.restyled`.

    Raises:
        UserError: the photo in a stranger's session is none.
    """
    origin = document.origin
    if origin is None:
        return composite.image, PhotoMetadata()
    try:
        photo = imaging.read_photo(origin.data)
    except UserError as error:
        raise UserError(
            f"The photo file in this document cannot be read; export the square instead. {error}"
        ) from error
    if styles:
        photo = Restyling(document.photo, document.reference_labels).whole(styles, photo, origin.square, parse)
    if sharper is not None:
        composite = sharper(photo, origin.square)
    return paste_back(photo, origin.square, composite), imaging.read_metadata(origin.data)


def square_metadata(document: Document) -> PhotoMetadata:
    """The metadata for a file of the square alone; empty where the photo's file is unreadable."""
    try:
        return PhotoMetadata() if document.origin is None else imaging.read_metadata(document.origin.data)
    except UserError:
        logger.warning("The photo's own metadata cannot be read.", exc_info=True)
        return PhotoMetadata()

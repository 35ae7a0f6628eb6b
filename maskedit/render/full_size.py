"""Edited faces in the photo that they came from, at the photo's own size: as one picture, as the edit alone, in layers.

The photo's own metadata goes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.styles import Styles
from maskedit.errors import UserError
from maskedit.imaging import Layer, PhotoMetadata, Square
from maskedit.imaging.openraster import SUFFIX
from maskedit.imaging.squares import centred, pixels_around
from maskedit.render.compositing import Composite
from maskedit.render.grain import grained
from maskedit.render.pasting import paste_back, pasted_alpha
from maskedit.render.restyling import Parse, Restyling

logger = logging.getLogger(__name__)

_BAND = 256
"""Rows that are worked on at a time: a large photo in floats would take hundreds of megabytes."""
_UNKNOWN = 255
"""Stands for no label: what lies outside the square."""
_NOTHING = np.zeros((1, 1, 4), np.uint8)
"""A layer that shows nothing: one without a pixel is no picture."""


class EditedPhoto:
    """A whole photo with edited faces in it.

    Args:
        photo: (H, W, 3) uint8 RGB, upright; it is kept, not copied, and never written to.
    """

    def __init__(self, photo: np.ndarray):
        self.photo = self.image = photo
        """``image`` is (H, W, 3) uint8 RGB, the photo with all edits in it."""
        self._restyled = np.zeros(photo.shape[:2], bool)
        self._faces: list[tuple[Square, Composite, np.ndarray]] = []

    def restyle(self, image: np.ndarray) -> None:
        """Take `image` with the styles of a face in it, (H, W, 3) uint8 RGB, before the face's edits are added.

        Where two faces meet, pixels that have the first one's colours keep them.
        """
        if image is not self.image:
            changed = (image != self.image).any(axis=2)
            twice = changed & self._restyled
            if twice.any():
                image = np.where(twice[..., None], self.image, image)
            self._restyled, self.image = self._restyled | changed, image

    def add(self, square: Square, composite: Composite, labels: np.ndarray) -> None:
        """Lay the edit of one more face into the photo.

        Args:
            square: where in the photo; see `paste_back`.
            composite: what came of the edit in the square, of any side.
            labels: (S, S) uint8 ids that it shows, of any side.
        """
        before, self.image = self.image, paste_back(self.image, square, composite)
        self._faces.append((square, composite, labels))
        if square.side > len(composite.alpha):
            self._add_grain(before, square, composite, labels)

    def _add_grain(self, before: np.ndarray, square: Square, composite: Composite, labels: np.ndarray) -> None:
        """Enlarged, what was drawn has lost its grain, or never had one so fine."""
        height, width = before.shape[:2]
        # Where the photo's own detail stays, its grain is there.
        drawn = replace(composite, alpha=composite.alpha * composite.replace_mask)
        fresh = pasted_alpha(square, drawn, width=width, height=height)
        ids, (rows, columns) = _in_photo(labels, square, (width, height))
        part = self.image[rows, columns]
        part[:] = grained(part, before[rows, columns], fresh[rows, columns], ids)

    def cutout(self) -> np.ndarray:
        """The edits alone, as (H, W, 4) uint8: laid over the photo they give `image`; see `overlay`."""
        return overlay(self.photo, self.image, np.where(self._restyled, np.uint8(255), self._drawn()))

    def layers(self) -> list[Layer]:
        """Photo, edits, and, hidden, the label map of each face and the holes that were redrawn; the lowest first.

        Together the visible ones are `image`.
        """
        drawn = self._drawn()
        alpha = np.where(self._restyled, np.uint8(255), drawn)
        x, y, width, height = cv2.boundingRect(alpha)
        box = slice(y, y + height), slice(x, x + width)
        edit = hole = _NOTHING
        if width:
            edit = overlay(self.photo[box], self.image[box], alpha[box])
            hole = np.repeat(np.where(drawn[box] > 0, np.uint8(255), np.uint8(0))[..., None], 4, axis=2)
        maps = [_label_layer(square, labels, self.photo.shape[1::-1]) for square, _, labels in self._faces]
        return [
            Layer("Photo", self.photo),
            Layer("Edit", edit, x, y),
            *maps,
            Layer("Hole", hole, x, y, visible=False),
        ]

    def write(self, path: Path, *, quality: int, overwrite: bool, metadata: PhotoMetadata) -> None:
        """Write it as its ending says: in layers as .ora, else as one picture.

        Raises:
            UserError: as `imaging.write_photo` and `imaging.write_openraster`.
        """
        if path.suffix.lower() == SUFFIX:
            imaging.write_openraster(path, self.layers(), self.image, overwrite=overwrite, metadata=metadata)
        else:
            imaging.write_photo(path, self.image, quality=quality, overwrite=overwrite, metadata=metadata)

    def _drawn(self) -> np.ndarray:
        """(H, W) uint8: how much of what was drawn shows, the greater one where two faces meet."""
        height, width = self.photo.shape[:2]
        result = np.zeros((height, width), np.uint8)
        for square, composite, _ in self._faces:
            np.maximum(result, pasted_alpha(square, composite, width=width, height=height), out=result)
        return result


def full_size(
    document: Document,
    composite: Composite,
    labels: np.ndarray,
    sharper: Callable[[np.ndarray, Square], Composite] | None = None,
    *,
    styles: Styles = MappingProxyType({}),
    parse: Parse | None = None,
) -> tuple[EditedPhoto, PhotoMetadata]:
    """The whole photo of a document with the edit in it, and the metadata to write into its file.

    A document that came from no photo file is its own photo.

    Args:
        labels: (S, S) uint8 ids, what ``composite`` shows.
        sharper: makes the composite anew for the whole photo, with its styles, and the square in it, as
            `maskedit.EditRenderer.at_full_size` does; None takes it as it is.
        styles: those of the photo that the composite is laid into.
        parse: sees where a part with a style goes on beyond the square, as for `maskedit.EditRenderer.restyled`.

    Raises:
        UserError: the photo in a stranger's session is none.
    """
    origin = document.origin
    if origin is None:
        return in_square(document.photo, composite, labels, styled_square(document, styles)), PhotoMetadata()
    try:
        photo = imaging.read_photo(origin.data)
    except UserError as error:
        raise UserError(
            f"The photo file in this document cannot be read; export the square instead. {error}"
        ) from error
    edited = EditedPhoto(photo)
    if styles:
        restyling = Restyling(document.photo, document.reference_labels)
        edited.restyle(restyling.whole(styles, photo, origin.square, parse))
    if sharper is not None:
        composite = sharper(edited.image, origin.square)
    edited.add(origin.square, composite, labels)
    return edited, imaging.read_metadata(origin.data)


def styled_square(document: Document, styles: Styles) -> np.ndarray | None:
    """A document's photo (S, S, 3) uint8 with styles; None where there are none."""
    return Restyling(document.photo, document.reference_labels).square(styles)[0] if styles else None


def in_square(
    photo: np.ndarray, composite: Composite, labels: np.ndarray, restyled: np.ndarray | None = None
) -> EditedPhoto:
    """The edit in the square alone: ``photo`` is (S, S, 3) uint8, of the composite's side; ``labels`` (S, S) uint8.

    ``restyled`` is the photo with its styles, which the composite is laid into, where it has any.
    """
    edited = EditedPhoto(photo)
    if restyled is not None:
        edited.restyle(restyled)
    edited.add(Square.middle(*photo.shape[1::-1]), composite, labels)
    return edited


def square_metadata(document: Document) -> PhotoMetadata:
    """The metadata for a file of the square alone; empty where the photo's file is unreadable."""
    try:
        return PhotoMetadata() if document.origin is None else imaging.read_metadata(document.origin.data)
    except UserError:
        logger.warning("The photo's own metadata cannot be read.", exc_info=True)
        return PhotoMetadata()


def overlay(photo: np.ndarray, edited: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What gives an edited photo when it is laid plainly over the photo, in any program: (H, W, 4) uint8.

    Its alpha is the one given, or a little more where no colour could make the difference with so little. A pixel that
    shows nothing of the edit hides no colour either: it is 0 in all four.

    Args:
        photo: (H, W, 3) uint8 RGB; likewise ``edited``.
        alpha: (H, W) uint8, how much of the edit shows; not 0 where the two differ.
    """
    result = np.zeros((*alpha.shape, 4), np.uint8)
    for top in range(0, len(alpha), _BAND):
        band = slice(top, top + _BAND)
        before, weight = photo[band].astype(np.float32), alpha[band]
        step = edited[band] - before
        # At most from the photo's value to black or to white.
        room = np.where(step > 0, 255 - before, before)
        least = np.ceil(255 * np.abs(step) / np.maximum(room, 1)).max(axis=2)
        weight = np.maximum(weight, least)
        step *= (255 / np.maximum(weight, 1))[..., None]
        step += before
        result[band, :, :3] = np.where(weight[..., None] > 0, np.rint(np.clip(step, 0, 255)), 0)
        result[band, :, 3] = weight
    return result


def _label_layer(square: Square, labels: np.ndarray, size: tuple[int, int]) -> Layer:
    """A face's label map (S, S) uint8 where its square lies in a photo of a size, in the published colours; hidden."""
    ids, (rows, columns) = _in_photo(labels, square, size)
    if not ids.size:
        return Layer("Label map", _NOTHING, visible=False)
    known = ids != _UNKNOWN
    pixels = np.dstack([imaging.colourise(np.where(known, ids, 0)), np.where(known, np.uint8(255), np.uint8(0))])
    pixels[~known] = 0
    return Layer("Label map", pixels, columns.start, rows.start, visible=False)


def _in_photo(labels: np.ndarray, square: Square, size: tuple[int, int]) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A square's label map (S, S) uint8 in the upright box around the square, as far as that lies in a photo of a size
    (width, height): ids (h, w) uint8, `_UNKNOWN` outside the square; and the box, rows and columns of the photo."""
    left, top, right, bottom = pixels_around(square.corners(), width=size[0], height=size[1])
    box = slice(top, bottom), slice(left, right)
    if left >= right or top >= bottom:
        return np.zeros((0, 0), np.uint8), box
    to_square = cv2.invertAffineTransform(square.matrix(len(labels)))
    to_square[:, 2] += to_square[:, :2] @ [left, top]
    ids = cv2.warpAffine(
        labels,
        centred(to_square),
        (right - left, bottom - top),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_UNKNOWN,
    )
    return ids, box

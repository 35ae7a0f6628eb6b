"""Another face, of which labels and styles are taken; and how a style is asked for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.origin import SIDE
from maskedit.errors import UserError
from maskedit.imaging import SourcePhoto

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OtherFace:
    """A square with a face in it: its label map, and its photo where there is one."""

    name: str
    labels: np.ndarray
    """(S, S) uint8 ids, as they may have been painted: shapes are taken from here."""
    photo: np.ndarray | None = None
    """(S, S, 3) uint8 RGB: styles are taken from here. A label map alone has none."""
    own_labels: np.ndarray | None = None
    """(S, S) uint8 ids: what the photo shows."""

    @classmethod
    def of_document(cls, document: Document, name: str, side: int = SIDE) -> OtherFace:
        """A document's face: the middle square, at ``side`` px."""
        photo, own_labels = imaging.fit_square(document.photo, document.reference_labels, side)
        return cls(name, imaging.square_labels(document.snapshot(), side), photo, own_labels)

    @classmethod
    def of_labels(cls, labels: np.ndarray, name: str, photo: SourcePhoto | None = None, side: int = SIDE) -> OtherFace:
        """The middle square of a label map (H, W) uint8 at ``side`` px, with that of its photo where this fits."""
        square = imaging.square_labels(labels, side)
        if photo is not None:
            try:
                return cls(name, square, *imaging.fit_square(photo.pixels, labels, side))
            except UserError:
                logger.info("%s is no photo of this label map.", photo.name, exc_info=True)
        return cls(name, square)


@dataclass(frozen=True)
class WantedStyle:
    """Where a part of the face takes its colours from."""

    part: str
    """A key of `STYLE_PARTS`."""
    source: Path | tuple[int, int, int]
    """The photo of another face, a session, or a colour, RGB 0..255."""
    strength: float = 1.0

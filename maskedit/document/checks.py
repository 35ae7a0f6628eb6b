"""What a document takes: photos and label maps are checked here, once, where they come in."""

from __future__ import annotations

import numpy as np

from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS

MAX_PIXELS = 64_000_000
"""The largest photo a document takes, so that whatever is opened can also be saved as a session and read again."""


def check_photo(photo: object) -> None:
    """Raise UserError unless it is (H, W, 3) uint8 of 1 to ``MAX_PIXELS`` pixels."""
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise UserError(
            f"The photo is {_describe(photo)}; wanted height x width x 3 of uint8. Read it with read_photo."
        )
    if photo.size == 0:
        raise UserError(f"The photo is empty ({_describe(photo)}); open one with at least one pixel.")
    if photo.shape[0] * photo.shape[1] > MAX_PIXELS:
        raise UserError(
            f"The photo has {photo.shape[1]} x {photo.shape[0]} pixels; the editor takes up to "
            f"{MAX_PIXELS // 1_000_000} million. Make it smaller first."
        )


def check_labels(labels: object, what: str, *, size: tuple[int, int] | None = None) -> None:
    """Raise UserError unless it is (H, W) uint8 ids 0..18, of ``size`` (height, width) if that is given."""
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8 or labels.ndim != 2 or labels.size == 0:
        raise UserError(f"{what} is {_describe(labels)}; wanted height x width of uint8. Read it with read_labels.")
    if size is not None and labels.shape != size:
        raise UserError(
            f"{what} has {labels.shape[1]} x {labels.shape[0]} pixels but the photo {size[1]} x {size[0]}. "
            "Resize one of them; label maps by nearest neighbour."
        )
    if labels.max() >= NUM_LABELS:
        ids, counts = np.unique(labels[labels >= NUM_LABELS], return_counts=True)
        found = ", ".join(f"{id} ({count} pixels)" for id, count in zip(ids[:5], counts[:5], strict=True))
        raise UserError(f"{what} has unknown ids: {found}. Ids run from 0 to {NUM_LABELS - 1}; convert the map first.")


def _describe(array: object) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    return f"{' x '.join(map(str, array.shape)) or 'a single value'} of {array.dtype}"

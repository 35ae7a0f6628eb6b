"""What may be given to a renderer: a square photo, and label maps of its side."""

from __future__ import annotations

import numpy as np

from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS


def check_photo(photo: np.ndarray) -> int:
    """The side of a photo that can be rendered; a UserError says what came in place of one."""
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        came = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UserError(f"The photo came as {came}; wanted (S, S, 3) uint8 RGB.")
    if photo.shape[0] != photo.shape[1] or photo.shape[0] < 32:
        raise UserError(
            f"The photo is {photo.shape[1]} x {photo.shape[0]} px; wanted a square of at least 32 px: crop it first."
        )
    return photo.shape[0]


def check_labels(labels: np.ndarray, side: int) -> None:
    """A UserError where a label map does not fit a photo of this side."""
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8 or labels.shape != (side, side):
        came = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise UserError(f"The label map came as {came}; wanted ({side}, {side}) uint8, as the photo's side.")
    if int(labels.max()) >= NUM_LABELS:
        raise UserError(f"The label map holds id {int(labels.max())}; ids go from 0 to {NUM_LABELS - 1}.")

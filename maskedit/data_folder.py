"""What can be said of a data set folder without torch: which files are photos, and left and right told by geometry."""

from __future__ import annotations

import numpy as np

from maskedit.labels import MIRROR_PARTNERS

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
"""Of photos, in lower case; label maps are .png only."""


def mend_left_right(labels: np.ndarray) -> np.ndarray:
    """Exchange eyes, brows or ears that a label map (H, W) uint8 has on the wrong side; a new array if it does.

    The person's left stands on the right of the picture. About 7 % of CelebAMask-HQ's maps have it the other way.
    A lone eye or brow follows the pairs that could be judged.
    """
    verdicts: dict[tuple[int, int], bool | None] = {}
    for left, right in MIRROR_PARTNERS:
        columns = [np.nonzero((labels == id).any(axis=0))[0] for id in (left, right)]
        if all(len(column) for column in columns):
            verdicts[left, right] = bool(columns[0].mean() < columns[1].mean())
        else:
            verdicts[left, right] = None
    known = [verdict for verdict in verdicts.values() if verdict is not None]
    if not any(known):
        return labels
    default = all(known)
    table = np.arange(256, dtype=np.uint8)
    for (left, right), verdict in verdicts.items():
        if default if verdict is None else verdict:
            table[left], table[right] = right, left
    return table[labels]

"""A piece of a label map: pixels of one class or several, cut out or drawn, that can be laid into any map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.history import Box
from maskedit.document.placement import Placement
from maskedit.labels import MIRROR, MIRROR_PARTNERS, NUM_LABELS

OUTSIDE = 255
"""Where a piece has no pixel."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Raises ValueError for another kind of array, for ids that do not exist, and for a piece without a pixel."""

    ids: np.ndarray
    """(h, w) uint8: ids 0..18, and `OUTSIDE`."""

    def __post_init__(self) -> None:
        if self.ids.dtype != np.uint8 or self.ids.ndim != 2 or self.ids.size == 0:
            raise ValueError(f"a piece is (h, w) uint8, not {self.ids.shape} {self.ids.dtype}")
        if not self.classes or self.classes[-1] >= NUM_LABELS:
            raise ValueError(f"a piece holds ids 0..{NUM_LABELS - 1}, not {self.classes}")

    @classmethod
    def cut(cls, labels: np.ndarray, box: Box, mask: np.ndarray) -> Piece:
        """The pixels of ``mask``, (h, w) bool for the box, out of a map (H, W) uint8."""
        return cls(np.where(mask, labels[box.slices], np.uint8(OUTSIDE)))

    @property
    def classes(self) -> list[int]:
        """The ids it holds, in order."""
        return [id for id in np.unique(self.ids).tolist() if id != OUTSIDE]

    @property
    def height(self) -> int:
        return self.ids.shape[0]

    @property
    def width(self) -> int:
        return self.ids.shape[1]

    def drawn(self, placement: Placement, *, width: int, height: int) -> tuple[Box, np.ndarray] | None:
        """The piece as it lies in a map of this size: a box within the map and (h, w) uint8 ids for it, `OUTSIDE`
        where the piece is not; None when nothing of it can be in the map.

        Edges are smooth: each class is moved as a soft mask and cut where it is half there. A piece that only moves by
        whole pixels keeps every one. A mirrored piece with left and right in it, such as both eyes, exchanges them.
        """
        xs, ys = zip(*placement.corners(), strict=True)
        box = Box(math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys)))
        box = box.clipped(width, height)
        if box is None:
            return None
        matrix = placement.matrix(self.width, self.height)
        # cv2 counts from the middles of pixels, the map from their corners.
        matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5 - [box.x0, box.y0]
        soften = _softening(placement.width / self.width, placement.height / self.height)
        names = MIRROR if placement.mirrored and self._has_pair() else np.arange(NUM_LABELS)
        result = np.full((box.height, box.width), OUTSIDE, np.uint8)
        best, total = np.zeros(result.shape, np.float32), np.zeros(result.shape, np.float32)
        for id in self.classes:
            share = (self.ids == id).astype(np.float32)
            if soften is not None:
                share = cv2.GaussianBlur(share, (0, 0), *soften, borderType=cv2.BORDER_CONSTANT)
            share = cv2.warpAffine(share, matrix, (box.width, box.height), flags=cv2.INTER_LINEAR)
            result[share > best] = names[id]
            best, total = np.maximum(best, share), total + share
        result[total < 0.5 - 1e-3] = OUTSIDE
        return box, result

    def _has_pair(self) -> bool:
        return any(left in self.classes and right in self.classes for left, right in MIRROR_PARTNERS)


def _softening(across: float, down: float) -> tuple[float, float] | None:
    """Standard deviations in pixels of a piece that keep its edges from becoming stairs or gaps at another scale."""
    if abs(across - 1) < 0.01 and abs(down - 1) < 0.01:
        return None
    return 0.6 * max(1.0, 0.8 / across), 0.6 * max(1.0, 0.8 / down)

"""From one label map to another one, step by step, as Fig. 4 of MaskGAN (Lee et al., CVPR 2020) shows it.

The paper goes from code to code of its MaskVAE, which draws every map anew and loses of it what is small: earrings,
thin brows, eyes behind glasses. Here the depths of each region's pixels are interpolated, so that the way begins and
ends in the very maps. The parts of the face travel from where they lie in the one to where they lie in the other, over
what is between; they do not melt. What only one of the faces has or wears comes or goes as a whole, half-way: there is
no half pair of glasses. Depends on numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskedit.document.history import Box, bounds
from maskedit.document.warps import without
from maskedit.labels import ids_of

HAT, GLASSES = ids_of("hat"), ids_of("eye_g")
PENDANTS = ids_of("ear_r", "neck_l")
"""What has no place of its own to travel to."""
EYES_AND_BROWS = ids_of("l_eye", "r_eye", "l_brow", "r_brow")
FACE_PARTS = (ids_of("nose"), ids_of("mouth", "u_lip", "l_lip"), *((id,) for id in EYES_AND_BROWS))
PARTS = (HAT, GLASSES, *FACE_PARTS)
"""What travels as one, from the lowest layer to the topmost."""
_UNDER_HATS, _UNDER_PENDANTS = ids_of("background", "hair"), ids_of("background", "hair", "neck", "cloth")
_AROUND = 0.1
"""Of the map's side: how far around a part of the face depths are measured."""

Depths = dict[int, np.ndarray]
"""Class -> how deep in its region each pixel lies, (h, w) float32 pixels; negative outside."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the face in one map."""

    box: Box
    """Tight around it."""
    window: Box
    """Where it is measured."""
    depths: Depths
    whole: np.ndarray
    """Like ``depths``, of its classes together."""

    @classmethod
    def of(cls, labels: np.ndarray, members: Sequence[int]) -> Part | None:
        """None where a map (S, S) uint8 has none of the classes."""
        box = bounds(np.isin(labels, members))
        if box is None:
            return None
        by = round(_AROUND * len(labels)) + 1
        window = Box(box.x0 - by, box.y0 - by, box.x1 + by, box.y1 + by).clipped(labels.shape[1], labels.shape[0])
        here = labels[window.slices]
        depths = {id: depth_of(here == id) for id in members if (here == id).any()}
        return cls(box, window, depths, depth_of(np.isin(here, members)))

    @property
    def frame(self) -> np.ndarray:
        """(2, 2) float64: its middle and its size, in pixels."""
        corners = np.array([[self.box.x0, self.box.y0], [self.box.x1, self.box.y1]], float)
        return np.array([corners.mean(axis=0) - 0.5, corners[1] - corners[0]])

    def at(self, frame: np.ndarray, window: Box) -> tuple[Depths, np.ndarray]:
        """Depths and those of the whole where it lies in another frame, as seen in a window."""
        (place, size), (own_place, own_size) = frame, self.frame
        scale = own_size / size
        corner = own_place + scale * (np.array([window.x0, window.y0]) - place) - [self.window.x0, self.window.y0]
        way, target = np.column_stack([np.diag(scale), corner]), (window.width, window.height)

        def moved(depth: np.ndarray) -> np.ndarray:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(depth, way, target, flags=flags, borderMode=cv2.BORDER_REPLICATE)

        return {id: moved(depth) for id, depth in self.depths.items()}, moved(self.whole)


class Regions:
    """A label map (S, S) uint8 with all its regions measured: one end of a `Morph`."""

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        bare = without(without(labels, HAT, fill=_UNDER_HATS), PENDANTS, fill=_UNDER_PENDANTS)
        ground = without(bare, [*GLASSES, *(id for part in FACE_PARTS for id in part)])
        self.grounds: Depths = {id: depth_of(ground == id) for id in np.unique(ground).tolist()}
        # Lenses are whole behind eyes and brows.
        lenses = without(labels, EYES_AND_BROWS, fill=(*GLASSES, *ids_of("skin")))
        self.parts = [Part.of(lenses if part == GLASSES else labels, part) for part in PARTS]


class Morph:
    """The way between two label maps of one size."""

    def __init__(self, start: Regions, end: Regions) -> None:
        self.start, self.end = start, end

    def at(self, share: float) -> np.ndarray:
        """The label map (S, S) uint8 at a share of the way, 0..1; both ends are the maps themselves."""
        if share <= 0 or share >= 1:
            return (self.start if share <= 0 else self.end).labels.copy()
        grounds = _between(self.start.grounds, self.end.grounds, share)
        ids = np.array(list(grounds), np.uint8)
        result = ids[deepest(list(grounds.values()))]
        for start, end in zip(self.start.parts, self.end.parts, strict=True):
            lay_over(result, start, end, share)
        nearer = (self.start if share < 0.5 else self.end).labels
        return np.where(np.isin(nearer, PENDANTS), nearer, result)


def lay_over(
    labels: np.ndarray, start: Part | None, end: Part | None, share: float, *, frame: np.ndarray | None = None
) -> None:
    """Write a part of the face, as it is at a share of the way, into a map (S, S) uint8; one that only one map has
    lies in that half of the way. ``frame`` is where it goes, see `Part.frame`; between the two when None."""
    if start is None or end is None:
        start = end = start if share < 0.5 else end
    if start is None:
        return
    frame = (1 - share) * start.frame + share * end.frame if frame is None else frame
    reach = np.ceil(frame[1] / 2 + 0.01 * len(labels) + 1).astype(int)
    middle = np.round(frame[0]).astype(int)
    window = Box(*(middle - reach).tolist(), *(middle + reach + 1).tolist()).clipped(labels.shape[1], labels.shape[0])
    if window is None:
        return
    (start_depths, start_whole), (end_depths, end_whole) = start.at(frame, window), end.at(frame, window)
    inside = cv2.addWeighted(start_whole, 1 - share, end_whole, share, 0) > 0
    depths = _between(start_depths, end_depths, share)
    ids = np.array(list(depths), np.uint8)
    labels[window.slices][inside] = ids[deepest(list(depths.values()))][inside]


def _between(start: Depths, end: Depths, share: float) -> Depths:
    """Depths at a share of the way; a region that one map lacks grows out of its middle, from half-way on."""
    result = {}
    for id in sorted(start.keys() | end.keys()):
        mine, other = start.get(id), end.get(id)
        mine = np.full_like(other, -other.max()) if mine is None else mine
        other = np.full_like(mine, -mine.max()) if other is None else other
        result[id] = cv2.addWeighted(mine, 1 - share, other, share, 0)
    return result


def deepest(depths: list[np.ndarray]) -> np.ndarray:
    """(h, w) intp: in which of the regions each pixel lies deepest."""
    best, index = depths[0], np.zeros(depths[0].shape, np.intp)
    for number, depth in enumerate(depths[1:], start=1):
        index[depth > best] = number
        best = np.maximum(best, depth)
    return index


def depth_of(mask: np.ndarray) -> np.ndarray:
    """How deep inside an (h, w) bool region, which is not empty, each pixel lies; (h, w) float32."""
    if mask.all():
        return np.full(mask.shape, float(max(mask.shape)), np.float32)
    inside = mask.astype(np.uint8)
    return cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5) - cv2.distanceTransform(
        1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5
    )

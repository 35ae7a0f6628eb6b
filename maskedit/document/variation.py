"""What a network of label maps knows, brought to a map without what it loses: small changes, and repairs.

MaskVAE draws plausible maps, but coarse ones, without earrings and thin brows. So its maps are never taken over: from
two of them is learned how regions move (`varied`), from one whether a speck makes sense (`cleaned`). Depends on numpy
and OpenCV only.
"""

from __future__ import annotations

import cv2
import numpy as np

from maskedit.document.morphing import PENDANTS, Depths, Part, Regions, deepest, lay_over
from maskedit.document.transfer import nearest_ids
from maskedit.document.warps import without
from maskedit.labels import ids_of

_FEATURES = ids_of("nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth", "u_lip", "l_lip")
"""Parts of a face, of which a few pixels may be all there is."""
_SMOOTH = 0.03
"""Of the map's side: how evenly the borders of large regions move."""
_RESIZED = 1.35
"""By how much a part of the face grows or shrinks at most."""

_SPECK, _SHARE = 0.0015, 0.6
"""A region of fewer of the map's pixels may be a speck; one of a part of the face, which is one or two regions, if it
has less than the second of its largest one's."""
_DOUBTED = 0.1
"""It is one where its class is less likely than this, in the mean over it and what is close to it."""
_ROUNDED, _FINE = 0.006, 0.003
"""Of the map's side: how far ragged borders of large regions are smoothed, and those of small ones."""
_NEARBY, _RAGGED = 0.01, 0.28
"""A border is ragged where smoothing changes more than such a share of its pixels, within so much of the map's side."""
_LOST = 0.15
"""A region that smoothing would take more than this share of keeps its border: it is thin, not ragged."""


# Small changes ------------------------------------------------------------------------------------------------------


def varied(labels: np.ndarray, near: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """A label map (S, S) uint8 changed as one map of the network differs from another one, as a new array.

    The borders of large regions move as far as those do; parts of the face move and grow as those do, but keep their
    shapes; what is small and worn stays.

    Args:
        near: (S, S) uint8: what the network makes of ``labels``.
        moved: (S, S) uint8: what it makes of a neighbour.
    """
    own, before, after = Regions(labels), Regions(near), Regions(moved)
    depths: Depths = {}
    for id, depth in own.grounds.items():
        if id in before.grounds and id in after.grounds:
            change = after.grounds[id] - before.grounds[id]
            depth = depth + cv2.GaussianBlur(change, (0, 0), _SMOOTH * len(labels))
        depths[id] = depth
    ids = np.array(list(depths), np.uint8)
    result = ids[deepest(list(depths.values()))]
    for part, here, there in zip(own.parts, before.parts, after.parts, strict=True):
        if part is not None:
            lay_over(result, part, part, 0.5, frame=_moved_frame(part, here, there))
    result = _without_new_specks(result, labels)
    kept = np.isin(labels, PENDANTS)
    result[kept] = labels[kept]
    return result


def _without_new_specks(labels: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Where three regions meet, one of them may come forth in a spot of its own."""
    gone = np.zeros(labels.shape, bool)
    for id in np.setdiff1d(labels, _FEATURES).tolist():
        numbers, areas = _regions(labels == id)
        old = np.bincount(numbers[before == id], minlength=len(areas))
        gone |= ((areas > 0) & (areas < _SPECK * labels.size) & (old < 0.5 * areas))[numbers]
    return np.where(gone, nearest_ids(labels, ~gone), labels) if gone.any() else labels


def _moved_frame(part: Part, here: Part | None, there: Part | None) -> np.ndarray:
    """Where a part goes: as far as from here to there, and larger by as much."""
    frame = part.frame
    if here is not None and there is not None:
        before, after = here.frame, there.frame
        frame[0] += after[0] - before[0]
        frame[1] *= np.clip(after[1] / before[1], 1 / _RESIZED, _RESIZED)
    return frame


# Repairs ------------------------------------------------------------------------------------------------------------


def cleaned(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """A label map (S, S) uint8 without specks that make no sense, and with smooth borders, as a new array.

    Args:
        probabilities: (19, S, S) float32: how likely each class is at each pixel, to the network.
    """
    return _smoothed(_without_specks(labels, probabilities))


def _without_specks(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    gone = np.zeros(labels.shape, bool)
    for id in np.setdiff1d(labels, PENDANTS).tolist():
        numbers, areas = _regions(labels == id)
        largest, limit = int(areas.argmax()), _SPECK * labels.size
        if id in _FEATURES:
            limit = min(limit, _SHARE * areas[largest])
        likely = cv2.dilate(probabilities[id], np.ones((5, 5), np.uint8))
        for number in np.flatnonzero((areas > 0) & (areas < limit)).tolist():
            region = numbers == number
            # The last of a class goes only where it is no part of the face and does not come into the picture.
            last = number == largest and (id in _FEATURES or _at_border(region))
            if not last and likely[region].mean() < _DOUBTED:
                gone |= region
    return np.where(gone, nearest_ids(labels, ~gone), labels) if gone.any() and not gone.all() else labels


def _regions(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected regions of an (H, W) bool mask: for each pixel the number of its own, (H, W) int32, 0 outside; and
    their areas by number, 0 for what is outside."""
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    areas = np.bincount(numbers.ravel(), minlength=count)
    areas[0] = 0
    return numbers, areas


def _at_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _smoothed(labels: np.ndarray) -> np.ndarray:
    small = (*_FEATURES, *PENDANTS)
    fine, coarse = _rounded(labels, _FINE), _rounded(without(labels, small), _ROUNDED)
    result = np.where(np.isin(fine, small), fine, coarse)
    # A smooth border moves by a pixel here and there, too, and the picture would be drawn anew all along it: it is
    # repaired only where much of it moves.
    change, borders = result != labels, np.zeros(labels.shape, bool)
    borders[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    borders[1:] |= labels[1:] != labels[:-1]
    changed, long = (
        cv2.GaussianBlur(each.astype(np.float32), (0, 0), _NEARBY * len(labels)) for each in (change, borders)
    )
    return np.where(changed > _RAGGED * long, result, labels)


def _rounded(labels: np.ndarray, reach: float) -> np.ndarray:
    """Each pixel takes the class that prevails around it; thin regions stay as they are."""
    ids, sigma = np.unique(labels), max(0.5, reach * len(labels))
    shares = [cv2.GaussianBlur((labels == id).astype(np.float32), (0, 0), sigma) for id in ids]
    result = ids[deepest(shares)]
    for id in ids.tolist():
        numbers, areas = _regions(labels == id)
        left = np.bincount(numbers[result == id], minlength=len(areas))
        thin = (areas > 0) & (left < (1 - _LOST) * areas)
        result[thin[numbers]] = id
    return result

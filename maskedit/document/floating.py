"""Pieces that lie over the label map and are not let go yet: moved, scaled and turned there, and one edit at the end.

`lift` takes what is under the pointer, `place` lays a piece of the library on the face; `Document.begin_floating` is
what both end in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskedit.document.beneath import beneath
from maskedit.document.gesture import Gesture
from maskedit.document.history import Box, Edit, bounds
from maskedit.document.pieces import OUTSIDE, Piece
from maskedit.document.placement import Placement
from maskedit.document.regions import region_at
from maskedit.labels import BACKGROUND, FACE_PARTS, LABELS, MIRROR, OVERLAYS

if TYPE_CHECKING:
    from maskedit.document.document import Document


@dataclass(frozen=True, eq=False)
class Placed:
    """A piece and where it lies at first."""

    piece: Piece
    placement: Placement


class Floating(Gesture):
    """Pieces over the map; `Document.begin_floating` makes it, `commit` or `abort` ends it.

    The first of them is held by the hand. Another one, on the other side of the face, moves as its mirror image. Locks
    hold as they were at the beginning, for the pixels under the pieces and for those that they were taken from.
    """

    def __init__(
        self,
        labels: np.ndarray,
        placed: Sequence[Placed],
        *,
        bare: np.ndarray,
        allowed: np.ndarray | None,
        name: str,
        on_change: Callable[[], None],
        on_end: Callable[[Edit | None], None],
    ) -> None:
        """``labels`` (H, W) uint8 is painted in place; ``bare``, likewise, is the map without the pieces; ``allowed``
        (19,) bool tells which ids may be painted over."""
        super().__init__(labels, name=name, on_change=on_change, on_end=on_end)
        self.placement = placed[0].placement
        """Where the piece in the hand lies now."""
        self._placed = tuple(placed)
        self._may = None if allowed is None else allowed[self._before]
        self._bare = bare if self._may is None else np.where(self._may, bare, self._before)
        self._stale: Box | None = Box(0, 0, labels.shape[1], labels.shape[0])
        """Where the map is not as the pieces lie."""

    @property
    def piece(self) -> Piece:
        """The one in the hand."""
        return self._placed[0].piece

    @property
    def placed(self) -> list[Placed]:
        """All pieces where they lie now, that in the hand first."""
        start = self._placed[0].placement
        others = [Placed(each.piece, each.placement.as_mirrored(start, self.placement)) for each in self._placed[1:]]
        return [Placed(self.piece, self.placement), *others]

    def move(self, placement: Placement) -> Box | None:
        """Lay the piece in the hand there, and its partner as the mirror image; the box that changed, or None.

        Raises RuntimeError after the end.
        """
        if not self._open:
            raise RuntimeError("this piece was let go")
        self.placement = placement
        height, width = self._labels.shape
        after, covered = self._bare.copy(), self._stale
        self._stale = None
        for each in self.placed:
            drawn = each.piece.drawn(each.placement, width=width, height=height)
            if drawn is None:
                continue
            box, ids = drawn
            mask = ids != OUTSIDE
            if self._may is not None:
                mask &= self._may[box.slices]
            np.copyto(after[box.slices], ids, where=mask)
            self._stale = box if self._stale is None else self._stale.union(box)
            covered = box if covered is None else covered.union(box)
        return None if covered is None else self._show(after, covered)

    def take_away(self, *, name: str) -> Box | None:
        """Leave the map as it is without the pieces; a `commit` now makes an edit of that ``name``."""
        self.name = name
        self._stale = Box(0, 0, self._labels.shape[1], self._labels.shape[0])
        return self._show(self._bare, self._stale)

    def _show(self, after: np.ndarray, where: Box) -> Box | None:
        pixels = self._labels[where.slices]
        changed = bounds(pixels != after[where.slices], x0=where.x0, y0=where.y0)
        if changed is not None:
            self._labels[changed.slices] = after[changed.slices]
            self._box = changed if self._box is None else self._box.union(changed)
            self._on_change()
        return changed


# Ways to begin ----------------------------------------------------------------------------------------------------


def lift(
    document: Document, x: float, y: float, *, whole_class: bool = False, whole_part: bool = False, mirror: bool = False
) -> Floating | None:
    """Take the region under a point off the map; None outside the map, and where it is background or protected.

    Args:
        whole_class: all of the class, and not what hangs together under the point.
        whole_part: all classes of the part of the face, one of `FACE_PARTS`: a mouth with its lips, both eyes;
            of what has none, all of the class.
        mirror: the region on the other side of the face comes along, and moves as the mirror image.
    """
    label = document.label_at(x, y)
    if label is None or label == BACKGROUND or document.is_protected(label):
        return None
    labels, height, width = document.labels, document.height, document.width
    regions = [_region(labels, x, y, whole_class)]
    name = f"Transform {LABELS[label].title}"
    if whole_part:
        worn = label in OVERLAYS  # an earring goes with the other one, not with the hat
        part = next((part for part, ids in FACE_PARTS.items() if label in ids and not worn), None)
        members = FACE_PARTS.get(part, (label,))
        regions = [np.isin(labels, [id for id in members if not document.is_protected(id)])]
        name = name if part is None else f"Transform {part.lower()}"
    elif mirror and not whole_class:
        regions += _other_side(document, x, y, label, regions[0])
    placed = []
    for region in regions:
        box = bounds(region)
        assert box is not None  # it has the pixel under the point
        piece = Piece.cut(labels, box, region[box.slices])
        placed.append(Placed(piece, _resting_in(box)))
    taken = np.logical_or.reduce(regions, out=np.zeros((height, width), bool))
    bare = beneath(labels, taken, reference=document.reference_labels)
    return document.begin_floating(placed, bare=bare, name=name)


def place(document: Document, placed: Sequence[Placed], *, gone: np.ndarray, name: str) -> Floating:
    """Lay pieces over the map; ``gone``, (H, W) bool, is what they take the place of, and goes as `beneath` says."""
    bare = beneath(document.labels, gone & document.free_pixels(), reference=document.reference_labels)
    floating = document.begin_floating(placed, bare=bare, name=name)
    floating.move(floating.placement)
    return floating


def _region(labels: np.ndarray, x: float, y: float, whole_class: bool) -> np.ndarray:
    """(H, W) bool: what hangs together under a point of the map, or its whole class."""
    result = np.zeros(labels.shape, bool)
    box, region = region_at(labels, (int(y), int(x)), whole_class=whole_class)
    result[box.slices] = region
    return result


def _other_side(document: Document, x: float, y: float, label: int, own: np.ndarray) -> list[np.ndarray]:
    """The region across the vertical centre line: under the mirrored point, else the partner's whole class."""
    partner, there = int(MIRROR[label]), document.width - x
    if document.is_protected(partner):
        return []
    if document.label_at(there, y) == partner:
        region = _region(document.labels, there, y, False)
    elif partner != label:
        region = document.labels == partner
    else:
        return []
    return [region] if region.any() and not (region & own).any() else []


def _resting_in(box: Box) -> Placement:
    return Placement((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.width, box.height)

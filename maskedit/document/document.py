"""The document: one photo, its label map, and every way to change the map by a step that can be undone.

Coordinates are pixels of the map, x to the right and y down; the pixel in column i spans ``i <= x < i + 1``.
A document belongs to one thread; hand copies (`Document.snapshot`) to others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path

import numpy as np

from maskedit.document.checks import check_labels, check_photo
from maskedit.document.floating import Floating, Placed
from maskedit.document.history import MAX_HISTORY_BYTES, NOWHERE, Box, Edit, History, StyleChange
from maskedit.document.origin import Origin
from maskedit.document.regions import region_at
from maskedit.document.sliding import Sliding
from maskedit.document.snapshots import MAX_SNAPSHOTS, Snapshot
from maskedit.document.strokes import Stroke, polygon_mask
from maskedit.document.styles import PartStyle, Styles, check_part
from maskedit.document.transfer import transfer_labels
from maskedit.errors import UserError
from maskedit.imaging import resize_labels
from maskedit.labels import LABELS, NUM_LABELS, STYLE_PARTS

MAX_FACE_WEIGHTS_BYTES = 256 * 2**20
"""The most that `Document.face_weights` takes: what a session file keeps of it."""


class Document:
    """A photo with the label map a person edits.

    Public state that may be set freely: ``name`` (str), ``path`` (where the session lies, or None), ``locked`` (set
    of ids nobody may paint over), ``only_over`` (paint over this id alone, or None), ``face_weights``. ``stroke`` is
    the stroke or sliding in progress, or None; while there is one, no other change is possible: `undo` and `redo`
    return None, the others raise RuntimeError. ``floating`` is what lies over the map as a piece, or None; any other
    change lets it go.
    """

    def __init__(
        self,
        photo: np.ndarray,
        labels: np.ndarray,
        *,
        reference_labels: np.ndarray | None = None,
        name: str = "untitled",
        path: str | Path | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Copy ``photo`` (H, W, 3) uint8 RGB and ``labels`` (H, W) uint8 ids 0..18.

        ``reference_labels`` (H, W) uint8 is the photo's own label map, which belongs to its style code; None takes a
        copy of ``labels``. ``origin`` is the photo file and the square of it that ``photo`` shows, if there is one.
        Raises UserError when a shape, a type or an id is not that.
        """
        check_photo(photo)
        size = photo.shape[:2]
        check_labels(labels, "The label map", size=size)
        if reference_labels is not None:
            check_labels(reference_labels, "The reference label map", size=size)
        self._photo = _frozen(photo)
        self._reference_labels = _frozen(labels if reference_labels is None else reference_labels)
        self._labels = np.array(labels, order="C")
        self._labels_view = self._labels.view()
        self._labels_view.setflags(write=False)
        self._origin = origin
        self._face_weights: bytes | None = None
        self._styles: dict[str, PartStyle] = {}
        self._snapshots: tuple[Snapshot, ...] = ()
        self.name = name
        self.path = None if path is None else Path(path)
        self.locked: set[int] = set()
        self.only_over: int | None = None
        self.stroke: Stroke | Sliding | None = None
        self.floating: Floating | None = None
        self.photo_cache: dict[str, bytes] = {}
        """What was made of the photo, which never changes, for session files; shared with copies."""
        self._history = History()
        self._saved_state: tuple | None = self._state()
        self._revision = 0
        self._edit_count = 0

    # What it holds

    @property
    def photo(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, not writable."""
        return self._photo

    @property
    def reference_labels(self) -> np.ndarray:
        """(H, W) uint8: the photo's own label map, not writable."""
        return self._reference_labels

    @property
    def labels(self) -> np.ndarray:
        """(H, W) uint8: the present map, strokes in progress included; a view that follows, not writable."""
        return self._labels_view

    @property
    def origin(self) -> Origin | None:
        """The photo file and the square that this document shows of it; None when there was no file."""
        return self._origin

    @property
    def face_weights(self) -> bytes | None:
        """Weights that were learned for this face, as an opaque file; they belong to the photo and its reference
        labels. May be set; the document then counts as modified until it is saved, or has its saved ones again.

        Raises UserError when set to more than ``MAX_FACE_WEIGHTS_BYTES``.
        """
        return self._face_weights

    @face_weights.setter
    def face_weights(self, data: bytes | None) -> None:
        if data is not None and len(data) > MAX_FACE_WEIGHTS_BYTES:
            raise UserError(
                f"What was learned for this face has {len(data) / 2**20:.0f} MiB; a session keeps up to "
                f"{MAX_FACE_WEIGHTS_BYTES >> 20} MiB. Learn with fewer weights."
            )
        self._face_weights = data

    @property
    def styles(self) -> Styles:
        """The styles that parts of the face have in place of the photo's own; a mapping that never changes, another
        takes its place."""
        return self._styles

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """States that are kept under their names, oldest first. May be set; the document then counts as modified.

        Raises UserError when set to more than ``MAX_SNAPSHOTS``, or to more than a session file may hold.
        """
        return self._snapshots

    @snapshots.setter
    def snapshots(self, snapshots: Iterable[Snapshot]) -> None:
        snapshots = tuple(snapshots)
        size = sum(each.edit.nbytes for each in snapshots if each.edit is not None)
        if len(snapshots) > MAX_SNAPSHOTS or size > MAX_HISTORY_BYTES:
            raise UserError(f"There are {len(self._snapshots)} snapshots already: remove one that you do not need.")
        self._snapshots = snapshots

    @property
    def width(self) -> int:
        return self._labels.shape[1]

    @property
    def height(self) -> int:
        return self._labels.shape[0]

    @property
    def revision(self) -> int:
        """Grows with every change of a pixel, also during a stroke, and with every change of a style."""
        return self._revision

    @property
    def edit_count(self) -> int:
        """How many edits were ever committed to this document since it was made; undo does not lower it."""
        return self._edit_count

    def snapshot(self) -> np.ndarray:
        """A copy of the present map, (H, W) uint8, not writable: what another thread may read."""
        return _frozen(self._labels)

    def committed_labels(self) -> np.ndarray:
        """Like `snapshot`, without the stroke in progress or what floats: the map that the history describes."""
        gesture = self.stroke or self.floating
        return self.snapshot() if gesture is None else _frozen(gesture.before)

    def copy(self, *, reference_labels: np.ndarray | None = None) -> Document:
        """A document of its own with the same photo, committed map and history, for another thread; it counts as
        not saved. ``reference_labels`` (H, W) uint8 take the place of the photo's own map when given."""
        other = Document(
            self._photo,
            self.committed_labels(),
            reference_labels=self._reference_labels if reference_labels is None else reference_labels,
            name=self.name,
            path=self.path,
            origin=self._origin,
        )
        other.face_weights = self._face_weights
        other.locked, other.only_over = set(self.locked), self.only_over
        other._styles = self._styles
        other.photo_cache = self.photo_cache
        other._snapshots = self._snapshots
        if reference_labels is not None:
            other._snapshots = tuple(
                Snapshot.of(each.name, reference_labels, each.labels(self._reference_labels), each.styles)
                for each in self._snapshots
            )
        other.restore_history(
            History.restored(self._history.edits, position=self._history.position, complete=self._history.complete)
        )
        other.mark_unsaved()
        return other

    def label_at(self, x: float, y: float) -> int | None:
        """The id under the point, or None outside the map."""
        pixel = self._pixel(x, y)
        return None if pixel is None else int(self._labels[pixel])

    # Changes

    def begin_stroke(self, label: int, *, diameter: float, mirror: bool = False, name: str | None = None) -> Stroke:
        """Begin to paint ``label`` with a round brush of ``diameter`` pixels; `Stroke.commit` or `abort` ends it.

        ``mirror`` paints the mirror image as well. Locks hold as they are now. ``name`` is what the history shows.
        Raises RuntimeError while another stroke is in progress, ValueError for an id that does not exist.
        """
        self._require_no_stroke()
        title = _title(label)
        self.stroke = Stroke(
            self._labels,
            label,
            diameter=diameter,
            mirror=mirror,
            allowed=self._allowed(),
            name=name or f"Brush {title}",
            on_change=self._touch,
            on_end=self._end_stroke,
        )
        return self.stroke

    def begin_sliding(self, name: str) -> Sliding:
        """Begin to show the whole map in other shapes, under a slider; `Sliding.commit` or `abort` ends it.

        Locks hold as they are now. Raises RuntimeError while a stroke is in progress.
        """
        self._require_no_stroke()
        locked = np.zeros(NUM_LABELS, bool)
        locked[list(self.locked)] = True
        self.stroke = Sliding(
            self._labels,
            allowed=self._allowed(),
            locked=locked,
            name=name,
            on_change=self._touch,
            on_end=self._end_stroke,
        )
        return self.stroke

    def begin_floating(self, placed: Sequence[Placed], *, bare: np.ndarray, name: str) -> Floating:
        """Begin to lay pieces over the map; `Floating.commit` or `abort` ends it, and any other change commits it.

        ``bare`` (H, W) uint8 is the map without the pieces, as `maskedit.document.beneath.beneath` makes it. Nothing
        changes before the first `Floating.move`. Raises RuntimeError while a stroke is in progress.
        """
        self._require_no_stroke()
        self.floating = Floating(
            self._labels,
            placed,
            bare=bare,
            allowed=self._allowed(),
            name=name,
            on_change=self._touch,
            on_end=self._end_floating,
        )
        return self.floating

    def is_protected(self, label: int) -> bool:
        """Whether the locks keep this id from being painted over."""
        allowed = self._allowed()
        return allowed is not None and not allowed[label]

    def free_pixels(self) -> np.ndarray:
        """(H, W) bool: the pixels that the locks let be painted over."""
        allowed = self._allowed()
        return np.ones(self._labels.shape, bool) if allowed is None else allowed[self._labels]

    def fill(self, x: float, y: float, label: int, *, whole_class: bool = False) -> Box | None:
        """Give ``label`` to the 4-connected region under the point, or to every pixel of that class.

        Returns the box that changed; None when the point lies outside, the region is locked or has the label already.
        """
        self._require_no_stroke()
        title = _title(label)
        pixel = self._pixel(x, y)
        if pixel is None:
            return None
        old = int(self._labels[pixel])
        allowed = self._allowed()
        if old == label or (allowed is not None and not allowed[old]):
            return None
        box, region = region_at(self._labels, pixel, whole_class=whole_class)
        return self._paint(box, region, label, name=f"Fill {title}")

    def paint_polygon(
        self, points: Sequence[tuple[float, float]] | np.ndarray, label: int, *, name: str | None = None
    ) -> Box | None:
        """Fill the polygon that `polygon_mask` makes of ``points``, a list of (x, y) or an (n, 2) array (lasso).

        Obeys the locks. Returns the box that changed or None. Raises ValueError for points that are not finite.
        """
        self._require_no_stroke()
        title = _title(label)
        found = self.polygon_mask(points)
        return None if found is None else self._paint(*found, label, name=name or f"Lasso {title}")

    def polygon_mask(self, points: Sequence[tuple[float, float]] | np.ndarray) -> tuple[Box, np.ndarray] | None:
        """The pixels that `paint_polygon` would paint if no lock held: their box and (h, w) bool, or None."""
        return polygon_mask(points, width=self.width, height=self.height)

    def replace_labels(
        self,
        source_labels: np.ndarray,
        *,
        classes: Iterable[int] | None = None,
        where: np.ndarray | None = None,
        styles: Mapping[str, PartStyle | None] | None = None,
        name: str,
    ) -> Box | None:
        """Take over another map as one edit: all of it (style copy), or the regions of ``classes``.

        ``source_labels`` is (h, w) uint8 ids 0..18; another size is brought to this one's by nearest neighbour. With
        ``classes`` (attribute transfer, MaskGAN section 4.2) the source's regions of these classes replace this map's;
        what they leave bare is filled with its surroundings, see `maskedit.document.transfer.transfer_labels`.
        ``where``, (H, W) bool of this map's size, keeps all of that to its true pixels. ``styles`` change with it, as
        for `set_styles`. The locks are ignored: they guard against slips of the brush. Returns the box that changed or
        None; raises UserError for a bad map, ValueError for a bad ``where`` or a part without a style.
        """
        self._require_no_stroke()
        check_labels(source_labels, "The source label map")
        if where is not None and (where.shape != self._labels.shape or where.dtype != bool):
            raise ValueError(f"where is {where.shape} of {where.dtype}, wanted {self._labels.shape} of bool")
        source = source_labels
        if source.shape != self._labels.shape:
            source = resize_labels(source, (self.width, self.height))
        after = source if classes is None else transfer_labels(self._labels, source, classes)
        if where is not None:
            after = np.where(where, after, self._labels)
        return self._commit(Edit.between(self._labels, after, name=name, styles=self._changes(styles or {})))

    def set_styles(self, styles: Mapping[str, PartStyle | None], *, name: str) -> Box | None:
        """Give parts of the face another style, or their own again (None), as one edit.

        Returns the box of the map that changed, which is empty, or None when every part has that style already; raises
        ValueError for a part that is no key of `STYLE_PARTS`.
        """
        self._require_no_stroke()
        return self._commit(Edit.of_styles(self._changes(styles), name=name))

    def reset_labels(self) -> Box | None:
        """Back to the photo's own label map, as one edit; the box that changed, or None."""
        return self.replace_labels(self._reference_labels, name="Reset labels")

    def take_snapshot(self, name: str) -> Snapshot:
        """Keep the present labels and styles, a stroke in progress left out, under a name; raises UserError when there
        are too many."""
        snapshot = Snapshot.of(name, self._reference_labels, self.committed_labels(), self._styles)
        self.snapshots = (*self._snapshots, snapshot)
        return snapshot

    def show_snapshot(self, snapshot: Snapshot) -> Box | None:
        """Take over labels and styles of a snapshot, as one edit; the box that changed, or None."""
        return self.replace_labels(
            snapshot.labels(self._reference_labels),
            styles=dict.fromkeys(STYLE_PARTS) | snapshot.styles,
            name=f"Snapshot {snapshot.name}",
        )

    # History

    @property
    def history(self) -> History:
        """To read (names, position, bytes); change it through the document only."""
        return self._history

    @property
    def can_undo(self) -> bool:
        return self.stroke is None and self.floating is None and self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self.stroke is None and self.floating is None and self._history.can_redo

    def undo(self) -> Box | None:
        """Take back the last edit; the box it touched, or None when there is none, or a gesture is in progress."""
        edit = self._history.undo() if self.can_undo else None
        if edit is None:
            return None
        edit.revert(self._labels)
        self._restyle({each.part: each.old for each in edit.styles})
        self._touch()
        return edit.box

    def redo(self) -> Box | None:
        """Do again what was taken back last; the box it touched, or None like `undo`."""
        edit = self._history.redo() if self.can_redo else None
        if edit is None:
            return None
        edit.apply(self._labels)
        self._restyle({each.part: each.new for each in edit.styles})
        self._touch()
        return edit.box

    def go_to(self, position: int) -> Box | None:
        """Undo or redo until so many of the kept edits are applied; the box that all of them touched, or None when
        there was nothing to do or a stroke is in progress."""
        boxes = []
        while self.stroke is None and position != self._history.position:
            box = self.undo() if position < self._history.position else self.redo()
            if box is None:
                break
            boxes.append(box)
        touched = [box for box in boxes if box != NOWHERE]
        return reduce(Box.union, touched) if touched else boxes[0] if boxes else None

    def restore_history(self, history: History, styles: Styles | None = None) -> None:
        """Take over a history, and styles unless they are None, that were read from a file together with this map; all
        of it counts as saved."""
        self._require_no_stroke()
        self._history = history
        if styles is not None:
            self._styles = dict(styles)
        self.mark_saved()

    @property
    def is_modified(self) -> bool:
        """Whether the map and styles (in steps), what was learned or the snapshots differ from the saved state; going
        back to it by undo makes it False again."""
        gesture = self.stroke or self.floating
        if gesture is not None and gesture.box is not None:
            return True
        return self._state() != self._saved_state

    def mark_saved(self) -> None:
        """The committed state is the saved one from now on."""
        self._saved_state = self._state()

    def mark_unsaved(self) -> None:
        """No state is saved: for a document that came from a recovery file."""
        self._saved_state = None

    # Inside

    def _state(self) -> tuple[int, bytes | None, tuple[Snapshot, ...]]:
        """What a save keeps: the committed map, by its place in the history, what was learned, and the snapshots."""
        return self._history.state, self._face_weights, self._snapshots

    def _pixel(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, column) under the point, or None outside."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return None
        return math.floor(y), math.floor(x)

    def _allowed(self) -> np.ndarray | None:
        """(19,) bool: the ids that may be painted over; None when all may."""
        if not self.locked and self.only_over is None:
            return None
        allowed = np.full(NUM_LABELS, self.only_over is None)
        if self.only_over is not None:
            allowed[self.only_over] = True
        allowed[list(self.locked)] = False
        return allowed

    def _paint(self, box: Box, region: np.ndarray, label: int, *, name: str) -> Box | None:
        """Give ``label`` to the (h, w) bool region of the box, where the locks let it, as one edit."""
        before = self._labels[box.slices]
        allowed = self._allowed()
        if allowed is not None:
            region = region & allowed[before]
        after = np.where(region, np.uint8(label), before)
        return self._commit(Edit.between(before, after, name=name, x0=box.x0, y0=box.y0))

    def _commit(self, edit: Edit | None) -> Box | None:
        if edit is None:
            return None
        edit.apply(self._labels)
        self._restyle({each.part: each.new for each in edit.styles})
        self._push(edit)
        self._touch()
        return edit.box

    def _changes(self, styles: Mapping[str, PartStyle | None]) -> tuple[StyleChange, ...]:
        """What of these styles is new."""
        for part in styles:
            check_part(part)
        changes = (StyleChange(part, self._styles.get(part), style) for part, style in styles.items())
        return tuple(each for each in changes if each.old != each.new)

    def _restyle(self, styles: Mapping[str, PartStyle | None]) -> None:
        if styles:
            styles = self._styles | styles
            self._styles = {part: style for part, style in styles.items() if style is not None}

    def _push(self, edit: Edit) -> None:
        self._history.push(edit)
        self._edit_count += 1

    def _end_stroke(self, edit: Edit | None) -> None:
        self.stroke = None
        if edit is not None:
            self._push(edit)

    def _end_floating(self, edit: Edit | None) -> None:
        self.floating = None
        if edit is not None:
            self._push(edit)

    def _touch(self) -> None:
        self._revision += 1

    def _require_no_stroke(self) -> None:
        if self.stroke is not None:
            raise RuntimeError("a stroke is in progress: commit or abort it first")
        if self.floating is not None:
            self.floating.commit()


def _title(label: int) -> str:
    if not 0 <= label < NUM_LABELS:
        raise ValueError(f"label {label}, wanted 0..{NUM_LABELS - 1}")
    return LABELS[label].title


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy

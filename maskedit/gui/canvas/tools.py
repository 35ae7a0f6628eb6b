"""What the pointer does to the document: each gesture begins, goes on, and ends in one edit or none.

Knows no widget: points come in pixels of the label map, and the editor hears of every change.
"""

from __future__ import annotations

from collections.abc import Set

from maskedit.document.document import Document
from maskedit.document.history import Box
from maskedit.document.sliding import Sliding
from maskedit.document.strokes import Stroke
from maskedit.gui.canvas.piece_tool import PieceTool
from maskedit.gui.editor import BRUSHES, Editor
from maskedit.gui.states import Level
from maskedit.labels import BACKGROUND, LABELS

Point = tuple[float, float]


class Tools:
    """The gesture in progress and what it leaves to be drawn over the canvas."""

    def __init__(self, editor: Editor):
        self._editor = editor
        self.pieces = PieceTool(editor)
        self.lasso: list[Point] = []
        """Corners of the lasso so far; empty when there is none."""
        self.lasso_dragged = False
        """Whether the lasso is drawn by hand; else its corners are clicked."""
        self._last_dab: Point | None = None
        editor.document_changed.connect(self._forget)
        editor.tool_changed.connect(self.leave)

    @property
    def busy(self) -> bool:
        """Whether a stroke, a lasso or a slider is under way, or a piece floats."""
        return bool(self.lasso) or self._under_way is not None or self.pieces.floating is not None

    @property
    def _under_way(self) -> Stroke | Sliding | None:
        return None if self._editor.document is None else self._editor.document.stroke

    @property
    def _stroking(self) -> bool:
        return isinstance(self._under_way, Stroke)

    # Gestures ---------------------------------------------------------------------------------------------------

    def press(self, point: Point, *, erase: bool = False, shift: bool = False, diameter: float | None = None) -> None:
        """The button went down; ``diameter`` overrides the brush (pen pressure)."""
        self._editor.hand_comes.emit()
        document, editor = self._editor.document, self._editor
        if document is None or self._under_way is not None or (erase and self.pieces.floating is not None):
            return
        tool = "eraser" if erase else editor.tool
        if tool in BRUSHES:
            label = BACKGROUND if tool == "eraser" else editor.label
            stroke = document.begin_stroke(label, diameter=diameter or editor.brush, mirror=editor.mirror)
            editor.render.stroke_began()
            if shift and self._last_dab is not None:
                self._changed(stroke.move_to(*self._last_dab))
            self.move(point, diameter=diameter)
        elif tool == "fill":
            under = document.label_at(*point)
            box = document.fill(*point, editor.label, whole_class=shift)
            editor.edited(box)
            self._explain_nothing(box, set() if under is None else {under}, editor.label)
        elif tool in ("lasso", "parse_again"):
            self.lasso.append(point)
            self.lasso_dragged = False
        elif tool == "transform":
            self.pieces.press(point, shift=shift)
        elif tool == "picker":
            self.pick(point)

    def move(self, point: Point, *, shift: bool = False, diameter: float | None = None) -> None:
        """The pointer moved with the button down."""
        if self._stroking:
            self._last_dab = point
            self._changed(self._editor.document.stroke.move_to(*point, diameter=diameter))
        elif self.lasso:
            self.lasso_dragged = True
            self.lasso.append(point)
        else:
            self.pieces.move(point, shift=shift)

    def release(self) -> None:
        """The button came up: a stroke is committed, a lasso drawn by hand closed; corners and pieces stay."""
        if self._stroking:
            stroke = self._editor.document.stroke
            edit = stroke.commit()
            self._editor.stroke_ended()
            self._explain_nothing(edit, stroke.kept, stroke.label)
        elif self.lasso and self.lasso_dragged:
            self.close_lasso()
        else:
            self.pieces.release()

    def abort(self) -> None:
        """Put back what the stroke or the slider changed, and what floats; drop the lasso."""
        self.pieces.give_up()
        self.interrupt()

    def leave(self) -> None:
        """Something else is to be done: a piece is let go, all else is put back."""
        self._editor.hand_comes.emit()
        self.pieces.let_go()
        self.interrupt()

    def interrupt(self) -> None:
        """The hand is taken off: put back what the stroke or the slider changed, drop the lasso; a piece floats on."""
        self.pieces.release()
        self.lasso.clear()
        if self._under_way is not None:
            self._changed(self._under_way.abort())
            self._editor.stroke_ended()

    def _changed(self, box: Box | None) -> None:
        """The canvas repaints before a picture is asked for: what the hand does shows first."""
        if box is not None:
            self._editor.labels_changed.emit(box)
            self._editor.render.edited()

    # Parts of gestures ------------------------------------------------------------------------------------------

    def close_lasso(self) -> None:
        """Fill the region that the lasso's corners enclose, or have it parsed again."""
        points, self.lasso = self.lasso, []
        document = self._editor.document
        if document is None or len(points) < 3:
            return
        if self._editor.tool == "parse_again":
            self._editor.parse_again_wanted.emit(points)
        else:
            box = document.paint_polygon(points, self._editor.label)
            self._editor.edited(box)
            found = document.polygon_mask(points) if box is None else None
            if found is not None:
                self._explain_nothing(box, set(document.labels[found[0].slices][found[1]].tolist()), self._editor.label)

    def step_back(self) -> None:
        """Take back the lasso's last corner."""
        if self.lasso:
            self.lasso.pop()

    def pick(self, point: Point) -> None:
        """Choose the class under a point."""
        label = self._editor.document.label_at(*point) if self._editor.document is not None else None
        if label is not None:
            self._editor.set_label(label)

    def _explain_nothing(self, done: object | None, kept: Set[int], label: int) -> None:
        """A gesture that painted nothing leaves no step in the history, and undo takes the one before: say so."""
        document = self._editor.document
        if done is not None or not kept:
            return
        if document.only_over is not None and document.only_over not in kept:
            why = f"you paint only over {LABELS[document.only_over].title}, until L lets go"
        elif locked := sorted(id for id in kept if id != label and document.is_protected(id)):
            names = " and ".join(LABELS[id].title for id in locked)
            why = f"{names} {'is' if len(locked) == 1 else 'are'} locked, see the palette"
        else:
            why = f"all of it is {LABELS[label].title} already"
        more = " Undo would take back the edit before." if document.can_undo else ""
        self._editor.tell(Level.INFO, f"Nothing was painted: {why}.{more}")

    def _forget(self) -> None:
        self.lasso.clear()
        self._last_dab = None


def whole(document: Document) -> Box:
    """The box of the whole label map."""
    return Box(0, 0, document.width, document.height)

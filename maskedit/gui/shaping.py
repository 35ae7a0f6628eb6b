"""The sliders' business without a widget: what they are set to, the map that they shape, and the edits they make."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from maskedit.document.morphing import Morph, Regions
from maskedit.document.shapes import SHAPES, can_shape, shaped
from maskedit.document.sliding import Sliding
from maskedit.document.variation import cleaned, varied
from maskedit.gui.editor import Editor
from maskedit.gui.rendering.jobs import Services
from maskedit.gui.states import Level
from maskedit.imaging import resize_labels
from maskedit.opening.other_face import OtherFace

MORPH = "morph"
"""The slider from this map to another face's; the others are those of `SHAPES`."""
_REMEMBERED = 100
"""Edits for which the sliders' settings come back with undo and redo."""


class Face:
    """A label map (S, S) uint8 between which and another one may be morphed."""

    def __init__(self, labels: np.ndarray, name: str = "") -> None:
        self.labels, self.name = labels, name

    @cached_property
    def regions(self) -> Regions:
        """The map, measured when that is first wanted."""
        return Regions(self.labels)


@dataclass(frozen=True, eq=False)
class Setting:
    """What the sliders are set to."""

    base: Face
    """The label map that they shape."""
    amounts: Mapping[str, float] = field(default_factory=dict)
    """Names of sliders -> -1..1; those that are 0 are left out."""
    towards: Face | None = None
    """The other face, as far as the map is morphed towards one."""

    def with_amount(self, name: str, amount: float, other: Face | None) -> Setting:
        """The same with one slider set anew."""
        amounts = {**self.amounts, name: amount}
        towards = other if name == MORPH else self.towards
        return replace(self, amounts={each: value for each, value in amounts.items() if value}, towards=towards)

    def labels(self) -> np.ndarray:
        """(S, S) uint8: the base, morphed and shaped."""
        labels, share = self.base.labels, self.amounts.get(MORPH, 0.0)
        if share and self.towards is not None:
            labels = Morph(self.base.regions, self.towards.regions).at(share)
        return shaped(labels, self.amounts)


class Shaping(QObject):
    """Shapes the label map of an editor's document.

    All sliders together shape one base map: a smile that is set back to 0 is gone without a trace. As soon as anything
    else changes the map, they stand at 0 again, and that map is their base; undo and redo bring their settings back.
    """

    changed = Signal()
    """The setting, the other face, or what can be shaped."""

    def __init__(self, editor: Editor, parent: QObject | None = None):
        super().__init__(parent)
        self._editor = editor
        self.other: Face | None = None
        """The face that is morphed towards, if one was chosen."""
        self._settings: dict[int, Setting] = {}
        """By the state of the history that their edit has led to."""
        self._gesture: Sliding | None = None
        self._tried: Setting | None = None
        editor.document_changed.connect(self._forget)
        editor.history_changed.connect(self.changed)

    # What is set ------------------------------------------------------------------------------------------------

    @property
    def setting(self) -> Setting | None:
        """What is set and belongs to the map as it stands; None without a document."""
        document = self._editor.document
        if document is None:
            return None
        floating = document.floating
        if floating is not None and floating.box is not None:  # another map than that state's
            return Setting(Face(document.snapshot()))
        return self._settings.get(document.history.state) or Setting(Face(document.committed_labels()))

    def missing(self) -> dict[str, str]:
        """Which sliders have nothing to move: their names -> why, a sentence."""
        setting = self.setting
        if setting is None:
            return dict.fromkeys((*SHAPES, MORPH), "No face is open")
        without = {
            name: f"This face has {shape.missing}"
            for name, shape in SHAPES.items()
            if not can_shape(setting.base.labels, name)
        }
        return without if self.other is not None else {**without, MORPH: "Choose another face first"}

    def morph_towards(self, face: OtherFace) -> None:
        """The face that the map may be morphed towards from now on."""
        document = self._editor.document
        self.other = Face(resize_labels(face.labels, (document.width, document.height)), face.name)
        self.changed.emit()

    # A slider under a hand --------------------------------------------------------------------------------------

    @property
    def moving(self) -> bool:
        """Whether a slider has been grabbed and not let go."""
        document = self._editor.document
        return self._gesture is not None and document is not None and document.stroke is self._gesture

    def begin(self) -> None:
        """A slider is grabbed; nothing where a stroke is in progress."""
        document = self._editor.document
        if document is not None and document.stroke is None:
            self._gesture = document.begin_sliding("Shape")  # which may end something else
            self._tried = self.setting
            self._editor.render.stroke_began()

    def move(self, name: str, amount: float) -> None:
        """A slider that was grabbed stands at an amount, -1..1; nothing where the gesture was taken back meanwhile."""
        if not self.moving:
            return
        self._tried = self._tried.with_amount(name, amount, self.other)
        self._gesture.name = f"{self._title(name)} {100 * amount:{'.0f' if name == MORPH else '+.0f'}}"
        box = self._gesture.show(self._tried.labels())
        if box is not None:
            self._editor.labels_changed.emit(box)
            self._editor.render.edited()

    def _title(self, name: str) -> str:
        return SHAPES[name].title if name in SHAPES else f"Morph to {self.other.name}"

    @Slot()
    def end(self) -> None:
        """It is let go: one edit, or none where the map is as it was."""
        if not self.moving:
            self.changed.emit()
            return
        gesture, self._gesture = self._gesture, None
        if gesture.commit() is not None:
            self._settings[self._editor.document.history.state] = self._tried
            for state in list(self._settings)[:-_REMEMBERED]:
                del self._settings[state]
        self._editor.stroke_ended()

    def _forget(self) -> None:
        """Another document is open."""
        self._settings.clear()
        self._gesture = self._tried = self.other = None
        self.changed.emit()

    # What a network knows of faces ------------------------------------------------------------------------------

    def vary(self) -> None:
        """Another map close by, at each call another one, as one edit."""
        seed = secrets.randbelow(2**31)
        self._rework("Vary", lambda space, labels: varied(labels, *space.neighbours(labels, seed)))

    def clean_up(self) -> None:
        """Specks that make no sense go, and ragged borders become smooth, as one edit."""
        nothing = "There is nothing to clean up."
        self._rework("Clean up", lambda space, labels: cleaned(labels, space.probabilities(labels)), nothing)

    def _rework(self, name: str, change: Callable[[object, np.ndarray], np.ndarray], nothing: str = "") -> None:
        """Have the map changed in the render thread; dropped where it was edited meanwhile."""
        document = self._editor.document
        if document is None:
            return
        if document.width != document.height:
            self._editor.tell(Level.ERROR, f"{name} knows square faces only; place the square of this photo first.")
            return
        labels, state = document.committed_labels(), document.history.state

        def work(services: Services) -> np.ndarray:
            return change(services.label_space, labels)

        def then(after: np.ndarray) -> None:
            if document is not self._editor.document:
                return
            self._editor.let_go()  # a piece that was put on meanwhile is an edit, too
            if state == document.history.state:
                self._take(after, name, nothing)

        self._editor.jobs.run(work, then)

    def _take(self, labels: np.ndarray, name: str, nothing: str) -> None:
        gesture = self._editor.document.begin_sliding(name)  # the locks hold, as for a slider
        box = gesture.show(labels)
        gesture.commit()
        self._editor.edited(box)
        if box is None and nothing:
            self._editor.tell(Level.INFO, nothing)

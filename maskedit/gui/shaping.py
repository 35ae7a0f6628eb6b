"""The sliders' business without a widget: what they are set to, the map that they shape, and the edits they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot

from maskedit.document.reshaping import Reshaping
from maskedit.document.shapes import SHAPES, can_shape, shaped
from maskedit.gui.editor import Editor

_REMEMBERED = 100
"""Edits for which the sliders' settings come back with undo and redo."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What the sliders are set to."""

    base: np.ndarray
    """(S, S) uint8: the label map that they shape."""
    amounts: Mapping[str, float] = field(default_factory=dict)
    """Names of `SHAPES` -> -1..1; those that are 0 are left out."""

    def with_amount(self, name: str, amount: float) -> Setting:
        """The same with one slider set anew."""
        amounts = {**self.amounts, name: amount}
        return replace(self, amounts={each: value for each, value in amounts.items() if value})

    def labels(self) -> np.ndarray:
        """(S, S) uint8: the base, shaped."""
        return shaped(self.base, self.amounts)


class Shaping(QObject):
    """Shapes the label map of an editor's document.

    All sliders together shape one base map: a smile that is set back to 0 is gone without a trace. As soon as anything
    else changes the map, they stand at 0 again, and that map is their base; undo and redo bring their settings back.
    """

    changed = Signal()
    """The setting, or what can be shaped."""

    def __init__(self, editor: Editor, parent: QObject | None = None):
        super().__init__(parent)
        self._editor = editor
        self._settings: dict[int, Setting] = {}
        """By the state of the history that their edit has led to."""
        self._gesture: Reshaping | None = None
        self._tried: Setting | None = None
        editor.document_changed.connect(self._forget)
        editor.history_changed.connect(self.changed)

    @property
    def setting(self) -> Setting | None:
        """What is set and belongs to the map as it stands; None without a document."""
        document = self._editor.document
        if document is None:
            return None
        return self._settings.get(document.history.state) or Setting(document.committed_labels())

    def missing(self) -> dict[str, str]:
        """Which sliders have nothing to move: their names -> what the base lacks, for a person."""
        setting = self.setting
        if setting is None:
            return dict.fromkeys(SHAPES, "no label map")
        return {name: shape.missing for name, shape in SHAPES.items() if not can_shape(setting.base, name)}

    @property
    def moving(self) -> bool:
        """Whether a slider has been moved and not let go."""
        return self._gesture is not None and self._gesture is self._stroke

    @property
    def _stroke(self) -> object:
        return None if self._editor.document is None else self._editor.document.stroke

    def begin(self) -> bool:
        """A slider is grabbed; whether it may be."""
        document = self._editor.document
        if document is None or document.stroke is not None:
            return False
        self._tried = self.setting
        self._gesture = document.begin_reshaping("Shape")
        self._editor.render.stroke_began()
        return True

    def move(self, name: str, amount: float) -> None:
        """A slider that was grabbed stands at an amount, -1..1; nothing where the gesture was taken back meanwhile."""
        if self.moving:
            self._try(self._tried.with_amount(name, amount), f"{SHAPES[name].title} {100 * amount:+.0f}")

    def _try(self, setting: Setting, name: str) -> None:
        self._tried, self._gesture.name = setting, name
        box = self._gesture.show(setting.labels())
        if box is not None:
            self._editor.labels_changed.emit(box)
            self._editor.render.edited()

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
        self._settings.clear()
        self._gesture = self._tried = None
        self.changed.emit()

"""Snapshots: states of a document that a person keeps under a name, to come back to or to compare with.

A snapshot holds what it differs in from the photo's own labels and styles, as one `Edit` does, and so takes as much
memory as that. Depends on numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskedit.document.history import Edit, StyleChange
from maskedit.document.styles import PartStyle, Styles

MAX_SNAPSHOTS = 100
"""The most that a document keeps."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One state under its name. Make one with `Snapshot.of`."""

    name: str
    edit: Edit | None
    """From the photo's own labels and styles to this state; None where that is what it shows."""

    @classmethod
    def of(cls, name: str, reference_labels: np.ndarray, labels: np.ndarray, styles: Styles) -> Snapshot:
        """The state of ``labels`` and ``styles``, where ``reference_labels`` are the photo's own; both maps are (H, W)
        uint8 ids."""
        changes = tuple(StyleChange(part, None, style) for part, style in styles.items())
        return cls(name, Edit.between(reference_labels, labels, name=name, styles=changes))

    def labels(self, reference_labels: np.ndarray) -> np.ndarray:
        """Its label map as a new array (H, W) uint8; ``reference_labels`` (H, W) uint8 are those it was made with."""
        labels = reference_labels.copy()
        if self.edit is not None:
            self.edit.apply(labels)
        return labels

    @property
    def styles(self) -> dict[str, PartStyle]:
        """Its styles by part."""
        changes = () if self.edit is None else self.edit.styles
        return {change.part: change.new for change in changes if change.new is not None}

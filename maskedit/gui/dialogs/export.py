"""What to export, and how."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QGridLayout, QLabel, QSlider, QWidget


@dataclass(frozen=True)
class Export:
    """What to write: ``kind`` is ``photo``, ``result``, ``palette``, ``ids``, ``cutout``, ``layers`` or ``sheet``."""

    kind: str
    quality: int


class ExportDialog(QDialog):
    """Which picture to export, and how good a JPEG or WebP."""

    KINDS = (
        ("photo", "The whole photo, with the edited face, at its own size"),
        ("result", "Result: the square with the edited face"),
        ("palette", "Label map, in the published colours"),
        ("ids", "Label map, grey ids 0-18"),
        ("cutout", "The edit alone, to be laid over the photo: transparent around it, at the photo's size"),
        ("layers", "Layers for Krita, GIMP and others: photo, edit, label map, hole"),
        ("sheet", "Before-after sheet"),
    )

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setWindowTitle("Export")
        self.kind = QComboBox()
        for kind, text in self.KINDS:
            self.kind.addItem(text, kind)
        self.quality = QSlider(Qt.Orientation.Horizontal)
        self.quality.setRange(50, 100)
        self.quality.setValue(95)
        self.quality.setAccessibleName("Quality")
        shown = QLabel("95")
        self.quality.valueChanged.connect(shown.setNum)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Choose file…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        grid = QGridLayout(self)
        grid.addWidget(QLabel("What"), 0, 0)
        grid.addWidget(self.kind, 0, 1, 1, 2)
        grid.addWidget(QLabel("Quality (JPEG, WebP)"), 1, 0)
        grid.addWidget(self.quality, 1, 1)
        grid.addWidget(shown, 1, 2)
        grid.addWidget(buttons, 2, 0, 1, 3)

    def choice(self) -> Export:
        return Export(self.kind.currentData(), self.quality.value())

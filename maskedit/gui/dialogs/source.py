"""Which classes of another face's label map to take."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.document.transfer import transfer_labels
from maskedit.gui.qimage import photo_image
from maskedit.labels import FACE_PARTS, LABELS


class SourceDialog(QDialog):
    """Which classes of another face's label map to take; the outcome shows beside it."""

    SIDE = 220

    def __init__(
        self, document: Document, source: np.ndarray, parent: QWidget | None = None, *, colour_blind: bool = False
    ):
        super().__init__(parent)
        self._colour_blind = colour_blind
        self.setWindowTitle("Take labels from another face")
        self._before = document.snapshot()
        self._source = imaging.resize_labels(source, (document.width, document.height))
        self.boxes = [QCheckBox(label.title) for label in LABELS]
        present = set(np.unique(self._source).tolist())
        self._after = QLabel()
        pictures = QHBoxLayout()
        for caption, widget in (
            ("Now", self._picture(self._before)),
            ("Other face", self._picture(self._source)),
            ("Will be", self._after),
        ):
            column = QVBoxLayout()
            column.addWidget(QLabel(caption), alignment=Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(widget)
            pictures.addLayout(column)

        presets = QHBoxLayout()
        everything = QPushButton("Everything (style copy)")
        everything.clicked.connect(lambda: self.tick(range(len(LABELS))))
        presets.addWidget(everything)
        for title, ids in FACE_PARTS.items():
            button = QPushButton(title)
            button.clicked.connect(lambda _=False, ids=ids: self.tick(ids))
            presets.addWidget(button)

        grid = QGridLayout()
        for label, box in zip(LABELS, self.boxes, strict=True):
            box.toggled.connect(self._refresh)
            if label.id not in present:
                box.setText(f"{label.title}, not there")
            grid.addWidget(box, label.id // 4, label.id % 4)

        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Take")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(pictures)
        layout.addLayout(presets)
        layout.addLayout(grid)
        layout.addWidget(self.buttons)
        self.tick(FACE_PARTS["Smile"])

    def tick(self, ids) -> None:
        """Tick exactly these classes."""
        wanted = set(ids)
        for id, box in enumerate(self.boxes):
            box.blockSignals(True)
            box.setChecked(id in wanted)
            box.blockSignals(False)
        self._refresh()

    def classes(self) -> frozenset[int] | None:
        """The ticked ids; None when all are ticked: the whole map."""
        ticked = frozenset(id for id, box in enumerate(self.boxes) if box.isChecked())
        return None if len(ticked) == len(LABELS) else ticked

    def _refresh(self) -> None:
        classes = self.classes()
        after = self._source if classes is None else transfer_labels(self._before, self._source, classes)
        self._after.setPixmap(self._pixmap(after))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(classes is None or bool(classes))

    def _picture(self, labels: np.ndarray) -> QLabel:
        picture = QLabel()
        picture.setPixmap(self._pixmap(labels))
        return picture

    def _pixmap(self, labels: np.ndarray) -> QPixmap:
        image = photo_image(imaging.colourise(labels, colour_blind=self._colour_blind))
        return QPixmap.fromImage(image).scaled(
            self.SIDE, self.SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )

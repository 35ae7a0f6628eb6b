"""Which shapes and styles of another face to take, with a preview of the face that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
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
from maskedit.document.styles import Styles
from maskedit.document.transfer import transfer_labels
from maskedit.gui.qimage import photo_image
from maskedit.labels import FACE_PARTS, LABELS, STYLE_PART_OF, STYLE_PARTS
from maskedit.opening.other_face import OtherFace

SHAPE, STYLE, BOTH = "shape", "style", "both"
_COLUMNS = 3
_PAUSE = 150
"""Milliseconds without a tick after which a preview is asked for."""

Preview = Callable[[np.ndarray, Styles, Callable[[QImage], None], Callable[[str], None]], None]
"""Has a picture made of labels (S, S) uint8 and styles; then it, or why there is none, is told to one of two."""


@dataclass(frozen=True)
class Taken:
    """What is taken of another face."""

    classes: frozenset[int] | None
    """The ids whose shape is taken; None for the whole label map."""
    parts: frozenset[str] = frozenset()
    """The parts whose style is taken, keys of `STYLE_PARTS`."""


class SourceDialog(QDialog):
    """Which classes of another face to take: their shape, their style or both.

    Args:
        document: what takes it.
        face: where from.
        styles: those that the other face has.
        preview: makes the picture of what it would look like; without one there is none.
    """

    SIDE = 220

    def __init__(
        self,
        document: Document,
        face: OtherFace,
        styles: Styles,
        parent: QWidget | None = None,
        *,
        colour_blind: bool = False,
        preview: Preview | None = None,
    ):
        super().__init__(parent)
        self._colour_blind, self._styles, self._ask_preview = colour_blind, styles, preview
        self.setWindowTitle("Take from another face")
        self._before, self._own_styles = document.snapshot(), document.styles
        self._source = imaging.resize_labels(face.labels, (document.width, document.height))
        self._in_flight = self._stale = self._closed = False
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE)
        self._pause.timeout.connect(self._preview)
        self._wanted: set[int] = set()
        """The ids that something is taken of. Both rows of boxes are made of it when the choice between shape and style
        changes: those that are ticked then know only a part of it."""
        self.boxes = [QCheckBox(label.title) for label in LABELS]
        """By id: whether its shape is taken."""
        self.style_boxes = {id: QCheckBox() for id in STYLE_PART_OF}
        """By id: whether the style of its part is taken; those of one part are ticked together."""
        layout = QVBoxLayout(self)
        layout.addLayout(self._pictures(face))
        layout.addLayout(self._presets())
        layout.addLayout(self._grid(set(np.unique(self._source).tolist())))
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Take")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout.addWidget(self.buttons)
        self.tick(FACE_PARTS["Smile"])

    def _pictures(self, face: OtherFace) -> QHBoxLayout:
        self._after, self._face = QLabel(), QLabel()
        self._face.setFixedSize(self.SIDE, self.SIDE)
        self._face.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._face.setWordWrap(True)
        self._face.setAccessibleName("The face as it will be")
        other = imaging.colourise(self._source, colour_blind=self._colour_blind) if face.photo is None else face.photo
        shown = [
            ("Now", self._picture(imaging.colourise(self._before, colour_blind=self._colour_blind))),
            ("Other face", self._picture(other)),
            ("Labels will be", self._after),
        ]
        if self._ask_preview is not None:
            shown.append(("Face will be", self._face))
        row = QHBoxLayout()
        for caption, widget in shown:
            column = QVBoxLayout()
            column.addWidget(QLabel(caption), alignment=Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(widget)
            row.addLayout(column)
        return row

    def _presets(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(caption := QLabel("Take"))
        self.what = QComboBox()
        for kind, text in ((SHAPE, "the shape of"), (STYLE, "the style of"), (BOTH, "shape and style of")):
            self.what.addItem(text, kind)
        self.what.setAccessibleName("Shape, style or both")
        self.what.setToolTip("Shape is the label map; style is the colours")
        self.what.setEnabled(bool(self._styles))
        self.what.currentIndexChanged.connect(self._show_wanted)
        caption.setBuddy(self.what)
        row.addWidget(self.what)
        everything = QPushButton("Everything (style copy)")
        everything.clicked.connect(lambda: self.tick(range(len(LABELS))))
        row.addWidget(everything)
        for title, ids in (*FACE_PARTS.items(), ("Skin", STYLE_PARTS["skin"])):
            button = QPushButton(title)
            button.clicked.connect(lambda _=False, ids=ids: self.tick(ids))
            row.addWidget(button)
        return row

    def _grid(self, present: set[int]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        rows = -(-len(LABELS) // _COLUMNS)
        for column in range(_COLUMNS):
            grid.addWidget(QLabel("Shape"), 0, 2 * column)
            grid.addWidget(QLabel("Style"), 0, 2 * column + 1)
            grid.setColumnStretch(2 * column + 1, 1)
        for label, box in zip(LABELS, self.boxes, strict=True):
            box.toggled.connect(lambda on, id=label.id: self._tick_shape(id, on))
            if label.id not in present:
                box.setText(f"{label.title}, not there")
            place = 1 + label.id % rows, 2 * (label.id // rows)
            grid.addWidget(box, *place)
            if label.id in self.style_boxes:
                grid.addWidget(self._style_box(label.id), place[0], place[1] + 1)
        return grid

    def _style_box(self, id: int) -> QCheckBox:
        box, part = self.style_boxes[id], STYLE_PART_OF[id]
        box.setAccessibleName(f"Style of {LABELS[id].title}")
        box.setEnabled(part in self._styles)
        together = ", ".join(LABELS[each].title for each in STYLE_PARTS[part])
        box.setToolTip(f"Take the colours: {together}" if box.isEnabled() else "The other face shows no colours of it")
        box.toggled.connect(lambda on: self._tick_part(part, on))
        return box

    # What is ticked ---------------------------------------------------------------------------------------------

    def tick(self, ids: Iterable[int]) -> None:
        """Tick exactly these classes: their shape, their style or both, as the choice before the buttons says."""
        self._wanted = set(ids)
        self._show_wanted()

    def _show_wanted(self) -> None:
        what = self.what.currentData()
        for id, box in enumerate(self.boxes):
            _set_quietly(box, id in self._wanted and what != STYLE)
        parts = {STYLE_PART_OF[id] for id in self._wanted & STYLE_PART_OF.keys()} if what != SHAPE else set()
        for id, box in self.style_boxes.items():
            _set_quietly(box, STYLE_PART_OF[id] in parts and box.isEnabled())
        self._refresh()

    def taken(self) -> Taken:
        """What is ticked."""
        ticked = frozenset(id for id, box in enumerate(self.boxes) if box.isChecked())
        parts = frozenset(STYLE_PART_OF[id] for id, box in self.style_boxes.items() if box.isChecked())
        return Taken(None if len(ticked) == len(LABELS) else ticked, parts)

    def _tick_shape(self, id: int, on: bool) -> None:
        part = STYLE_PART_OF.get(id)
        if on:
            self._wanted.add(id)
        elif part not in self.taken().parts or self._wanted & set(STYLE_PARTS[part]) != {id}:
            self._wanted.discard(id)  # but the last one stands for the style of its part
        self._refresh()

    def _tick_part(self, part: str, on: bool) -> None:
        ids = set(STYLE_PARTS[part])
        for id in ids:
            _set_quietly(self.style_boxes[id], on)
        if not on:
            self._wanted -= {id for id in ids if not self.boxes[id].isChecked()}
        elif not self._wanted & ids:
            self._wanted |= ids
        self._refresh()

    # What it will look like -------------------------------------------------------------------------------------

    def _labels(self) -> np.ndarray:
        classes = self.taken().classes
        return self._source if classes is None else transfer_labels(self._before, self._source, classes)

    def _refresh(self) -> None:
        taken = self.taken()
        self._after.setPixmap(self._pixmap(imaging.colourise(self._labels(), colour_blind=self._colour_blind)))
        something = taken.classes is None or bool(taken.classes or taken.parts)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(something)
        if self._ask_preview is not None:
            if self._face.pixmap().isNull():
                self._face.setText("The face appears here.")
            self._pause.start()

    def _preview(self) -> None:
        """Ask for the picture of what is ticked now; while one is on its way, the next waits for it."""
        if self._in_flight:
            self._stale = True
            return
        self._in_flight, self._stale = True, False
        styles = {part: self._styles[part] for part in self.taken().parts}
        self._ask_preview(self._labels(), {**self._own_styles, **styles}, self._show, self._explain)

    def _show(self, image: QImage) -> None:
        self._arrived(lambda: self._face.setPixmap(self._scaled(image)))

    def _explain(self, reason: str) -> None:
        self._arrived(lambda: self._face.setText(reason))

    def _arrived(self, show: Callable[[], None]) -> None:
        """A picture has come, or the reason why there is none; perhaps after the dialog was closed."""
        self._in_flight = False
        if not self._closed:
            show()
            if self._stale:
                self._preview()

    def done(self, code: int) -> None:
        self._closed = True
        self._pause.stop()
        super().done(code)

    def _picture(self, photo: np.ndarray) -> QLabel:
        picture = QLabel()
        picture.setPixmap(self._pixmap(photo))
        return picture

    def _pixmap(self, photo: np.ndarray) -> QPixmap:
        return self._scaled(photo_image(photo))

    def _scaled(self, image: QImage) -> QPixmap:
        return QPixmap.fromImage(image).scaled(
            self.SIDE, self.SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )


def _set_quietly(box: QCheckBox, on: bool) -> None:
    box.blockSignals(True)
    box.setChecked(on)
    box.blockSignals(False)

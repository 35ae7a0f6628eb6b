"""The panel of pieces: little pictures by kind; a click puts one on the face."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import cv2
import numpy as np
from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QIcon, QKeySequence, QPixmap
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from maskedit.document.beneath import beneath
from maskedit.document.drawn_pieces import DRAWN, standard_face
from maskedit.document.history import bounds
from maskedit.document.piece_files import SavedPiece
from maskedit.document.pieces import OUTSIDE
from maskedit.gui.editor import Editor
from maskedit.gui.files.pieces import AnyPiece, PieceShelf
from maskedit.gui.panels.style_panel import plain_tip
from maskedit.gui.qimage import photo_image
from maskedit.labels import palette

_COLUMNS, _SIDE = 3, 56
_FACE = 160
"""Side of the face that pieces are shown on."""
_CLOSEST, _PAIR = 0.4, 0.5
"""Of its side: how much of that face is seen at least; how wide a pair is of which one alone is shown."""


@cache
def _face() -> np.ndarray:
    return standard_face(_FACE)


def picture(piece: AnyPiece, *, colour_blind: bool) -> np.ndarray:
    """A piece in the colours of its classes on a grey face, (s, s, 3) uint8."""
    labels, covered = _face(), np.zeros((_FACE, _FACE), bool)
    placed = piece.on(labels)
    after = beneath(labels, piece.gone(labels, placed))
    for each in placed:
        drawn = each.piece.drawn(each.placement, width=_FACE, height=_FACE)
        if drawn is not None:
            box, ids = drawn
            np.copyto(after[box.slices], ids, where=ids != OUTSIDE)
            covered[box.slices] |= ids != OUTSIDE
    grey = (62 + 0.5 * palette(colour_blind=True).mean(axis=1)).astype(np.uint8)
    colours = np.where(covered[..., None], palette(colour_blind=colour_blind)[after], grey[after][..., None])
    seen = bounds(covered)
    if len(placed) > 1 and seen is not None and seen.width > _PAIR * _FACE:
        covered[:, _FACE // 2 :] = False
        seen = bounds(covered)
    if seen is None:
        return colours
    side = min(_FACE, max(round(_CLOSEST * _FACE), round(1.15 * max(seen.width, seen.height))))
    left, top = (round((first + last - side) / 2) for first, last in ((seen.x0, seen.x1), (seen.y0, seen.y1)))
    left, top = (min(max(start, 0), _FACE - side) for start in (left, top))
    return np.ascontiguousarray(colours[top : top + side, left : left + side])


class PiecesPanel(QWidget):
    """Shows the shelf; empty until `fill` is called, so that the window opens as quickly as ever."""

    def __init__(self, editor: Editor, shelf: PieceShelf, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor, self._shelf = editor, shelf
        self._filled = False
        self.buttons: dict[str, QToolButton] = {}
        """By the name of the piece."""
        self._list = QWidget()
        self._rows = QVBoxLayout(self._list)
        self._rows.setContentsMargins(6, 4, 6, 4)
        self._rows.setSpacing(2)
        scroll = QScrollArea()
        scroll.setWidget(self._list)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.save = QPushButton("Save as a piece…")
        self.save.setToolTip("Keep the region that is held with Transform (T) in this library")
        self.save.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.save.clicked.connect(shelf.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 4)
        column.addWidget(scroll, 1)
        column.addWidget(self.save)
        shelf.changed.connect(self._show)
        editor.options_changed.connect(self._recolour)
        self._colour_blind = editor.colour_blind

    def fill(self) -> None:
        """Show all pieces, those on the disk among them; the first time only."""
        if not self._filled:
            self._filled = True
            self._shelf.read()

    @Slot()
    def _recolour(self) -> None:
        if self._filled and self._colour_blind != self._editor.colour_blind:
            self._show()

    @Slot()
    def _show(self) -> None:
        self._filled, self._colour_blind = True, self._editor.colour_blind
        while self._rows.count():
            self._rows.takeAt(0).widget().deleteLater()
        self.buttons = {}
        groups = [(title, list(pieces)) for title, pieces in groupby(DRAWN, lambda piece: piece.group)]
        if self._shelf.saved:
            groups.append(("Your own", list(self._shelf.saved)))
        for title, pieces in groups:
            self._rows.addWidget(QLabel(title))
            self._rows.addWidget(self._grid(pieces))
        self._rows.addWidget(QWidget(), 1)

    def _grid(self, pieces: list[AnyPiece]) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 4)
        grid.setSpacing(2)
        for index, piece in enumerate(pieces):
            button = self.buttons[piece.name] = self._button(piece)
            grid.addWidget(button, index // _COLUMNS, index % _COLUMNS)
        grid.setColumnStretch(_COLUMNS, 1)
        return box

    def _button(self, piece: AnyPiece) -> QToolButton:
        button = QToolButton()
        pixels = cv2.resize(
            picture(piece, colour_blind=self._editor.colour_blind), (2 * _SIDE, 2 * _SIDE), interpolation=cv2.INTER_AREA
        )
        button.setIcon(QIcon(QPixmap.fromImage(photo_image(pixels))))
        button.setIconSize(QSize(_SIDE, _SIDE))
        button.setAutoRaise(True)
        # Tab reaches it, a click does not: the keys stay with the canvas, and the piece.
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(piece.name)
        button.setToolTip(plain_tip(piece.name))
        button.clicked.connect(lambda: self._shelf.put_on(piece))
        if isinstance(piece, SavedPiece):
            delete = QAction("Delete", button)
            delete.setShortcut(QKeySequence(Qt.Key.Key_Delete))
            delete.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            delete.triggered.connect(lambda: self._shelf.delete(piece))
            button.addAction(delete)
            button.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            button.setToolTip(plain_tip(f"{piece.name}\nRight click to delete it"))
        return button

"""The library of pieces: puts them on the face, keeps those that a person saves, and forgets them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from maskedit.document.drawn_pieces import DrawnPiece
from maskedit.document.piece_files import SavedPiece, delete_piece, read_pieces, write_piece
from maskedit.errors import UserError
from maskedit.gui.canvas.label_canvas import LabelCanvas
from maskedit.gui.dialogs.dialogs import Dialogs
from maskedit.gui.editor import Editor
from maskedit.gui.files import recovery
from maskedit.gui.states import Level

AnyPiece = DrawnPiece | SavedPiece
_HINT = "Drag it or its handles; beside a corner it turns, H mirrors it. Enter lets it go, Esc gives it up."


def pieces_folder() -> Path:
    """Where a person's own pieces lie, beside the recovery files."""
    return recovery.recovery_folder().parent / "pieces"


class PieceShelf(QObject):
    """What the panel of pieces shows and does.

    Args:
        canvas: its transform tool holds what is put on, and gets the keys then.
    """

    changed = Signal()

    def __init__(self, editor: Editor, canvas: LabelCanvas, dialogs: Dialogs, parent: QObject | None = None):
        super().__init__(parent)
        self._editor, self._canvas, self._dialogs = editor, canvas, dialogs
        self.saved: list[SavedPiece] = []
        """The person's own, by name, once they were read."""
        self._hinted = False

    def read(self) -> None:
        """Look for the person's own pieces on the disk; what is damaged is told, and left out."""
        self.saved, failures = read_pieces(pieces_folder())
        if failures:
            more = f" So are {len(failures) - 1} more." if len(failures) > 1 else ""
            self._editor.tell(Level.ERROR, failures[0] + more)
        self.changed.emit()

    def put_on(self, piece: AnyPiece) -> None:
        """Lay a piece over the face, where it floats until it is let go."""
        document, pieces = self._editor.document, self._canvas.tools.pieces
        if document is None or document.stroke is not None:
            return
        self._editor.set_tool("transform")
        pieces.let_go()
        placed = piece.on(document.labels)
        pieces.lay_on(placed, gone=piece.gone(document.labels, placed), name=f"Place {piece.name.lower()}")
        self._canvas.setFocus()
        if not self._hinted:
            self._hinted = True
            self._editor.tell(Level.INFO, _HINT)

    def save(self) -> None:
        """Keep what floats as a piece of the person's own, by a name that is asked for."""
        floating = self._canvas.tools.pieces.floating
        if floating is None:
            self._editor.tell(Level.INFO, "Take a region with Transform (T) first: it becomes the piece.")
            return
        name = self._dialogs.ask_name("Save as a piece", "Name of the piece", floating.name.partition(" ")[2])
        if name is None:
            return
        self._change(lambda: write_piece(pieces_folder(), SavedPiece.of(name, floating)))

    def delete(self, piece: SavedPiece) -> None:
        """Forget one of the person's own pieces."""
        if self._dialogs.ask_delete(piece.name):
            self._change(lambda: delete_piece(piece))

    def _change(self, work: Callable[[], object]) -> None:
        try:
            work()
        except UserError as error:
            self._editor.tell(Level.ERROR, str(error))
        self.read()

"""Pieces that a person has saved: each a PNG file that says where on a face it belongs.

The picture holds the ids as indices of the published palette, `OUTSIDE` is transparent; a text in it, JSON under the
key ``maskedit-piece``, has the name and the place in the measure of a face (see `Sketch`). Files come from elsewhere,
too: what is read is checked and bounded.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from maskedit.document.drawn_pieces import replaced_by
from maskedit.document.floating import Floating, Placed
from maskedit.document.history import bounds
from maskedit.document.pieces import OUTSIDE, Piece
from maskedit.document.placement import Placement
from maskedit.document.sketch import Sketch
from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.labels import palette

SUFFIX = ".png"
MAX_NAME = 60
_KEY, _VERSION = "maskedit-piece", 1
_MAX_SIDE = 8192
_FARTHEST = 50.0
"""Times the distance of the eyes: no piece lies farther from them, or is larger."""
_ALMOST_ALL = 0.9
_REMEDY = "Remove the file, or save the piece anew."
_DAMAGE = (
    *(ValueError, KeyError, TypeError, AttributeError, OverflowError, SyntaxError, RecursionError),
    *(EOFError, struct.error, zlib.error, Image.DecompressionBombError),
)


@dataclass(frozen=True, eq=False)
class SavedPiece:
    """A piece with the place that it has on any face."""

    name: str
    piece: Piece
    placement: Placement
    """In the measure of a face."""
    adds: bool = False
    """Whether it is laid beside what the face has of its classes, and does not take its place."""
    path: Path | None = None

    @classmethod
    def of(cls, name: str, floating: Floating) -> SavedPiece:
        """What floats, with both sides of a face in one; it replaces what it was almost all of."""
        placed = _in_one(floating)
        sketch, at = Sketch(floating.before), placed.placement
        x, y = sketch.to_face(at.x, at.y)
        apart = sketch.points.apart
        placement = replace(
            at, x=x, y=y, width=at.width / apart, height=at.height / apart, degrees=at.degrees - sketch.points.degrees
        )
        all_of_it = np.isin(floating.before, placed.piece.classes).sum()
        share = at.width * at.height * (placed.piece.ids != OUTSIDE).mean() / max(1, all_of_it)
        return cls(name.strip()[:MAX_NAME] or "Piece", placed.piece, placement, adds=bool(share < _ALMOST_ALL))

    def on(self, labels: np.ndarray) -> list[Placed]:
        """The piece as it lies on the face of a map (H, W) uint8."""
        sketch, at = Sketch(labels), self.placement
        x, y = sketch.to_map(at.x, at.y)
        apart, degrees = sketch.points.apart, at.degrees + sketch.points.degrees
        return [Placed(self.piece, replace(at, x=x, y=y, width=at.width * apart, height=at.height * apart,
                                           degrees=degrees))]  # fmt: skip

    def gone(self, labels: np.ndarray, placed: list[Placed]) -> np.ndarray:
        """(H, W) bool: what goes when it comes to a face."""
        return np.isin(labels, [] if self.adds else replaced_by(self.piece.classes))


def write_piece(folder: Path, saved: SavedPiece) -> SavedPiece:
    """Write it into a folder, which is made if need be, under a file name of its own; the piece with its path.

    Raises UserError when the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made ({error.strerror or error}); make room for it.") from error
    slug = re.sub(r"[^\w-]+", "-", saved.name).strip("-").lower() or "piece"
    names = (f"{slug}{'' if count == 1 else f'-{count}'}{SUFFIX}" for count in range(1, 10_000))
    path = next(folder / name for name in names if not (folder / name).exists())
    image = Image.fromarray(saved.piece.ids)
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(palette().tobytes() + bytes(3 * (256 - len(palette()))))
    at = saved.placement
    text = PngInfo()
    text.add_itxt(_KEY, json.dumps({
        "version": _VERSION, "name": saved.name, "adds": saved.adds, "mirrored": at.mirrored,
        "place": [at.x, at.y, at.width, at.height, at.degrees],
    }))  # fmt: skip
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=OUTSIDE, pnginfo=text)
    atomic_write_bytes(path, buffer.getvalue())
    return replace(saved, path=path)


def read_piece(path: Path) -> SavedPiece:
    """Read one file; raises UserError when it cannot be read, is no piece, or is damaged."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode != "P" or max(image.size) > _MAX_SIDE:
                raise ValueError(f"it is a {image.mode} picture of {image.width} x {image.height} px")
            ids = np.array(image)
            state = json.loads(image.text[_KEY])
        x, y, width, height, degrees = (float(value) for value in state["place"])
        near = all(abs(value) <= _FARTHEST for value in (x, y)) and all(0 < v <= _FARTHEST for v in (width, height))
        if not near or not math.isfinite(degrees):
            raise ValueError("it lies nowhere near a face")
        name = str(state["name"]).strip()[:MAX_NAME] or path.stem
        placement = Placement(x, y, width, height, degrees % 360, bool(state["mirrored"]))
        return SavedPiece(name, Piece(ids), placement, bool(state["adds"]), path)
    except OSError as error:
        raise UserError(f"The piece {path.name} cannot be read ({error.strerror or 'damaged'}). {_REMEDY}") from error
    except _DAMAGE as error:
        raise UserError(f"The piece {path.name} is damaged or none of maskedit's ({error}). {_REMEDY}") from error


def read_pieces(folder: Path) -> tuple[list[SavedPiece], list[str]]:
    """All pieces of a folder by name, and a sentence for each file that is none; none of both without a folder."""
    pieces, failures = [], []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []:
        try:
            pieces.append(read_piece(path))
        except UserError as error:
            failures.append(str(error))
    return sorted(pieces, key=lambda piece: piece.name.lower()), failures


def delete_piece(saved: SavedPiece) -> None:
    """Remove its file; one that is gone already is no error. Raises UserError when the disk refuses."""
    if saved.path is not None:
        try:
            with contextlib.suppress(FileNotFoundError):
                saved.path.unlink()
        except OSError as error:
            raise UserError(f"{saved.path} cannot be removed ({error.strerror or error}).") from error


def _in_one(floating: Floating) -> Placed:
    """Both sides of a face as one piece, as they lie now; one alone as it was taken."""
    if len(floating.placed) == 1:
        return Placed(floating.piece, floating.placement)
    height, width = floating.before.shape
    sheet = np.full((height, width), OUTSIDE, np.uint8)
    for each in floating.placed:
        drawn = each.piece.drawn(each.placement, width=width, height=height)
        if drawn is not None:
            box, ids = drawn
            np.copyto(sheet[box.slices], ids, where=ids != OUTSIDE)
    box = bounds(sheet != OUTSIDE)
    if box is None:
        return Placed(floating.piece, floating.placement)
    place = Placement((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, box.width, box.height)
    return Placed(Piece(sheet[box.slices].copy()), place)

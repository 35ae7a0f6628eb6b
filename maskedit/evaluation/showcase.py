"""The picture in the README: the bundled portraits with the twelve edits that people try first, and with other colours,
as the window makes them. A row begins with the photo; each edited photo has its label map in a corner."""

from __future__ import annotations

import numpy as np

from maskedit import imaging
from maskedit.evaluation.everyday import EDITS, Sources
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.part_colours import colour_style
from maskedit.render.renderer import Renderer
from maskedit.resources import portrait

Colours = dict[str, tuple[int, int, int]]
"""Part of the face -> red, green and blue."""
ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("collins", ("closed mouth", "glasses by hand", "another's glasses", "longer hair")),
    ("collins", ("bangs", "short hair", "bald", "hat")),
    ("hopper", ("smile", "thicker brows", "narrower jaw", "earrings")),
    ("collins", ("dark hair", "red and longer", "red lips", "red frames")),
)
"""Whose photo a row shows, and its edits: names of `EDITS`, or of `COLOURED`."""
COLOURED: dict[str, tuple[str | None, Colours]] = {
    "dark hair": (None, {"hair": (58, 38, 28)}),
    "red and longer": ("longer hair", {"hair": (140, 62, 30)}),
    "red lips": (None, {"lips": (160, 24, 52)}),
    "red frames": ("another's glasses", {"glasses": (150, 24, 32)}),
}
"""Edits with colours of their own: name -> which of `EDITS`, if any, and which colours."""
_INSET = 0.3
"""Of a tile's side: how large the label map in its corner is."""


def showcase(renderer: Renderer, *, side: int = 320) -> np.ndarray:
    """The captioned rows, one below the other: (H, W, 3) uint8 RGB with tiles of ``side`` px."""
    faces = {}
    for name in ("collins", "hopper"):
        photo, labels = portrait(name)
        faces[name] = imaging.read_photo(photo), imaging.read_labels(labels)
    sources = Sources(smile=faces["collins"][1], glasses=faces["hopper"][1])
    editor, sheets = EditRenderer(renderer), []
    for name, edits in ROWS:
        photo, labels = faces[name]
        tiles = [imaging.resize_photo(photo, (side, side))]
        for edit in edits:
            shape, colours = COLOURED.get(edit, (edit, {}))
            edited = labels if shape is None else EDITS[shape](labels, sources)
            styles = {part: colour_style(colour) for part, colour in colours.items()}
            editor.set_target(photo, labels, styles=styles)
            tiles.append(_with_labels(imaging.resize_photo(editor.render(edited).image, (side, side)), edited))
        sheets.append(imaging.captioned_sheet([tiles], ("photo", *edits)))
    return np.concatenate(sheets)


def _with_labels(tile: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A tile (S, S, 3) with a label map (H, W), in its colours, in the lower right corner."""
    small = round(_INSET * len(tile))
    tile = tile.copy()
    tile[-small:, -small:] = imaging.resize_photo(imaging.colourise(labels), (small, small))
    return tile

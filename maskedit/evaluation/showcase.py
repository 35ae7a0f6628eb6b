"""The picture in the README: the bundled portraits with the twelve edits that people try first, as the window makes
them. A row begins with the photo; each edited photo has its edited label map in a corner."""

from __future__ import annotations

import numpy as np

from maskedit import imaging
from maskedit.evaluation.everyday import EDITS, Sources
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.renderer import Renderer
from maskedit.resources import portrait

ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("collins", ("closed mouth", "glasses by hand", "another's glasses", "longer hair")),
    ("collins", ("bangs", "short hair", "bald", "hat")),
    ("hopper", ("smile", "thicker brows", "narrower jaw", "earrings")),
)
"""Whose photo a row shows, and its edits, names of `maskedit.evaluation.everyday.EDITS`."""
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
        editor.set_target(photo, labels)
        tiles = [imaging.resize_photo(photo, (side, side))]
        for edit in edits:
            edited = EDITS[edit](labels, sources)
            tiles.append(_with_labels(imaging.resize_photo(editor.render(edited).image, (side, side)), edited))
        sheets.append(imaging.captioned_sheet([tiles], ("photo", *edits)))
    return np.concatenate(sheets)


def _with_labels(tile: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A tile (S, S, 3) with a label map (H, W), in its colours, in the lower right corner."""
    small = round(_INSET * len(tile))
    tile = tile.copy()
    tile[-small:, -small:] = imaging.resize_photo(imaging.colourise(labels), (small, small))
    return tile

"""The picture in the README: the bundled portraits, edited by the same strokes every time.

One row an edit: photo, label map, reconstruction from it, edited label map, render of that, and the edit laid into the
photo, as the window shows it. The edits are made with
the document's own strokes, fills and transfers, as a person would make them in the window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskedit import imaging
from maskedit.document.document import Document
from maskedit.labels import FACE_PARTS, ids_of
from maskedit.render.compositing import WHOLE_FACE
from maskedit.render.edit_renderer import EditRenderer
from maskedit.render.renderer import Renderer
from maskedit.resources import portrait

CAPTIONS = ("Photo", "Labels", "Reconstruction", "Edited labels", "Edited", "In the photo")
HAIR, SKIN, HAT = ids_of("hair", "skin", "hat")


def longer_hair(document: Document) -> None:
    """Two broad strokes down from the temples."""
    for points in (((70, 250), (62, 330), (80, 420), (96, 505)), ((420, 250), (428, 330), (415, 420), (400, 505))):
        stroke = document.begin_stroke(HAIR, diameter=86)
        for point in points:
            stroke.move_to(*point)
        stroke.commit()


def _take(part: str, name: str) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        source = imaging.read_labels(portrait(name)[1])
        document.replace_labels(source, classes=FACE_PARTS[part], name=f"Take {part.lower()}")

    return edit


def no_hat(document: Document) -> None:
    """The hat becomes hair, as a fill of the whole class."""
    x, y = np.argwhere(document.labels == HAT)[0][::-1]
    document.fill(x + 0.5, y + 0.5, HAIR, whole_class=True)


EDITS: tuple[tuple[str, Callable[[Document], None]], ...] = (
    ("collins", longer_hair),
    ("collins", _take("Eyeglasses", "hopper")),
    ("hopper", _take("Smile", "collins")),
    ("hopper", no_hat),
)


def showcase(renderer: Renderer, *, side: int = 256) -> np.ndarray:
    """The captioned sheet (H, W, 3) uint8 RGB with tiles of ``side`` px."""
    rows, editor = [], EditRenderer(renderer)
    for name, edit in EDITS:
        photo_file, labels_file = portrait(name)
        photo, labels = imaging.read_photo(photo_file), imaging.read_labels(labels_file)
        document = Document(photo, labels)
        editor.set_target(photo, labels)
        edit(document)
        reconstruction, edited = (editor.render(each, WHOLE_FACE).image for each in (labels, document.snapshot()))
        row = [photo, labels, reconstruction, document.snapshot(), edited, editor.render(document.snapshot()).image]
        rows.append([imaging.fit_square(photo, None, side)[0], *row[1:]])
    return imaging.captioned_sheet(rows, CAPTIONS)

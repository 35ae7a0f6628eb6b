"""maskedit: edit a face by painting its label map.

EDIT   photo file -> opening -> face (find, align, parse) -> Document <- Stroke <- Tools <- LabelCanvas
       Document -> RenderRequest -> RenderWorker -> EditRenderer -> Renderer: a completion of what changed, where the
       weights see the photo; else the whole face, or boxes of it while the brush moves, laid into the photo
       -> EditResult -> ResultView; the export lays it into the whole photo
TRAIN  data folders -> data -> training stages (networks, losses) -> run folder -> checkpoint with its model card
       -> weights -> Renderer, FaceParser

CONTRIBUTING.md shows the rooms, follows one stroke, and says where to add something. Imports point one way:
``bench`` -> ``gui | training | evaluation | edit`` -> ``data`` -> ``render | face | opening | measures`` ->
``document | models`` -> ``imaging`` -> ``labels`` and the other small modules. The names below are the public surface;
they load lazily, so that ``import maskedit`` costs neither torch nor Qt.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # where the log goes is the program's to say

_PUBLIC = {
    "LABELS": "maskedit.labels",
    "UserError": "maskedit.errors",
    "Square": "maskedit.imaging",
    "cut_square": "maskedit.imaging",
    "read_photo": "maskedit.imaging",
    "read_labels": "maskedit.imaging",
    "write_photo": "maskedit.imaging",
    "write_labels": "maskedit.imaging",
    "FaceFinder": "maskedit.face.locate",
    "FaceParser": "maskedit.face.parser",
    "Blend": "maskedit.render.compositing",
    "EditRenderer": "maskedit.render.edit_renderer",
    "EditResult": "maskedit.render.results",
    "Renderer": "maskedit.render.renderer",
    "RenderResult": "maskedit.render.results",
    "colour_style": "maskedit.render.part_colours",
    "compose": "maskedit.render.compositing",
    "paste_back": "maskedit.render.pasting",
    "style_of": "maskedit.render.part_colours",
}
__all__ = [
    "LABELS",
    "Blend",
    "EditRenderer",
    "EditResult",
    "FaceFinder",
    "FaceParser",
    "RenderResult",
    "Renderer",
    "Square",
    "UserError",
    "colour_style",
    "compose",
    "cut_square",
    "paste_back",
    "read_labels",
    "read_photo",
    "style_of",
    "write_labels",
    "write_photo",
]

if TYPE_CHECKING:
    from maskedit.errors import UserError
    from maskedit.face.locate import FaceFinder
    from maskedit.face.parser import FaceParser
    from maskedit.imaging import Square, cut_square, read_labels, read_photo, write_labels, write_photo
    from maskedit.labels import LABELS
    from maskedit.render.compositing import Blend, compose
    from maskedit.render.edit_renderer import EditRenderer
    from maskedit.render.part_colours import colour_style, style_of
    from maskedit.render.pasting import paste_back
    from maskedit.render.renderer import Renderer
    from maskedit.render.results import EditResult, RenderResult


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'maskedit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

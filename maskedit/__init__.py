"""maskedit: edit a face by painting its label map.

EDIT   photo file -> imaging -> face (find, align, parse) -> Document <- strokes <- canvas
       Document -> RenderRequest -> Renderer [style code once per photo; a box of the generator while the brush moves,
       all of it at rest; learn this face]
       -> compositing -> preview -> export into the whole photo
TRAIN  dataset folder -> dataset -> training stages [models, losses] -> run folder -> checkpoint -> weights/
       -> Renderer, FaceParser

Imports point one way: ``bench`` -> ``gui | training | evaluation | data_tools | edit`` -> ``render | face`` ->
``document | models | dataset`` -> ``imaging`` -> ``labels``. The names below are the public surface; they load lazily,
so that ``import maskedit`` costs neither torch nor Qt.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

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
    "Renderer": "maskedit.render.renderer",
    "RenderResult": "maskedit.render.renderer",
    "compose": "maskedit.render.compositing",
    "paste_back": "maskedit.render.pasting",
}
__all__ = [
    "LABELS",
    "FaceFinder",
    "FaceParser",
    "RenderResult",
    "Renderer",
    "Square",
    "UserError",
    "compose",
    "cut_square",
    "paste_back",
    "read_labels",
    "read_photo",
    "write_labels",
    "write_photo",
]

if TYPE_CHECKING:
    from maskedit.errors import UserError
    from maskedit.face.locate import FaceFinder
    from maskedit.face.parser import FaceParser
    from maskedit.imaging import Square, cut_square, read_labels, read_photo, write_labels, write_photo
    from maskedit.labels import LABELS
    from maskedit.render.compositing import compose
    from maskedit.render.pasting import paste_back
    from maskedit.render.renderer import Renderer, RenderResult


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'maskedit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

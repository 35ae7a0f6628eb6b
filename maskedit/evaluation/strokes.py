"""Edits that a person would paint, on any face: the document's own strokes, placed by the label map.

Each is painted move by move, because the editor renders after every move of the mouse, not after the stroke alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maskedit.document.document import Document
from maskedit.labels import BY_NAME, ids_of

_SIDE = 256
"""Lengths here are in pixels of a square of this side; they are scaled to the map's."""
_FEW = 20
"""Pixels of such a square: a region or an edit with fewer is not there."""


@dataclass(frozen=True, eq=False)
class Brushwork:
    """One stroke: (n, 2) points (x, y), of a map of 256 x 256 pixels, as the diameter."""

    label: str
    points: np.ndarray
    diameter: float


@dataclass(frozen=True, eq=False)
class Edit:
    """An edit of one face."""

    kind: str
    """A key of ``KINDS``."""
    maps: list[np.ndarray]
    """(S, S) uint8 label maps, one after every mouse move that changed something; the last is the edited map."""
    undone: list[np.ndarray]
    """(S, S) uint8 after taking back each stroke, the last first; the last map is the unedited one."""


def make_edit(kind: str, photo: np.ndarray, labels: np.ndarray, turn: int = 0) -> Edit | None:
    """Paint one of ``KINDS`` on a face: photo (S, S, 3) uint8 and label map (S, S) uint8.

    Args:
        turn: left or right, opened or smiling, where a kind has two ways: even and odd.

    Returns:
        None where the map has no place for it.
    """
    scale = labels.shape[0] / _SIDE
    strokes = KINDS[kind](_Regions(labels, scale), turn % 2)
    document, maps = Document(photo, labels), []
    for each in strokes:
        stroke = document.begin_stroke(BY_NAME[each.label].id, diameter=max(1.0, each.diameter * scale))
        for x, y in each.points * scale:
            if stroke.move_to(float(x), float(y)) is not None:
                maps.append(document.labels.copy())
        stroke.commit()
    if not maps or (maps[-1] != labels).sum() < _FEW * scale**2:
        return None
    undone = []
    while document.undo() is not None:
        undone.append(document.labels.copy())
    return Edit(kind, maps, undone)


class _Regions:
    """Where the labels of a map lie, in pixels of a map of 256 x 256."""

    def __init__(self, labels: np.ndarray, scale: float):
        self._labels, self._scale = labels, scale

    def __call__(self, *names: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(n,) x and (n,) y of the centres of the labels' pixels, or None where there are too few."""
        rows, columns = np.nonzero(np.isin(self._labels, ids_of(*names)))
        if rows.size < _FEW * self._scale**2:
            return None
        return (columns + 0.5) / self._scale, (rows + 0.5) / self._scale


def _mouth(regions: _Regions, turn: int) -> list[Brushwork]:
    """Opened, the lower lip lower and the mouth between; or smiling, with the corners drawn out and up."""
    found = regions("mouth", "u_lip", "l_lip")
    if found is None:
        return []
    x, y = found
    left, right, middle, bottom = x.min(), x.max(), y.mean(), y.max()
    width = right - left
    if turn == 0:
        across = np.linspace(left + 0.22 * width, right - 0.22 * width, 6)
        bend = 3 * np.cos(np.linspace(-np.pi / 2, np.pi / 2, 6))
        lip = np.column_stack([across, bottom + bend])
        return [Brushwork("l_lip", lip, 7), Brushwork("mouth", np.column_stack([across, middle + 2 + bend]), 9)]
    out, up = np.linspace(0, 8, 4), np.linspace(0, 7, 4)
    corners = [np.column_stack([left + 3 - out, middle - up]), np.column_stack([right - 3 + out, middle - up])]
    return [Brushwork("u_lip", corner, 5) for corner in corners]


def _brow(regions: _Regions, turn: int) -> list[Brushwork]:
    """Raised: painted anew higher up, with skin where its lower rim was."""
    names = ("l_brow", "r_brow")
    for name in names[turn:] + names[:turn]:
        found = regions(name)
        if found is not None:
            x, y = found
            across = np.linspace(x.min() + 1, x.max() - 1, 6)
            columns, number = np.unique(
                x, return_inverse=True
            )  # hair may part a brow: there is not one in every column
            line = np.interp(across, columns, np.bincount(number, weights=y) / np.bincount(number))
            above, below = np.column_stack([across, line - 6]), np.column_stack([across, line + 3])
            return [Brushwork(name, above, 8), Brushwork("skin", below, 5)]
    return []


def _hair(regions: _Regions, turn: int) -> list[Brushwork]:
    """Longer on one side."""
    found = regions("hair")
    if found is None:
        return []
    x, y = found
    across, top = np.percentile(x, (95, 5)[turn]), np.percentile(y, 70)
    down = np.minimum(top + np.linspace(0, 60, 8), _SIDE - 2)
    return [Brushwork("hair", np.column_stack([np.full(8, across), down]), 28)]


def _glasses(regions: _Regions, turn: int) -> list[Brushwork]:
    """Both eyes outlined and a bridge between; not on a face that wears glasses."""
    eyes = [regions(name) for name in ("r_eye", "l_eye")]
    if regions("eye_g") is not None or None in eyes:
        return []
    circle = np.linspace(0, 2 * np.pi, 9)
    centres = [np.array([x.mean(), y.mean()]) for x, y in eyes]
    rims = [centre + np.column_stack([18 * np.cos(circle), 13 * np.sin(circle)]) for centre in centres]
    bridge = np.array([centres[0] + (18, 0), centres[1] - (18, 0)])
    return [*(Brushwork("eye_g", rim, 5) for rim in rims), Brushwork("eye_g", bridge, 4)]


KINDS: dict[str, Callable[[_Regions, int], list[Brushwork]]] = {
    "mouth": _mouth,
    "brow": _brow,
    "hair": _hair,
    "glasses": _glasses,
}
"""Name of a kind of edit -> its strokes on a face; none where the face has no place for it."""

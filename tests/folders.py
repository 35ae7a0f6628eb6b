"""A data set folder of drawn faces, for tests that need files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from maskedit.labels import BY_NAME, NUM_LABELS, palette
from tests.faces import draw_face


def write_faces(folder: Path, count: int, *, side: int = 64) -> Path:
    """Write ``images/000.png`` .. and ``masks/`` with ``count`` drawn faces; face i has seed i."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for index in range(count):
        photo, labels = draw_face(side, index)
        Image.fromarray(photo).save(folder / "images" / f"{index:03d}.png")
        write_map(folder / "masks" / f"{index:03d}.png", labels)
    return folder


def write_map(path: Path, labels: np.ndarray) -> None:
    """Write a label map as the data set has them: a palette PNG whose entries are ids."""
    picture = Image.fromarray(labels)
    picture.putpalette(palette().tobytes())
    picture.save(path)


def swapped(labels: np.ndarray, *names: str) -> np.ndarray:
    """The map with ``l_{name}`` and ``r_{name}`` exchanged."""
    table = np.arange(NUM_LABELS, dtype=np.uint8)
    for name in names:
        left, right = BY_NAME[f"l_{name}"].id, BY_NAME[f"r_{name}"].id
        table[left], table[right] = right, left
    return table[labels]

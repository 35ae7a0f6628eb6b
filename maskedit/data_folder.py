"""What can be said of data set folders without torch: how flags name them, which files are photos, left and right."""

from __future__ import annotations

import os
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

import numpy as np

from maskedit.errors import UserError
from maskedit.labels import MIRROR_PARTNERS

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
"""Of photos, in lower case; label maps are .png only."""
LABELLED = "labelled.json"
"""In a data set folder: a parser drew its label maps, and not people (``maskedit-data label`` writes it)."""
WEIGHTS = (Decimal("0.001"), Decimal(100))
"""The least and the largest weight of a folder."""


def folder_texts(data: str | os.PathLike | Iterable[str | os.PathLike]) -> tuple[str, ...]:
    """The values of ``--data`` as a tuple, of one that stands alone too: Python code and old options have a string."""
    if isinstance(data, str | os.PathLike):
        return (os.fspath(data),) if os.fspath(data) else ()
    return tuple(os.fspath(each) for each in data)


def folder_and_weight(text: str) -> tuple[Path, Fraction | None]:
    """``FOLDER[:WEIGHT]`` as the folder and its weight, exact; None when none is given.

    What exists under the whole text is a folder, colon or not, and so is what has no number after its last colon.

    Raises:
        UserError: no folder, no number after that of an existing folder, or one outside of ``WEIGHTS``.
    """
    head, colon, tail = text.rpartition(":")
    if not colon or Path(text).exists():
        return Path(text), None
    wanted = f"a number from {WEIGHTS[0]} to {WEIGHTS[1]}, as in {head or 'FOLDER'}:0.5"
    try:
        weight = Decimal(tail)
    except InvalidOperation:
        if head and Path(head).is_dir():
            raise UserError(f"--data {text}: {tail!r} is no weight; give {wanted}, or leave the colon out.") from None
        return Path(text), None
    if not head:
        raise UserError(f"--data {text} names no folder before its weight; give FOLDER:WEIGHT.")
    if not weight.is_finite() or not WEIGHTS[0] <= weight <= WEIGHTS[1]:
        raise UserError(f"--data {text}: the weight {tail} cannot be used; give {wanted}.")
    return Path(head), Fraction(weight)


def brief_folder(text: str) -> str:
    """``FOLDER[:WEIGHT]`` with only the last part of the path: for model cards, which travel, and to compare runs."""
    path, weight = folder_and_weight(text)
    name = path.name or path.absolute().name
    return name if weight is None else f"{name}:{float(weight):g}"


def mend_left_right(labels: np.ndarray) -> np.ndarray:
    """Exchange eyes, brows or ears that a label map (H, W) uint8 has on the wrong side; a new array if it does.

    The person's left stands on the right of the picture. About 7 % of CelebAMask-HQ's maps have it the other way.
    A lone eye or brow follows the pairs that could be judged.
    """
    verdicts: dict[tuple[int, int], bool | None] = {}
    for left, right in MIRROR_PARTNERS:
        columns = [np.nonzero((labels == id).any(axis=0))[0] for id in (left, right)]
        if all(len(column) for column in columns):
            verdicts[left, right] = bool(columns[0].mean() < columns[1].mean())
        else:
            verdicts[left, right] = None
    known = [verdict for verdict in verdicts.values() if verdict is not None]
    if not any(known):
        return labels
    default = all(known)
    table = np.arange(256, dtype=np.uint8)
    for (left, right), verdict in verdicts.items():
        if default if verdict is None else verdict:
            table[left], table[right] = right, left
    return table[labels]

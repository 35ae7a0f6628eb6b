"""Folders of training pairs, without torch: how flags name them, what they hold, what of it is held out.

A folder has ``images/`` and ``masks/`` with the same stems, or such folders ``train/`` and ``val/``. Training and
evaluation both read it, and hold out the same photos.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path

import numpy as np

from maskedit.errors import UserError
from maskedit.imaging import SUFFIXES
from maskedit.labels import MIRROR_PARTNERS

Pair = tuple[Path, Path]
"""A photo and its label map."""
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


def find_pairs(folder: str | Path) -> list[Pair]:
    """(photo, label map) paths with the same stem, sorted by stem.

    Raises:
        UserError: no folder ``images/`` or ``masks/``, no photo, or a photo without its label map; the first is named.
    """
    folder = Path(folder)
    for part in ("images", "masks"):
        if not (folder / part).is_dir():
            raise UserError(f"--data {folder} has no folder {part}/; wanted images/ and masks/ with the same stems.")
    masks = {path.stem: path for path in (folder / "masks").iterdir() if path.suffix.lower() == ".png"}
    photos = [path for path in (folder / "images").iterdir() if path.suffix.lower() in SUFFIXES]
    photos.sort(key=lambda path: (path.stem, path.suffix))
    lonely = [path.name for path in photos if path.stem not in masks]
    if lonely:
        raise UserError(f"{len(lonely)} photos in {folder}/images have no PNG in masks/, the first is {lonely[0]}.")
    if not photos:
        raise UserError(f"--data {folder} holds no photos in images/.")
    return [(path, masks[path.stem]) for path in photos]


def find_split(folder: str | Path, validation: int) -> tuple[list[Pair], list[Pair]]:
    """(training, held out) pairs of a folder: what ``maskedit-data prepare`` makes, or one that holds pairs itself.

    Of ``train/`` and ``val/`` all of the first and the last ``validation`` of the second; else as ``split``.

    Raises:
        UserError: as ``find_pairs`` and ``split``.
    """
    folder = Path(folder)
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        return split(find_pairs(folder), validation)
    held_out = find_pairs(folder / "val")
    if not 1 <= validation <= len(held_out):
        raise UserError(f"--validation {validation} must lie in 1..{len(held_out)}, the pairs of {folder / 'val'}.")
    return find_pairs(folder / "train"), held_out[-validation:]


def split(paths: list, validation: int) -> tuple[list, list]:
    """(training, validation): the last ``validation`` in sorted order are held out.

    Raises:
        UserError: ``validation`` is below 1 or leaves nothing to train on.
    """
    if validation < 1:
        raise UserError(f"--validation {validation} must be at least 1.")
    if len(paths) <= validation:
        raise UserError(f"--validation {validation} leaves nothing of {len(paths)} photos to train on.")
    return (paths[: len(paths) - validation], paths[len(paths) - validation :])


def read_record(path: Path) -> dict:
    """What an earlier run noted down as JSON; nothing where that is no whole object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


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

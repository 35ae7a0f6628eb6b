"""A data set on disk: a folder with ``images/`` and ``masks/`` of the same stems, or with such folders ``train/`` and
``val/``, read as uint8 tensors.

Training and evaluation both read it, and hold out the same photos. CelebAMask-HQ's swapped left and right classes
are mended while reading. 901 pairs at 256 px are 240 MB.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.data_folder import SUFFIXES, mend_left_right
from maskedit.errors import UserError

__all__ = ["SUFFIXES", "Pairs", "find_pairs", "find_split", "load_pair", "load_pairs", "mend_left_right", "split"]


def find_pairs(folder: str | Path) -> list[tuple[Path, Path]]:
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


@dataclass
class Pairs:
    """Photos (N, 3, S, S) uint8 and label maps (N, S, S) uint8 on one device, with their stems."""

    photos: Tensor
    labels: Tensor
    stems: list[str]

    def __len__(self) -> int:
        return len(self.stems)

    def to(self, device: torch.device) -> Pairs:
        return Pairs(self.photos.to(device), self.labels.to(device), self.stems)


def load_pair(pair: tuple[Path, Path], size: int) -> tuple[np.ndarray, np.ndarray]:
    """One photo (S, S, 3) uint8 and its label map (S, S) uint8, squared, resized and mended.

    Raises:
        UserError: a file cannot be read, or the two differ in shape; it is named.
    """
    photo, labels = imaging.read_photo(pair[0]), imaging.read_labels(pair[1])
    try:
        photo, labels = imaging.fit_square(photo, labels, size)
    except UserError as error:
        raise UserError(f"{pair[0].name} and {pair[1].name}: {error}") from error
    return photo, mend_left_right(labels)


def load_pairs(paths: list[tuple[Path, Path]], size: int, *, quiet: bool = False) -> Pairs:
    """Every pair as ``load_pair`` gives it; threads suffice, the decoders release the interpreter.

    Args:
        size: side S of the squares in pixels.
        quiet: no progress bar.

    Raises:
        UserError: a file cannot be read, or a photo and its label map differ in shape; it is named.
    """

    photos = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    labels = torch.empty(len(paths), size, size, dtype=torch.uint8)
    with ThreadPoolExecutor() as pool:
        loaded = tqdm(
            pool.map(lambda pair: load_pair(pair, size), paths),
            total=len(paths),
            desc=f"reading at {size} px",
            disable=quiet or None,
        )
        for index, (photo, label_map) in enumerate(loaded):
            photos[index] = torch.from_numpy(photo).permute(2, 0, 1)
            labels[index] = torch.from_numpy(label_map)
    return Pairs(photos, labels, [photo.stem for photo, _ in paths])


def find_split(folder: str | Path, validation: int) -> tuple[list[tuple[Path, Path]], list[tuple[Path, Path]]]:
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

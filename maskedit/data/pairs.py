"""Pairs of photo and label map, read as uint8 tensors for training and evaluation alike.

CelebAMask-HQ's swapped left and right classes are mended while reading. 901 pairs at 256 px are 240 MB.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.folder import Pair, mend_left_right
from maskedit.errors import UserError

_AHEAD = 128
"""Pairs that are read at once: threads that decode faster than the others copy would fill the memory."""


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


def load_pair(pair: Pair, size: int) -> tuple[np.ndarray, np.ndarray]:
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


def load_pairs(paths: list[Pair], size: int, *, quiet: bool = False) -> Pairs:
    """Every pair as ``load_pair`` gives it; threads suffice, the decoders release the interpreter.

    Args:
        size: side S of the squares in pixels.
        quiet: no progress bar.

    Raises:
        UserError: a file cannot be read, or a photo and its label map differ in shape; it is named.
    """

    photos = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    labels = torch.empty(len(paths), size, size, dtype=torch.uint8)
    bar = tqdm(total=len(paths), desc=f"reading at {size} px", disable=quiet or None)
    with ThreadPoolExecutor() as pool, bar:
        for start in range(0, len(paths), _AHEAD):
            loaded = pool.map(lambda pair: load_pair(pair, size), paths[start : start + _AHEAD])
            for index, (photo, label_map) in enumerate(loaded, start):
                photos[index] = torch.from_numpy(photo).permute(2, 0, 1)
                labels[index] = torch.from_numpy(label_map)
                bar.update()
    return Pairs(photos, labels, [photo.stem for photo, _ in paths])

"""Photos and label maps for training: a folder with ``images/`` and ``masks/``, held as uint8 on the device.

901 pairs at 256 px are 240 MB; nothing is decoded twice. The batch of a step is a pure function of (seed, step),
so that a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.labels import MIRROR, MIRROR_PARTNERS

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def find_pairs(folder: str | Path) -> list[tuple[Path, Path]]:
    """(photo, label map) paths with the same stem, sorted by stem; a photo without its map is a UserError."""
    folder = Path(folder)
    for part in ("images", "masks"):
        if not (folder / part).is_dir():
            raise UserError(f"--data {folder} has no folder {part}/; wanted images/ and masks/ with the same stems.")
    masks = {path.stem: path for path in (folder / "masks").iterdir() if path.suffix.lower() == ".png"}
    photos = sorted(path for path in (folder / "images").iterdir() if path.suffix.lower() in SUFFIXES)
    lonely = [path.name for path in photos if path.stem not in masks]
    if lonely:
        raise UserError(f"{len(lonely)} photos in {folder}/images have no PNG in masks/, the first is {lonely[0]}.")
    if not photos:
        raise UserError(f"--data {folder} holds no photos in images/.")
    return [(path, masks[path.stem]) for path in photos]


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


def load_pairs(paths: list[tuple[Path, Path]], size: int, *, quiet: bool = False) -> Pairs:
    """Read, square, resize and mend every pair; threads suffice, the decoders release the interpreter."""

    def load(pair: tuple[Path, Path]) -> tuple[np.ndarray, np.ndarray]:
        photo, labels = imaging.fit_square(imaging.read_photo(pair[0]), imaging.read_labels(pair[1]), size)
        return photo, mend_left_right(labels)

    photos = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    labels = torch.empty(len(paths), size, size, dtype=torch.uint8)
    with ThreadPoolExecutor() as pool:
        loaded = tqdm(pool.map(load, paths), total=len(paths), desc=f"reading at {size} px", disable=quiet or None)
        for index, (photo, label_map) in enumerate(loaded):
            photos[index] = torch.from_numpy(photo).permute(2, 0, 1)
            labels[index] = torch.from_numpy(label_map)
    return Pairs(photos, labels, [photo.stem for photo, _ in paths])


def split(paths: list, validation: int) -> tuple[list, list]:
    """(training, validation): the last ``validation`` in sorted order are held out."""
    if len(paths) <= validation:
        raise UserError(f"--validation {validation} leaves nothing of {len(paths)} photos to train on.")
    return (paths[: len(paths) - validation], paths[len(paths) - validation :])


def batch_indices(count: int, batch: int, *, seed: int, step: int) -> Tensor:
    """Which photos step ``step`` sees: consecutive slices of one endless stream of shuffled epochs."""
    wanted = range(step * batch, (step + 1) * batch)
    orders = {
        epoch: torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for epoch in {position // count for position in wanted}
    }
    return torch.stack([orders[position // count][position % count] for position in wanted])


def prepare_batch(pairs: Pairs, indices: Tensor, *, seed: int, step: int, augment: bool) -> tuple[Tensor, Tensor]:
    """(photos (N, 3, S, S) float in [-1, 1], label ids (N, S, S) uint8) of a step, mirrored and augmented.

    Half of the photos are mirrored, their left and right classes exchanged. With ``augment`` photo and map are
    also scaled by 0.95-1.15, turned by up to 6 degrees and shifted by up to 4 %, and the photo's brightness,
    contrast, saturation and colour balance change a little: the style code has to carry them.
    """
    device = pairs.photos.device
    indices = indices.to(device)
    photos = pairs.photos[indices].float().div_(127.5).sub_(1.0)
    labels = pairs.labels[indices]
    random = torch.Generator().manual_seed(seed * 7_368_787 + step * 2 + 1)
    count = len(indices)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=random) * (high - low) + low

    flip = torch.rand(count, generator=random) < 0.5
    mirror = torch.from_numpy(MIRROR.copy()).to(device)
    if augment:
        scale, angle = 1 / uniform(0.95, 1.15), torch.deg2rad(uniform(-6, 6))
        sign = torch.where(flip, -1.0, 1.0)
        shift = uniform(-0.08, 0.08, 2)
        rows = torch.stack(
            [
                torch.stack([sign * scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], dim=1),
                torch.stack([sign * scale * angle.sin(), scale * angle.cos(), shift[:, 1]], dim=1),
            ],
            dim=1,
        )
        grid = F.affine_grid(rows.to(device), list(photos.shape), align_corners=False)
        photos = F.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        maps = F.grid_sample(
            labels[:, None].float(), grid, mode="nearest", padding_mode="reflection", align_corners=False
        )
        labels = maps[:, 0].round().to(torch.uint8)
        grey = photos.mean(dim=1, keepdim=True)
        saturation = uniform(0.8, 1.2, 1, 1, 1).to(device)
        gain = (uniform(0.88, 1.12, 1, 1, 1) * uniform(0.95, 1.05, 3, 1, 1)).to(device)
        offset = (uniform(-0.08, 0.08, 1, 1, 1) + uniform(-0.03, 0.03, 3, 1, 1)).to(device)
        photos = ((grey + (photos - grey) * saturation) * gain + offset).clamp_(-1, 1)
    else:
        photos = torch.where(flip.to(device)[:, None, None, None], photos.flip(3), photos)
        labels = torch.where(flip.to(device)[:, None, None], labels.flip(2), labels)
    exchanged = mirror[labels.long()]
    return photos, torch.where(flip.to(device)[:, None, None], exchanged, labels)

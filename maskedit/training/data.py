"""Batches for training, from pairs held as uint8 on the device: nothing is decoded twice.

The batch of a step is a pure function of (seed, step), so that a resumed run sees what an uninterrupted one would
have seen. The folder itself is read by ``maskedit.dataset``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.dataset import Pairs, find_pairs, load_pairs, mend_left_right, split
from maskedit.labels import MIRROR

__all__ = ["Pairs", "batch_indices", "find_pairs", "load_pairs", "mend_left_right", "prepare_batch", "split"]


def batch_indices(count: int, batch: int, *, seed: int, step: int) -> Tensor:
    """Which photos step ``step`` sees: consecutive slices of one endless stream of shuffled epochs."""
    wanted = range(step * batch, (step + 1) * batch)
    orders = {
        epoch: torch.randperm(count, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for epoch in {position // count for position in wanted}
    }
    return torch.stack([orders[position // count][position % count] for position in wanted])


def prepare_batch(
    pairs: Pairs, indices: Tensor, *, seed: int, step: int, augment: bool, part: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """(photos (N, 3, S, S) float in [-1, 1], label ids (N, S, S) uint8) of a step, mirrored and augmented.

    Half of the photos are mirrored, their left and right classes exchanged. With ``augment`` photo and map are
    also scaled by 0.95-1.15, turned by up to 6 degrees and shifted by up to 4 %, and the photo's brightness,
    contrast, saturation and colour balance change a little: the style code has to carry them. ``part`` picks the
    photos of the batch that this process renders; what happens to each does not depend on it.
    """
    device = pairs.photos.device
    count = len(indices)
    indices = indices[part].to(device)
    photos = pairs.photos[indices].float().div_(127.5).sub_(1.0)
    labels = pairs.labels[indices]
    random = torch.Generator().manual_seed(seed * 7_368_787 + step * 2 + 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=random) * (high - low) + low)[part]

    flip = torch.rand(count, generator=random)[part] < 0.5
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

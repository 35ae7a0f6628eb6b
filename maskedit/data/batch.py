"""How a step sees its photos: mirrored, moved, recoloured, on the device; a pure function of (seed, step)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import MIRROR
from maskedit.models.tensors import normalised


@dataclass(frozen=True)
class Augmentation:
    """How far a photo and its label map are changed together, and the photo's colours with them; (low, high) each."""

    scale: tuple[float, float]
    degrees: float
    shift: float
    """Of the side."""
    saturation: tuple[float, float]
    gain: tuple[float, float]
    offset: float
    """Of the range [-1, 1], for all channels alike."""
    tint: float
    """Gain and offset of single channels."""
    noise: float = 0.0
    """Highest standard deviation of pixel noise."""
    blur: float = 0.0
    """Share of photos that are blurred, as small photos enlarged are."""
    grey: float = 0.0
    """Share of photos without colour."""


MILD = Augmentation((0.95, 1.15), 6, 0.04, (0.8, 1.2), (0.88, 1.12), 0.08, 0.05)
"""For generators: the style code has to carry what changes, and faces stay where aligned faces are."""
STRONG = Augmentation((0.75, 1.5), 25, 0.12, (0.3, 1.6), (0.6, 1.4), 0.25, 0.12, noise=0.06, blur=0.3, grey=0.1)
"""For parsers: any light, any camera, faces found a little askew."""


def prepare_batch(
    photos: Tensor,
    labels: Tensor,
    *,
    seed: int,
    step: int,
    augment: Augmentation | None,
    count: int | None = None,
    part: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """(photos (n, 3, S, S) float in [-1, 1], label ids (n, S, S) uint8) of a step, mirrored and augmented.

    Half of the photos are mirrored, their left and right classes exchanged.

    Args:
        photos: (n, 3, S, S) uint8.
        labels: (n, S, S) uint8 ids.
        count: photos in the whole batch of the step, over all processes and micro-batches; n when None.
        part: which of them these are; what happens to each does not depend on how a batch is shared.
    """
    device = photos.device
    count = len(photos) if count is None else count
    photos = normalised(photos)
    random = torch.Generator().manual_seed(seed * 7_368_787 + step * 2 + 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=random) * (high - low) + low)[part].to(device)

    flip = uniform(0, 1) < 0.5
    if augment is None:
        photos = torch.where(flip[:, None, None, None], photos.flip(3), photos)
        labels = torch.where(flip[:, None, None], labels.flip(2), labels)
    else:
        photos, labels = _move(photos, labels, flip, augment, uniform)
        photos = _recolour(photos, augment, uniform)
        if augment.noise:
            source = torch.Generator(device).manual_seed(int(torch.randint(2**31, (), generator=random)))
            noise = torch.randn(count, *photos.shape[1:], generator=source, device=device)[part]
            photos = (photos + noise * uniform(0, augment.noise, 1, 1, 1)).clamp_(-1, 1)
    mirror = torch.from_numpy(MIRROR.copy()).to(device)
    return photos, torch.where(flip[:, None, None], mirror[labels.long()], labels)


def _move(photos: Tensor, labels: Tensor, flip: Tensor, how: Augmentation, uniform) -> tuple[Tensor, Tensor]:
    """Scale, turn, shift and mirror both by one transform; labels by nearest neighbour."""
    scale, angle = 1 / uniform(*how.scale), torch.deg2rad(uniform(-how.degrees, how.degrees))
    shift = uniform(-2 * how.shift, 2 * how.shift, 2)
    sign = torch.where(flip, -1.0, 1.0)
    rows = torch.stack(
        [
            torch.stack([sign * scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], dim=1),
            torch.stack([sign * scale * angle.sin(), scale * angle.cos(), shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(rows, list(photos.shape), align_corners=False)
    photos = F.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    maps = labels[:, None].float()
    maps = F.grid_sample(maps, grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return photos, maps[:, 0].round().to(torch.uint8)


def _recolour(photos: Tensor, how: Augmentation, uniform) -> Tensor:
    """Change light, contrast, saturation and tint; for parsers also sharpness."""
    grey = photos.mean(dim=1, keepdim=True)
    saturation = uniform(*how.saturation, 1, 1, 1)
    if how.grey:
        saturation = torch.where(uniform(0, 1, 1, 1, 1) < how.grey, 0.0, saturation)
    gain = uniform(*how.gain, 1, 1, 1) * uniform(1 - how.tint, 1 + how.tint, 3, 1, 1)
    offset = uniform(-how.offset, how.offset, 1, 1, 1) + uniform(-how.tint / 2, how.tint / 2, 3, 1, 1)
    photos = (grey + (photos - grey) * saturation) * gain + offset
    if how.blur:
        side = photos.shape[-1]
        small = F.interpolate(photos, size=max(16, side // 3), mode="bilinear", antialias=True, align_corners=False)
        soft = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
        photos = torch.where(uniform(0, 1, 1, 1, 1) < how.blur, soft, photos)
    return photos.clamp(-1, 1)

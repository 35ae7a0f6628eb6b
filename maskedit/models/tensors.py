"""Between arrays and tensors: the only place that knows the networks' value ranges."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.labels import NUM_LABELS


def normalised(photos: Tensor) -> Tensor:
    """uint8 pixels of any shape, or their float means, -> float32 in [-1, 1]; a new tensor."""
    return photos.float().div(127.5).sub_(1.0)


def photo_to_tensor(photo: np.ndarray | Tensor) -> Tensor:
    """(H, W, 3) uint8 RGB, or a batch of them (N, H, W, 3), -> (N, 3, H, W) float32 in [-1, 1]."""
    tensor = torch.from_numpy(np.array(photo)) if isinstance(photo, np.ndarray) else photo
    tensor = tensor[None] if tensor.ndim == 3 else tensor
    return normalised(tensor.permute(0, 3, 1, 2))


def pixels(image: Tensor) -> Tensor:
    """(3, H, W) float in [-1, 1] -> (H, W, 3) uint8 RGB, rounded, contiguous, on the same device."""
    scaled = image.detach().float().add(1.0).mul(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(1, 2, 0).contiguous()


def tensor_to_photo(image: Tensor) -> np.ndarray:
    """(3, H, W) float in [-1, 1] -> (H, W, 3) uint8 RGB, rounded."""
    return pixels(image).cpu().numpy()


def one_hot(labels: np.ndarray | Tensor, *, classes: int = NUM_LABELS, dtype: torch.dtype = torch.float32) -> Tensor:
    """(H, W) or (N, H, W) uint8 ids -> (N, classes, H, W) of ``dtype``; ids must be below ``classes``."""
    tensor = torch.from_numpy(np.array(labels)) if isinstance(labels, np.ndarray) else labels
    tensor = tensor[None] if tensor.ndim == 2 else tensor
    # Compared, not scattered: the same on every device, and no int64 copy of the map.
    ids = torch.arange(classes, dtype=tensor.dtype, device=tensor.device)
    return (tensor[:, None] == ids[:, None, None]).to(dtype)


def scaled_labels(ids: Tensor, side: int) -> Tensor:
    """Label maps (N, S, S) uint8 -> (N, side, side) uint8 by nearest neighbour, sampled at the pixels' centres."""
    if ids.shape[-1] == side:
        return ids
    return F.interpolate(ids[:, None].float(), size=side, mode="nearest-exact")[:, 0].to(torch.uint8)


def spread(count: int, rows: int) -> list[int]:
    """At most ``rows`` indices below ``count``, evenly spread, the first and the last among them."""
    return torch.linspace(0, count - 1, min(rows, count)).round().long().tolist()


def box_of(mask: Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, the last two exclusive, of what a mask (N, 1, H, W) marks; of nothing, all of it."""
    rows, columns = (torch.nonzero(mask.amax(dim=(0, 1, axis))).flatten() for axis in (3, 2))
    if not len(rows):
        return 0, 0, mask.shape[-1], mask.shape[-2]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def index_of(left: int, top: int, right: int, bottom: int) -> tuple:
    """A box as an index of the last two axes."""
    return ..., slice(top, bottom), slice(left, right)


def grown(mask: Tensor, radius: int) -> Tensor:
    """A mask (N, 1, H, W) of zeros and ones, bool or float, grown by ``radius`` pixels on every side (a square)."""
    if radius < 1:
        return mask
    kernel = 2 * radius + 1
    if mask.device.type == "cpu":  # OpenCV takes a hundredth of the time
        maps = mask[:, 0].to(torch.uint8).numpy()
        wider = np.stack([cv2.dilate(each, np.ones((kernel, kernel), np.uint8)) for each in maps])
        return torch.from_numpy(wider)[:, None].to(mask.dtype)
    x = F.max_pool2d(mask.float(), (kernel, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(x, (1, kernel), stride=1, padding=(0, radius)).to(mask.dtype)

"""Renders of photos from their own label maps, and sheets of them: what training and evaluation both look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from maskedit import imaging
from maskedit.models.dense_mapping import Generator
from maskedit.models.tensors import normalised, one_hot, spread, tensor_to_photo

COLUMNS = ("photo", "label map", "render", "other labels", "their render")
"""What stands in the columns of ``sample_sheet``."""


@torch.inference_mode()
def reconstruct(
    network: Generator,
    photos: Tensor,
    labels: Tensor,
    visit: Callable[[Tensor, Tensor], None],
    *,
    batch: int,
    precision: torch.dtype,
) -> None:
    """Render every photo from its own label map; ``visit(renders, photos)`` gets (n, 3, S, S) float in [-1, 1].

    Args:
        photos: (N, 3, S, S) uint8.
        labels: (N, S, S) uint8 ids, on the same device.
        batch: n; the last one may be smaller.
        precision: of autocast, float32 for none.
    """
    for start in range(0, len(photos), batch):
        some = normalised(photos[start : start + batch])
        maps = one_hot(labels[start : start + batch])
        with torch.autocast(photos.device.type, precision, enabled=precision != torch.float32):
            renders = network(some, maps, maps)
        visit(renders.float(), some)


@torch.inference_mode()
def sample_sheet(
    network: Generator, photos: Tensor, labels: Tensor, *, rows: int, precision: torch.dtype
) -> np.ndarray:
    """A captioned picture (H, W, 3) uint8 RGB with one row a photo, of photos spread evenly over all.

    In a row: the photo, its label map, its render, the label map of the row before, and the render of that in this
    photo's style (the paper's style copy). Arguments as in ``reconstruct``; fewer rows if fewer photos.
    """
    device = photos.device
    indices = torch.tensor(spread(len(photos), rows), device=device)
    lines: list[list[np.ndarray]] = []
    for index, other in zip(indices, indices.roll(1), strict=True):
        photo = normalised(photos[index][None])
        own, borrowed = one_hot(labels[index]), one_hot(labels[other])
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            style = network.style(photo, own)
            renders = [network.generate(own, style)[0], network.generate(borrowed, style)[0]]
        lines.append(
            [
                tensor_to_photo(photo[0]),
                labels[index].cpu().numpy(),
                tensor_to_photo(renders[0]),
                labels[other].cpu().numpy(),
                tensor_to_photo(renders[1]),
            ]
        )
    return imaging.captioned_sheet(lines, COLUMNS)

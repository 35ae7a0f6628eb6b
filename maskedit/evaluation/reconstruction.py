"""Reconstruction: photos never trained on, each rendered from its own label map in its own style.

Beside the network stands a floor that knows nothing of the photo: the mean of all training photos. A network whose
figures are not well above it has learnt where faces are, and little else.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from maskedit.data.pairs import Pairs, load_pairs
from maskedit.measures.metrics import Distance, Means
from maskedit.measures.reconstruction import reconstruct
from maskedit.models.dense_mapping import Generator
from maskedit.models.tensors import normalised


def network_figures(network: Generator, pairs: Pairs, distance: Distance | None, *, batch: int = 4) -> dict[str, float]:
    """``Means.figures`` of the network's renders of ``pairs`` against their photos, in float32."""
    means = Means(distance)
    bar = tqdm(total=len(pairs), desc="rendering", disable=None)

    def visit(renders: Tensor, photos: Tensor) -> None:
        means.add(renders, photos)
        bar.update(len(photos))

    with bar:
        reconstruct(network, pairs.photos, pairs.labels, visit, batch=batch, precision=torch.float32)
    return means.figures


def mean_photo(paths: list[tuple[Path, Path]], size: int, *, chunk: int = 64) -> Tensor:
    """The mean (3, S, S) float in [-1, 1] of all photos of ``paths`` at side ``size``; ``chunk`` are held at a time."""
    total = torch.zeros(3, size, size, dtype=torch.float64)
    for start in tqdm(range(0, len(paths), chunk), desc="mean training face", disable=None):
        total += load_pairs(paths[start : start + chunk], size, quiet=True).photos.sum(dim=0, dtype=torch.float64)
    return normalised(total.div(len(paths)))


@torch.inference_mode()
def floor_figures(mean: Tensor, pairs: Pairs, distance: Distance | None) -> dict[str, float]:
    """``Means.figures`` of one picture (3, S, S) in [-1, 1] shown for every photo of ``pairs``."""
    means = Means(distance)
    for photo in pairs.photos:
        means.add(mean[None].to(photo.device), normalised(photo[None]))
    return means.figures

"""Reconstruction: photos never trained on, each rendered from its own label map in its own style.

Beside the network stands a floor that knows nothing of the photo: the mean of all training photos. A network whose
figures are not well above it has learnt where faces are, and little else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from maskedit.dataset import Pairs, load_pairs
from maskedit.evaluation.metrics import feature_distances, ssim
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.reconstruction import psnr, reconstruct
from maskedit.models.tensors import normalised

Distance = Callable[[Tensor, Tensor], Tensor]


class Means:
    """Running means of the measures over pictures: ``add`` any number of batches, then read ``figures``."""

    def __init__(self, distance: Distance | None):
        self.distance = distance
        self.values: dict[str, list[Tensor]] = {}

    def add(self, images: Tensor, photos: Tensor) -> None:
        """Both (n, 3, S, S) float in [-1, 1]."""
        measured = {"psnr": psnr(images, photos), "ssim": ssim(images, photos)}
        if self.distance is not None:
            measured["features"] = feature_distances(self.distance, images, photos)
        for name, values in measured.items():
            self.values.setdefault(name, []).append(values.cpu())

    @property
    def figures(self) -> dict[str, float]:
        """``psnr`` in dB, ``ssim`` and, with a distance, ``features``: means over all pictures."""
        return {name: float(torch.cat(values).mean()) for name, values in self.values.items()}


def network_figures(
    network: DenseMappingNetwork, pairs: Pairs, distance: Distance | None, *, batch: int = 4
) -> dict[str, float]:
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

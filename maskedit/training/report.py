"""What a run leaves to look at: figures on the held-out photos and grids of samples."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskedit import imaging
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.tensors import one_hot, tensor_to_photo
from maskedit.training.data import Pairs


def append_stats(run: Path, row: dict) -> None:
    """Add one line to the run's ``stats.jsonl``; a killed run loses at most the line being written."""
    with (run / "stats.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


@torch.inference_mode()
def reconstruct(
    network: DenseMappingNetwork,
    pairs: Pairs,
    visit: Callable[[Tensor, Tensor], None],
    *,
    batch: int,
    precision: torch.dtype,
) -> None:
    """Render every photo from its own label map; ``visit(renders, photos)`` gets (n, 3, S, S) in [-1, 1]."""
    device = pairs.photos.device
    for start in range(0, len(pairs), batch):
        photos = pairs.photos[start : start + batch].float().div_(127.5).sub_(1.0)
        labels = one_hot(pairs.labels[start : start + batch])
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            renders = network(photos, labels, labels)
        visit(renders.float(), photos)


def validate(
    network: DenseMappingNetwork,
    pairs: Pairs,
    distance: Callable[[Tensor, Tensor], Tensor] | None,
    *,
    batch: int,
    precision: torch.dtype,
) -> dict[str, float]:
    """Mean PSNR in dB over the photos, the L1 distance and, with a perceptual loss, its value."""
    psnr: list[float] = []
    l1: list[float] = []
    perceptual: list[float] = []

    def visit(renders: Tensor, photos: Tensor) -> None:
        errors = ((renders - photos) / 2).pow(2).mean(dim=(1, 2, 3))
        psnr.extend((-10 * torch.log10(errors.clamp_min(1e-10))).tolist())
        l1.append(float((renders - photos).abs().mean()) * len(photos))
        if distance is not None:
            perceptual.append(float(distance(renders, photos)) * len(photos))

    reconstruct(network, pairs, visit, batch=batch, precision=precision)
    figures = {"psnr": math.fsum(psnr) / len(psnr), "l1": math.fsum(l1) / len(pairs)}
    if perceptual:
        figures["perceptual"] = math.fsum(perceptual) / len(pairs)
    return figures


@torch.inference_mode()
def sample_grid(
    network: DenseMappingNetwork, pairs: Pairs, path: Path, *, precision: torch.dtype, rows: int = 6
) -> None:
    """One row a photo: photo, its label map, its render, another face's label map, the render of that."""
    device = pairs.photos.device
    count = min(rows, len(pairs))
    indices = torch.linspace(0, len(pairs) - 1, count).round().long().to(device)
    lines = []
    for index, other in zip(indices, indices.roll(1), strict=True):
        photo = pairs.photos[index][None].float().div(127.5).sub(1.0)
        labels = one_hot(pairs.labels[index])
        borrowed = one_hot(pairs.labels[other])
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            style = network.style(photo, labels)
            renders = [network.generate(labels, style)[0], network.generate(borrowed, style)[0]]
        tiles = [
            tensor_to_photo(photo[0]),
            imaging.colourise(pairs.labels[index].cpu().numpy()),
            tensor_to_photo(renders[0]),
            imaging.colourise(pairs.labels[other].cpu().numpy()),
            tensor_to_photo(renders[1]),
        ]
        lines.append(np.concatenate(tiles, axis=1))
    imaging.write_photo(path, np.concatenate(lines, axis=0), overwrite=True)

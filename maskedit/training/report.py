"""What a run leaves to look at: figures on the held-out photos and grids of samples."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from maskedit import imaging
from maskedit.dataset import Pairs
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.reconstruction import reconstruct, sample_sheet

__all__ = ["append_stats", "reconstruct", "sample_grid", "validate"]


def append_stats(run: Path, row: dict) -> None:
    """Add one line to the run's ``stats.jsonl``; a killed run loses at most the line being written."""
    with (run / "stats.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


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

    reconstruct(network, pairs.photos, pairs.labels, visit, batch=batch, precision=precision)
    figures = {"psnr": math.fsum(psnr) / len(psnr), "l1": math.fsum(l1) / len(pairs)}
    if perceptual:
        figures["perceptual"] = math.fsum(perceptual) / len(pairs)
    return figures


def sample_grid(
    network: DenseMappingNetwork, pairs: Pairs, path: Path, *, precision: torch.dtype, rows: int = 6
) -> None:
    """Write a ``sample_sheet`` of the pairs: photo, label map, render, another's label map, render of that."""
    sheet = sample_sheet(network, pairs.photos, pairs.labels, rows=rows, precision=precision)
    imaging.write_photo(path, sheet, overwrite=True)

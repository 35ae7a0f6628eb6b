"""Figures of a network on held-out photos, as training follows them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from maskedit.data.pairs import Pairs
from maskedit.measures.metrics import psnr
from maskedit.measures.reconstruction import reconstruct
from maskedit.models.dense_mapping import Generator


def validate(
    network: Generator,
    pairs: Pairs,
    distance: Callable[[Tensor, Tensor], Tensor] | None,
    *,
    batch: int,
    precision: torch.dtype,
) -> dict[str, float]:
    """Mean PSNR in dB over the photos, the L1 distance and, with a perceptual loss, its value."""
    decibels: list[float] = []
    l1: list[float] = []
    perceptual: list[float] = []

    def visit(renders: Tensor, photos: Tensor) -> None:
        decibels.extend(psnr(renders, photos).tolist())
        l1.append(float((renders - photos).abs().mean()) * len(photos))
        if distance is not None:
            perceptual.append(float(distance(renders, photos)) * len(photos))

    reconstruct(network, pairs.photos, pairs.labels, visit, batch=batch, precision=precision)
    figures = {"psnr": math.fsum(decibels) / len(decibels), "l1": math.fsum(l1) / len(pairs)}
    if perceptual:
        figures["perceptual"] = math.fsum(perceptual) / len(pairs)
    return figures

"""Stand-ins whose answers are known: faces that show their ids in grey, a parser that reads them, two generators."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from maskedit.data.pairs import Pairs
from maskedit.labels import NUM_LABELS
from maskedit.models.tensors import normalised, one_hot
from tests.faces import draw_face

STEP = 14
"""Grey levels between neighbouring ids: 18 * 14 < 256."""


def maps(count: int, side: int = 64) -> Tensor:
    return torch.stack([torch.from_numpy(draw_face(side, seed)[1]) for seed in range(count)])


def shown(ids: Tensor) -> Tensor:
    """(N, S, S) uint8 ids -> photos (N, 3, S, S) uint8 that show them."""
    return (ids * STEP)[:, None].expand(-1, 3, -1, -1).contiguous()


def pairs(count: int, side: int = 64) -> Pairs:
    ids = maps(count, side)
    return Pairs(shown(ids), ids, [f"{index:03d}" for index in range(count)])


class PerfectParser:
    """Reads the ids off photos of ``shown``, at one side only."""

    def __init__(self, size: int = 64):
        self.config = SimpleNamespace(size=size)

    def __call__(self, photos: Tensor) -> Tensor:
        assert photos.shape[-1] == self.config.size
        ids = ((photos[:, 0] + 1) * 127.5 / STEP).round().clamp(0, NUM_LABELS - 1).to(torch.uint8)
        return one_hot(ids)


class PerfectGenerator:
    """Shows the map that is asked for."""

    def style(self, photo: Tensor, reference_labels: Tensor) -> Tensor:
        return photo

    def generate(self, labels: Tensor, style: Tensor) -> Tensor:
        return normalised(shown(labels.argmax(dim=1).to(torch.uint8)))


class StubbornGenerator(PerfectGenerator):
    """Shows the photo, whatever map is asked for."""

    def generate(self, labels: Tensor, style: Tensor) -> Tensor:
        return style

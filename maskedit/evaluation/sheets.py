"""Captioned pictures of what the protocols measured, one row a photo, of photos spread evenly over all."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maskedit import imaging
from maskedit.dataset import Pairs
from maskedit.evaluation.masks import through
from maskedit.evaluation.parsing import parse
from maskedit.models.mask_vae import MaskVAE, perturbed_maps
from maskedit.models.parser import Parser
from maskedit.models.tensors import normalised


def parsing_sheet(parser: Parser, photos: Tensor, shown: Pairs, *, rows: int, mirror: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 RGB: photo, label map and parsed label map.

    Args:
        photos: what is parsed, (N, 3, s, s) uint8.
        shown: the same photos with their label maps, at the side to show and to scale the logits to.
        mirror: as in ``parse``.
    """
    lines = []
    for index in _spread(len(shown), rows):
        parsed = parse(parser, normalised(photos[index][None]), side=shown.labels.shape[-1], mirror=mirror)[0]
        lines.append([shown.photos[index].permute(1, 2, 0).numpy(), shown.labels[index].numpy(), parsed.numpy()])
    return imaging.captioned_sheet(lines, ("photo", "label map", "parsed"))


@torch.inference_mode()
def masks_sheet(vae: MaskVAE, labels: Tensor, *, rows: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: label map, its reconstruction, and Algorithm 1's inner and outer maps.

    Those two lie on the way to the label map that comes next in ``labels`` (N, S, S) uint8, and away from it.
    """
    lines = []
    for index in _spread(len(labels), rows):
        own, other = labels[index][None], labels[(index + 1) % len(labels)][None]
        maps = (own, through(vae, own), *perturbed_maps(vae, own, other))
        lines.append([map[0].numpy() for map in maps])
    return imaging.captioned_sheet(lines, ("label map", "reconstruction", "inner", "outer"))


def _spread(count: int, rows: int) -> list[int]:
    """At most ``rows`` indices below ``count``, evenly spread, the first and the last among them."""
    return torch.linspace(0, count - 1, min(rows, count)).round().long().tolist()

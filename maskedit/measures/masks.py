"""Masks: label maps never trained on, through a MaskVAE's code and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskedit import imaging
from maskedit.labels import NUM_LABELS
from maskedit.measures.segmentation import MEASURES, confusion, confusion_figures
from maskedit.models.mask_vae import MaskVAE, perturbed_maps
from maskedit.models.tensors import one_hot, spread


@torch.inference_mode()
def through(vae: MaskVAE, labels: Tensor) -> Tensor:
    """Label maps (N, S, S) uint8 of the MaskVAE's side, decoded from their mean codes, as (N, S, S) uint8."""
    mean, _ = vae.encode(one_hot(labels))
    return vae.decode(mean).argmax(dim=1).to(torch.uint8)


def masks_figures(
    vae: MaskVAE, labels: Tensor, *, batch: int = 4, measures: tuple[str, ...] = MEASURES, quiet: bool = False
) -> dict[str, float]:
    """``confusion_figures`` of what ``through`` makes of label maps (N, S, S) uint8.

    Args:
        measures: as in ``confusion_figures``.
        quiet: no progress bar.
    """
    counts = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long, device=labels.device)
    with tqdm(total=len(labels), desc="encoding", disable=quiet or None) as bar:
        for some in labels.split(batch):
            counts += confusion(through(vae, some), some)
            bar.update(len(some))
    return confusion_figures(counts, measures)


@torch.inference_mode()
def masks_sheet(vae: MaskVAE, labels: Tensor, *, rows: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: label map, its reconstruction, and Algorithm 1's inner and outer maps.

    Those two lie on the way to the label map that comes next in ``labels`` (N, S, S) uint8, and away from it.
    """
    lines = []
    for index in spread(len(labels), rows):
        own, other = labels[index][None], labels[(index + 1) % len(labels)][None]
        maps = (own, through(vae, own), *perturbed_maps(vae, own, other))
        lines.append([map[0].cpu().numpy() for map in maps])
    return imaging.captioned_sheet(lines, ("label map", "reconstruction", "inner", "outer"))

"""Masks: label maps never trained on, through a MaskVAE's code and back."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from maskedit.labels import NUM_LABELS
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.segmentation import confusion, confusion_figures
from maskedit.models.tensors import one_hot


@torch.inference_mode()
def through(vae: MaskVAE, labels: Tensor) -> Tensor:
    """Label maps (N, S, S) uint8 of the MaskVAE's side, decoded from their mean codes, as (N, S, S) uint8."""
    mean, _ = vae.encode(one_hot(labels))
    return vae.decode(mean).argmax(dim=1).to(torch.uint8)


def masks_figures(vae: MaskVAE, labels: Tensor, *, batch: int = 4) -> dict[str, float]:
    """``confusion_figures`` of what ``through`` makes of label maps (N, S, S) uint8."""
    counts = torch.zeros(NUM_LABELS, NUM_LABELS, dtype=torch.long)
    with tqdm(total=len(labels), desc="encoding", disable=None) as bar:
        for some in labels.split(batch):
            counts += confusion(through(vae, some), some)
            bar.update(len(some))
    return confusion_figures(counts)

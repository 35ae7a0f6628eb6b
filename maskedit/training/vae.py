"""MaskVAE's stage: label maps through a latent code and back (MaskGAN section 3.2, Eq. 3-5)."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit import imaging
from maskedit.data.pairs import Pairs
from maskedit.measures.masks import masks_figures
from maskedit.models.config import MASK_VAE_PRESETS
from maskedit.models.mask_vae import MaskVAE, interpolate
from maskedit.models.tensors import one_hot, spread
from maskedit.training.config import VaeOptions
from maskedit.training.stage import Losses, Phase, Stage

STRIP = 7
"""Label maps in a strip of interpolation (paper Fig. 4)."""


class VaeStage(Stage):
    """One network, one phase: cross-entropy and the divergence of the codes from a normal distribution."""

    name = "vae"
    kept = "mask_vae"
    options: VaeOptions

    def __init__(self, options: VaeOptions, device: torch.device):
        super().__init__(options, device)
        preset = MASK_VAE_PRESETS[options.preset]
        self.config = dataclasses.replace(preset, size=options.size or preset.size)
        self.vae = self.add_network("mask_vae", MaskVAE(self.config))
        self.phases = (Phase(self.backward, ("mask_vae",)),)

    def backward(self, photos: Tensor, ids: Tensor, share: float) -> Losses:
        with self.autocast():
            logits, mean, log_variance = self.vae(self.one_hot(ids))
        entropy = F.cross_entropy(logits.float(), ids.long())
        mean, log_variance = mean.float(), log_variance.float()
        divergence = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(dim=1).mean()
        total = entropy + self.options.kl_weight * divergence
        (total * share).backward()
        return {"cross_entropy": entropy.detach(), "divergence": divergence.detach(), "total": total.detach()}

    @torch.inference_mode()
    def validate(self, network: nn.Module, pairs: Pairs) -> dict[str, float]:
        """Pixel accuracy, the mean IoU over classes, and the IoU of each, of maps decoded from their mean codes."""
        return masks_figures(network, pairs.labels, batch=self.options.batch, measures=("iou",), quiet=True)

    def score(self, figures: dict[str, float]) -> float:
        return -figures["accuracy"]

    @torch.inference_mode()
    def sheet(self, network: MaskVAE, pairs: Pairs) -> np.ndarray:
        """The strip of Fig. 4: a map, what lies between its code and the next map's, the next map."""
        indices = spread(len(pairs), 6)
        rows = []
        for first, last in zip(indices, indices[1:] + indices[:1], strict=True):
            codes = [network.encode(one_hot(pairs.labels[index]))[0] for index in (first, last)]
            between = [
                network.decode(code).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
                for code in interpolate(*codes, STRIP)
            ]
            rows.append([pairs.labels[first].cpu().numpy(), *between, pairs.labels[last].cpu().numpy()])
        return imaging.captioned_sheet(rows, ("from", *(f"{step / (STRIP - 1):.2f}" for step in range(STRIP)), "to"))

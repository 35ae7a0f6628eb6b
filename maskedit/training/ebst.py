"""Stage II: Editing Behavior Simulated Training (MaskGAN section 3.3, Algorithm 1).

People's edits are no maps from the data set. The MaskVAE perturbs a photo's own map in both directions along the way
to another face's; the two renders, blended by Alpha Blender, must give the photo again. One discriminator judges the
render and the blend, in the order D, G_A, D, G_B.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from maskedit.errors import UserError
from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.config import ALPHA_BLENDER_PRESETS
from maskedit.models.mask_vae import MaskVAE, perturbed_maps
from maskedit.training.config import EbstOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.stage import Losses, Phase


class EbstStage(DmnStage):
    """The stage I networks go on; the blender starts from scratch; the MaskVAE stays as it is."""

    name = "ebst"
    fewest = 2  # every photo's reference map is another's
    options: EbstOptions

    def __init__(self, options: EbstOptions, device: torch.device):
        super().__init__(options, device)
        vae, _ = load_checkpoint(Path(options.vae), MaskVAE)
        self.vae = self.place(vae)
        preset = ALPHA_BLENDER_PRESETS[options.preset]
        config = dataclasses.replace(preset, size=self.config.size)
        self.blender = self.add_network("blender", AlphaBlender(config))
        # G_B = B(G_A, G_A): its loss moves the blender and the generator both.
        second = Phase(self.backward_blend, ("discriminator", "generator", "blender"))
        self.phases = (*self.phases, second)

    def initialise(self, networks: dict) -> None:
        if "generator" not in networks or "discriminator" not in networks:
            raise UserError(
                f"--init {self.options.init} holds no generator and discriminator: give a stage I run folder."
            )
        super().initialise(networks)

    def backward_blend(self, photos: Tensor, ids: Tensor, share: float) -> Losses:
        """Gradients of D on (photo, blend), then of the generator and the blender."""
        labels = self.one_hot(ids)
        inner, outer = self.perturbed(ids)
        with self.autocast():
            style = self.generator.style(photos, labels)
            renders = [self.generator.generate(self.one_hot(map), style) for map in (inner, outer)]
            blend, _ = self.blender(*renders)
        losses = self.judge(photos, labels, blend, share)
        return {f"blend_{name}": value for name, value in losses.items()}

    @torch.no_grad()
    def perturbed(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """M_inter and M_outer (N, S, S) of label maps (N, S, S), see `perturbed_maps`; M_ref is the map before."""
        with self.autocast():
            return perturbed_maps(self.vae, ids, ids.roll(1, dims=0))

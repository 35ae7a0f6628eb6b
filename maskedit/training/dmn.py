"""Stage I: the Dense Mapping Network against two discriminators (MaskGAN section 3.2, Eq. 6-9).

Both networks are judged on the same forward passes, as pix2pixHD does it; the generator's loss uses the
discriminator as it was before its own update.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.data.pairs import Pairs
from maskedit.measures.metrics import psnr
from maskedit.measures.reconstruction import reconstruct, sample_sheet
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.dense_mapping import Generator
from maskedit.models.discriminator import MultiscaleDiscriminator
from maskedit.models.perceptual import make_perceptual
from maskedit.models.variants import build_generator
from maskedit.training.config import DmnOptions
from maskedit.training.losses import adversarial_loss, feature_matching_loss
from maskedit.training.stage import Losses, Phase, Stage


class DmnStage(Stage):
    """Generator and discriminator, trained in one phase."""

    name = "dmn"
    kept = "generator"
    options: DmnOptions

    def __init__(self, options: DmnOptions, device: torch.device):
        super().__init__(options, device)
        self.config = self.configuration(options)
        self.generator = self.add_network("generator", build_generator(self.config))
        width = options.discriminator_width or self.config.width
        self.discriminator = self.add_network("discriminator", MultiscaleDiscriminator(width))
        self.perceptual = make_perceptual(options.perceptual)
        if self.perceptual is not None:
            self.place(self.perceptual)
        self.phases = (Phase(self.backward, ("discriminator", "generator")),)

    @staticmethod
    def configuration(options: DmnOptions) -> DmnConfig:
        """The generator's."""
        preset = PRESETS[options.preset]
        return DmnConfig(width=preset.width, size=options.size or preset.size, variant=options.variant)

    def backward(self, photos: Tensor, ids: Tensor, share: float) -> Losses:
        """Gradients of both networks; see `Phase`."""
        labels = self.one_hot(ids)
        with self.autocast():
            fake = self.generator(photos, labels, labels)
        return self.judge(photos, labels, fake, share)

    def judge(self, photos: Tensor, labels: Tensor, fake: Tensor, share: float) -> Losses:
        """Gradients of the discriminator on photos and images ``fake`` (N, 3, S, S), then of what made ``fake``."""
        options = self.options
        with self.autocast():
            real_outputs = self.discriminator(labels, photos)
            fake_outputs = self.discriminator(labels, fake.detach())
            loss_d = 0.5 * (
                adversarial_loss(real_outputs, real=True, kind=options.adversarial)
                + adversarial_loss(fake_outputs, real=False, kind=options.adversarial)
            )
        (loss_d * share).backward()

        self.discriminator.requires_grad_(False)
        with self.autocast():
            judged = self.discriminator(labels, fake)
            losses = {"adversarial": adversarial_loss(judged, real=True, kind=options.adversarial)}
            total = losses["adversarial"]
            losses["features"] = feature_matching_loss(judged, real_outputs)
            total = total + options.feature_weight * losses["features"]
            if self.perceptual is not None:
                losses["perceptual"] = self.perceptual(fake, photos)
                total = total + options.perceptual_weight * losses["perceptual"]
            losses["l1"] = F.l1_loss(fake, photos)
            total = total + options.l1_weight * losses["l1"]
        (total * share).backward()
        self.discriminator.requires_grad_(True)
        return {**losses, "discriminator": loss_d, "total": total}

    def validate(self, network: Generator, pairs: Pairs) -> dict[str, float]:
        """Mean PSNR in dB over the photos, the L1 distance and, with a perceptual loss, its value."""
        decibels: list[float] = []
        l1: list[float] = []
        perceptual: list[float] = []

        def visit(renders: Tensor, photos: Tensor) -> None:
            decibels.extend(psnr(renders, photos).tolist())
            l1.append(float((renders - photos).abs().mean()) * len(photos))
            if self.perceptual is not None:
                perceptual.append(float(self.perceptual(renders, photos)) * len(photos))

        batch, precision = self.options.batch, self.precision
        reconstruct(network, pairs.photos, pairs.labels, visit, batch=batch, precision=precision)
        figures = {"psnr": math.fsum(decibels) / len(decibels), "l1": math.fsum(l1) / len(pairs)}
        return figures | ({"perceptual": math.fsum(perceptual) / len(pairs)} if perceptual else {})

    def score(self, figures: dict[str, float]) -> float:
        return figures.get("perceptual", figures["l1"])

    def sheet(self, network: Generator, pairs: Pairs) -> np.ndarray:
        return sample_sheet(network, pairs.photos, pairs.labels, rows=6, precision=self.precision)

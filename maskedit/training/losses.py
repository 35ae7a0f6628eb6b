"""The losses of stage I (MaskGAN Eq. 6-9)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.errors import UserError
from maskedit.models.perceptual import SqueezeNetFeatures, Vgg19Features, feature_distance

Outputs = list[list[Tensor]]
"""Per scale: the discriminator's feature maps and, last, its logits."""


def adversarial_loss(outputs: Outputs, *, real: bool, kind: str) -> Tensor:
    """Mean over the scales: least squares to 1 or 0 (as released), or the log form (Eq. 7)."""
    losses = []
    for scale in outputs:
        logits = scale[-1].float()
        target = torch.full_like(logits, 1.0 if real else 0.0)
        measure = F.mse_loss if kind == "lsgan" else F.binary_cross_entropy_with_logits
        losses.append(measure(logits, target))
    return torch.stack(losses).mean()


def feature_matching_loss(fake: Outputs, real: Outputs) -> Tensor:
    """L1 between the discriminator's features of render and photo: summed over layers, mean over scales (Eq. 8)."""
    scales = []
    for ours, theirs in zip(fake, real, strict=True):
        layers = [F.l1_loss(a.float(), b.detach().float()) for a, b in zip(ours[:-1], theirs[:-1], strict=True)]
        scales.append(torch.stack(layers).sum())
    return torch.stack(scales).mean()


class PerceptualLoss(nn.Module):
    """L1 between pretrained features of render and photo (Eq. 9).

    VGG-19 uses the paper's weights 1/32 .. 1; SqueezeNet's maps differ in scale, so each is divided by the mean
    magnitude of the photo's features, and the five are averaged.

    Args:
        choice: ``vgg19``, ``vgg19:PATH`` or ``squeezenet:PATH``.
    """

    VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self, choice: str):
        super().__init__()
        kind, _, path = choice.partition(":")
        if path and not Path(path).is_file():
            raise UserError(f"--perceptual {choice}: there is no file {path}.")
        if kind == "vgg19":
            self.features: nn.Module = Vgg19Features(path or None)
        elif kind == "squeezenet" and path:
            self.features = SqueezeNetFeatures(path)
        else:
            raise UserError(f"--perceptual {choice} is unknown; give vgg19, vgg19:PATH, squeezenet:PATH or none.")
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Both (N, 3, H, W) in [-1, 1]; scalar, differentiable in ``image``."""
        with torch.no_grad():
            wanted = self.features(target)
        if isinstance(self.features, Vgg19Features):
            weights = list(self.VGG_WEIGHTS)
        else:
            weights = [1 / (len(wanted) * max(float(feature.abs().float().mean()), 1e-6)) for feature in wanted]
        return feature_distance(self.features(image), wanted, weights)


def make_perceptual(choice: str) -> PerceptualLoss | None:
    """The loss, or None for ``none``."""
    return None if choice == "none" else PerceptualLoss(choice)

"""The losses of stage I (MaskGAN Eq. 6-9)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.models.holes import mean_inside

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


def adversarial_loss_inside(outputs: Outputs, hole: Tensor, *, real: bool, kind: str) -> Tensor:
    """As `adversarial_loss`, of those patches that touch a hole (N, 1, H, W): the others show nothing but the photo.

    Each photo counts alike, however large its hole.
    """
    losses = []
    for scale in outputs:
        logits = scale[-1].float()
        target = torch.full_like(logits, 1.0 if real else 0.0)
        measure = F.mse_loss if kind == "lsgan" else F.binary_cross_entropy_with_logits
        touched = F.adaptive_max_pool2d(hole.float(), logits.shape[-2:])
        losses.append(mean_inside(measure(logits, target, reduction="none"), touched).mean())
    return torch.stack(losses).mean()


def feature_matching_loss_inside(fake: Outputs, real: Outputs, hole: Tensor) -> Tensor:
    """As `feature_matching_loss`, inside a hole (N, 1, H, W) alone; a photo without one adds nothing."""
    scales = []
    for ours, theirs in zip(fake, real, strict=True):
        layers = [
            mean_inside((a.float() - b.detach().float()).abs(), hole.float())
            for a, b in zip(ours[:-1], theirs[:-1], strict=True)
        ]
        scales.append(torch.stack(layers).sum(dim=0))
    return torch.stack(scales).mean()


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - soft Dice (Milletari et al. 2016), the mean over the classes that a batch holds.

    logits: (N, C, H, W); targets: (N, H, W) int64 ids below C.
    """
    probabilities = logits.float().softmax(dim=1)
    truth = F.one_hot(targets, logits.shape[1]).permute(0, 3, 1, 2).to(probabilities.dtype)
    axes = (0, 2, 3)
    both = (probabilities * truth).sum(axes)
    sizes = probabilities.sum(axes) + truth.sum(axes)
    present = truth.sum(axes) > 0
    return (1 - (2 * both + 1) / (sizes + 1))[present].mean()

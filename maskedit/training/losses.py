"""The losses of stage I (MaskGAN Eq. 6-9)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.models.holes import mean_inside

Outputs = list[list[Tensor]]
"""Per scale: the discriminator's feature maps and, last, its logits."""


def adversarial_loss(outputs: Outputs, *, real: bool, kind: str, hole: Tensor | None = None) -> Tensor:
    """Mean over the scales: least squares to 1 or 0 (as released), or the log form (Eq. 7).

    Args:
        hole: (N, 1, H, W); only patches that touch it are judged then, for the others show nothing but the photo, and
            each photo counts alike, however large its hole.
    """
    measure = F.mse_loss if kind == "lsgan" else F.binary_cross_entropy_with_logits
    losses = []
    for scale in outputs:
        logits = scale[-1].float()
        target = torch.full_like(logits, 1.0 if real else 0.0)
        if hole is None:
            losses.append(measure(logits, target))
        else:
            touched = F.adaptive_max_pool2d(hole.float(), logits.shape[-2:])
            losses.append(mean_inside(measure(logits, target, reduction="none"), touched).mean())
    return torch.stack(losses).mean()


def feature_matching_loss(fake: Outputs, real: Outputs, hole: Tensor | None = None) -> Tensor:
    """L1 between the discriminator's features of render and photo: summed over layers, mean over scales (Eq. 8).

    Args:
        hole: (N, 1, H, W); only what lies in it is compared then, and a photo without one adds nothing.
    """

    def distance(ours: Tensor, theirs: Tensor) -> Tensor:
        if hole is None:
            return F.l1_loss(ours.float(), theirs.detach().float())
        return mean_inside((ours.float() - theirs.detach().float()).abs(), hole.float())

    scales = []
    for ours, theirs in zip(fake, real, strict=True):
        layers = [distance(*each) for each in zip(ours[:-1], theirs[:-1], strict=True)]
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

"""MaskVAE (MaskGAN, Lee et al., CVPR 2020, section 3.2): a smooth latent space of label maps.

It interpolates between label maps (Fig. 4) and gives Algorithm 1 the perturbed maps that stand for a person's edits.
The paper's size has 170,619,571 parameters, three fifths of them in the three linear layers.

The paper writes z = mu + r * exp(sigma) and calls sigma a log-variance; this is the usual exp(sigma / 2).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.config import MaskVaeConfig
from maskedit.models.tensors import one_hot, scaled_labels

SPREAD = 2.5
"""Algorithm 1: the inner and outer codes lie this fraction of the way toward and away from the reference."""


class MaskVAE(nn.Module):
    """One-hot labels <-> latent codes (N, latent); ``forward`` is both ways, as training uses them."""

    def __init__(self, config: MaskVaeConfig):
        super().__init__()
        self.config = config
        widths, floor = config.widths, config.FLOOR
        values = widths[-1] * floor * floor
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in pairwise((config.labels, *widths))
        )
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.mean = nn.Linear(values, config.latent)
        self.log_variance = nn.Linear(values, config.latent)
        self.expand = nn.Linear(config.latent, values)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 3) for coarse, fine in pairwise(reversed(widths)))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in reversed(widths[:-1]))
        self.head = nn.Conv2d(widths[0], config.labels, 3)

    def encode(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One-hot labels (N, 19, size, size) -> mean and log-variance of their codes, each (N, latent) float32.

        Raises:
            ValueError: another side than the configuration's.
        """
        if labels.shape[-2:] != (self.config.size,) * 2:
            raise ValueError(f"MaskVAE got {tuple(labels.shape[-2:])} labels, wanted {self.config.size} px squares.")
        x = labels
        for conv, norm in zip(self.down, self.down_norms, strict=True):
            x = F.leaky_relu(norm(conv(x)), 0.2)
        x = x.flatten(1)  # (N, 16 * widths[-1])
        return self.mean(x).float(), self.log_variance(x).float()

    def decode(self, z: Tensor) -> Tensor:
        """Codes (N, latent) -> logits (N, 19, size, size) float32; their argmax is the label map."""
        x = F.relu(self.expand(z)).unflatten(1, (-1, self.config.FLOOR, self.config.FLOOR))
        for conv, norm in zip(self.up, self.up_norms, strict=True):
            x = F.leaky_relu(norm(conv(_double(x))), 0.2)
        return self.head(_double(x)).float()

    @staticmethod
    def reparametrise(mean: Tensor, log_variance: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """A code drawn from N(mean, exp(log_variance)), differentiable in both (Kingma 2014); all (N, latent).

        Args:
            noise: standard normal; drawn from torch's own generator when None.
        """
        noise = torch.randn_like(mean) if noise is None else noise
        return mean + noise * torch.exp(log_variance / 2)

    def forward(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One-hot labels -> logits of a code drawn from theirs, mean, log-variance (Eq. 3-5); shapes as above."""
        mean, log_variance = self.encode(labels)
        return self.decode(self.reparametrise(mean, log_variance)), mean, log_variance


def _double(x: Tensor) -> Tensor:
    """Twice the side by nearest neighbour, and one more pixel of the border's own value on every side."""
    return F.pad(F.interpolate(x, scale_factor=2.0, mode="nearest"), (1, 1, 1, 1), mode="replicate")


def interpolate(z_a: Tensor, z_b: Tensor, steps: int) -> Tensor:
    """Evenly spaced codes from ``z_a`` to ``z_b``, both ends among them: the strip of Fig. 4 once decoded.

    Args:
        z_a, z_b: (latent,) or (N, latent), of one shape.
        steps: at least 2.

    Returns:
        (steps, latent) or (steps, N, latent).

    Raises:
        ValueError: fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"A strip has two ends: got {steps} steps, wanted at least 2.")
    shares = torch.linspace(0, 1, steps, dtype=z_a.dtype, device=z_a.device)
    return torch.lerp(z_a, z_b, shares.view(-1, *[1] * z_a.ndim))


def inner_outer(z_t: Tensor, z_ref: Tensor) -> tuple[Tensor, Tensor]:
    """Algorithm 1's two perturbed codes, z_t + d / 2.5 and z_t - d / 2.5 with d = z_ref - z_t.

    Args:
        z_t, z_ref: codes of the photo's own labels and of any other face's, both (N, latent).

    Returns:
        inner and outer, both (N, latent); their mean is ``z_t``.
    """
    shift = (z_ref - z_t) / SPREAD
    return z_t + shift, z_t - shift


def perturbed_maps(vae: MaskVAE, ids: Tensor, reference_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Algorithm 1's M_inter and M_outer: label maps decoded from the two codes of ``inner_outer``.

    Args:
        ids, reference_ids: label maps (N, S, S) uint8; those of another side than the MaskVAE's are scaled by nearest
            neighbour, there and back.

    Returns:
        inner and outer, both (N, S, S) uint8.
    """
    side = vae.config.size
    z_t, z_ref = (vae.encode(one_hot(scaled_labels(maps, side)))[0] for maps in (ids, reference_ids))
    maps = [vae.decode(z).argmax(dim=1).to(torch.uint8) for z in inner_outer(z_t, z_ref)]
    inner, outer = (scaled_labels(map, ids.shape[-1]) for map in maps)
    return inner, outer

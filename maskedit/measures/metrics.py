"""How near a picture is to a photo: PSNR, SSIM and the distance of pretrained features.

The third is ``maskedit.models.perceptual.PerceptualLoss``, the measure that training minimises, taken photo by photo
so that it does not depend on how photos are batched.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

WINDOW = 11
SIGMA = 1.5

Distance = Callable[[Tensor, Tensor], Tensor]
"""Pictures and photos, both (N, 3, H, W) in [-1, 1] -> a scalar."""


def psnr(image: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,) float64, of (N, 3, H, W) in [-1, 1]; at most 100 (equal pictures)."""
    errors = ((image.double() - target.double()) / 2).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(errors.clamp_min(1e-10))


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Structural similarity, (N,) float64 in [-1, 1], 1 for equal pictures, of (N, 3, H, W) in [-1, 1].

    Wang, Bovik, Sheikh and Simoncelli 2004: an 11 x 11 Gaussian window of sigma 1.5, K1 0.01, K2 0.03, on each of R,
    G and B with data range 1, averaged over the windows that lie wholly inside the picture.

    Raises:
        ValueError: H or W is below 11.
    """
    if min(image.shape[2:]) < WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {WINDOW} x {WINDOW}, not {tuple(image.shape[2:])}.")
    whole = slice(WINDOW // 2, -(WINDOW // 2))
    return ssim_map(image, target)[:, 0, whole, whole].mean(dim=(1, 2))


def ssim_map(image: Tensor, target: Tensor) -> Tensor:
    """What `ssim` averages: (N, 1, H, W) float64 on the CPU, the mean of R, G and B at every pixel.

    Windows that reach over the edge see the picture's reflection: a hole may lie at the edge.
    """
    a, b = ((x.double() + 1).div(2).permute(0, 2, 3, 1).cpu().numpy() for x in (image, target))
    maps = np.stack([a, b, a * a, b * b, a * b], axis=-1)  # (N, H, W, 3, 5)
    flat = maps.reshape(*maps.shape[:3], -1)
    # OpenCV's, not torch's: ten times as fast in float64.
    blurred = [cv2.GaussianBlur(x, (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_REFLECT_101) for x in flat]
    mean_a, mean_b, aa, bb, ab = np.moveaxis(np.stack(blurred).reshape(maps.shape), -1, 0)
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * (ab - mean_a * mean_b) + c2)
    likeness /= (mean_a**2 + mean_b**2 + c1) * (aa - mean_a**2 + bb - mean_b**2 + c2)
    return torch.from_numpy(likeness.mean(axis=3))[:, None]


def feature_distances(distance: Distance, image: Tensor, target: Tensor) -> Tensor:
    """(N,) float64: ``distance`` of each of N pictures (N, 3, H, W) in [-1, 1] from its photo, one at a time."""
    pairs = zip(image.split(1), target.split(1), strict=True)
    return torch.tensor([float(distance(ours, theirs)) for ours, theirs in pairs], dtype=torch.float64)


class Means:
    """Running means of the measures over pictures: ``add`` any number of batches, then read ``figures``."""

    def __init__(self, distance: Distance | None):
        self.distance = distance
        self.values: dict[str, list[Tensor]] = {}

    def add(self, images: Tensor, photos: Tensor) -> None:
        """Both (n, 3, S, S) float in [-1, 1]."""
        measured = {"psnr": psnr(images, photos), "ssim": ssim(images, photos)}
        if self.distance is not None:
            measured["features"] = feature_distances(self.distance, images, photos)
        for name, values in measured.items():
            self.values.setdefault(name, []).append(values.cpu())

    @property
    def figures(self) -> dict[str, float]:
        """``psnr`` in dB, ``ssim`` and, with a distance, ``features``: means over all pictures."""
        return {name: float(torch.cat(values).mean()) for name, values in self.values.items()}

"""How near a picture is to a photo: PSNR, SSIM and the distance of pretrained features.

The third is ``maskedit.models.perceptual.PerceptualLoss``, the measure that training minimises, taken photo by photo
so that it does not depend on how photos are batched.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
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
    a, b = (image.double() + 1) / 2, (target.double() + 1) / 2
    offsets = torch.arange(WINDOW, dtype=torch.float64, device=a.device) - WINDOW // 2
    kernel = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).expand(a.shape[1], 1, 1, WINDOW)

    def blurred(x: Tensor) -> Tensor:
        rows = F.conv2d(x, kernel, groups=x.shape[1])
        return F.conv2d(rows, kernel.transpose(2, 3), groups=x.shape[1])

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (likeness / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean(dim=(1, 2, 3))


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

"""How much of each pixel belongs to a region: soft at its edge, and told by the photo's own colours there.

The mask of a region is filtered by the photo (He et al., "Guided Image Filtering", ECCV 2010), so that fine hair at the
border belongs to it and the background between does not. What the filter finds is a linear function of a pixel's
colour in each place, which holds for the same photo at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Edge:
    """What the border of a region is like. Lengths are fractions of the side."""

    radius: float
    """Of the filter's windows."""
    epsilon: float
    """The variance of colours, 0..1, below which a difference is noise and no edge."""
    unsure: float
    """So near to its border a mask may be wrong."""
    reach: float
    """So far beyond its border a region may reach."""
    core: float
    """So far inside it, all of a pixel belongs to the region."""


HAIRY = Edge(radius=0.022, epsilon=1e-4, unsure=0.009, reach=0.02, core=0.03)
"""Strands that lie over something else."""
PLAIN = Edge(radius=0.008, epsilon=4e-3, unsure=0.003, reach=0.01, core=0.012)
"""A line, as between lips and skin: one colour goes over into another one that is much like it."""
_COARSE = 6
"""Pixels: the radius in which the filter is computed."""
_DOUBT = 0.02
"""What a pixel counts for whose label may be wrong, when the filter learns from it."""
_EMPTY, _FULL = 0.04, 0.88
"""What the filter says below and above these is nothing and all: it leaves a haze otherwise."""
_BASE_RADIUS, _BASE_EPSILON = 0.008, 9.0
"""Of the side; and the variance of L that is detail and not light."""


@dataclass(frozen=True, eq=False)
class Matte:
    """A matte as fields of the square, which can be enlarged."""

    fields: np.ndarray
    """(S, S, 6) float32: what red, green and blue count for, what is added to them, the core, and the reach."""

    @staticmethod
    def alpha(fields: np.ndarray, photo: np.ndarray) -> np.ndarray:
        """(h, w) float32, 0..1: how much of each pixel of a photo (h, w, 3) float32 0..1 belongs to the region.

        Args:
            fields: `Matte.fields`, or these enlarged to the photo's size.
        """
        found = (fields[..., :3] * photo).sum(axis=2) + fields[..., 3]
        found = np.clip((found - _EMPTY) / (_FULL - _EMPTY), 0, 1)
        return np.maximum(found, fields[..., 4]) * fields[..., 5]


def matte_of(photo: np.ndarray, region: np.ndarray, edge: Edge | None) -> Matte:
    """The matte of a region (S, S) float32, 0..1, in its photo (S, S, 3) uint8; without an edge, the region itself."""
    side = len(photo)
    fields = np.zeros((side, side, 6), np.float32)
    if edge is None:
        fields[..., 4], fields[..., 5] = region, region > 0
        return Matte(fields)
    inside = (region > 0.5).astype(np.uint8)
    reach, core = edge.reach * side, max(edge.core * side, 1)
    x, y, width, height = cv2.boundingRect(inside)
    margin = int(np.ceil(2 * reach)) + 2
    box = slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)
    # Distances are 1 at the pixels next to the border; beyond the photo's edge the region goes on.
    beyond = cv2.distanceTransform(1 - inside[box], cv2.DIST_L2, cv2.DIST_MASK_5)
    depth = cv2.distanceTransform(inside[box], cv2.DIST_L2, cv2.DIST_MASK_5)
    fields[box][..., 5] = np.clip((reach - beyond) / (reach / 2), 0, 1)
    fields[box][..., 4] = np.clip((depth - core / 2) / (core / 2), 0, 1) * region[box]
    sure = np.where(np.maximum(beyond, depth) > edge.unsure * side, 1, _DOUBT).astype(np.float32)
    fields[box][..., :4] = _guided(photo[box], region[box], sure, edge, edge.radius * side)
    return Matte(fields)


def _guided(photo: np.ndarray, mask: np.ndarray, sure: np.ndarray, edge: Edge, radius: float) -> np.ndarray:
    """(h, w, 4) float32: by which linear function of its colour a pixel's share of the mask is told.

    The function changes slowly: it is found at a lower resolution (He and Sun, "Fast Guided Filter", 2015).
    """
    height, width = mask.shape
    shrink = max(1.0, radius / _COARSE)
    small = max(1, round(width / shrink)), max(1, round(height / shrink))
    guide = cv2.resize(photo, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask, sure = (cv2.resize(each, small, interpolation=cv2.INTER_AREA) for each in (mask, sure))
    side = 2 * max(1, round(radius / shrink)) + 1
    size = (side, side)

    def blurred(field: np.ndarray) -> np.ndarray:
        return cv2.blur(field, size, borderType=cv2.BORDER_REFLECT)

    def mean(field: np.ndarray) -> np.ndarray:
        if field.ndim == 3:
            return blurred(field * sure[..., None]) / weight[..., None]
        return blurred(field * sure) / weight

    weight = blurred(sure)

    centre, share = mean(guide), mean(mask)
    red, green, blue = cv2.split(guide)
    pairs = [
        mean(a * b) for a, b in ((red, red), (red, green), (red, blue), (green, green), (green, blue), (blue, blue))
    ]
    means = cv2.split(centre)
    order = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    rr, rg, rb, gg, gb, bb = (pair - means[i] * means[j] for pair, (i, j) in zip(pairs, order, strict=True))
    rr, gg, bb = rr + edge.epsilon, gg + edge.epsilon, bb + edge.epsilon
    # The inverse of the symmetric matrix of covariances, by its minors.
    m00, m01, m02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    m11, m12, m22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * m00 + rg * m01 + rb * m02
    with_mask = mean(guide * mask[..., None]) - centre * share[..., None]
    r, g, b = cv2.split(with_mask)
    weights = np.dstack([m00 * r + m01 * g + m02 * b, m01 * r + m11 * g + m12 * b, m02 * r + m12 * g + m22 * b])
    weights /= determinant[..., None]
    rest = share - (weights * centre).sum(axis=2)
    return cv2.resize(blurred(np.dstack([weights, rest])), (width, height), interpolation=cv2.INTER_LINEAR)


def lightness_base(lightness: np.ndarray) -> np.ndarray:
    """(S, S, 2) float32: factor and summand that make of L (S, S) what it is without fine detail, edges kept."""
    radius = max(1, round(_BASE_RADIUS * len(lightness)))
    size = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(lightness, size, borderType=cv2.BORDER_REFLECT)
    variance = cv2.blur(lightness * lightness, size, borderType=cv2.BORDER_REFLECT) - mean * mean
    factor = np.maximum(variance, 0) / (np.maximum(variance, 0) + _BASE_EPSILON)
    return cv2.blur(np.dstack([factor, (1 - factor) * mean]), size, borderType=cv2.BORDER_REFLECT)

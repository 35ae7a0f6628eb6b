"""A sample of a layer's output: how an edit moves the statistics of what lies outside the recomputed box.

Outside its box nothing is computed after an edit, but the whole image's statistics hang on it. What changes there is
nearly one affine change of every channel, for it comes from normalisations that divide by something else now. So a few
pixels tell it: they are computed anew from what the layer before holds, and compared with what is kept of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskedit.models.layers import normalised
from maskedit.render.boxes.geometry import Geometry, Span

SAMPLES = 32
"""Windows of every sampled layer. On trained weights 16 are five percent further off, and 64 two percent nearer."""
_SPARE = 4
"""Windows to choose from for every one that is computed, so that there are enough outside of a large box."""
_FEWEST = 12
"""Windows outside the box that a fit needs: fewer tell too little."""
_SCALES = (0.8, 1.25)
"""The least and the greatest change of a channel's deviation that a fit may give: a larger one is rather an error of
the sample, and is clamped."""


class Affine(NamedTuple):
    """new = offset + scale * kept, in every channel; (C,) float32 each."""

    offset: Tensor
    scale: Tensor

    def inverse(self, new: Tensor) -> Tensor:
        """(1, C, H, W): the values that become ``new``."""
        return F.batch_norm(new, self.offset, self.scale**2, eps=0.0)


class StatisticsProbe:
    """Some windows of one convolution's input, spread evenly at random, and the outputs made of them.

    Always the same ones, so that an edit that is undone gives what it gave before. None reaches over the border: what
    is beyond would have to be made up first.

    Args:
        module: a 3x3 convolution that halves, or a transposed one that doubles; changed weights want a new sample.
        geometry: the same convolution's.
        side: of the label map, in pixels.
        count: windows to compute at a time, each of one output pixel, or of 2x2 where the resolution is doubled.
    """

    def __init__(self, module: nn.Conv2d | nn.ConvTranspose2d, geometry: Geometry, side: int, count: int):
        self.side, size = side, geometry.length(side)
        length, self._block = geometry.input_length(side), 2 if geometry.kind == "up" else 1
        needed = [
            (start, geometry.required_inputs(Span(start, start + self._block))) for start in range(0, size, self._block)
        ]
        within = [(start, window.start) for start, window in needed if window == window.clipped(length)]
        outputs, windows = np.array(within, np.int64).reshape(-1, 2).T
        order = np.random.default_rng(geometry.level).permutation(len(within) ** 2)[: _SPARE * count]
        chosen = np.stack(np.divmod(order, max(len(within), 1)))
        self._outputs = outputs[chosen]
        self._pixels = _pixels(outputs[chosen], self._block, size)
        self._windows = _pixels(windows[chosen], len(needed[0][1]), length)
        self._count = min(count, len(order))
        self._weight, self._bias = _matrix(module)

    def fit(self, region: tuple[Span, Span], inputs: Callable[[Tensor], Tensor], kept: Tensor) -> Affine | None:
        """What becomes of the map outside a region of it; None where too few windows lie there.

        Args:
            region: rows and columns of the output that are computed anyway.
            inputs: gives pixels of the convolution's input as `gather` does.
            kept: (1, C, H, W), what the convolution gave before.
        """
        outside = self._outside(region)
        if outside is None:
            return None
        windows, pixels = (torch.from_numpy(each[outside]) for each in (self._windows, self._pixels))
        new = F.linear(inputs(windows).permute(0, 2, 3, 1).flatten(1), self._weight, self._bias)
        return affine(new.view(-1, kept.shape[1]), gather(kept, pixels).permute(0, 2, 3, 1).flatten(0, 2))

    def _outside(self, region: tuple[Span, Span]) -> np.ndarray | None:
        """(count,) indices of windows: always equally many, some of them twice if need be, for every new number costs
        the matrix product some preparation."""
        inside = np.ones(self._outputs.shape[1], bool)
        for starts, span in zip(self._outputs, region, strict=True):
            inside &= (starts > span.start - self._block) & (starts < span.stop)
        outside = np.flatnonzero(~inside)
        return np.resize(outside, self._count) if len(outside) >= _FEWEST else None


def affine(new: Tensor, kept: Tensor) -> Affine:
    """The change from ``kept`` to ``new``, (N, C) each, as means and deviations tell it."""
    (_, mean, rstd), (_, kept_mean, kept_rstd) = normalised(new), normalised(kept)
    scale = (kept_rstd / rstd).clamp_(*_SCALES)
    return Affine(mean - scale * kept_mean, scale)


def gather(x: Tensor, pixels: Tensor) -> Tensor:
    """(N, C, h, w): pixels of a map (1, C, H, W), counted row by row, at indices (N, h, w); all in channels_last."""
    rows = x.permute(0, 2, 3, 1).flatten(0, 2)
    return rows.index_select(0, pixels.flatten()).view(*pixels.shape, -1).permute(0, 3, 1, 2)


def _pixels(starts: np.ndarray, length: int, side: int) -> np.ndarray:
    """(N, length, length): indices of the pixels of squares that start at (2, N) rows and columns."""
    steps = np.arange(length)
    rows, columns = starts[:, :, None] + steps
    return rows[:, :, None] * side + columns[:, None, :]


def _matrix(module: nn.Conv2d | nn.ConvTranspose2d) -> tuple[Tensor, Tensor]:
    """(outputs, inputs) and (outputs,): the convolution of one window, pixels first and channels last in both."""
    weight, bias = module.weight.detach(), module.bias.detach()
    if isinstance(module, nn.Conv2d):
        return weight.permute(0, 2, 3, 1).flatten(1), bias
    # An output pixel 2 i + a of each axis is made of inputs i and, if a is 1, i + 1, by taps a + 1 and 0.
    matrix = weight.new_zeros(2, 2, weight.shape[1], 2, 2, weight.shape[0])
    taps = ((0, 0, 1), (1, 0, 2), (1, 1, 0))
    for row, from_row, down in taps:
        for column, from_column, right in taps:
            matrix[row, column, :, from_row, from_column] = weight[:, :, down, right].T
    return matrix.flatten(3).flatten(0, 2), bias.repeat(4)

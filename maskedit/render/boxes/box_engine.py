"""Box render: after an edit, recompute only a box of every layer, with running statistics.

Every normalisation layer of the generator divides by statistics of the whole image, so a stroke changes everything a
little and no layer could be kept. But they change little, and mostly by what changed in the box. So each convolution's
output is kept, with its channels' sums; after an edit a box of it is recomputed, the sums are corrected by what
changed in the box (running statistics), and whatever the next convolution looks at is normalised with these. What lies
outside the box is kept as it was: the picture there does not change at all.

How the layer would have changed out there is told by a sample of it (`boxes.sampling`), as one affine change
of every channel. Normalisation does away with affine changes, so it need not be made where the layer is kept: the box
is put in with the change taken back, and all of the layer is as if the statistics before it had never moved.

The picture inside is that of a full render to within about one level of 255 on average, two without samples and three
with statistics frozen as they were before the edit (`maskedit-eval boxes`); a full render, when the brush rests, makes
it exact and what is kept new. A box as large as the image *is* a full render, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskedit.document.history import Box
from maskedit.models.dense_mapping import DenseMappingNetwork, Layer
from maskedit.models.device import precision_name
from maskedit.models.layers import EPS, normalised
from maskedit.models.tensors import one_hot, tensor_to_photo
from maskedit.render.boxes.geometry import EVERYTHING, Geometry, Halo, Span, changed_boxes, spans
from maskedit.render.boxes.sampling import SAMPLES, StatisticsProbe, gather
from maskedit.render.convolution import Convolution, FourPixelConvolution
from maskedit.render.modes import Cancelled, never

HALO = Halo(down=3, blocks=2, up=16)
"""The best trade of error and time on trained weights (`maskedit-eval boxes --growths`): less around the blocks' cells,
or after them, is a third to a half further off; more costs much and brings a tenth of a level at most."""

Region = tuple[Span, Span]
"""Rows and columns."""
Code = tuple[Tensor, Tensor]
"""Bias and weight of one AdaIN layer, (C,) float32 each: the bias comes first in a style code."""


class _State:
    """What is kept of one layer: its output before normalisation, (1, C, H, W), and its channels' statistics.

    The sums are taken about the means of the last full render: as differences of two large numbers they would lose
    the small change that an edit makes.
    """

    def __init__(self, raw: Tensor, mean: Tensor, rstd: Tensor):
        self.raw, self.mean = raw, mean
        self.variance = rstd**-2 - EPS
        self._centre = mean
        self._count = raw.shape[2] * raw.shape[3]
        self._sums = torch.stack([torch.zeros_like(mean), self.variance * self._count]).double()

    def part(self, where: Region | Tensor) -> Tensor:
        """A copy of a region, or of pixels as `gather` takes them."""
        return _part(self.raw, where).contiguous(memory_format=torch.channels_last)

    def replace(self, region: Region, values: Tensor, *, frozen: bool) -> None:
        """Put new values into a region, and correct the statistics by what that changes."""
        if not frozen:
            self._sums += self._distances(values) - self._distances(self.part(region))
            shift, square = self._sums / self._count
            self.mean = self._centre + shift.float()
            self.variance = (square - shift**2).clamp_min(0).float()
        rows, columns = region
        self.raw[:, :, rows.slice, columns.slice] = values

    def _distances(self, values: Tensor) -> Tensor:
        """(2, C) float64: sums of the distances from the centre and of their squares."""
        count = values.shape[2] * values.shape[3]
        _, mean, rstd = normalised(values)
        mean, variance = (mean - self._centre).double(), rstd.double() ** -2 - EPS
        return torch.stack([mean, variance + mean**2]) * count


def _part(x: Tensor, where: Region | Tensor) -> Tensor:
    if isinstance(where, Tensor):
        return gather(x, where)
    rows, columns = where
    return x[:, :, rows.slice, columns.slice]


class BoxEngine:
    """The generator on the CPU, layer by layer, with what box renders start from; an `Engine`.

    Args:
        network: on the CPU, in float32 or bfloat16; it is used, not copied.
        halo: how far a box grows in each layer.
        samples: windows outside the box that are looked at in each layer; 0 goes without.
    """

    def __init__(self, network: DenseMappingNetwork, halo: Halo = HALO, samples: int = SAMPLES):
        self._network, self.halo, self._count = network, halo, samples
        self._precision = next(network.parameters()).dtype
        self.name = f"torch {precision_name(self._precision)}"
        self._layers = list(network.layers())
        self._geometries = [geometry_of(layer) for layer in self._layers]
        *layers, head = self._layers
        self._convolutions = [*(Convolution(layer.module) for layer in layers), FourPixelConvolution(head.module)]
        skips = {layer.skip: index for index, layer in enumerate(self._layers)}
        self._last_use = [skips.get(index, index + 1) for index in range(len(self._layers))]
        self._probes: dict[int, StatisticsProbe] = {}
        self.clear()

    def clear(self) -> None:
        """Let go of what is kept; the next render must be a full one."""
        self._states: list[_State] = []
        self._codes: list[Code] = []
        self._ids: np.ndarray | None = None
        """The label map that the states belong to."""
        self._shown: np.ndarray | None = None
        """The one that the picture does."""
        self._style: Tensor | None = None
        """The picture's style code."""
        self.picture: np.ndarray | None = None
        """(S, S, 3) uint8: the last render with all updates since; not to be written to."""
        self.stale = False
        """Whether the states are not those of a full render of what is shown."""

    def weights_changed(self) -> None:
        """The network was changed in place."""
        for convolution in self._convolutions:
            convolution.weights_changed()
        self._probes = {}
        self.clear()

    @property
    def ready(self) -> bool:
        """Whether there was a full render, so that ``update`` can start from it."""
        return self._ids is not None

    @property
    def nbytes(self) -> int:
        """Memory that is kept for updates, in bytes: 136 MiB for width 64 at 512 px in bfloat16; samples have
        weights of their own, 22 MiB more."""
        return sum(state.raw.nbytes for state in self._states)

    @property
    def shown(self) -> tuple[np.ndarray, Tensor] | None:
        """Label map and style code of the picture; None before the first."""
        return None if self._shown is None else (self._shown, self._style)

    def rebase(self, picture: np.ndarray, ids: np.ndarray, style: Tensor) -> None:
        """Let the next update start from this picture (S, S, 3) uint8, which another engine rendered from a label map
        (S, S) and a style code."""
        self.picture, self._shown, self._style, self.stale = picture.copy(), ids.copy(), style, True

    @contextmanager
    def keeping_picture(self) -> Iterator[None]:
        """Whatever is rendered meanwhile, the picture is the same again afterwards."""
        kept = self.picture, self._shown, self._style
        try:
            yield
        finally:
            self.picture, self._shown, self._style = kept
            self.stale = self.stale or not np.array_equal(self._ids, self._shown)

    def refresh(self, cancelled: Callable[[], bool] = never) -> None:
        """Make the states those of a full render of what is shown; the picture stays."""
        with self.keeping_picture():
            self.generate(*self.shown, cancelled)

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """A full render, from which updates start; see `Engine`. When it is cancelled, what was kept before stays."""
        given = style
        style = style.to("cpu", torch.float32)
        codes = [tuple(code[0].chunk(2)) for code in self._network.codes(style)]
        side = ids.shape[0]
        states, picture = list(self._states), np.empty((side, side, 3), np.uint8)
        with torch.inference_mode():
            self._render(ids, Box(0, 0, side, side), states, codes, picture, halo=EVERYTHING, cancelled=cancelled)
        self._states, self._codes, self._ids, self.picture = states, codes, ids.copy(), picture
        self._shown, self._style, self.stale = self._ids, given, False
        return picture.copy()

    def update(self, ids: np.ndarray, *, halo: Halo | None = None, frozen: bool = False) -> np.ndarray:
        """The picture (S, S, 3) uint8 after an edit: boxes around what changed since the last render or update.

        Args:
            ids: (S, S) uint8, of the same side as in ``generate``.
            halo: how far the boxes grow; this engine's when None.
            frozen: keep the statistics of the last full render, for comparison.
        """
        boxes = changed_boxes((self._ids != ids) | (self._shown != ids))
        # Several boxes come one after another, each with the label map as the ones before it left it.
        labels = self._ids
        for box in boxes:
            labels[box.slices] = ids[box.slices]
            self.update_box(labels, box, halo=halo, frozen=frozen)
        self._shown, self.stale = self._ids, True
        return self.picture.copy()

    def update_box(self, ids: np.ndarray, box: Box, *, halo: Halo | None = None, frozen: bool = False) -> Region:
        """Render anew what a box of the label map reaches; returns the region of the picture that is new."""
        with torch.inference_mode():
            region = self._render(
                ids, box, self._states, self._codes, self.picture, halo=halo or self.halo, frozen=frozen
            )
        if ids is not self._ids:
            self._ids = self._shown = ids.copy()
        return region

    def _render(
        self,
        ids: np.ndarray,
        box: Box,
        states: list[_State],
        codes: list[Code],
        picture: np.ndarray,
        *,
        halo: Halo,
        frozen: bool = False,
        cancelled: Callable[[], bool] = never,
    ) -> Region:
        """One pass through all layers, each over its part of what the box reaches.

        A layer that is recomputed whole gets a new state; a part is put into the state there is.
        """
        side = ids.shape[0]
        rows = spans(self._geometries, Span(box.y0, box.y1), side, halo)
        columns = spans(self._geometries, Span(box.x0, box.x1), side, halo)
        whole: dict[int, Tensor] = {}  # activations of layers that this pass has computed whole

        def code(layer: Layer) -> tuple[Tensor | None, Tensor | None]:
            """Weight and bias of the normalisation; the other way round than in a style code."""
            return (None, None) if layer.code is None else codes[layer.code][::-1]

        def activation(index: int, where: Region | Tensor) -> Tensor:
            """(1, C, h, w), or pixels (N, C, h, w): what a layer hands on, normalised with its present statistics."""
            if index in whole:
                return _part(whole[index], where)
            layer, state = self._layers[index], states[index]
            x = F.batch_norm(state.part(where), state.mean, state.variance, *code(layer), eps=EPS)
            return finished(layer, x, where)

        def finished(layer: Layer, x: Tensor, where: Region | Tensor) -> Tensor:
            if layer.relu:
                x = x.relu_()
            return x if layer.skip is None else x.add_(activation(layer.skip, where))

        for index, layer in enumerate(self._layers):
            if cancelled():
                raise Cancelled
            geometry, region = self._geometries[index], (rows[index], columns[index])
            length = geometry.input_length(side)
            wanted = tuple(geometry.required_inputs(span) for span in region)
            window = tuple(span.clipped(length) for span in wanted)
            x = self._one_hot(ids, window) if index == 0 else activation(index - 1, window)
            raw = self._convolve(index, x, wanted, length)[:, :, : len(region[0]), : len(region[1])]
            if index == len(self._layers) - 1:
                break
            if all(len(span) == geometry.length(side) for span in region):
                x, mean, rstd = normalised(raw, *code(layer))
                states[index : index + 1] = [_State(raw, mean, rstd)]
                whole[index] = finished(layer, x, region)
                for used in [each for each in whole if self._last_use[each] <= index]:
                    del whole[used]
            else:
                sample = None if frozen else self._probe(index, side)
                change = sample and sample.fit(region, partial(activation, index - 1), states[index].raw)
                states[index].replace(region, change.inverse(raw) if change else raw, frozen=frozen)
        picture[region[0].slice, region[1].slice] = tensor_to_photo(torch.tanh(raw[0].float()))
        return region

    def _probe(self, index: int, side: int) -> StatisticsProbe | None:
        """Of one of the layers that are sampled: the residual blocks would cost more than they gain, and the first
        layer, which no statistics come before, needs none."""
        if not self._count or self._layers[index].kind == "same":
            return None
        sample = self._probes.get(index)
        if sample is None or sample.side != side:
            sample = self._probes[index] = StatisticsProbe(
                self._layers[index].module, self._geometries[index], side, self._count
            )
        return sample

    def _convolve(self, index: int, x: Tensor, wanted: Region, length: int) -> Tensor:
        geometry = self._geometries[index]
        if geometry.kind != "same":
            # Outputs of a halving begin with a pixel beyond the border, or not: zeros at the other end do no harm.
            return self._convolutions[index](x, tuple(int(span.start < 0) for span in wanted))
        pads = [beyond for span in reversed(wanted) for beyond in (max(-span.start, 0), max(span.stop - length, 0))]
        return self._convolutions[index](F.pad(x, pads, mode="reflect") if any(pads) else x)

    def _one_hot(self, ids: np.ndarray, window: Region) -> Tensor:
        part = torch.from_numpy(np.array(ids[window[0].slice, window[1].slice]))  # a copy: maps may be read-only
        return one_hot(part, dtype=self._precision).contiguous(memory_format=torch.channels_last)


def kept_bytes(network: DenseMappingNetwork, size: int) -> int:
    """Memory that box renders of ``size`` x ``size`` pixels need, in bytes."""
    *layers, _ = network.layers()
    pixels = sum(layer.module.out_channels * geometry_of(layer).length(size) ** 2 for layer in layers)
    return pixels * next(network.parameters()).itemsize


def geometry_of(layer: Layer) -> Geometry:
    """Where a layer looks."""
    padding = {"same": layer.module.kernel_size[0] // 2, "down": 1, "up": 0}[layer.kind]
    # The last layer computes four pixels at a time.
    return Geometry(layer.kind, layer.level, padding, even=layer.name == "head")

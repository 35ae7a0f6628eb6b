"""The networks written out by hand in OpenVINO's operations, from their weights.

That takes a quarter of a second for 90 million of them, where tracing takes eleven, and is quicker than reading a
compiled model back from disk: so no model is stored.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from maskedit.models.colours import GROUPS, NUM_GROUPS, TINT
from maskedit.models.context import ATTENTION_LEVEL, HIDDEN, INPUTS, SLOPE, ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork, Layer
from maskedit.models.layers import EPS
from maskedit.models.regions import STYLE, RegionModulation
from maskedit.render.convolution import four_pixel_kernel

if TYPE_CHECKING:
    import openvino

Ranges = dict[str, tuple[float, float]]
"""Name of a convolution -> the least and the greatest value that goes into it; 0 lies between them."""


class OpenVinoMissing(ImportError):
    """OpenVINO is not installed, or cannot run here: take another engine."""


class Graph:
    """``DenseMappingNetwork.generate`` in OpenVINO's operations, from ids to pixels, and what else shares its layers.

    Args:
        network: where the weights come from.
        ranges: the convolutions named here work in 8 bits.
    """

    def __init__(self, network: DenseMappingNetwork, ranges: Ranges):
        self._ops, self._network, self._ranges = import_openvino().opset13, network, ranges

    def generator(self, size: int) -> openvino.Model:
        """(S, S) uint8 ids and (1, V) float32 style -> (S, S, 3) uint8 RGB."""
        (ids, style), kept = self._inputs(size), []
        x, codes = self._one_hot(ids, size), self._codes(style)
        *layers, _ = self._network.layers()
        for layer in layers:
            x = self._finished(layer, self._convolved(layer, x), codes, kept)
        return import_openvino().Model([self._pixels(self._head(x))], [ids, style], "generator")

    def _inputs(self, size: int) -> tuple:
        ids = self._ops.parameter([size, size], np.uint8, "ids")
        return ids, self._ops.parameter([1, self._network.config.style_values], np.float32, "style")

    def _convolved(self, layer: Layer, x):
        if layer.kind == "up":
            return self._doubled(layer.module, x)
        if layer.code is not None:
            x = self._reflected(x, 1)
        stride, padding = (2, 1) if layer.kind == "down" else (1, 0)
        return self._conv(layer.name, layer.module, x, stride=stride, padding=padding)

    def _finished(self, layer: Layer, x, codes: list, kept: list):
        """What follows a convolution; ``kept`` holds what the layers before it handed on, and then this one as well."""
        x = self._instance_norm(x)
        if layer.code is not None:
            x = self._ops.add(self._ops.multiply(x, codes[2 * layer.code + 1]), codes[2 * layer.code])
        if layer.relu:
            x = self._ops.relu(x)
        if layer.skip is not None:
            x = self._ops.add(kept[layer.skip], x)
        kept.append(x)
        return x

    def _one_hot(self, ids, size: int):
        """(S, S) uint8 -> (1, L, S + 6, S + 6), reflected already: of the ids that is next to nothing."""
        ops, labels, side = self._ops, self._network.config.labels, size + 6
        ids = ops.reshape(ops.pad(ids, [3, 3], [3, 3], "reflect"), _shape(1, side, side, 1), False)
        # Channels last, as the convolution wants them in memory.
        hot = ops.convert(ops.equal(ids, np.arange(labels, dtype=np.uint8).reshape(1, 1, 1, -1)), "f32")
        return ops.transpose(hot, _shape(0, 3, 1, 2))

    def _codes(self, style) -> list:
        """(1, V) -> (1, C, 1, 1) each: bias and weight, of the first and the second convolution of every block."""
        ops, channels = self._ops, 16 * self._network.config.width
        parts = ops.split(style, np.int64(1), 4 * len(self._network.blocks))
        return [ops.reshape(part, _shape(1, channels, 1, 1), False) for part in parts.outputs()]

    def _conv(self, name: str, conv: nn.Conv2d, x, *, stride: int = 1, padding: int = 0):
        """Without the bias: the instance normalisation that follows would take it away again."""
        weight = values_of(conv.weight)
        if name in self._ranges:
            x, weight = self._in_8_bits(x, weight, *self._ranges[name])
        else:
            weight = self._constant(weight)
        return self._ops.convolution(x, weight, [stride] * 2, [padding] * 2, [padding] * 2, [1, 1])

    def _in_8_bits(self, x, weight: np.ndarray, low: float, high: float) -> tuple:
        """Features rounded to 256 steps of low..high; weights to 255 of an own range per output channel, around 0."""
        ops = self._ops
        bounds = [np.float32(low), np.float32(high)]
        step = np.maximum(np.abs(weight).max((1, 2, 3), keepdims=True), np.float32(1e-12)) / np.float32(127)
        # As integers already: OpenVINO takes a second longer to round 90 million weights than numpy.
        whole = self._constant(np.rint(weight / step).astype(np.int8))
        return ops.fake_quantize(x, *bounds, *bounds, 256), ops.multiply(ops.convert(whole, "f32"), step)

    def _doubled(self, conv: nn.ConvTranspose2d, x):
        weight, one = self._constant(values_of(conv.weight)), [1, 1]
        return self._ops.convolution_backprop_data(
            x, weight, [2, 2], pads_begin=one, pads_end=one, dilations=one, output_padding=one
        )

    def _head(self, x):
        """The 7x7 convolution to three channels, four pixels at a time; see `four_pixel_kernel`."""
        ops, conv = self._ops, self._network.head
        kernel = four_pixel_kernel(conv.weight).permute(1, 2, 0, 3, 4, 5).flatten(0, 2)
        kernel = self._constant(values_of(kernel))
        squares = ops.convolution(self._reflected(x, 3), kernel, [2, 2], [0, 0], [0, 0], [1, 1])
        bias = values_of(conv.bias).reshape(1, 3, 1, 1)
        return ops.tanh(ops.add(ops.depth_to_space(squares, "blocks_first", 2), bias))

    def _pixels(self, x):
        """(1, 3, S, S) in [-1, 1] -> (S, S, 3) uint8, rounded as ``tensor_to_photo`` does."""
        ops = self._ops
        x = ops.multiply(ops.add(x, np.float32(1)), np.float32(127.5))
        x = ops.convert(ops.clamp(ops.round(x, "half_to_even"), 0, 255), "u8")
        return ops.squeeze(ops.transpose(x, _shape(0, 2, 3, 1)), _shape(0))

    def _reflected(self, x, by: int):
        return self._ops.pad(x, [0, 0, by, by], [0, 0, by, by], "reflect")

    def _instance_norm(self, x):
        return self._ops.mvn(x, _shape(2, 3), True, EPS, "INSIDE_SQRT")

    @staticmethod
    def _constant(values: np.ndarray):
        # Shared: `values_of` has copied them already, and the constant keeps the array alive.
        return import_openvino().op.Constant(values, shared_memory=True)


class ContextGraph(Graph):
    """``ContextNetwork.complete`` as well."""

    _network: ContextNetwork

    def completer(self, size: int) -> openvino.Model:
        """For photos of which something is known: ids, a style code, region styles, what `ContextNetwork.seen` gives,
        and how much of each of `ContextNetwork.cells` is no hole.

        (S, S) uint8, (1, V), (1, G, `STYLE`), (1, 5, S, S) and (1, 1, S / 8, S / 8) -> (1, 3, S, S) in [-1, 1]; all but
        the ids float32.
        """
        ops, network, (ids, style) = self._ops, self._network, self._inputs(size)
        side = size >> ATTENTION_LEVEL
        shapes = {
            "regions": [NUM_GROUPS, STYLE],
            "seen": [INPUTS, size, size],
            "visible": [1, side, side],
        }
        regions, seen, visible = (ops.parameter([1, *shape], np.float32, name) for name, shape in shapes.items())
        context, shares, codes, kept = self._context(seen), self._shares(ids, size), self._codes(style), []
        x, ups = self._one_hot(ids, size), zip(network.into_up, network.modulations, strict=True)
        *layers, _ = network.layers()
        for layer in layers:
            x, level = self._convolved(layer, x), layer.level
            if layer.kind == "up":
                into, modulation = next(ups)
                x = ops.relu(self._modulated(modulation, self._instance_norm(x), regions, shares[level]))
                added = self._biased(into, context[level])
                if level == ATTENTION_LEVEL:
                    added = ops.add(added, self._attention(x, context[level], shares[level], visible))
                elif level == 0:
                    added = ops.add(added, self._biased(network.into_head, seen))
                x = ops.add(x, added)
                continue
            if layer.code is None:
                x = ops.add(x, self._point(network.into_down[level], context[level]))
            x = self._finished(layer, x, codes, kept)
        return import_openvino().Model([self._head(x)], [ids, style, regions, seen, visible], "completer")

    def _shares(self, ids, size: int) -> list:
        """Shares of each class in each place, (1, L, s, s), of each level of the way up, fine to coarse."""
        ops, labels = self._ops, self._network.config.labels
        hot = ops.equal(
            ops.reshape(ids, _shape(1, 1, size, size), False), np.arange(labels, dtype=np.uint8).reshape(1, -1, 1, 1)
        )
        levels = [ops.convert(hot, "f32")]
        for _ in range(ATTENTION_LEVEL):
            levels.append(ops.avg_pool(levels[-1], [2, 2], [0, 0], [0, 0], [2, 2], True))
        return levels

    def _modulated(self, modulation: RegionModulation, x, regions, shares):
        """`RegionModulation.forward`."""
        ops = self._ops
        known = ops.slice(regions, _shape(TINT - 1), _shape(STYLE), _shape(1), _shape(2))
        tables = ops.matmul(known, values_of(modulation.linear.weight), False, True)
        tables = ops.gather(ops.add(tables, values_of(modulation.table)[None]), np.array(GROUPS), np.int64(1))
        values = ops.reshape(
            ops.matmul(tables, self._flat(shares), True, False), _shape(0, 0, *x.get_output_shape(0)[2:]), True
        )
        scale, shift = ops.split(values, np.int64(1), 2).outputs()
        return ops.add(ops.multiply(x, ops.add(scale, np.float32(1))), shift)

    def _context(self, seen) -> list:
        """`ContextNetwork.context`."""
        levels, x = [], seen
        for conv in (self._network.context_stem, *self._network.context_down):
            x = self._biased(conv, x)
            x = self._ops.prelu(x, np.array([SLOPE], np.float32))
            levels.append(x)
        return levels

    def _attention(self, x, context, labels, visible):
        """`LabelAttention.forward`."""
        ops, attention = self._ops, self._network.attention
        queries = self._flat(self._biased(attention.query, ops.concat([x, labels], 1)))
        keys = self._flat(self._biased(attention.key, ops.concat([context, labels], 1)))
        classes = self._flat(labels)
        # Both products of the logits in one: that of queries and keys, and that of the classes.
        queries = ops.multiply(queries, np.float32(attention.CHANNELS**-0.5))
        queries = ops.concat([queries, ops.multiply(classes, values_of(attention.same))], 1)
        logits = ops.matmul(queries, ops.concat([keys, classes], 1), True, False)
        hidden = ops.less(self._flat(visible), np.float32(0.5))
        weights = ops.softmax(ops.select(hidden, np.float32(HIDDEN), logits), 2)
        found = ops.matmul(self._flat(self._biased(attention.value, context)), weights, False, True)
        return self._biased(attention.out, ops.reshape(found, _shape(*context.get_output_shape(0)), False))

    def _flat(self, x):
        """(1, C, h, w) -> (1, C, h w)."""
        return self._ops.reshape(x, _shape(0, 0, -1), True)

    def _point(self, conv: nn.Conv2d, x):
        """A 1x1 convolution that a normalisation follows."""
        return self._conv("", conv, x)

    def _biased(self, conv: nn.Conv2d, x):
        (stride, _), (padding, _) = conv.stride, conv.padding
        x = self._conv("", conv, x, stride=stride, padding=padding)
        return self._ops.add(x, values_of(conv.bias).reshape(1, -1, 1, 1))


def import_openvino() -> ModuleType:
    """The package, without its telemetry: that starts threads and forks the process, and tells others who edits faces.

    Raises:
        OpenVinoMissing: it is not installed, or cannot run here.
    """
    # None in the place of a module makes its import fail: OpenVINO then takes a stub of its own.
    blocked = "openvino_telemetry" not in sys.modules
    if blocked:
        sys.modules["openvino_telemetry"] = None
    try:
        import openvino
    except (ImportError, OSError) as error:  # OSError: a library that it needs is not there
        raise OpenVinoMissing("OpenVINO is not installed; pip install maskedit[cpu] brings it.") from error
    finally:
        if blocked:
            del sys.modules["openvino_telemetry"]
    return openvino


@cache
def openvino_core() -> openvino.Core:
    """OpenVINO's runtime, one for the process and for good.

    The CPU's part of each gives signal handlers a stack of its own, and frees it with itself. When one goes before
    another that was made after it, the stack that is freed is put back in the end, and the next signal that somebody
    handles kills the process.

    Raises:
        OpenVinoMissing: as of `import_openvino`.
    """
    return import_openvino().Core()


def openvino_version() -> str:
    """Empty where it is not installed; nothing is imported, which would take a third of a second."""
    try:
        return version("openvino")
    except PackageNotFoundError:
        return ""


def values_of(weight: Tensor) -> np.ndarray:
    """A float32 copy: the network's own memory changes when a face is learned."""
    return weight.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()


def _shape(*values: int) -> np.ndarray:
    return np.array(values, np.int64)

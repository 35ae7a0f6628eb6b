"""The generator as OpenVINO runs it on a CPU: the Dense Mapping Network, faster than torch, in 8-bit integers if asked.

OpenVINO is optional (``pip install maskedit[cpu]``). The graph is written out by hand from the network's weights: in
a quarter of a second for 90 million of them, where tracing takes eleven, and more quickly than a compiled model is
read back from disk. So no model is stored; only what int8 was calibrated to is.

``int8``: the label map's one-hot planes, which are exact in 8 bits, and the features between the residual blocks and
around them are rounded to 8 bits before their convolution, as are its weights. The first halving and everything after
the blocks stay in bfloat16: it is there that rounding is seen.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.models.device import precision_name
from maskedit.models.layers import EPS
from maskedit.models.tensors import one_hot
from maskedit.render.convolution import four_pixel_kernel
from maskedit.render.modes import Cancelled, never

if TYPE_CHECKING:
    import openvino

Precision = Literal["float32", "bfloat16", "int8"]
Pair = tuple[np.ndarray, Tensor]
"""(S, S) uint8 ids and a style code (1, V), as ``Backend.generate`` takes them."""
Ranges = dict[str, tuple[float, float]]
"""Name of a convolution -> the least and the greatest value that goes into it; 0 lies between them."""

POLL_MS = 5

MARGIN = 1.25
"""int8's ranges reach so many times as far as the calibration saw: a few faces do not show the largest values."""


class OpenVinoMissing(ImportError):
    """OpenVINO is not installed, or cannot run here: take another backend."""


def supports(network: Generator) -> bool:
    """Whether this backend can run the network: every variant but ``spade``."""
    return isinstance(network, DenseMappingNetwork)


class OpenVinoBackend:
    """The Dense Mapping Network on the CPU, by OpenVINO; a `Backend`.

    Args:
        network: on any device, of any float type; its weights are copied: what is done to it later changes nothing.
        size: side S of the label maps in pixels.
        precision: of the arithmetic; ``bfloat16`` and ``int8`` want a processor that has them (AVX-512 BF16, VNNI).
        calibration: gives label maps with style codes, two or more of real faces, that show int8 which values to
            expect; called where that is not known yet.
        fingerprint: of the weights, e.g. the file's SHA-256: tells what was calibrated before.
        cache: folder for what int8 was calibrated to, about 1 KB for each weights and side; None: measured each time.
            A folder that cannot be written, or a file in it that cannot be read, does no harm.

    Raises:
        OpenVinoMissing: it is not installed.
        ValueError: a network that it does not support, or int8 without calibration.
    """

    def __init__(
        self,
        network: DenseMappingNetwork,
        *,
        size: int,
        precision: Precision,
        fingerprint: str,
        cache: Path | None,
        calibration: Callable[[], Sequence[Pair]] | None = None,
    ):
        if not supports(network):
            raise ValueError(f"OpenVinoBackend runs a DenseMappingNetwork, not a {type(network).__name__}")
        if precision == "int8" and calibration is None:
            raise ValueError("int8 wants label maps and style codes to calibrate with")
        self.name = f"OpenVINO {precision}"
        ranges: Ranges = {}
        if precision == "int8":
            ranges = _remembered(network, calibration, cache and cache / f"int8-{fingerprint}-{size}.json")
        # Around the layers in 8 bits, the network's own precision: what the processor computes in natively.
        rest = precision_name(network.stem.weight.dtype) if precision == "int8" else precision
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if rest == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled = _openvino().Core().compile_model(_Graph(network, ranges).model(size), "CPU", options)
        self._request: openvino.InferRequest = compiled.create_infer_request()

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """See `Backend`; ``cancelled`` is asked every few milliseconds, and heard at the end of a layer."""
        request = self._request
        request.start_async({0: np.ascontiguousarray(ids), 1: style.detach().to("cpu", torch.float32).numpy()})
        while not request.wait_for(POLL_MS):
            if cancelled():
                request.cancel()
                with contextlib.suppress(RuntimeError):  # that it was cancelled
                    request.wait()
                raise Cancelled
        return request.get_output_tensor(0).data.copy()


class _Graph:
    """``DenseMappingNetwork.generate`` in OpenVINO's operations, from ids to pixels.

    Args:
        network: where the weights come from.
        ranges: the convolutions named here work in 8 bits.
    """

    def __init__(self, network: DenseMappingNetwork, ranges: Ranges):
        from openvino import opset13

        self._ops, self._network, self._ranges = opset13, network, ranges

    def model(self, size: int) -> openvino.Model:
        """(S, S) uint8 ids and (1, V) float32 style -> (S, S, 3) uint8 RGB."""
        ops, network = self._ops, self._network
        ids = ops.parameter([size, size], np.uint8, "ids")
        style = ops.parameter([1, network.config.style_values], np.float32, "style")
        x = self._normalised(self._conv("stem", network.stem, self._one_hot(ids, size + 6)))
        for level, conv in enumerate(network.down):
            x = self._normalised(self._conv(f"down{level}", conv, x, stride=2, padding=1))
        codes = self._codes(style)
        for index, block in enumerate(network.blocks):
            y = self._conv(f"blocks{index}.conv1", block.conv1, self._reflected(x, 1))
            y = ops.relu(self._adapted(y, *codes[4 * index : 4 * index + 2]))
            y = self._conv(f"blocks{index}.conv2", block.conv2, self._reflected(y, 1))
            x = ops.add(x, self._adapted(y, *codes[4 * index + 2 : 4 * index + 4]))
        for conv in network.up:
            x = self._normalised(self._doubled(conv, x))
        return _openvino().Model([self._pixels(self._head(x))], [ids, style], "generator")

    def _one_hot(self, ids, side: int):
        """(S, S) uint8 -> (1, L, S + 6, S + 6), reflected already: of the ids that is next to nothing."""
        ops, labels = self._ops, self._network.config.labels
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
        weight = _values(conv.weight)
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
        weight, one = self._constant(_values(conv.weight)), [1, 1]
        return self._ops.convolution_backprop_data(
            x, weight, [2, 2], pads_begin=one, pads_end=one, dilations=one, output_padding=one
        )

    def _head(self, x):
        """The 7x7 convolution to three channels, four pixels at a time; see `four_pixel_kernel`."""
        ops, conv = self._ops, self._network.head
        kernel = four_pixel_kernel(conv.weight).permute(1, 2, 0, 3, 4, 5).flatten(0, 2)
        kernel = self._constant(_values(kernel))
        squares = ops.convolution(self._reflected(x, 3), kernel, [2, 2], [0, 0], [0, 0], [1, 1])
        bias = _values(conv.bias).reshape(1, 3, 1, 1)
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

    def _normalised(self, x):
        return self._ops.relu(self._instance_norm(x))

    def _adapted(self, x, bias, weight):
        return self._ops.add(self._ops.multiply(self._instance_norm(x), weight), bias)

    @staticmethod
    def _constant(values: np.ndarray):
        # Shared: `_values` has copied them already, and the constant keeps the array alive.
        return _openvino().op.Constant(values, shared_memory=True)


def _openvino():
    try:
        import openvino
    except (ImportError, OSError) as error:  # OSError: a library that it needs is not there
        raise OpenVinoMissing("OpenVINO is not installed; pip install maskedit[cpu] brings it.") from error
    return openvino


def _values(weight: Tensor) -> np.ndarray:
    """A float32 copy: the network's own memory changes when a face is learned."""
    return weight.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()


def _shape(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _in_8_bits(network: DenseMappingNetwork) -> dict[str, nn.Conv2d]:
    """The convolutions that int8 rounds the input of, by the names that `_Graph` gives them; the stem is apart."""
    convs = {f"down{level}": conv for level, conv in enumerate(network.down) if level > 0}
    for index, block in enumerate(network.blocks):
        convs |= {f"blocks{index}.conv1": block.conv1, f"blocks{index}.conv2": block.conv2}
    return convs


def _measured(network: DenseMappingNetwork, ids: np.ndarray, style: Tensor) -> Ranges:
    """What goes into each convolution when torch renders this label map."""
    weight = network.stem.weight
    ranges: Ranges = {"stem": (0.0, 255.0)}  # steps of 1: nought and one are exact

    def look(name: str) -> Callable:
        def hook(conv: nn.Module, inputs: tuple[Tensor]) -> None:
            low, high = (value.item() for value in inputs[0].float().aminmax())
            # Around 0 where there is less than 0, so that 0 is a step, as integer kernels have it.
            peak = max(-low, high, 1e-6) * MARGIN
            ranges[name] = (0.0, peak) if low >= 0 else (-peak, peak * 127 / 128)

        return hook

    hooks = [conv.register_forward_pre_hook(look(name)) for name, conv in _in_8_bits(network).items()]
    try:
        with torch.inference_mode():
            labels = one_hot(torch.from_numpy(np.array(ids)).to(weight.device), dtype=weight.dtype)
            network.generate(labels, style.to(weight.device, weight.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


def _union(first: Ranges, second: Ranges) -> Ranges:
    return {name: (min(first[name][0], second[name][0]), max(first[name][1], second[name][1])) for name in first}


def _remembered(network: DenseMappingNetwork, calibration: Callable[[], Sequence[Pair]], path: Path | None) -> Ranges:
    """The ranges from the file; else measured, and written there if that can be done."""
    names = {"stem", *_in_8_bits(network)}
    if path is not None:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            ranges = {name: (float(low), float(high)) for name, (low, high) in json.loads(path.read_bytes()).items()}
            if ranges.keys() == names and all(-math.inf < low <= 0 < high < math.inf for low, high in ranges.values()):
                return ranges
    first, *others = calibration()
    ranges = _measured(network, *first)
    for pair in others:
        ranges = _union(ranges, _measured(network, *pair))
    if path is not None:
        with contextlib.suppress(OSError, UserError):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_bytes(path, json.dumps(ranges).encode(), overwrite=True)
    return ranges

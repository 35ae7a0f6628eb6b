"""The generator as OpenVINO runs it on a CPU: the Dense Mapping Network, faster than torch, in 8-bit integers if asked.

OpenVINO is optional (``pip install maskedit[cpu]``). No model is stored (see `openvino_graph`); only
what int8 was calibrated to is.

``int8``: the label map's one-hot planes, which are exact in 8 bits, and the features between the residual blocks and
around them are rounded to 8 bits before their convolution, as are its weights. The first halving and everything after
the blocks stay in bfloat16: it is there that rounding is seen.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.logs import tolerated
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.device import precision_name
from maskedit.models.regions import STYLE
from maskedit.models.tensors import one_hot
from maskedit.models.views import by_torch
from maskedit.render.engines.engine import supports
from maskedit.render.engines.openvino_graph import ContextGraph, Graph, Ranges, openvino_core
from maskedit.render.modes import Cancelled, never

if TYPE_CHECKING:
    import openvino

Precision = Literal["float32", "bfloat16", "int8"]
Pair = tuple[np.ndarray, Tensor]
"""(S, S) uint8 ids and a style code (1, V), as ``Engine.generate`` takes them."""
Completing = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Label ids, style code, photo, hole and region styles, as ``OpenVinoCompletion.complete`` takes them."""

POLL_MS = 5

MARGIN = 1.25
"""int8's ranges reach so many times as far as the calibration saw: a few faces do not show the largest values."""

logger = logging.getLogger(__name__)


class OpenVinoEngine:
    """The Dense Mapping Network on the CPU, by OpenVINO; an `Engine`.

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
            raise ValueError(f"OpenVinoEngine runs a DenseMappingNetwork, not a {type(network).__name__}")
        if precision == "int8" and calibration is None:
            raise ValueError("int8 wants label maps and style codes to calibrate with")
        self.name = f"OpenVINO {precision}"
        ranges: Ranges = {}
        if precision == "int8":
            runs = _runs(calibration, lambda ids, style: _generated(network, ids, style))
            ranges = _remembered(network, runs, cache and cache / f"int8-{fingerprint}-{size}.json")
        self._request = _request(Graph(network, ranges).generator(size), network, precision)

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """See `Engine`; ``cancelled`` is asked every few milliseconds, and heard at the end of a layer."""
        request = self._request
        request.start_async({0: np.ascontiguousarray(ids), 1: style.detach().to("cpu", torch.float32).numpy()})
        while not request.wait_for(POLL_MS):
            if cancelled():
                request.cancel()
                with contextlib.suppress(RuntimeError):  # that it was cancelled
                    request.wait()
                raise Cancelled
        return request.get_output_tensor(0).data.copy()


class OpenVinoCompletion:
    """``ContextNetwork.complete`` on the CPU, by OpenVINO, at the network's own side.

    Args:
        network: on the CPU; the weights of the layers are copied.
        precision, fingerprint, cache: as of `OpenVinoEngine`.
        calibration: likewise, but what it gives are arguments of `complete`.

    Raises:
        OpenVinoMissing: it is not installed.
        ValueError: int8 without calibration.
    """

    def __init__(
        self,
        network: ContextNetwork,
        *,
        precision: Precision,
        fingerprint: str,
        cache: Path | None,
        calibration: Callable[[], Sequence[Completing]] | None = None,
    ):
        if precision == "int8" and calibration is None:
            raise ValueError("int8 wants completions to calibrate with")
        self.name = f"OpenVINO {precision}"
        self._network, size = network, network.config.size
        ranges: Ranges = {}
        if precision == "int8":
            runs = _runs(calibration, by_torch(network))
            ranges = _remembered(network, runs, cache and cache / f"int8-{fingerprint}-{size}-completions.json")
        self._request = _request(ContextGraph(network, ranges).completer(size), network, precision)

    def complete(self, ids: Tensor, style: Tensor, photo: Tensor, hole: Tensor, regions: Tensor) -> Tensor:
        """See `maskedit.models.views.Draw`.

        Args:
            ids: (1, S, S) uint8, of the network's side; likewise the others.
            style: (1, V), of any float type.
            photo: (1, 3, S, S) in [-1, 1], of any float type.
            hole: (1, 1, S, S), zeros and ones.
            regions: (1, G, R), of a photo that shows something.

        Returns:
            (1, 3, S, S) float32 in [-1, 1], of its own memory.
        """
        labels = one_hot(ids)
        inputs = (
            ids[0],
            style.float(),
            regions[..., :STYLE],
            self._network.seen(labels, photo, hole, regions),
            1 - self._network.cells(hole.to(labels.dtype)),
        )
        self._request.infer([each.contiguous().numpy() for each in inputs], share_inputs=True)
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())


def _request(model: openvino.Model, network: DenseMappingNetwork, precision: Precision) -> openvino.InferRequest:
    # Around the layers in 8 bits, the network's own precision: what the processor computes in natively.
    rest = precision_name(network.stem.weight.dtype) if precision == "int8" else precision
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if rest == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    return openvino_core().compile_model(model, "CPU", options).create_infer_request()


def _in_8_bits(network: DenseMappingNetwork) -> dict[str, nn.Conv2d]:
    """The convolutions that int8 rounds the input of, by name; the stem is apart."""
    return {
        layer.name: layer.module
        for layer in network.layers()
        if layer.code is not None or (layer.kind == "down" and layer.level > 1)
    }


def _generated(network: DenseMappingNetwork, ids: np.ndarray, style: Tensor) -> Tensor:
    weight = network.stem.weight
    labels = one_hot(torch.from_numpy(np.array(ids)).to(weight.device), dtype=weight.dtype)
    return network.generate(labels, style.to(weight.device, weight.dtype))


def _runs(calibration: Callable[[], Sequence[tuple]], draw: Callable) -> Callable[[], list[Callable[[], Tensor]]]:
    """Calibration as it is looked at: renders that are still to be made."""
    return lambda: [partial(draw, *given) for given in calibration()]


def _measured(network: DenseMappingNetwork, run: Callable[[], Tensor]) -> Ranges:
    """What goes into each convolution when torch makes a render."""
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
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


def _union(first: Ranges, second: Ranges) -> Ranges:
    return {name: (min(first[name][0], second[name][0]), max(first[name][1], second[name][1])) for name in first}


def _remembered(
    network: DenseMappingNetwork, runs: Callable[[], list[Callable[[], Tensor]]], path: Path | None
) -> Ranges:
    """The ranges from the file; else measured, and written there if that can be done."""
    names = {"stem", *_in_8_bits(network)}
    if path is not None:
        unreadable = (OSError, ValueError, TypeError, AttributeError, RecursionError)
        with tolerated(logger, "No ranges of int8 are remembered.", *unreadable):
            ranges = {name: (float(low), float(high)) for name, (low, high) in json.loads(path.read_bytes()).items()}
            if ranges.keys() == names and all(-math.inf < low <= 0 < high < math.inf for low, high in ranges.values()):
                return ranges
    first, *others = runs()
    ranges = _measured(network, first)
    for run in others:
        ranges = _union(ranges, _measured(network, run))
    if path is not None:
        with tolerated(logger, "The ranges of int8 could not be remembered.", OSError, UserError):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write_bytes(path, json.dumps(ranges).encode(), overwrite=True)
    return ranges

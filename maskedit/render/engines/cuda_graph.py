"""The generator on an NVIDIA GPU as one CUDA graph: a render is one launch, not two hundred.

At 2 ms a picture, launching layer by layer would take longer than computing. No GPU has measured it yet, so it renders
only where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from maskedit.labels import NUM_LABELS
from maskedit.models.dense_mapping import Generator
from maskedit.models.device import precision_name
from maskedit.models.tensors import one_hot, pixels
from maskedit.render.modes import Cancelled, never


class NoGraph(Exception):
    """There is no CUDA graph of this network here, for another reason than memory: run it with ``TorchEngine``."""


class CudaGraphEngine:
    """One CUDA graph from label ids to uint8 pixels, of fixed side. Implements `Engine`; for one thread at a time.

    Args:
        network: on a CUDA device, in its precision, in ``torch.channels_last``; it is used, not copied.
        size: side S of label maps and pictures, a multiple of 16, at least 32.
        compiled: whether torch.compile works on the network first. It makes normalisation, padding and activations one
            kernel each, but takes the better part of a minute where its cache on disk is empty.

    Raises:
        NoGraph: nothing could be recorded, or what was recorded draws something else.
        torch.OutOfMemoryError: as it came.
    """

    TOLERANCE = 1.0
    """Levels of 255 by which the graph's picture may differ from the network's own, on average."""

    def __init__(self, network: Generator, *, size: int, compiled: bool = False):
        self._network, self._size = network, size
        weight = next(network.parameters())
        self.name = f"CUDA graph {precision_name(weight.dtype)}{', compiled' if compiled else ''}"
        # Not "max-autotune": its tuning takes minutes.
        self._picture = torch.compile(_picture, fullgraph=True, dynamic=False) if compiled else _picture
        with torch.inference_mode():
            self._ids = torch.zeros(1, size, size, dtype=torch.uint8, device=weight.device)
            self._style = torch.zeros(1, network.config.style_values, dtype=weight.dtype, device=weight.device)
            self._photo = torch.zeros(size, size, 3, dtype=torch.uint8, device=weight.device)
        self._replay: Callable[[], None] | None = None
        self._weights_at: list[int] = []
        self.weights_changed()
        self._capture()

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """See `Engine`; ``cancelled`` is asked once, before the graph is launched.

        Raises:
            Cancelled: ``cancelled`` said so.
            ValueError: ids that are not (S, S) uint8.
            NoGraph, torch.OutOfMemoryError: the weights had moved, and the graph could not be recorded anew. The next
                call tries again.
        """
        if ids.shape != (self._size, self._size) or ids.dtype != np.uint8:
            raise ValueError(f"ids came as {ids.dtype} {ids.shape}; wanted uint8 of side {self._size}")
        if self._replay is None:
            self._capture()
        if cancelled():
            raise Cancelled
        with torch.inference_mode():
            self._ids.copy_(torch.from_numpy(np.array(ids))[None])
            self._style.copy_(style)
            self._replay()
            return self._photo.to("cpu", copy=True).numpy()

    def weights_changed(self) -> None:
        """New values in place need nothing: the graph reads them. Weights that moved have it recorded anew."""
        places = [weight.data_ptr() for weight in self._network.parameters()]
        if places != self._weights_at:
            self._weights_at, self._replay = places, None

    @torch.inference_mode()
    def _capture(self) -> None:
        """Record a render, and hold it to what the network draws without a graph."""
        # Style codes of photos spread by 0.2 about 0.
        self._style.copy_(0.2 * torch.randn(self._style.shape, generator=torch.Generator().manual_seed(0)))
        place = torch.arange(self._size, device=self._ids.device) // 16
        self._ids.copy_((place[:, None] * 5 + place) % NUM_LABELS)
        try:
            expected = _picture(self._network, self._ids, self._style)
            replay = _recorded(self._draw, self._ids.device)
            replay()
            difference = (expected.float() - self._photo.float()).abs().mean().item()
        except Exception as error:
            if (memory := _out_of_memory(error)) is not None:
                raise memory from None
            raise NoGraph(f"{self.name}: {type(error).__name__}: {error}") from error
        if not difference < self.TOLERANCE:
            raise NoGraph(f"{self.name}: it differs from the network by {difference:.2f} levels")
        self._replay = replay

    def _draw(self) -> None:
        self._photo.copy_(self._picture(self._network, self._ids, self._style))


def _picture(network: Generator, ids: Tensor, style: Tensor) -> Tensor:
    """(1, S, S) uint8 ids and (1, V) style -> (S, S, 3) uint8, contiguous."""
    labels = one_hot(ids, dtype=style.dtype).contiguous(memory_format=torch.channels_last)
    return pixels(network.generate(labels, style)[0])


def _recorded(work: Callable[[], None], device: torch.device, *, warm_ups: int = 3) -> Callable[[], None]:
    """What ``work`` does on the GPU as a graph; what comes back does it again, on the stream that is current then."""
    benchmark = torch.backends.cudnn.benchmark
    graph = torch.cuda.CUDAGraph()
    # The inner context gives the stream back where ending a broken capture fails, which torch itself does not.
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.current_stream(device)):
        try:
            # cuDNN measures which kernels are fastest during the warm-up, and the capture uses what it found.
            torch.backends.cudnn.benchmark = True
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(warm_ups):
                    work()
            torch.cuda.current_stream().wait_stream(side)
            # thread_local: other threads, e.g. one that parses a face, may use the GPU meanwhile.
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                work()
        finally:
            torch.backends.cudnn.benchmark = benchmark

    def replay() -> None:
        with torch.cuda.device(device):
            graph.replay()

    return replay


def _out_of_memory(error: BaseException | None) -> torch.OutOfMemoryError | None:
    """The shortage behind an error: ending a broken capture and the compiler both raise others on top of it."""
    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__cause__ or error.__context__
    return error

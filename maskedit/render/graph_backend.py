"""The generator on an NVIDIA GPU as one CUDA graph: a render is one launch, not two hundred.

At 2 ms a picture, launching layer by layer would take longer than computing. Apple's GPUs (MPS) have no such graphs:
they use ``maskedit.render.backends.TorchBackend``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from maskedit.labels import NUM_LABELS
from maskedit.models.dense_mapping import Generator
from maskedit.models.device import precision_name
from maskedit.models.tensors import one_hot, pixels
from maskedit.render.modes import Cancelled, never

Picture = Callable[[Generator, Tensor, Tensor], Tensor]
"""A way to run a network: (1, S, S) uint8 ids and (1, V) style to (S, S, 3) uint8, all on one device."""


class NoGraph(Exception):
    """There is no CUDA graph of this network here, for another reason than memory: run it with ``TorchBackend``."""


class GraphBackend:
    """One CUDA graph from label ids to uint8 pixels, of fixed side. Implements `Backend`; for one thread at a time.

    Per render the ids go to the GPU and the picture comes back, through pinned buffers; nothing else crosses the bus
    and nothing is allocated but the result.

    Args:
        network: on a CUDA device, in its precision; it is used, not copied, and put in ``torch.channels_last``.
        size: side S of label maps and pictures, a multiple of 16, at least 32.
        compiled: try ``torch.compile`` first, where Triton is installed. It makes normalisation, padding and
            activations one kernel each, but takes the better part of a minute where its cache on disk is empty.

    Raises:
        NoGraph: the network is on another device, or nothing could be captured.
        torch.OutOfMemoryError: as it came; nothing stays behind.
    """

    TOLERANCE = 1.0
    """Levels of 255 by which a way to run the network may differ from the network as it stands, on average."""

    def __init__(self, network: Generator, *, size: int, compiled: bool = True):
        self._network, self._size, self._compiled = network, size, compiled
        weight = next(network.parameters())
        self._precision = weight.dtype
        self._recorder = _CudaRecorder(weight.device)
        self.name = ""
        self.passed_over: list[str] = []
        with torch.inference_mode():
            self._ids = torch.zeros(1, size, size, dtype=torch.uint8, device=weight.device)
            self._style = torch.zeros(1, network.config.style_values, dtype=weight.dtype, device=weight.device)
            self._photo = torch.zeros(size, size, 3, dtype=torch.uint8, device=weight.device)
            self._host_ids, self._host_photo = map(self._recorder.pinned, (self._ids.shape, self._photo.shape))
        self._replay: Callable[[], None] | None = None
        self._weights_at: list[int] = []
        self._given: tuple[Tensor, int] | None = None
        self.weights_changed()
        self._capture()

    name: str
    """E.g. ``"CUDA graph bfloat16"``, with ``", compiled"`` after it where ``torch.compile`` took part."""
    passed_over: list[str]
    """Which better ways to run the network were tried and why they are not used; for a maintainer."""

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """See `Backend`; ``cancelled`` is asked once, before the graph is launched.

        Raises:
            Cancelled: ``cancelled`` said so.
            ValueError: ids that are not (S, S) uint8.
            NoGraph, torch.OutOfMemoryError: the weights had moved, and the graph could not be captured anew. The
                next call tries again.
        """
        if ids.shape != (self._size, self._size) or ids.dtype != np.uint8:
            raise ValueError(f"ids came as {ids.dtype} {ids.shape}; wanted uint8 of side {self._size}")
        if self._replay is None:
            self._capture()
        if cancelled():
            raise Cancelled
        with torch.inference_mode():
            np.copyto(self._host_ids.numpy()[0], ids)
            self._ids.copy_(self._host_ids, non_blocking=True)
            self._take(style)
            self._replay()
            self._host_photo.copy_(self._photo, non_blocking=True)
            self._recorder.wait()
            return self._host_photo.numpy().copy()

    def weights_changed(self) -> None:
        """New values in place need nothing: the graph reads them. Weights that moved have it captured anew."""
        self._network.to(memory_format=torch.channels_last)
        places = [weight.data_ptr() for weight in self._network.parameters()]
        if places != self._weights_at:
            self._weights_at, self._replay = places, None

    def _take(self, style: Tensor) -> None:
        # An inference tensor counts no versions, so it may have changed unseen: copying it again takes 3 us on the GPU,
        # comparing it would make the CPU wait. The tensor is kept, so that no other can come to have its identity.
        version = -1 if style.is_inference() else style._version
        if version < 0 or self._given is None or self._given[0] is not style or self._given[1] != version:
            self._copy_style(style)
            self._given = (style, version)

    def _copy_style(self, style: Tensor) -> None:
        self._style.copy_(style, non_blocking=True)

    @torch.inference_mode()
    def _capture(self) -> None:
        """Record the first way to run the network that works and agrees with the network as it stands."""
        self._given, self.passed_over = None, []
        # Style codes of photos spread by 0.2 about 0.
        self._copy_style(0.2 * torch.randn(self._style.shape, generator=torch.Generator().manual_seed(0)))
        place = torch.arange(self._size, device=self._ids.device) // 16
        self._ids.copy_((place[:, None] * 5 + place) % NUM_LABELS)
        for name, picture in self._ways():
            try:
                self._check(picture)
                self._replay = self._recorder.record(lambda picture=picture: self._draw(picture))
            except Exception as error:
                if (memory := _out_of_memory(error)) is not None:
                    raise memory from None
                # Words, not the error itself, whose traceback would keep tensors alive.
                self.passed_over.append(f"{name}: {type(error).__name__}: {error}")
            else:
                self.name = name
                return
        raise NoGraph("\n".join(self.passed_over))

    def _ways(self) -> Iterator[tuple[str, Picture]]:
        """Name and function of every way to run the network, the fastest first. This is the place to choose."""
        name = f"CUDA graph {precision_name(self._precision)}"
        if self._compiled and find_spec("triton") is not None:
            # Not "max-autotune": on Hopper cuDNN's convolutions beat Triton's, whose tuning takes minutes.
            yield f"{name}, compiled", torch.compile(_picture, fullgraph=True, dynamic=False)
        yield name, _picture_in_channels_last

    def _check(self, picture: Picture) -> None:
        expected, came = (run(self._network, self._ids, self._style) for run in (_picture, picture))
        difference = (expected.float() - came.float()).abs().mean().item()
        if not difference < self.TOLERANCE:
            raise NoGraph(f"differs from the network by {difference:.2f} levels")

    def _draw(self, picture: Picture) -> None:
        self._photo.copy_(picture(self._network, self._ids, self._style))


def _picture(network: Generator, ids: Tensor, style: Tensor) -> Tensor:
    """(1, S, S) uint8 ids and (1, V) style -> (S, S, 3) uint8, contiguous."""
    labels = one_hot(ids, dtype=style.dtype).contiguous(memory_format=torch.channels_last)
    return pixels(network.generate(labels, style)[0])


def _picture_in_channels_last(network: Generator, ids: Tensor, style: Tensor) -> Tensor:
    with _InstanceNormAsBatchNorm():
        return _picture(network, ids, style)


class _InstanceNormAsBatchNorm(TorchFunctionMode):
    """Runs the instance norm of one sample as the batch norm of a batch of one: the same function.

    On CUDA ``group_norm`` knows contiguous tensors only, so in channels_last it and the next convolution each copy the
    whole tensor, and it has one block a channel: 64 for 132 multiprocessors. ``batch_norm`` has kernels for
    channels_last, statistics in float32, and blocks along height and width. Both take bfloat16 in and out.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.group_norm and args[0].shape[:2] == (1, args[1]):
            return F.batch_norm(args[0], None, None, training=True, **kwargs)  # weight, bias, eps: as they came
        return func(*args, **kwargs)


def _out_of_memory(error: BaseException | None) -> torch.OutOfMemoryError | None:
    """The shortage behind an error: ending a broken capture and the compiler both raise others on top of it."""
    while error is not None and not isinstance(error, torch.OutOfMemoryError):
        error = error.__cause__ or error.__context__
    return error


class _CudaRecorder:
    """What of a CUDA graph needs the GPU itself; in tests something that calls the function takes its place.

    Raises:
        NoGraph: ``device`` is no CUDA device.
    """

    WARM_UPS = 3

    def __init__(self, device: torch.device):
        if device.type != "cuda":
            raise NoGraph(f"A CUDA graph needs a network on an NVIDIA GPU; this one is on {device}.")
        self._device, self._done = device, torch.cuda.Event()

    def pinned(self, shape: tuple[int, ...]) -> Tensor:
        """A uint8 buffer of this shape that the GPU copies from and to without the CPU."""
        try:
            return torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            raise NoGraph(f"The system gives no memory that the GPU can copy from: {error}") from error

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture what ``work`` does on the GPU; what comes back does it again, on the stream that is current then."""
        benchmark = torch.backends.cudnn.benchmark
        graph = torch.cuda.CUDAGraph()
        # The inner context gives the stream back where ending a broken capture fails, which torch itself does not.
        with torch.cuda.device(self._device), torch.cuda.stream(torch.cuda.current_stream(self._device)):
            try:
                # cuDNN measures which kernels are fastest during the warm-up and the capture uses what it found.
                torch.backends.cudnn.benchmark = True
                side = torch.cuda.Stream()
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    for _ in range(self.WARM_UPS):
                        work()
                torch.cuda.current_stream().wait_stream(side)
                # thread_local: other threads, e.g. one that parses a face, may use the GPU meanwhile.
                with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                    work()
            finally:
                torch.backends.cudnn.benchmark = benchmark

        def replay() -> None:
            with torch.cuda.device(self._device):
                graph.replay()

        return replay

    def wait(self) -> None:
        """Until all that was asked of the GPU on the current stream is done."""
        with torch.cuda.device(self._device):
            self._done.record()
            self._done.synchronize()

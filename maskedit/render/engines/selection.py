"""Which engine renders what: whole images are rendered by the fastest one, boxes by torch, layer by layer.

Which is the fastest depends on the processor. So it is measured once, when there is nothing else to do, and remembered
on disk for the next start (`maskedit.render.engines.timing`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskedit.errors import UserError
from maskedit.models.dense_mapping import Generator
from maskedit.models.device import precision_name
from maskedit.processes import processor_name
from maskedit.render.boxes.box_engine import BoxEngine, kept_bytes
from maskedit.render.engines.completions import CompletionEngines
from maskedit.render.engines.cuda_graph import CudaGraphEngine, NoGraph
from maskedit.render.engines.engine import Engine, TorchEngine, supports
from maskedit.render.engines.openvino_engine import OpenVinoEngine
from maskedit.render.engines.openvino_graph import openvino_version
from maskedit.render.engines.timing import Contest, load_choice, save_choice
from maskedit.render.modes import GRAPHS, INT8, TORCH, Cancelled, never
from maskedit.render.portraits import portrait_styles

LIMIT = 2**29
"""The most bytes that are kept for box renders, and twice that during a full render. Where a network at its side needs
more, there are no box renders."""

logger = logging.getLogger(__name__)


class Engines:
    """The ways this machine can render one network.

    Args:
        network: on its device, in its precision.
        size: side in pixels of what is rendered.
        fingerprint: of the weight file.
        engine: one of ``maskedit.render.modes.ENGINES``.
        int8: whether ``auto`` may choose that, which draws nearly the same.
        cache_file: the file in which choices are remembered, and in whose folder OpenVINO's ranges are; None remembers
            nothing.
        pristine: whether the network has the weights of its file now, and not those of a learned face.

    Raises:
        UserError: an engine was asked for that cannot be had here.
    """

    def __init__(
        self,
        network: Generator,
        *,
        size: int,
        fingerprint: str,
        engine: str = "auto",
        int8: bool = True,
        cache_file: Path | None = None,
        pristine: bool = True,
    ):
        self._network, self._size, self._fingerprint = network, size, fingerprint
        self._engine, self._int8, self._cache_file = engine, int8, cache_file
        weight = next(network.parameters())
        self._device, self._precision = weight.device, weight.dtype
        self.boxes: BoxEngine | None = None
        """Renders boxes, and whole images as well; None where whole images are fast enough, or boxes cannot be done."""
        self._torch = self._torch_engine()
        self._faster: Engine | None = None
        """OpenVINO, where that renders whole images; it has the weights of the file."""
        self._candidates: dict[str, Engine] = {}
        """OpenVINO in the precisions that were tried by now."""
        self._contest: Contest | None = None
        self._selection_pending = self._check(engine)
        self.completions = CompletionEngines(
            network, engine=engine, int8=int8, fingerprint=fingerprint, cache=self._openvino_folder
        )
        self._pristine = pristine
        self.clear()
        if pristine:
            self._decide()
        if engine != "auto":
            self.completions.prepare()

    @property
    def name(self) -> str:
        """What renders whole images; boxes are always torch's."""
        return self._whole.name

    @property
    def nbytes(self) -> int:
        """Memory kept for box renders, in bytes."""
        return 0 if self.boxes is None else self.boxes.nbytes

    def full(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """A render of the whole image; see `Engine.generate`."""
        whole = self._whole
        try:
            picture = whole.generate(ids, style, cancelled)
        except (Cancelled, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception:
            logger.exception("The engine %s failed a render.", whole.name)
            # What was fast in one version of a library may fail in the next: never a lost render.
            if whole is self._faster:
                self._faster = None
            elif isinstance(whole, CudaGraphEngine):
                self._torch = TorchEngine(self._network, torch.channels_last)
            else:
                raise
            return self.full(ids, style, cancelled)
        if self.boxes is not None and whole is not self.boxes:
            self.boxes.rebase(picture, ids, style)
        return picture

    def update(self, ids: np.ndarray, style: Tensor) -> tuple[np.ndarray, bool]:
        """The picture after an edit, and whether only boxes of it were rendered."""
        if self.boxes is None:
            return self.full(ids, style), False
        in_boxes = self.boxes.ready
        try:
            picture = self.boxes.update(ids) if in_boxes else self.boxes.generate(ids, style)
        except BaseException:
            self.clear()  # some layers may be those of the new label map, and others not
            raise
        return picture, in_boxes

    def idle(self, cancelled: Callable[[], bool] = never) -> bool:
        """Do one thing that makes later renders better; False when there is none.

        Raises:
            Cancelled: there is something else to do.
        """
        if self.boxes is None or self.boxes.shown is None:
            return False
        if self.boxes.stale:
            self.boxes.refresh(cancelled)
        elif self._selection_pending and self._pristine:
            self._compete(cancelled)
        else:
            return False
        return True

    def weights_changed(self, *, pristine: bool) -> None:
        """The network was changed in place, to what its file holds, or to what was learned of a face."""
        self._torch.weights_changed()
        self._pristine = pristine
        self.clear()
        if pristine:
            self._decide()

    def clear(self) -> None:
        """Another photo, or other weights: what is kept is worth nothing."""
        self._contest = None
        if self.boxes is not None:
            self.boxes.clear()

    @property
    def _whole(self) -> Engine:
        # What was learned of a face is rendered by torch, rather than converted anew.
        return self._torch if self._faster is None or not self._pristine else self._faster

    def _torch_engine(self) -> Engine:
        if self._device.type == "cuda" and self._engine in GRAPHS:
            try:
                return CudaGraphEngine(self._network, size=self._size, compiled=self._engine == "compiled")
            except NoGraph:
                logger.warning("No CUDA graph here; torch renders layer by layer.", exc_info=True)
        if self._device.type == "cuda":
            return TorchEngine(self._network, torch.channels_last)
        if self._device.type != "cpu" or not supports(self._network):
            return TorchEngine(self._network)
        if kept_bytes(self._network, self._size) > LIMIT:
            return TorchEngine(self._network)
        self.boxes = BoxEngine(self._network)
        return self.boxes

    # Which is the fastest -----------------------------------------------------------------------------------------

    def _check(self, engine: str) -> bool:
        """Whether there is anything to decide; what was asked for must be possible."""
        possible = self.boxes is not None and bool(openvino_version())
        asked = f"The engine {engine!r} was asked for, but "
        if engine in GRAPHS and self._device.type != "cuda":
            raise UserError(f"{asked}it needs an NVIDIA GPU; leave it out.")
        if engine in ("openvino", INT8) and self._device.type != "cpu":
            raise UserError(f"{asked}OpenVINO renders on the CPU here: choose the device cpu as well, or leave it out.")
        if engine in ("openvino", INT8) and not possible:
            why = "it does not render this network" if openvino_version() else "OpenVINO is not installed"
            raise UserError(f"{asked}{why}; leave it out, or run: pip install openvino")
        if engine == INT8 and not self._int8:
            raise UserError(f"{asked}so was the precision {self._precision_name}: leave one of them out.")
        return possible and engine in ("auto", "openvino", INT8)

    def _decide(self) -> None:
        """Use the engine that was asked for, or the one remembered; without either there will be a contest."""
        if not self._selection_pending:
            return
        asked = {"openvino": self._precision_name, INT8: INT8}.get(self._engine)
        chosen = asked or load_choice(self._cache_file, self._key)
        if chosen == TORCH:
            self._selection_pending = False
        elif chosen in self._precisions or asked:
            try:
                self._faster, self._selection_pending = self._openvino(chosen), False
            except Exception as error:
                if asked:
                    raise UserError(f"OpenVINO cannot render in {asked} here: {error}") from error
                logger.exception("OpenVINO in %s was not made.", chosen)

    def _compete(self, cancelled: Callable[[], bool]) -> None:
        """Time one engine more; after the last, keep the fastest and remember it."""
        if self._contest is None:
            makers: dict[str, Callable[[], Engine]] = {TORCH: lambda: self._torch}
            makers |= {name: lambda name=name: self._openvino(name) for name in self._precisions}
            self._contest = Contest(makers, *self.boxes.shown)
        contest = self._contest
        with self.boxes.keeping_picture():  # torch's renders are of the label map that the contest began with
            contest.step(cancelled)
        if contest.over:
            self._selection_pending, self._contest = False, None
            self._faster = self._candidates.get(contest.winner)
            self._candidates = {}
            logger.info("Of %s seconds a render, %s is chosen.", contest.seconds, contest.winner)
            save_choice(self._cache_file, self._key, contest.winner, contest.seconds)

    def _openvino(self, precision: str) -> Engine:
        if precision not in self._candidates:
            self._candidates[precision] = OpenVinoEngine(
                self._network,
                size=self._size,
                precision=precision,
                fingerprint=self._fingerprint,
                cache=self._openvino_folder,
                calibration=lambda: portrait_styles(self._network, self._size),
            )
        return self._candidates[precision]

    @property
    def _openvino_folder(self) -> Path | None:
        return None if self._cache_file is None else self._cache_file.parent / "openvino"

    @property
    def _precision_name(self) -> str:
        return precision_name(self._precision)

    @property
    def _precisions(self) -> list[str]:
        """Those of OpenVINO that ``auto`` may choose."""
        return [INT8, self._precision_name] if self._int8 else [self._precision_name]

    @property
    def _key(self) -> str:
        versions = f"torch {torch.__version__}, OpenVINO {openvino_version()}"
        threads = f"{torch.get_num_threads()} threads of {processor_name()}"
        return f"{self._fingerprint[:16]}, {self._size} px, {' or '.join(self._precisions)}, {threads}, {versions}"

"""Which backend renders what: the fastest one whole images, the layer-by-layer one boxes while the brush moves.

Which is the fastest depends on the processor, so it is measured, once, when there is nothing else to do, and
remembered on disk for the next start.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.processes import processor_name
from maskedit.render.backends import Backend, TorchBackend
from maskedit.render.graph_backend import GraphBackend, NoGraph
from maskedit.render.incremental import IncrementalBackend, kept_bytes
from maskedit.render.modes import Cancelled, never
from maskedit.render.openvino_backend import OpenVinoBackend, Pair

WORTH = 0.85
"""OpenVINO must need less than this share of torch's time: only a render by torch, layer by layer, leaves behind what
box renders start from."""
ALIKE = 1.0
"""Levels of 255: its picture must be as near to torch's, on average."""
LIMIT = 2**30
"""Bytes that may be kept for box renders; a network and a side that need more have none."""
_TRIES = 3


class Backends:
    """The ways this machine can render one network.

    Args:
        network: on its device, in its precision.
        size: side in pixels of what is rendered.
        fingerprint: of the weight file.
        engine: one of ``maskedit.render.modes.ENGINES``.
        int8: whether ``auto`` may choose that, which draws nearly the same.
        memory: the file in which choices are remembered, and in whose folder OpenVINO's ranges are; None remembers
            nothing.
        calibration: label maps and style codes of some faces, for int8.
    """

    def __init__(
        self,
        network: Generator,
        *,
        size: int,
        fingerprint: str,
        engine: str = "auto",
        int8: bool = True,
        memory: Path | None = None,
        calibration: Callable[[], list[Pair]] | None = None,
    ):
        self._network, self._size, self._fingerprint = network, size, fingerprint
        self._engine, self._int8, self._memory, self._calibration = engine, int8, memory, calibration
        weight = next(network.parameters())
        self._device, self._precision = weight.device, weight.dtype
        self.boxes: IncrementalBackend | None = None
        """Renders boxes, and whole images as well; None where whole images are fast enough, or boxes cannot be done."""
        self._own = self._own_backend()
        self._other: Backend | None = None
        self._other_fits = True
        """Whether the other one has the weights of the file, as the network has."""
        self._last: tuple[np.ndarray, Tensor] | None = None
        self._shown: np.ndarray | None = None
        self._stale = False
        """Whether what boxes start from is not the last whole render."""
        self._contest: _Contest | None = None
        if self.boxes is not None and engine != "torch" and _openvino_version():
            self._choose(engine)

    @property
    def name(self) -> str:
        """What renders whole images."""
        return self._whole.name

    @property
    def nbytes(self) -> int:
        """Memory kept for box renders, in bytes."""
        return 0 if self.boxes is None else self.boxes.nbytes

    def full(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """A render of the whole image; see `Backend.generate`."""
        self._last = ids, style
        whole = self._whole
        if whole is self._other:
            try:
                picture = self._other.generate(ids, style, cancelled)
            except (Cancelled, MemoryError):
                raise
            except Exception:  # a library that was fast in one version may fail in the next: never a lost render
                self._other = None
                return self.full(ids, style, cancelled)
            self.boxes.show(picture)
        else:
            try:
                picture = self._own.generate(ids, style, cancelled)
            except NoGraph:
                self._own = TorchBackend(self._network, torch.channels_last)
                picture = self._own.generate(ids, style, cancelled)
        self._stale, self._shown = whole is self._other, picture
        return picture

    def update(self, ids: np.ndarray, style: Tensor) -> tuple[np.ndarray, bool]:
        """The picture after an edit, and whether only boxes of it were rendered."""
        if self.boxes is None:
            return self.full(ids, style), False
        self._last = ids, style
        if not self.boxes.ready:
            self._stale = False
            return self.boxes.generate(ids, style), False
        self._stale, self._shown = True, self.boxes.update(ids)
        return self._shown, True

    def idle(self, cancelled: Callable[[], bool] = never) -> bool:
        """Do one thing that makes later renders better; False when there is none.

        Raises:
            Cancelled: there is something else to do.
        """
        if self._last is None:
            return False
        if self._stale:
            self._anchor(cancelled)
        elif self._contest is not None and self._other_fits:
            self._compete(cancelled)
        else:
            return False
        return True

    def weights_changed(self, *, as_file: bool) -> None:
        """The network was changed in place, to what its file holds, or to what was learned of a face."""
        self._own.weights_changed()
        self._other_fits = as_file
        self.clear()

    def clear(self) -> None:
        """Another photo, or other weights: what is kept is worth nothing."""
        self._last, self._shown, self._stale = None, None, False
        if self.boxes is not None:
            self.boxes.clear()

    @property
    def _whole(self) -> Backend:
        # What was learned of a face is rendered by torch, rather than converted anew.
        return self._own if self._other is None or not self._other_fits else self._other

    def _own_backend(self) -> Backend:
        if self._device.type == "cuda":
            try:
                return GraphBackend(self._network, size=self._size, compiled=self._engine == "compiled")
            except NoGraph:
                return TorchBackend(self._network, torch.channels_last)
        if self._device.type != "cpu" or not isinstance(self._network, DenseMappingNetwork):
            return TorchBackend(self._network)
        if kept_bytes(self._network, self._size) > LIMIT:
            return TorchBackend(self._network)
        self.boxes = IncrementalBackend(self._network)
        return self.boxes

    def _anchor(self, cancelled: Callable[[], bool]) -> None:
        """Renew what boxes start from, keeping the picture that is shown."""
        self.boxes.generate(*self._last, cancelled)
        self.boxes.show(self._shown)
        self._stale = False

    # Which is the fastest -----------------------------------------------------------------------------------------

    def _choose(self, engine: str) -> None:
        own = str(self._precision).removeprefix("torch.")
        named = {"openvino": own, "int8": "int8"}
        chosen = named.get(engine) or self._recall()
        if chosen is None:
            self._contest = _Contest([None, "int8", own] if self._int8 else [None, own])
        elif chosen != "torch":
            self._other = self._openvino(chosen)

    def _openvino(self, precision: str) -> Backend | None:
        try:
            return OpenVinoBackend(
                self._network,
                size=self._size,
                precision=precision,
                fingerprint=self._fingerprint,
                cache=None if self._memory is None else self._memory.parent / "openvino",
                calibration=self._calibration,
            )
        except Exception:  # whatever it is, torch renders
            return None

    def _compete(self, cancelled: Callable[[], bool]) -> None:
        """Time one backend more; after the last, keep the fastest and remember it."""
        contest = self._contest
        precision = contest.waiting[0]
        backend = self._own if precision is None else self._openvino(precision)
        if backend is not None:
            contest.time(backend, *self._last, cancelled)
        contest.waiting.pop(0)
        if not contest.waiting:
            self._contest, self._other = None, contest.winner
            precision = "torch" if self._other is None else self._other.name.removeprefix("OpenVINO ")
            self._remember(precision, contest.seconds)

    @property
    def _key(self) -> str:
        precision = str(self._precision).removeprefix("torch.") + (" or int8" if self._int8 else "")
        versions = f"torch {torch.__version__}, OpenVINO {_openvino_version()}"
        threads = f"{torch.get_num_threads()} threads of {processor_name()}"
        return f"{self._fingerprint[:16]}, {self._size} px, {precision}, {threads}, {versions}"

    def _recall(self) -> str | None:
        try:
            return json.loads(self._memory.read_text(encoding="utf-8"))[self._key]["chosen"]
        except (AttributeError, OSError, ValueError, LookupError, TypeError):
            return None

    def _remember(self, chosen: str, seconds: dict[str, float]) -> None:
        if self._memory is None:
            return
        try:
            known = json.loads(self._memory.read_text(encoding="utf-8"))
            known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            known = {}
        known[self._key] = {"chosen": chosen, "seconds": seconds}
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._memory.parent, suffix=".json", delete=False, encoding="utf-8"
            ) as file:
                json.dump(known, file, indent=1)
            os.replace(file.name, self._memory)
        except OSError:  # measured again at the next start
            pass


class _Contest:
    """How fast backends are at one label map; the first is the one that the others must beat.

    Args:
        waiting: precisions to try OpenVINO in; None for torch.
    """

    def __init__(self, waiting: list[str | None]):
        self.waiting = waiting
        self.seconds: dict[str, float] = {}
        self.winner: Backend | None = None
        """None as long as none is worth more than the first."""
        self._first: np.ndarray | None = None
        self._to_beat = 0.0

    def time(self, backend: Backend, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool]) -> None:
        taken = []
        for _ in range(_TRIES):
            started = time.perf_counter()
            picture = backend.generate(ids, style, cancelled).astype(np.int16)
            taken.append(time.perf_counter() - started)
        self.seconds[backend.name] = best = min(taken)
        if self._first is None:
            self._first, self._to_beat = picture, WORTH * best
        elif best < self._to_beat and np.abs(picture - self._first).mean() <= ALIKE:
            self.winner, self._to_beat = backend, best


def _openvino_version() -> str:
    """Empty where it is not installed; nothing is imported, which would take a third of a second."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("openvino")
    except PackageNotFoundError:
        return ""


def default_memory() -> Path:
    """``engines.json`` in the folder that this system has for what programs may make again."""
    home = Path.home()
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local"))
    elif platform.system() == "Darwin":
        base = home / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "maskedit" / "engines.json"

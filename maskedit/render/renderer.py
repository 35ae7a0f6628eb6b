"""Set the photo once, render many label maps: numpy outside, torch inside.

The style code depends on the photo and its own label map only, so it is computed once per photo; a render is one
pass of the generator (MaskGAN section 3.1). What was learned of one face (``maskedit.render.learning``) takes the place
of some of the generator's weights, and of the style code, until there is another photo; completions do without.
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS
from maskedit.models.checkpoint import Header, load_checkpoint
from maskedit.models.config import DmnConfig
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import Generator
from maskedit.models.device import choose_device, choose_precision
from maskedit.models.parser import Parser
from maskedit.models.tensors import one_hot, photo_to_tensor
from maskedit.render import learning
from maskedit.render.checks import check_labels, check_photo
from maskedit.render.completion import Completer
from maskedit.render.compositing import Composite
from maskedit.render.engines.selection import Engines
from maskedit.render.engines.timing import default_cache_file
from maskedit.render.gpu_memory import GAVE_WAY, attempted, with_memory
from maskedit.render.learning import STYLE, FaceWeights, Learning, trained_names
from maskedit.render.modes import ENGINES, FULL, QUICK, never
from maskedit.render.portraits import portrait_edits
from maskedit.render.results import EditResult, RenderResult
from maskedit.resources import default_weights


class Renderer:
    """The Dense Mapping Network behind a numpy interface.

    Args:
        weights: a ``.safetensors`` checkpoint; the shipped one when None.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
        precision: ``"auto"`` (bfloat16 where the device has it), ``"float32"`` or ``"bfloat16"``.
        size: side in pixels to render at, a multiple of 16; the side the weights were trained at when None.
        engine: one of ``maskedit.render.modes.ENGINES``; ``"auto"`` takes int8 only where precision is ``"auto"`` too.
        cache_file: the file in which the choice of engines is remembered; the user's cache folder when None.

    Raises:
        UserError: the file is no checkpoint, or the device is not there.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        size: int | None = None,
        engine: str = "auto",
        cache_file: Path | None = None,
    ):
        if engine not in ENGINES:
            raise UserError(f"The engine {engine!r} is unknown; give {', '.join(ENGINES)}.")
        self._wanted_engine, self._cache_file = engine, default_cache_file() if cache_file is None else cache_file
        self.weights = Path(default_weights() if weights is None else weights)
        self._wanted_precision = precision
        chosen = choose_device(device)
        choose_precision(precision, chosen)  # a wrong word is told before a large file is read
        self._network, self.header = load_checkpoint(self.weights)
        # Now, not when something is learned: by then another file may stand there.
        self._fingerprint = hashlib.sha256(self.weights.read_bytes()).hexdigest()
        self.size = self.header.config.size if size is None else size
        DmnConfig.check_side(self.size)
        self._target: tuple[np.ndarray, np.ndarray] | None = None
        self._style: torch.Tensor | None = None
        self._face_weights: FaceWeights | None = None
        self._kept: FaceWeights = {}
        self._completer: Completer | None = None
        """Completes the target as the network stands; made when the first completion is asked for."""
        self._warm: Completer | None = None
        """The last one that has drawn anything."""
        _, fits = attempted(lambda: self._move(chosen))
        self._notice = "" if fits else GAVE_WAY
        if not fits:
            self._give_way()

    header: Header
    """Configuration and model card of the weights."""

    @property
    def engine(self) -> str:
        """What renders, for a person: device, precision, side."""
        return self._engine_name(self._engines.name.removeprefix("torch "), self.size)

    def _engine_name(self, how: str, size: int) -> str:
        names = {"cpu": "CPU", "cuda": "GPU", "mps": "MPS"}
        return f"{names.get(self.device.type, self.device.type)} {how}, {size} px"

    @property
    def has_quick(self) -> bool:
        """Whether ``update`` is anything else than ``render``: not on a GPU, nor with the variant ``spade``, nor where
        boxes would keep more than `maskedit.render.engines.selection.LIMIT` bytes."""
        return self._engines.boxes is not None

    @property
    def completes(self) -> bool:
        """Whether the network sees the photo around an edit, and ``complete`` can be asked for."""
        return isinstance(self._network, ContextNetwork)

    @property
    def cache_bytes(self) -> int:
        """Memory that is kept for ``update``, in bytes; bounded by `maskedit.render.engines.selection.LIMIT`."""
        return self._engines.nbytes

    @property
    def about(self) -> str:
        """A few lines about the weights, for a person: file, network, training, licence."""
        card, config = self.header.card, self.header.config
        network = f"Dense Mapping Network ({config.variant}) of width {config.width} for {config.size} px"
        lines = [f"Weights: {self.weights.name}, {network}"]
        if "steps" in card:
            lines.append(f"Trained on {card.get('data', 'unnamed data')}, {card['steps']} steps")
        lines.append(f"Licence of the weights: {card.get('licence', 'not stated')}")
        return "\n".join(lines)

    def set_target(self, photo: np.ndarray, reference_labels: np.ndarray) -> None:
        """The photo whose style every render takes, and its own label map.

        Another photo or another label map than before forgets what was learned.

        Args:
            photo: (S, S, 3) uint8 RGB, square.
            reference_labels: (S, S) uint8 ids of ``LABELS``.
        """
        side = check_photo(photo)
        check_labels(reference_labels, side)
        if self._target is not None and all(map(np.array_equal, self._target, (photo, reference_labels))):
            return
        self.forget()
        self._target = (photo.copy(), reference_labels.copy())
        self._engines.clear()

    def render(self, labels: np.ndarray, *, cancelled: Callable[[], bool] = never) -> RenderResult:
        """Redraw the target to match an edited label map.

        Args:
            labels: (S, S) uint8 ids, of the target photo's side.
            cancelled: asked now and then; True gives the render up.

        Raises:
            UserError: no target yet, or a label map that does not fit it.
            Cancelled: ``cancelled`` said so.
        """
        return self._timed(labels, lambda ids: (self._engines.full(ids, self._style_code(), cancelled), False))

    def update(self, labels: np.ndarray) -> RenderResult:
        """As ``render``, but sooner: only boxes around what changed since the last render or update, where that can be
        done. What is seen in a box is a few levels off; outside of it nothing changes.

        Args:
            labels: (S, S) uint8 ids, of the target photo's side.

        Raises:
            UserError: no target yet, or a label map that does not fit it.
        """
        return self._timed(labels, lambda ids: self._engines.update(ids, self._style_code()))

    def complete(
        self, labels: np.ndarray, *, whole: bool = False, quick: bool = False, cancelled: Callable[[], bool] = never
    ) -> EditResult:
        """Redraw what differs from the target's own label map, seeing the photo around it; the rest is the photo.

        Args:
            labels: (S, S) uint8 ids, of the target photo's side.
            whole: redraw everything, by the photo's style alone.
            quick: whether soon is better than exact: while the brush moves.
            cancelled: asked now and then; True gives the render up.

        Raises:
            UserError: no target yet, a label map that does not fit it, or weights that do not complete.
            Cancelled: ``cancelled`` said so.
        """
        if not self.completes:
            raise UserError(
                f"The weights {self.weights.name} draw whole faces only (variant {self.header.config.variant}); "
                "a completion wants the variant maskgan-context."
            )
        _, reference = self._checked_target(labels)
        started, typical = time.perf_counter(), not np.array_equal(labels, reference)
        with torch.inference_mode():
            composite, notice = with_memory(
                lambda: self._target_completer().complete(labels, whole=whole, quick=quick, cancelled=cancelled),
                self._give_way,
            )
        if typical:
            self._warm = self._completer
        notice, self._notice = notice or self._notice, ""
        # At the network's own side, and not always by what renders whole faces.
        name = self._engine_name(self._engines.completions.name.removeprefix("torch "), self.header.config.size)
        mode = QUICK if quick else FULL
        return EditResult(composite, time.perf_counter() - started, name, mode, notice, typical)

    def complete_once(
        self,
        photo: np.ndarray,
        reference_labels: np.ndarray,
        labels: np.ndarray,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> Composite:
        """As ``complete``, for a photo that does not become the target: the target's own at another size.

        Args:
            photo: (S, S, 3) uint8 RGB, square.
            reference_labels: (S, S) uint8 ids, its own; likewise ``labels``, what is wanted.
            cancelled: asked now and then; True gives the render up.

        Raises:
            Cancelled: ``cancelled`` said so.
        """
        side = check_photo(photo)
        check_labels(reference_labels, side)
        check_labels(labels, side)
        with torch.inference_mode():
            composite, _ = with_memory(
                lambda: self._completer_of(photo, reference_labels).complete(labels, cancelled=cancelled),
                self._give_way,
            )
        return composite

    def idle(self, cancelled: Callable[[], bool] = never) -> bool:
        """Do one thing that makes later renders better or faster, some tenths of a second; False when there is none.

        Raises:
            Cancelled: ``cancelled`` said so.
        """
        if self._engines.completions.prepare():
            return True
        if self.completes and self._target is not None and (self._warm is None or self._warm is not self._completer):
            # An invented edit, so that the first stroke need not wait for what is computed once per photo.
            labels = self._target[1].copy()
            middle = slice(labels.shape[0] // 3, 2 * labels.shape[0] // 3)
            labels[middle, middle] = (labels[middle, middle] + 1) % NUM_LABELS
            self.complete(labels, quick=True, cancelled=cancelled)
            return True
        return self._engines.idle(cancelled)

    def _timed(self, labels: np.ndarray, work: Callable[[np.ndarray], tuple[np.ndarray, bool]]) -> RenderResult:
        side = self._checked_target(labels)[0].shape[0]
        started = time.perf_counter()
        ids = labels if side == self.size else imaging.resize_labels(labels, (self.size, self.size))
        with torch.inference_mode():
            (image, boxes), notice = with_memory(lambda: work(ids), self._give_way)
        notice, self._notice = notice or self._notice, ""
        if side != self.size:
            image = imaging.resize_photo(image, (side, side))
        mode = QUICK if boxes else FULL
        return RenderResult(image, time.perf_counter() - started, self.engine, mode, notice)

    def _checked_target(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The target, which a label map must fit."""
        if self._target is None:
            raise UserError("There is no photo to render: call set_target first.")
        check_labels(labels, self._target[0].shape[0])
        return self._target

    def learn(self, steps: int | None = None) -> Learning:
        """Begin to learn the target's face: fine-tune on the photo, so that renders show this very person.

        Args:
            steps: how many; as many as do for a photo when None.

        Raises:
            UserError: no target yet, fewer than one step, or too little memory on the GPU.
        """
        if self._target is None:
            raise UserError("There is no photo to learn: call set_target first.")
        if steps is not None and steps < 1:
            raise UserError(f"{steps} steps of learning came; wanted 1 or more.")
        begun, fits = attempted(lambda: self._learning(learning.STEPS if steps is None else steps))
        if not fits:
            raise UserError(learning.TOO_LITTLE_MEMORY)
        return begun

    @property
    def has_face_weights(self) -> bool:
        """Whether renders use what was learned of the target's face."""
        return self._face_weights is not None

    def forget(self) -> None:
        """Render with the weights of the file again, bit for bit."""
        self._apply(None)

    def load_face_weights(self, data: bytes) -> None:
        """Render with what ``Learning.finish`` gave for this target. ``data`` may come from anywhere.

        Raises:
            UserError: no target yet; bytes that are damaged or belong to other weights. Nothing changes.
        """
        if self._target is None:
            raise UserError("There is no photo that a learned face could belong to: call set_target first.")
        values = self._network.config.style_values
        self._apply(learning.unpack(data, self._base, self._fingerprint, style_values=values))

    def _learning(self, steps: int) -> Learning:
        target, before = self._target, self._face_weights

        def apply(face_weights: FaceWeights | None) -> None:
            if self._target is target:  # what is learned of one face is nothing to another
                self._apply(before if face_weights is None else face_weights)

        photo, labels = target
        with torch.inference_mode():
            style = self._style_code()
        return Learning(
            self._network,
            style,
            self._photo(photo, torch.float32),
            self._ids(labels)[None],
            edits=[self._ids(edit)[None] for edit in portrait_edits(labels)],
            parser=load_checkpoint(default_weights("parser"), Parser)[0],
            base=self._base,
            steps=steps,
            precision=self.precision,
            fingerprint=self._fingerprint,
            apply=apply,
        )

    def _apply(self, face_weights: FaceWeights | None) -> None:
        """Put what was learned into the network, or what the file holds when None."""
        if self._face_weights is not face_weights:
            source = self._base if face_weights is None else face_weights
            with torch.no_grad():
                for name in self._base:
                    self._network.get_parameter(name).copy_(source[name])
            self._engines.weights_changed(pristine=face_weights is None)
        self._face_weights, self._style, self._completer = face_weights, None, None
        self._keep_completions()

    def _keep_completions(self) -> None:
        """Have completions drawn with the weights of the file, whatever whole faces are drawn with.

        What is learned from whole faces makes completions worse, by one to four decibels in a mouth or a nose.
        """
        completions = self._engines.completions
        if self._face_weights is None:
            completions.network = self._network
        elif self.completes and completions.network is self._network:
            completions.network, fits = attempted(self._pristine)
            if not fits:
                self._give_way()

    def _pristine(self) -> Generator:
        """A network with the weights of the file; what learning does not change it shares with the one there is."""
        same = [value for name, value in self._network.named_parameters() if name not in self._base]
        network = copy.deepcopy(self._network, {id(value): value for value in same})
        with torch.no_grad():
            for name, value in self._base.items():
                network.get_parameter(name).copy_(value)
        return network

    @property
    def _base(self) -> FaceWeights:
        """What learning changes, as the file has it, on the CPU; kept from the first time on that it is asked for."""
        if not self._kept:
            names = trained_names(self._network)
            self._kept = {name: self._network.get_parameter(name).detach().to("cpu", copy=True) for name in names}
        return self._kept

    def _style_code(self) -> torch.Tensor:
        if self._style is None:
            if self._face_weights is None:
                photo, reference = self._target
                self._style = self._network.style(self._photo(photo, self.precision), self._one_hot(reference))
            else:
                self._style = self._face_weights[STYLE].to(self.device, self.precision)
        return self._style

    def _target_completer(self) -> Completer:
        if self._completer is None:
            self._completer = self._completer_of(*self._target)
        return self._completer

    def _completer_of(self, photo: np.ndarray, reference_labels: np.ndarray) -> Completer:
        draw = self._engines.completions.complete
        network = self._engines.completions.network
        completer = Completer(network, device=self.device, precision=self.precision, draw=draw)
        completer.set_target(photo, reference_labels)
        return completer

    def _photo(self, photo: np.ndarray, precision: torch.dtype) -> torch.Tensor:
        photo = imaging.resize_photo(photo, (self.size, self.size))
        return photo_to_tensor(photo).to(self.device, precision, memory_format=self._memory_format)

    def _ids(self, labels: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(imaging.resize_labels(labels, (self.size, self.size))).to(self.device)

    def _one_hot(self, labels: np.ndarray) -> torch.Tensor:
        return one_hot(self._ids(labels), dtype=self.precision).contiguous(memory_format=self._memory_format)

    def _give_way(self) -> None:
        """Go on on the CPU, for good; an engine that was asked for of the GPU does not hold there."""
        self._wanted_engine, self._style, self._completer = "auto", None, None
        self._move(torch.device("cpu"))

    def _move(self, device: torch.device) -> None:
        self.device, self.precision = device, choose_precision(self._wanted_precision, device)
        self._memory_format = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self._network = self._network.to(device, self.precision, memory_format=self._memory_format)
        self._engines = Engines(
            self._network,
            size=self.size,
            fingerprint=self._fingerprint,
            engine=self._wanted_engine,
            int8=self._wanted_precision == "auto",
            cache_file=self._cache_file,
            pristine=self._face_weights is None,
        )
        self._keep_completions()

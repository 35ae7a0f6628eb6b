"""*Learn this face*: fine-tune the generator on one photo, so that its renders show the person in the photo.

After training, a photo's style code says what somebody looks like only roughly. Some hundred steps on the photo itself
and its own label map, as in few-shot talking heads (Zakharov et al., ICCV 2019), teach the rest. What is trained is
the style code, the first residual block and the layers around the blocks: a third of the weights, and as near to the
photo as all of them come. Without that block, where the whole face is seen at once, it is three decibels further.

A network that has learnt one photo by heart no longer listens to the label map, and forgets what the photo does not
show: of a closed mouth it never sees teeth. Three things keep it listening:
- half of the steps show photo and label map warped together, half of these mirrored: the same person with another
  mouth, other eyes, another outline, drawn where the label map says;
- every few steps the label map takes the mouth, eyes and accessories of a bundled portrait and is bent, as an edit, and
  the face parser must find in the render what it says;
- in the same render, classes that the photo lacks must look as they did before learning.
"""

from __future__ import annotations

import copy
import json
import logging
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from maskedit.errors import UserError
from maskedit.labels import MIRROR
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import Generator
from maskedit.models.parser import Parser
from maskedit.models.tensors import one_hot

STEPS = 240
RATE = 1.5e-3
WARM_UP = 10
"""Steps until the full rate; from there it falls to zero as a cosine, which also averages the last steps' noise out."""
BETAS = (0.9, 0.99)
COLOUR_WEIGHT, EDGE_WEIGHT = 10.0, 5.0
"""Of the loss: colours alone are learnt blurred."""
SCALES = 3
"""At which edges are compared, each half the one before."""
AS_IT_IS = 0.5
"""Share of the steps that show the photo itself, unwarped."""
WARP, WARP_POINTS = 0.04, 5
"""Standard deviation of the warp at its control points, of half the side, and how many there are along each side."""
EDIT, EDIT_POINTS = 0.08, 6
"""Likewise, for edited label maps."""
EDIT_EVERY = 4
"""Steps between two edited label maps."""
OBEY_WEIGHT, KEEP_WEIGHT = 0.3, 0.1
"""Weights in the loss: of the parser's cross-entropy on such an edit, and of how far the classes that the photo lacks
are from what they looked like before.

Small on purpose: edits come every few steps only, and gradients that stand out from the photo's make Adam take small
steps for all; with three times as much, less is learnt of the photo, and less is obeyed as well."""
SMALL = 0.02
"""Share of the pixels up to which such a region's weight grows as it gets smaller."""

STYLE, SCALE = "style", ".scale"
FIRST_BLOCK = "blocks.0."

HEADER_KEY = "maskedit"
FORMAT = 1
HEADER_LIMIT = 1 << 16
"""Bytes; a header of some twenty names is a twentieth of it."""

TOO_LITTLE_MEMORY = (
    "The GPU has too little memory to learn this face; nothing was changed. "
    "Close other programs that use it, or choose the CPU."
)
ASTRAY = "Learning this face went astray; nothing was changed. Check that the label map fits the photo."

logger = logging.getLogger(__name__)

FaceWeights = dict[str, Tensor]
"""A style code (1, V) under ``style``, and the trained parameters by name: as learned, or as the file has them."""


def trained_names(network: Generator) -> list[str]:
    """Names of the network's parameters that learning changes."""
    # What only completions use is not trained by plain renders.
    others = ("encoder.", *ContextNetwork.CONTEXT_NAMES)
    names = [name for name, _ in network.named_parameters() if not name.startswith(others)]
    return [name for name in names if name.startswith(FIRST_BLOCK) or not name.startswith("blocks.")]


class Learning:
    """Some hundred optimiser steps, taken one by one; ``Renderer.learn`` begins it.

    Between steps the renderer may be used, from the same thread; it renders as before until ``show`` or ``finish``.

    Args:
        network: what renders now, in any precision; it is copied.
        style: its style code (1, V) of the photo.
        parser: finds label maps in renders; frozen.
        edits: label maps (1, S, S) uint8 to obey, taken in turn.
        base: the network's trained parameters as the file has them, on the CPU.
        photo: (1, 3, S, S) float32 in [-1, 1], on the network's device.
        labels: (1, S, S) uint8 ids, the photo's own.
        steps: how many there will be.
        precision: of autocast; float32 for none.
        fingerprint: of the file that the network came from; goes into the bytes of ``finish``.
        apply: makes the renderer render with what it is given, or as before learning when None.
    """

    def __init__(
        self,
        network: Generator,
        style: Tensor,
        photo: Tensor,
        labels: Tensor,
        *,
        parser: Parser,
        edits: Sequence[Tensor],
        base: FaceWeights,
        steps: int,
        precision: torch.dtype,
        fingerprint: str,
        apply: Callable[[FaceWeights | None], None],
    ):
        self.total, self.done = steps, 0
        self._precision, self._fingerprint, self._apply = precision, fingerprint, apply
        self._photo, self._labels, self._edits, self._base = photo, labels, edits, base
        self._memory_format = torch.channels_last if photo.is_cuda else torch.contiguous_format
        self._parser: Parser | None = parser.to(photo.device, memory_format=self._memory_format)
        self._before: Generator | None = copy.deepcopy(network)
        self._style_before = style
        self._network: Generator | None = copy.deepcopy(network).float().requires_grad_(False)
        parameters = dict(self._network.named_parameters())
        self._learned: FaceWeights = {STYLE: style.clone().float()}
        self._learned |= {name: parameters[name] for name in trained_names(network)}
        for tensor in self._learned.values():
            tensor.requires_grad_(True)
        self._optimiser: torch.optim.Optimizer | None = torch.optim.Adam(
            self._learned.values(), RATE, BETAS, fused=photo.device.type != "mps"
        )
        self._random = torch.Generator().manual_seed(0)

    done: int
    """Steps taken."""
    total: int
    """Steps there will be."""

    def step(self) -> float:
        """Take one step, a third of a second at 256 px on two cores; returns the loss, lower is better.

        Raises:
            UserError: out of GPU memory, or the loss is no number any more; learning is cancelled, as by ``cancel``.
        """
        self._check_open()
        try:
            loss = self._step()
        except torch.OutOfMemoryError:
            logger.warning("A step of learning does not fit into the GPU's memory.", exc_info=True)
            loss = None
        # Outside the except block: inside it, the traceback would keep the failed tensors alive.
        if loss is None or not math.isfinite(loss):
            self.cancel()
            raise UserError(TOO_LITTLE_MEMORY if loss is None else ASTRAY)
        self.done += 1
        return loss

    def show(self) -> None:
        """Let the renderer render with the weights as they stand now."""
        self._check_open()
        self._apply({name: tensor.detach().clone() for name, tensor in self._learned.items()})

    def finish(self) -> bytes:
        """Let the renderer render with what was learned, and give it as safetensors for ``Renderer.load_face_weights``.

        May be called before all steps are done. The renderer gets what the bytes hold, rounding included.

        Raises:
            UserError: what was learned holds no numbers any more; learning is cancelled, as by ``cancel``.
        """
        self._check_open()
        try:
            data = pack(self._learned, self._base, self._fingerprint)
            learned = unpack(data, self._base, self._fingerprint, style_values=self._learned[STYLE].shape[1])
        except UserError:
            logger.warning("What was learned cannot be kept.", exc_info=True)
            self.cancel()
            raise UserError(ASTRAY) from None
        self._close()
        self._apply(learned)
        return data

    def cancel(self) -> None:
        """Let the renderer render as before learning began, bit for bit; after ``finish``, do nothing."""
        if self._optimiser is not None:
            self._close()
            self._apply(None)

    def _check_open(self) -> None:
        if self._optimiser is None:
            raise RuntimeError("this learning is finished or cancelled; begin another with Renderer.learn")

    def _close(self) -> None:
        """Let go of the memory, whoever still holds this object."""
        self._network = self._before = self._parser = self._optimiser = None
        self._learned = {}

    def _step(self) -> float:
        progress = self.done / self.total
        rate = RATE * min(1, (self.done + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        photo, labels = lesson(self._photo, self._labels, self._random)
        self._optimiser.zero_grad()
        loss = unlikeness(self._render(labels), photo)
        loss.backward()
        if self.done % EDIT_EVERY == EDIT_EVERY - 1:
            edit = self._edits[self.done // EDIT_EVERY % len(self._edits)]
            _, edit = warped(self._photo, edit, moves(EDIT, EDIT_POINTS, self._random))
            self._disobedience(edit).backward()
        self._optimiser.step()
        return float(loss.detach())

    def _render(self, labels: Tensor) -> Tensor:
        with self._autocast():
            return self._network.generate(self._one_hot(labels), self._learned[STYLE])

    def _disobedience(self, labels: Tensor) -> Tensor:
        """How little the render of a label map (1, S, S) shows it, and what the photo lacks as it was; scalar."""
        render = self._render(labels)
        with self._autocast():
            logits = self._parser(render)
        with torch.no_grad():
            before = self._before.generate(self._one_hot(labels), self._style_before)
        new = ~torch.isin(labels, self._labels)[:, None]
        kept = unlikeness(render * new, before * new) / new.float().mean().clamp_min(SMALL)
        return OBEY_WEIGHT * F.cross_entropy(logits, labels.long()) + KEEP_WEIGHT * kept

    def _one_hot(self, labels: Tensor) -> Tensor:
        return one_hot(labels, dtype=self._precision).contiguous(memory_format=self._memory_format)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._photo.device.type, self._precision, enabled=self._precision != torch.float32)


def lesson(photo: Tensor, labels: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """What one step looks at: the photo and its label map as they are, or both warped, half of these mirrored.

    Args:
        photo: (1, 3, S, S) float32 in [-1, 1].
        labels: (1, S, S) uint8 ids; their left and right classes are exchanged where the photo is mirrored.
        random: on the CPU; the same state gives the same lesson on every device.
    """
    as_it_is, mirror = torch.rand(2, generator=random).tolist()
    if as_it_is < AS_IT_IS:
        return photo, labels
    if mirror < 0.5:
        photo, labels = mirrored(photo, labels)
    return warped(photo, labels, moves(WARP, WARP_POINTS, random))


def moves(far: float, points: int, random: torch.Generator) -> Tensor:
    """(1, 2, points, points) for ``warped``, drawn at random with standard deviation ``far``, on the CPU."""
    return torch.randn(1, 2, points, points, generator=random) * far


def mirrored(photo: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Photo (1, 3, S, S) and label map (1, S, S) uint8 flipped left to right, left and right classes exchanged."""
    partners = torch.from_numpy(MIRROR.copy()).to(labels.device)
    return photo.flip(3), partners[labels.flip(2).long()]


def warped(photo: Tensor, labels: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Photo (1, 3, S, S) and label map (1, S, S) uint8 bent alike, mirrored at the borders.

    Args:
        moves: (1, 2, K, K), across and down in half sides: how far from each of K x K places the picture is taken.
    """
    plain = F.affine_grid(torch.eye(2, 3, device=photo.device)[None], list(photo.shape), align_corners=False)
    bent = F.interpolate(moves.to(photo.device), photo.shape[2:], mode="bicubic", align_corners=True)
    grid = plain + bent.permute(0, 2, 3, 1)
    photo = F.grid_sample(photo, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    maps = F.grid_sample(labels[:, None].float(), grid, mode="nearest", padding_mode="reflection", align_corners=False)
    return photo, maps[:, 0].round().to(torch.uint8)


def unlikeness(render: Tensor, photo: Tensor) -> Tensor:
    """What learning minimises: L1 of colours, and of edges at three scales; both (N, 3, S, S) float32, scalar."""
    loss = COLOUR_WEIGHT * F.l1_loss(render, photo)
    for scale in range(SCALES):
        if scale:
            render, photo = F.avg_pool2d(render, 2), F.avg_pool2d(photo, 2)
        for axis in (2, 3):
            loss = loss + EDGE_WEIGHT * F.l1_loss(render.diff(dim=axis), photo.diff(dim=axis))
    return loss


def pack(learned: FaceWeights, base: FaceWeights, fingerprint: str) -> bytes:
    """What was learned as safetensors, with the fingerprint of the weights it belongs to in the header.

    The style code as float16; of the parameters the difference from ``base``, which is small: as int8 with a scale
    for each row, vectors as float16. The rounding costs less than a tenth of a decibel.
    """
    tensors = {STYLE: learned[STYLE].detach().to("cpu", torch.float16)}
    for name, start in base.items():
        change = learned[name].detach().float().cpu() - start.float()
        if change.ndim == 1:
            tensors[name] = change.half()
        else:
            scale = change.flatten(1).abs().amax(dim=1).clamp_min(1e-12) / 127
            tensors[name] = (change / _column(scale, change)).round().to(torch.int8)
            tensors[name + SCALE] = scale
    header = {"format": FORMAT, "base": fingerprint}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return save(tensors, metadata={HEADER_KEY: json.dumps(header)})


def unpack(data: bytes, base: FaceWeights, fingerprint: str, *, style_values: int) -> FaceWeights:
    """What ``pack`` packed, on the CPU; ``data`` may come from anywhere.

    Args:
        base: the trained parameters as the file has them, on the CPU.
        fingerprint: of that file.
        style_values: length of a style code.

    Raises:
        UserError: the bytes are damaged, belong to other weights, or hold other tensors than those of ``base``.
    """
    damaged = "What was learned of this face is damaged ({}); learn the face again."
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + min(length, HEADER_LIMIT)])["__metadata__"][HEADER_KEY])
        version, source = header["format"], str(header["base"])
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise UserError(damaged.format("it has no header of ours")) from error
    if version != FORMAT:
        raise UserError(f"What was learned of this face is in format {version!r}, wanted {FORMAT}; learn it again.")
    if source != fingerprint:
        raise UserError(
            f"This face was learned with other weights ({source[:12]}, in use are {fingerprint[:12]}); "
            "choose those weights, or learn the face again."
        )
    wanted = _wanted(base, style_values)
    size = sum(math.prod(shape) * dtype.itemsize for shape, dtype in wanted.values())
    if len(data) > size + HEADER_LIMIT:
        raise UserError(damaged.format(f"{len(data):,} bytes came, wanted some {size:,}"))
    try:
        tensors = load(data)
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise UserError(damaged.format("no whole safetensors")) from error
    if {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()} != wanted:
        raise UserError(damaged.format("other layers than those of the weights in use"))
    learned = {STYLE: tensors[STYLE].float()}
    for name, start in base.items():
        change = tensors[name].float()
        if change.ndim > 1:
            change *= _column(tensors[name + SCALE], change)
        learned[name] = start.float() + change
    if not all(tensor.isfinite().all() for tensor in learned.values()):
        raise UserError(damaged.format("values that are no numbers"))
    return learned


def _wanted(base: FaceWeights, style_values: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Names, shapes and types of what ``pack`` writes."""
    wanted: dict[str, tuple[tuple[int, ...], torch.dtype]] = {STYLE: ((1, style_values), torch.float16)}
    for name, start in base.items():
        shape = tuple(start.shape)
        if start.ndim == 1:
            wanted[name] = shape, torch.float16
        else:
            wanted[name], wanted[name + SCALE] = (shape, torch.int8), (shape[:1], torch.float32)
    return wanted


def _column(scale: Tensor, like: Tensor) -> Tensor:
    return scale.view(-1, *(1,) * (like.ndim - 1))

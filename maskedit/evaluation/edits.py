"""Edits laid into photos: the two systems that make them, and measures of what they made.

What the protocols ``completion`` and ``smiles`` share. Photos are (1, 3, S, S) float32 in [-1, 1], label maps
(1, S, S) uint8 ids, holes (1, 1, S, S) float32, 1 where the photo is hidden, else 0: one photo at a time.
"""

from __future__ import annotations

import cmath
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.face.align import NOSE, find_landmarks
from maskedit.labels import NUM_LABELS
from maskedit.measures.metrics import ssim_map
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import Generator
from maskedit.models.perceptual import PerceptualLoss
from maskedit.models.tensors import one_hot, photo_to_tensor, spread, tensor_to_photo
from maskedit.models.views import View, complete_photo, natural_side
from maskedit.render.completion import detailed
from maskedit.render.compositing import compose
from maskedit.render.engines.openvino_graph import OpenVinoMissing, import_openvino, openvino_core
from maskedit.resources import default_weights

T = TypeVar("T")

PRESENT, COMPLETION = "present", "completion"
"""The systems' names in tables and files."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Right eye, left eye, tip of the nose, right and left corner of the mouth, (x, y) from the middle of the first pixel
of 112 x 112: where the networks of ArcFace's kind want them (Deng et al., "ArcFace", CVPR 2019; insightface)."""
TEMPLATE_SIDE = 112
_NOSE_TIP = 1 / 2
"""The lower half of the nose's label, by its height, has the tip in its middle: on 36 photos of the London set it then
lies within 0.3 px of the template, after the other four points are laid on it as well as they can be."""
_FEWEST = 6
"""Pixels that make a nose; fewer are noise."""


# The systems ------------------------------------------------------------------------------------------------------


class Edited(NamedTuple):
    """What a system made of a photo."""

    photo: Tensor
    """(1, 3, S, S) float32 in [-1, 1], rounded to the 8 bits that a person gets."""
    shows: Tensor
    """(1, 1, S, S) float32: 1 where it may differ from the photo, else 0."""


class System(Protocol):
    """Redraws a hole in a photo so that it shows a label map.

    Where no label differs from the photo's own the hole is redrawn all the same, as if the labels in it were new.
    """

    def edit(self, photo: Tensor, reference: Tensor, ids: Tensor, hole: Tensor) -> Edited:
        """``reference``: the photo's own label map; ``ids``: the wanted one, different inside ``hole`` alone."""


class PresentComposite:
    """What the editor does with a network that does not see around the edit: two renders and `compose`.

    It makes its own border around the labels that differ. Only where none does, the hole tells it which labels are
    new; then a hole that is everything gives the plain render, as there is nothing to lay it into.
    """

    def __init__(self, network: Generator, side: int | None = None):
        """``side``: in pixels, to render at, as the editor does; the photo's when None."""
        self.network, self.side = network, side
        self._own: _OfPhoto[tuple[Tensor, np.ndarray]] = _OfPhoto()

    def edit(self, photo: Tensor, reference: Tensor, ids: Tensor, hole: Tensor) -> Edited:
        """See `System`."""
        style, unedited = self._own.of(photo, lambda: self._of(photo, reference))
        if torch.equal(reference, ids):
            edited = unedited
            if hole.min() > 0:
                return Edited(photo_to_tensor(edited), hole)
            # Other ids than the wanted ones: so the composite knows that nothing in the hole is to be trusted.
            reference = torch.where(hole[:, 0] > 0, (ids + 1) % NUM_LABELS, ids)
        else:
            edited = self._render(ids, style)
        before, after = reference[0].numpy(), ids[0].numpy()
        composite = compose(tensor_to_photo(photo[0]), before, after, edited, unedited)
        return Edited(photo_to_tensor(composite.image), torch.from_numpy(composite.alpha > 0)[None, None].float())

    def _of(self, photo: Tensor, reference: Tensor) -> tuple[Tensor, np.ndarray]:
        seen = photo if self.side is None else View(0, 0, photo.shape[-1]).photo(photo, self.side)
        style = self.network.style(seen, self._one_hot(reference))
        return style, self._render(reference, style)

    def _render(self, ids: Tensor, style: Tensor) -> np.ndarray:
        image = tensor_to_photo(self.network.generate(self._one_hot(ids), style)[0])
        side = ids.shape[-1]
        return image if len(image) == side else imaging.resize_photo(image, (side, side))

    def _one_hot(self, ids: Tensor) -> Tensor:
        return one_hot(ids if self.side is None else View(0, 0, ids.shape[-1]).labels(ids, self.side))


class Completion:
    """A network that sees the photo around the hole, and the photo's own texture and grain; at the photo's side."""

    def __init__(self, network: ContextNetwork, *, texture: bool = True):
        self.network, self.texture = network, texture

    def edit(self, photo: Tensor, reference: Tensor, ids: Tensor, hole: Tensor) -> Edited:
        """See `System`."""
        image = tensor_to_photo(complete_photo(self.network, photo, reference, ids, hole)[0])
        if self.texture:
            inside, before, after = hole[0, 0].numpy() > 0, reference[0].numpy(), ids[0].numpy()
            image = detailed(image, tensor_to_photo(photo[0]), inside, after, before)
        return Edited(photo_to_tensor(image), hole)


class _OfPhoto(Generic[T]):
    """What was computed of the last photo, which comes many times in a row."""

    def __init__(self):
        self._last: tuple[Tensor, T] | None = None

    def of(self, photo: Tensor, make: Callable[[], T]) -> T:
        if self._last is None or self._last[0] is not photo:
            self._last = photo, make()
        return self._last[1]


@dataclass(frozen=True)
class Comparison:
    """What the protocols that compare the two systems are given: the flags of these names."""

    weights: Path | None = None
    """A network of the variant ``maskgan-context``; the shipped one when None."""
    baseline: Path | None = None
    """The network of the present composite; that of ``weights``, without what it sees, when None."""
    parser: Path | None = None
    """A face parser's weights; the shipped ones when None."""
    identity: Path | None = None
    """An ONNX file for `Identity`; no such figure when None."""
    perceptual: str = "none"
    """Feature network, as `make_perceptual` takes it."""
    count: int | None = None
    """Faces to measure, spread evenly over all; all when None."""
    size: int | None = None
    """Side in pixels of the photos; what the weights are made for when None."""
    texture: bool = True
    """Whether completions get the photo's own texture."""

    def systems(self) -> tuple[dict[str, System], int]:
        """Name -> system, the present one first; and the side in pixels of photos that the weights are made for.

        Raises:
            UserError: a file cannot be read, or ``weights`` holds a network that cannot complete.
        """
        weights = self.weights or default_weights("context")
        network, header = load_checkpoint(weights)
        if not isinstance(network, ContextNetwork):
            raise UserError(
                f"{weights.name} holds a {header.config.variant} network, which cannot complete a photo; "
                "give --weights of the variant maskgan-context."
            )
        plain = network if self.baseline is None else load_checkpoint(self.baseline)[0]
        completion = Completion(network, texture=self.texture)
        return {PRESENT: PresentComposite(plain, plain.config.size), COMPLETION: completion}, natural_side(
            header.config
        )

    def who(self) -> Identity | None:
        """The network that tells people apart."""
        return None if self.identity is None else Identity(self.identity)

    def chosen(self, found: int) -> list[int]:
        """Which of so many faces are measured."""
        return spread(found, found if self.count is None else self.count)

    def head(self, protocol: str, **more: int) -> dict:
        """What a report says first: files by their names, without their folders, and their sums."""
        weights = self.weights or default_weights("context")
        files = {"weights": weights, "baseline": self.baseline or weights}
        sums = {f"{name}_sha256": hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        head = {"protocol": protocol} | {name: path.name for name, path in files.items()} | sums | more
        head |= {"texture": self.texture, "perceptual": self.perceptual.partition(":")[0]}
        return head | ({} if self.identity is None else {"identity": self.identity.name})


# Inside the hole --------------------------------------------------------------------------------------------------


def psnr_inside(image: Tensor, photo: Tensor, hole: Tensor) -> float:
    """Peak signal-to-noise ratio in dB over the pixels of the hole alone; at most 100 (equal pixels)."""
    errors = ((image.double() - photo.double()) / 2).square().mean(dim=1, keepdim=True)
    return float(-10 * torch.log10(((errors * hole).sum() / hole.sum()).clamp_min(1e-10)))


def ssim_inside(image: Tensor, photo: Tensor, hole: Tensor) -> float:
    """Structural similarity, -1 to 1: `ssim_map` averaged over the pixels of the hole."""
    return float((ssim_map(image, photo) * hole).sum() / hole.sum())


# Around the hole, and all photos together -------------------------------------------------------------------------


def seam(image: Tensor, region: Tensor) -> Tensor:
    """How much the colours change across a region's border: (2,) float64, sums over the border and the channels.

    Of two pixels on each side of the border in a row or a column, p0 p1 | p2 p3, the *step* is the mean of
    ``|p2 - p0|`` and ``|p3 - p1|``, and the *gradient* ``|(p3 - p2) - (p1 - p0)|``. Where the border is less than two
    pixels from another nothing is measured. Divided by those of the photo at the same place, 1 is no seam.

    Args:
        image: (1, 3, S, S).
        region: (1, 1, S, S), zeros and ones.
    """
    sums = torch.zeros(2, dtype=torch.float64)
    for axis in (2, 3):
        inside = region.bool().unfold(axis, 4, 1)[0, 0]
        border = (inside[..., 0] == inside[..., 1]) & (inside[..., 2] == inside[..., 3])
        border &= inside[..., 1] != inside[..., 2]
        p = image.double().unfold(axis, 4, 1)[0][:, border]  # (3, n, 4)
        step = ((p[..., 2] - p[..., 0]).abs() + (p[..., 3] - p[..., 1]).abs()) / 2
        gradient = ((p[..., 3] - p[..., 2]) - (p[..., 1] - p[..., 0])).abs()
        sums += torch.stack([step.sum(), gradient.sum()])
    return sums


def pooled_features(loss: PerceptualLoss, photo: Tensor) -> np.ndarray:
    """(C,) float64: the means of the coarsest feature map over the photo; SqueezeNet's are 512, of fire9."""
    return loss.features(photo)[-1].double().mean(dim=(2, 3))[0].numpy()


def frechet(found: np.ndarray, photos: np.ndarray) -> float:
    """Frechet distance of two sets of features as Gaussians (Heusel et al. 2017).

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. Where a set is smaller than there are features, both covariances
    are shrunk alike, by what Ledoit and Wolf's estimate (2004) says of the photos'.

    Args:
        found: (N, D) float64.
        photos: (M, D) float64.
    """
    means = [each.mean(axis=0) for each in (found, photos)]
    covariances = [np.cov(each, rowvar=False, bias=True) for each in (found, photos)]
    size = photos.shape[1]
    if min(len(found), len(photos)) <= size:
        shrinkage = ledoit_wolf(photos)
        covariances = [
            (1 - shrinkage) * each + shrinkage * np.trace(each) / size * np.eye(size) for each in covariances
        ]
    values, vectors = np.linalg.eigh(covariances[1])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    # Those of root C root are C1 C2's, and a symmetric matrix's are found to the last digits.
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances[0] @ root).clip(0)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1]) - 2 * cross)


def ledoit_wolf(samples: np.ndarray) -> float:
    """How far to shrink the covariance of samples (N, D) to a multiple of the identity, 0 to 1 (Ledoit, Wolf 2004)."""
    count, size = samples.shape
    centred = samples - samples.mean(axis=0)
    covariance = centred.T @ centred / count
    away = (covariance**2).sum() - np.trace(covariance) ** 2 / size
    error = ((centred**2).sum(axis=1) ** 2).sum() / count**2 - (covariance**2).sum() / count
    return float(np.clip(error / away, 0, 1)) if away > 0 else 1.0


# Who it is --------------------------------------------------------------------------------------------------------


class Identity:
    """Who a photo shows, by a network of ArcFace's kind in an ONNX file, run by OpenVINO on the CPU.

    Args:
        path: the network: RGB 0-255 (N, 3, 112, 112), the face aligned to `TEMPLATE`, to (N, D).

    Raises:
        UserError: OpenVINO is not installed; the file cannot be read, or its network takes something else.
    """

    def __init__(self, path: Path):
        try:
            openvino = import_openvino()  # optional, and slow to import
        except OpenVinoMissing as error:
            raise UserError("--identity needs OpenVINO, which is not installed; run: pip install openvino") from error
        if not path.is_file():
            raise UserError(f"--identity {path}: there is no such file.")
        wanted = [1, 3, TEMPLATE_SIDE, TEMPLATE_SIDE]
        try:
            core = openvino_core()
            model = core.read_model(path)
            if len(model.inputs) != 1 or not model.inputs[0].partial_shape.compatible(openvino.PartialShape(wanted)):
                raise UserError(f"--identity {path.name} takes {model.inputs}; wanted one input (N, 3, 112, 112).")
            model.reshape(wanted)
            self._model = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        except RuntimeError as error:
            raise UserError(f"--identity {path.name} cannot be read as a network; give an ONNX file.") from error

    def embedding(self, photo: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(D,) float32 of length 1; the cosine of two people's is their dot product.

        Args:
            photo: (S, S, 3) uint8 RGB.
            points: (5, 2) of its face, see `five_points`.
        """
        face = imaging.cut_square(photo, arcface_square(points * len(photo)), TEMPLATE_SIDE)
        found = self._model(face.transpose(2, 0, 1)[None].astype(np.float32))[0][0]
        return found / max(float(np.linalg.norm(found)), 1e-12)


def five_points(ids: np.ndarray) -> np.ndarray | None:
    """(5, 2) float64, (x, y) in units of the side, in the order of `TEMPLATE`, off a label map (S, S) uint8.

    The centres of the eyes, the middle of the lower half of the nose, the outermost points of the lips. None where
    the map does not have them.
    """
    found = find_landmarks(one_hot(ids)[0].numpy())
    rows, columns = np.nonzero(np.isin(ids, NOSE))
    if found is None or len(rows) <= _FEWEST:
        return None
    low = rows >= rows.max() - _NOSE_TIP * (rows.max() - rows.min())
    nose = np.array([columns[low].mean() + 0.5, rows[low].mean() + 0.5]) / len(ids)
    return np.array([*found.points[:2], nose, *found.points[2:]])


def arcface_square(points: np.ndarray) -> imaging.Square:
    """The square that shows five points (5, 2), in pixels, as near to `TEMPLATE` as shift, turn and scale allow.

    By least squares in the template (Umeyama 1991), with points as complex numbers.
    """
    here, there = points @ [1, 1j], (TEMPLATE + 0.5) @ [1, 1j]
    away = here - here.mean()
    turn = np.vdot(away, there - there.mean()) / np.vdot(away, away)
    middle = here.mean() + (TEMPLATE_SIDE / 2 * (1 + 1j) - there.mean()) / turn
    degrees = -math.degrees(cmath.phase(turn))
    return imaging.Square(middle.real, middle.imag, TEMPLATE_SIDE / abs(turn), degrees)

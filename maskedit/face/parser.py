"""The face parser behind a numpy interface: the label map of an aligned photo, and where it is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from maskedit import imaging
from maskedit.errors import UserError
from maskedit.imaging import Square
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.device import choose_device, choose_precision
from maskedit.models.parser import Parser, parser_logits
from maskedit.models.tensors import photo_to_tensor
from maskedit.resources import default_weights


@dataclass(frozen=True, eq=False)
class Parsed:
    """A label map as the parser sees it."""

    labels: np.ndarray
    """(S, S) uint8 ids."""
    confidence: np.ndarray
    """(S, S) uint8: the probability of each pixel's label, 255 for 1."""


class FaceParser:
    """Parses photos with the shipped weights, or others.

    Args:
        weights: a parser's ``.safetensors``; the shipped one when None.
        device: ``"auto"`` (CUDA, else MPS, else CPU), ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
        precision: ``"auto"`` (bfloat16 where the device has it), ``"float32"`` or ``"bfloat16"``.

    Raises:
        UserError: the file is no parser's checkpoint, or the device is not there.
    """

    def __init__(self, weights: str | Path | None = None, *, device: str = "auto", precision: str = "auto"):
        self._device = choose_device(device)
        self._precision = choose_precision(precision, self._device)
        network, self.header = load_checkpoint(default_weights("parser") if weights is None else weights, Parser)
        self._network = network.to(self._device, self._precision)

    @property
    def size(self) -> int:
        """The side in pixels that the network sees photos at."""
        return self._network.config.size

    def parse(self, photo: np.ndarray) -> np.ndarray:
        """The label map (S, S) uint8 of an aligned photo (S, S, 3) uint8, averaged with that of its mirror image."""
        return self.parse_with_confidence(photo).labels

    def parse_with_confidence(self, photo: np.ndarray) -> Parsed:
        """Like `parse`, with the probability of every pixel's label."""
        return _decided(self.probabilities([photo], side=_checked_side(photo), mirror=True)[0])

    def probabilities(self, photos: Sequence[np.ndarray], *, side: int | None = None, mirror: bool) -> np.ndarray:
        """(N, 19, side, side) float32 of N photos (S, S, 3) uint8 of one size; at the network's side when None.

        Args:
            mirror: average with the mirrored photos, for twice the time.
        """
        small = [imaging.resize_photo(photo, (self.size, self.size)) for photo in photos]
        tensor = photo_to_tensor(torch.from_numpy(np.stack(small))).to(self._device, self._precision)
        logits = parser_logits(self._network, tensor, side=side, mirror=mirror)
        return logits.softmax(dim=1).cpu().numpy()

    def parse_part(self, photo: np.ndarray, document: Square, part: np.ndarray) -> np.ndarray:
        """Parse again, closer, what a mask marks: the part fills the parser's view as far as that still helps.

        Args:
            photo: (H, W, 3) uint8, the whole photo.
            document: where in it the label map lies.
            part: (S, S) bool, some of it true.

        Returns:
            (S, S) uint8 ids; of use where ``part`` is true.
        """
        side = len(part)
        whole = self.probabilities([imaging.cut_square(photo, document, side)], side=side, mirror=True)[0]
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
        # The parser knows faces up to half as large again as aligned ones; the part keeps half its size around it.
        share = float(np.clip(extent / side * 2, 1 / 1.5, 1.0))
        if share < 1:
            middle = np.array([columns[0] + columns[-1] + 1, rows[0] + rows[-1] + 1]) / 2
            middle = middle.clip(share * side / 2, side - share * side / 2)  # stays inside the document
            near, x0, y0 = round(share * side), *np.round(middle - share * side / 2).astype(int).tolist()
            matrix = document.matrix(side)
            x, y = matrix[:, :2] @ [x0 + near / 2, y0 + near / 2] + matrix[:, 2]
            close = Square(x, y, document.side * near / side, document.degrees)
            seen = self.probabilities([imaging.cut_square(photo, close, self.size)], side=near, mirror=True)[0]
            whole[:, y0 : y0 + near, x0 : x0 + near] += seen
        return _decided(whole).labels


def _decided(probabilities: np.ndarray) -> Parsed:
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    confidence = np.take_along_axis(probabilities, labels[None].astype(np.intp), axis=0)[0]
    return Parsed(labels, np.round(confidence.clip(0, 1) * 255).astype(np.uint8))


def _checked_side(photo: np.ndarray) -> int:
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        came = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UserError(f"The photo came as {came}; wanted (S, S, 3) uint8 RGB.")
    if photo.shape[0] != photo.shape[1]:
        raise UserError(
            f"The photo is {photo.shape[1]} x {photo.shape[0]} px; wanted an aligned square: find the face first."
        )
    return photo.shape[0]

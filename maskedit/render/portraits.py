"""The bundled portraits as a renderer uses them: faces to calibrate int8 with, and edits to obey while it learns."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from maskedit import imaging
from maskedit.document.transfer import transfer_labels
from maskedit.labels import FACE_PARTS
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.tensors import one_hot, photo_to_tensor
from maskedit.resources import portrait

_NAMES = ("collins", "hopper")


def portraits(side: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The photo (S, S, 3) uint8 and the label map (S, S) uint8 of each portrait, scaled to a side in pixels."""
    pairs = []
    for photo, labels in map(portrait, _NAMES):
        labels = imaging.resize_labels(imaging.read_labels(labels), (side, side))
        pairs.append((imaging.resize_photo(imaging.read_photo(photo), (side, side)), labels))
    return pairs


def portrait_styles(network: DenseMappingNetwork, side: int) -> list[tuple[np.ndarray, Tensor]]:
    """The label map (S, S) uint8 and the style code (1, V) of each portrait, scaled to a side in pixels."""
    weight, pairs = network.stem.weight, []
    for photo, labels in portraits(side):
        with torch.inference_mode():
            tensors = photo_to_tensor(photo), one_hot(labels)
            style = network.style(*(each.to(weight.device, weight.dtype) for each in tensors))
        pairs.append((labels, style))
    return pairs


def portrait_edits(labels: np.ndarray) -> list[np.ndarray]:
    """A label map (S, S) uint8, edited once for each portrait: it takes that face's `FACE_PARTS`, all but the hair."""
    parts = [id for name, ids in FACE_PARTS.items() if name != "Hair" for id in ids]
    sources = [imaging.read_labels(portrait(name)[1]) for name in _NAMES]
    return [transfer_labels(labels, imaging.resize_labels(source, labels.shape), parts) for source in sources]

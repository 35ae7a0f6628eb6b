"""MaskVAE behind numpy: what it makes of a label map, and of the map's neighbours in its space."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.tensors import one_hot, scaled_labels
from maskedit.resources import default_weights

STEP = 0.8
"""How far a neighbour's code lies from a map's own in each of its numbers, as a standard deviation; those of the
training faces deviate by 1.3 from each other."""


class LabelSpace:
    """The space of label maps that a MaskVAE has learned (MaskGAN, Lee et al., CVPR 2020, section 3.2), on the CPU.

    Args:
        weights: a MaskVAE checkpoint; the shipped one when None.

    Raises:
        UserError: the file is missing or is none.
    """

    def __init__(self, weights: str | Path | None = None) -> None:
        self._network, _ = load_checkpoint(weights or default_weights("mask_vae"), MaskVAE)

    @torch.inference_mode()
    def probabilities(self, labels: np.ndarray) -> np.ndarray:
        """How likely each class is at each pixel of a map (S, S) uint8, if it is to be like faces: (19, S, S)
        float32."""
        return self._decoded(self._code(labels), len(labels)).softmax(dim=0).numpy()

    @torch.inference_mode()
    def neighbours(self, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """What the network makes of a map (S, S) uint8, and of one close by; both (S, S) uint8.

        Args:
            seed: says which one; the same again for the same map.
        """
        code = self._code(labels)
        noise = torch.randn(code.shape, generator=torch.Generator().manual_seed(seed))
        maps = [self._decoded(each, len(labels)).argmax(dim=0) for each in (code, code + STEP * noise)]
        own, other = (each.to(torch.uint8).numpy() for each in maps)
        return own, other

    def _code(self, labels: np.ndarray) -> Tensor:
        side = self._network.config.size
        return self._network.encode(one_hot(scaled_labels(torch.from_numpy(labels.copy())[None], side)))[0]

    def _decoded(self, code: Tensor, side: int) -> Tensor:
        """(19, side, side) float32 logits; enlarged before any choice is made, so that borders are smooth."""
        logits = self._network.decode(code)[0].numpy()
        return torch.from_numpy(np.stack([cv2.resize(each, (side, side)) for each in logits]))

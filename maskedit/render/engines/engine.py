"""Ways to run the generator: what they have in common, and the one that every machine has.

An engine is a network made ready for one device and one side. The renderer gives it a label map and a style code and
gets a picture; which of them it uses is `maskedit.render.engines.selection`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from maskedit.models.dense_mapping import DenseMappingNetwork, Generator
from maskedit.models.device import precision_name
from maskedit.models.tensors import one_hot, tensor_to_photo
from maskedit.render.modes import never


class Engine(Protocol):
    """One way to run the generator."""

    name: str
    """For a person and for ``maskedit-bench``, e.g. ``"torch bfloat16"``."""

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """Render a label map.

        Args:
            ids: (S, S) uint8 ids of ``LABELS``, of the engine's side.
            style: (1, V) style code, on any device, of any float type.
            cancelled: asked between layers, where the engine can; True gives the render up.

        Returns:
            (S, S, 3) uint8 RGB, of its own memory.

        Raises:
            Cancelled: ``cancelled`` said so; the next call starts clean.
        """
        ...


def supports(network: Generator) -> bool:
    """Whether boxes and OpenVINO know the network's layers: those of every variant but ``spade``."""
    return isinstance(network, DenseMappingNetwork)


class TorchEngine:
    """The network as torch runs it, layer by layer, on any device.

    Args:
        network: on its device, in its precision; it is used, not copied.
        memory_format: of the one-hot label map: the network's own.
    """

    def __init__(self, network: Generator, memory_format: torch.memory_format = torch.contiguous_format):
        self._network, self._memory_format = network, memory_format
        weight = next(network.parameters())
        self._device, self._precision = weight.device, weight.dtype
        self.name = f"torch {precision_name(self._precision)}"

    def generate(self, ids: np.ndarray, style: Tensor, cancelled: Callable[[], bool] = never) -> np.ndarray:
        """See `Engine`."""
        with torch.inference_mode():
            labels = one_hot(torch.from_numpy(np.array(ids)).to(self._device), dtype=self._precision)
            style = style.to(self._device, self._precision)
            return tensor_to_photo(
                self._network.generate(labels.contiguous(memory_format=self._memory_format), style)[0]
            )

    def weights_changed(self) -> None:
        """The network was changed in place, e.g. to a learned face: nothing to do, it is used as it stands."""

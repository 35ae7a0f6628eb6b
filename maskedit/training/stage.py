"""What a stage of training is: networks, their losses, and how to tell whether they are good.

A stage knows nothing of steps, schedules, checkpoints or other processes; that is `maskedit.training.loop`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from maskedit.data.batch import MILD, Augmentation
from maskedit.data.pairs import Pairs
from maskedit.data.source import Source
from maskedit.models.device import choose_memory_format, choose_precision
from maskedit.models.tensors import one_hot
from maskedit.training.config import RunOptions

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Phase:
    """One update of some of the networks; a step goes through a stage's phases in order (as StyleGAN's loop does).

    ``backward(photos, ids, share)`` computes the losses of photos (N, 3, S, S) in [-1, 1] with label ids (N, S, S),
    adds the gradients of ``share`` times their total, and returns the losses for the record.
    """

    backward: Callable[[Tensor, Tensor, float], Losses]
    optimisers: tuple[str, ...]


class Stage(ABC):
    """Networks on one device, and all that is particular to training them.

    Args:
        options: of the run.
        device: where the networks live.
    """

    name: ClassVar[str]
    config: Any
    """Of the kept network."""
    augmentation: ClassVar[Augmentation] = MILD
    kept: ClassVar[str]
    """The network that is averaged and exported."""
    fewest: ClassVar[int] = 1
    """Photos that a phase must see at once."""

    def __init__(self, options: RunOptions, device: torch.device):
        self.options = options
        self.device = device
        self.precision = choose_precision(options.precision, device)
        self.memory_format = choose_memory_format(options.memory_format, device, self.precision)
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.phases: tuple[Phase, ...] = ()

    @property
    def size(self) -> int:
        """Side of the training squares in pixels."""
        return self.config.size

    @property
    def smallest(self) -> int:
        """The shorter side in pixels of the smallest photos that are trained on."""
        return self.size

    # For subclasses ---------------------------------------------------------------------------------------------

    def add_network(self, name: str, network: nn.Module, *, betas: tuple[float, float] = (0.5, 0.999)) -> nn.Module:
        """Put a network on the device, with an Adam of its own under the same name."""
        network = self.place(network)
        self.networks[name] = network
        fused = self.device.type == "cuda"
        self.optimisers[name] = torch.optim.Adam(network.parameters(), self.options.rate, betas, fused=fused)
        return network

    def place(self, module: nn.Module) -> nn.Module:
        return module.to(self.device, memory_format=self.memory_format)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def one_hot(self, ids: Tensor) -> Tensor:
        """(N, S, S) uint8 ids -> (N, 19, S, S) in the run's precision and memory format."""
        return one_hot(ids, dtype=self.precision).contiguous(memory_format=self.memory_format)

    def prepare(self, training: Source) -> Tensor:
        """Look at the training pairs before the first step; (N,) int64: how often an epoch shows each."""
        return torch.ones(len(training), dtype=torch.long)

    def finish(self, network: nn.Module) -> None:  # noqa: B027 - most stages have nothing to add
        """Give the kept network, which is about to be written, what no gradient taught it."""

    def load_optimiser(self, name: str, state: dict[str, Any]) -> None:
        """Take up an optimiser's state, of a run in either memory format."""
        optimiser = self.optimisers[name]
        optimiser.load_state_dict(state)
        for parameter, values in optimiser.state.items():
            for key, value in values.items():
                # Moments that lie otherwise than their parameter would be slow at every step.
                if (
                    isinstance(value, Tensor)
                    and value.shape == parameter.shape
                    and value.stride() != parameter.stride()
                ):
                    values[key] = torch.empty_like(parameter).copy_(value)

    # What a stage must say --------------------------------------------------------------------------------------

    @abstractmethod
    def validate(self, network: nn.Module, pairs: Pairs) -> dict[str, float]:
        """Figures of the kept network on held-out pairs."""

    @abstractmethod
    def score(self, figures: dict[str, float]) -> float:
        """The figure that decides which checkpoint is best; lower is better."""

    @abstractmethod
    def sheet(self, network: nn.Module, pairs: Pairs) -> np.ndarray:
        """A picture (H, W, 3) uint8 RGB of what the kept network does on held-out pairs."""

    def initialise(self, networks: dict[str, Any]) -> None:
        """Start from the networks of an earlier run, given as state dicts by name."""
        for name, state in networks.items():
            if name in self.networks:
                self.networks[name].load_state_dict(state)

"""Which engine completes photos: torch, or OpenVINO once there was time to make it."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from maskedit.models.context import ContextNetwork
from maskedit.models.dense_mapping import Generator
from maskedit.models.device import precision_name
from maskedit.models.views import by_torch
from maskedit.render.completion import portrait_completions
from maskedit.render.engines.openvino_engine import OpenVinoCompletion
from maskedit.render.engines.openvino_graph import openvino_version
from maskedit.render.modes import INT8

logger = logging.getLogger(__name__)


class CompletionEngines:
    """What redraws holes in photos, by one network; nothing is measured, as for whole images.

    Args:
        network: on its device, in its precision, with the weights of its file.
        engine: one of ``maskedit.render.modes.ENGINES``. With ``auto``, OpenVINO completes where the processor has
            bfloat16, with which it is the faster.
        int8: whether that may compute in 8-bit integers.
        fingerprint: of the weight file.
        cache: folder for what int8 was calibrated to, or None.
    """

    def __init__(self, network: Generator, *, engine: str, int8: bool, fingerprint: str, cache: Path | None):
        self.network, self._fingerprint, self._cache = network, fingerprint, cache
        """``network`` completes; another one may take its place whose weights are the same."""
        weight = next(network.parameters())
        self._torch = precision_name(weight.dtype)
        self._precision = INT8 if int8 and engine != "openvino" else self._torch
        possible = isinstance(network, ContextNetwork) and weight.device.type == "cpu" and bool(openvino_version())
        asked = engine in ("openvino", INT8) or (engine == "auto" and weight.dtype == torch.bfloat16)
        self._to_make = possible and asked
        self._openvino: OpenVinoCompletion | None = None

    @property
    def name(self) -> str:
        """What completes photos."""
        return f"torch {self._torch}" if self._openvino is None else self._openvino.name

    def prepare(self) -> bool:
        """Make what completes photos faster than torch, once, in about a second; False when nothing is left to do."""
        if not self._to_make:
            return False
        self._to_make = False
        try:
            self._openvino = OpenVinoCompletion(
                self.network,
                precision=self._precision,
                fingerprint=self._fingerprint,
                cache=self._cache,
                calibration=lambda: portrait_completions(self.network),
            )
        except Exception:  # whatever is wrong with it, torch completes
            logger.exception("OpenVINO for completions was not made.")
        return True

    def complete(self, ids: Tensor, style: Tensor, photo: Tensor, hole: Tensor, regions: Tensor) -> Tensor:
        """Redraw a hole in a photo, by a network that can; see `maskedit.models.views.Draw`."""
        if self._openvino is not None:
            try:
                return self._openvino.complete(ids, style, photo, hole, regions)
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception:
                logger.exception("The engine %s failed a completion.", self._openvino.name)
                self._openvino = None
        return by_torch(self.network)(ids, style, photo, hole, regions)

"""Which engine is the fastest on this machine: measured at one label map, a step at a time, and remembered on disk."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from platformdirs import user_cache_path
from torch import Tensor

from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.render.engines.engine import Engine
from maskedit.render.modes import Cancelled

WORTH = 0.93
"""Another engine than the first is chosen only if it needs less than this share of the first one's time: only the
first one keeps the features that box renders start from."""
ALIKE = 1.0
"""Levels of 255: an engine whose picture is further than this from the first one's, on average, is not chosen."""
_TRIES = 3

logger = logging.getLogger(__name__)


class Timing(NamedTuple):
    """How one engine did."""

    seconds: float
    """The best of some renders."""
    unlike: float
    """Levels of 255 that its picture is off the first engine's, on average."""


def fastest(timings: dict[str, Timing]) -> str:
    """The name of the engine to use: the first one, unless another draws alike in less than `WORTH` of its time."""
    first, *others = timings
    best = WORTH * timings[first].seconds
    worth = [name for name in others if timings[name].unlike <= ALIKE and timings[name].seconds < best]
    return min(worth, key=lambda name: timings[name].seconds, default=first)


class Contest:
    """Times engines at one label map, one engine a step.

    An engine that draws something else (`ALIKE`), or that cannot be made, is not chosen.

    Args:
        makers: name -> what makes the engine, or hands over one that there is; the first is the one to beat.
        ids: (S, S) uint8.
        style: (1, V) style code.
    """

    def __init__(self, makers: dict[str, Callable[[], Engine]], ids: np.ndarray, style: Tensor):
        self._waiting = list(makers.items())
        self._first = self._waiting[0][0]
        self.ids, self._style = ids.copy(), style.clone()
        self._picture: np.ndarray | None = None
        self._timings: dict[str, Timing] = {}

    @property
    def over(self) -> bool:
        return not self._waiting

    @property
    def winner(self) -> str:
        """So far."""
        return fastest(self._timings) if self._timings else self._first

    @property
    def seconds(self) -> dict[str, float]:
        """Name -> the best time of those that could be timed."""
        return {name: timing.seconds for name, timing in self._timings.items()}

    def step(self, cancelled: Callable[[], bool]) -> None:
        """Time the next engine.

        Raises:
            Cancelled: ``cancelled`` said so; the next step begins with the same engine.
        """
        name, make = self._waiting[0]
        try:
            self._time(name, make(), cancelled)
        except (Cancelled, MemoryError):
            raise
        except Exception:  # whatever is wrong with it, the others render
            if name == self._first:
                raise
            logger.exception("The engine %s failed the comparison.", name)
        self._waiting.pop(0)

    def _time(self, name: str, engine: Engine, cancelled: Callable[[], bool]) -> None:
        taken = []
        for _ in range(_TRIES):
            if cancelled():
                raise Cancelled
            started = perf_counter()
            picture = engine.generate(self.ids, self._style, cancelled).astype(np.int16)
            taken.append(perf_counter() - started)
        if self._picture is None:
            self._picture = picture
        self._timings[name] = Timing(min(taken), float(np.abs(picture - self._picture).mean()))


def load_choice(cache_file: Path | None, key: str) -> str | None:
    """The winner that was remembered under a key; None where there is none, or the file cannot be read."""
    try:
        chosen = json.loads(cache_file.read_text(encoding="utf-8"))[key]["chosen"]
    except (AttributeError, OSError, ValueError, LookupError, TypeError, RecursionError):
        logger.debug("No engine is remembered in %s.", cache_file, exc_info=True)
        return None
    return chosen if isinstance(chosen, str) else None


def save_choice(cache_file: Path | None, key: str, chosen: str, seconds: dict[str, float]) -> None:
    """Write it beside what the file holds already; where that cannot be done, it is measured again."""
    if cache_file is None:
        return
    try:
        known = json.loads(cache_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        known = {}
    known = known if isinstance(known, dict) else {}
    known[key] = {"chosen": chosen, "seconds": seconds}
    try:
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(cache_file, json.dumps(known, indent=1).encode(), overwrite=True)
    except (OSError, UserError):
        logger.warning("The chosen engine could not be remembered in %s.", cache_file, exc_info=True)


def default_cache_file() -> Path | None:
    """``engines.json`` in ``MASKEDIT_CACHE``, or in the folder that this system has for what programs may make again.

    None where there is no such folder, as for a user without a home.
    """
    folder = Path(os.environ.get("MASKEDIT_CACHE", ""))
    if not folder.is_absolute():
        try:
            folder = user_cache_path("maskedit", appauthor=False, opinion=False)  # on Windows no folder "Cache" in it
        except RuntimeError:
            return None
    return folder / "engines.json"

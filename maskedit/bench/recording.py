"""The stroke that is replayed: a hand that draws along the hair of the bundled portrait."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HERTZ = 120
"""Moves a second of a good mouse."""
SECONDS = 3.0
PORTRAIT_SIDE = 512
"""Side in pixels of the label map that the stroke belongs to."""

_OUTLINE = np.array(
    [(178, 16), (146, 46), (104, 74), (66, 106), (47, 146), (44, 192), (49, 238), (64, 276), (92, 304), (108, 344)],
    np.float64,
)
"""Where the hand goes, (x, y): over the left edge of the hair, from the crown down to the ear."""


@dataclass(frozen=True)
class Point:
    """Where the pointer is at one moment."""

    milliseconds: float
    x: float
    """Pixels of the label map, as y."""
    y: float


def hand_stroke(seconds: float = SECONDS) -> list[Point]:
    """The recorded stroke: it starts and ends slowly, and trembles a little; the same every time.

    Args:
        seconds: how long it takes; the way is the same.
    """
    count = max(2, round(seconds * HERTZ))
    times = np.linspace(0.0, 1.0, count)
    # Between a steady hand and one that rests at both ends.
    progress = 0.3 * times + 0.7 * times * times * (3 - 2 * times)
    steps = np.hypot(*np.diff(_OUTLINE, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    way = np.stack([np.interp(progress, along, axis) for axis in _OUTLINE.T], axis=1)
    # A hand turns no corners: a mean over a sixth of a second takes them off.
    half = min(HERTZ // 12, (count - 1) // 2)
    padded = np.pad(way, ((half, half), (0, 0)), mode="edge")
    way = np.stack([np.convolve(axis, np.ones(2 * half + 1) / (2 * half + 1), "valid") for axis in padded.T], axis=1)
    clock = times * seconds
    tremor = 0.4 * np.stack([np.sin(2 * math.pi * 9.1 * clock), np.cos(2 * math.pi * 7.3 * clock)], axis=1)
    return [Point(1000 * float(t), float(x), float(y)) for t, (x, y) in zip(clock, way + tremor, strict=True)]

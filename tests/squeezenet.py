"""Synthetic SqueezeNet 1.0 weights, an eighth as wide, as the ``.npz`` that ``SqueezeNetFeatures`` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)
CHANNELS = (96, 128, 128, 256, 256, 384, 384, 512, 512)
"""Out of conv1 and of fire2..fire9."""
DIVISOR = 8


def arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"conv1": (CHANNELS[0] // DIVISOR, 3, 7, 7)}
    for index in range(2, 10):
        before, after = CHANNELS[index - 2] // DIVISOR, CHANNELS[index - 1] // DIVISOR
        squeeze = SQUEEZE[index - 2] // DIVISOR
        shapes[f"fire{index}_squeeze1x1"] = (squeeze, before, 1, 1)
        shapes[f"fire{index}_expand1x1"] = (after // 2, squeeze, 1, 1)
        shapes[f"fire{index}_expand3x3"] = (after // 2, squeeze, 3, 3)
    result = {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[1:]))
        result[f"{name}_w"] = (random.standard_normal(shape) * scale).astype(np.float16)
        result[f"{name}_b"] = np.full(shape[0], 0.1, np.float16)
    return result


def write_squeezenet(path: Path, **changed: np.ndarray | None) -> Path:
    """Write the weights; ``changed`` replaces arrays by name, None leaves one out."""
    values = {**arrays(), **changed}
    np.savez(path, **{name: value for name, value in values.items() if value is not None})
    return path

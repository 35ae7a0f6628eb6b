"""Rebuilds the synthetic weights of the parity cases; see tests/reference/README.md."""

import json
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent.parent / "reference"


def shapes(network: str) -> dict[str, tuple[int, ...]]:
    keys = json.loads((FOLDER / f"{network}_state_dict.json").read_text())["keys"]
    return {name: tuple(shape) for name, shape in keys.items()}


def dmn_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """The released DMN's keys with the shapes it has at another base width."""

    def scaled(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        if name.startswith("model."):
            return tuple(n if (n in (3, 19) and i <= 1) or i >= 2 else n * width // 64 for i, n in enumerate(shape))
        if name.startswith("enc_style.model_last"):
            return (shape[0] * width // 64, *shape[1:])
        return shape

    return {name: scaled(name, shape) for name, shape in shapes("dmn").items()}


def mask_vae_shapes(width: int, latent: int) -> dict[str, tuple[int, ...]]:
    """The authors' MaskVAE's keys with the shapes they have at another base width and latent length."""

    def scaled(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        if name.startswith("fc"):
            return (latent, *(n * width // 32 for n in shape[1:]))
        if name == "d1.weight":
            return (shape[0] * width // 32, latent)
        return tuple(n if n == 19 or i >= 2 else n * width // 32 for i, n in enumerate(shape))

    return {name: scaled(name, shape) for name, shape in shapes("mask_vae").items()}


def synthetic_state(wanted: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(seed)
    state = {}
    for name in sorted(wanted):
        shape = wanted[name]
        if name.endswith(("num_batches_tracked", "running_mean")):
            value = np.zeros(shape, np.float32)
        elif name.endswith("running_var"):
            value = np.ones(shape, np.float32)
        else:
            scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) >= 2 else 0.1
            value = random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        state[name] = torch.from_numpy(np.asarray(value, np.float32))
    return state


def case(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}

"""Rebuilds the synthetic weights of the parity cases; see tests/reference/README.md."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

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


def _entries(layers: dict[str, str], *, norms: bool = False) -> dict[str, str]:
    """Layer names -> names of their entries, those of batch normalisations with their statistics."""
    parts = ["weight", "bias", *(["running_mean", "running_var", "num_batches_tracked"] if norms else [])]
    return {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in layers.items() for part in parts}


def mask_vae_names() -> dict[str, str]:
    """Entries of the authors' MaskVAE -> ours."""
    layers = {"fc1": "mean", "fc2": "log_variance", "d1": "expand", "d8": "head"}
    layers |= {f"e{level + 1}": f"down.{level}" for level in range(7)}
    layers |= {f"d{level + 2}": f"up.{level}" for level in range(6)}
    norms = {f"bn{level + 1}": f"down_norms.{level}" for level in range(7)}
    norms |= {f"bn{level + 8}": f"up_norms.{level}" for level in range(6)}
    return _entries(layers) | _entries(norms, norms=True)


def blender_names() -> dict[str, str]:
    """Entries of the authors' Alpha Blender -> ours."""
    layers = {"model.1": "stem", "model.26": "head"}
    layers |= {f"model.{4 + 3 * level}": f"down.{level}" for level in range(3)}
    layers |= {f"model.{16 + 3 * level}": f"up.{level}" for level in range(3)}
    for block in range(3):
        for conv in range(2):
            layers[f"model.{13 + block}.conv_block.{conv}.conv"] = f"blocks.{block}.conv{conv + 1}"
    return _entries(layers)


def parser_names() -> dict[str, str]:
    """Entries of the authors' U-Net face parser -> ours."""
    layers, norms = {"final": "head"}, {}
    blocks = {**{f"conv{level + 1}": f"down.{level}" for level in range(4)}, "center": "down.4"}
    for level in range(4):  # theirs count from the finest, ours in the order of use
        blocks[f"up_concat{4 - level}.conv"] = f"merge.{level}"
        layers[f"up_concat{4 - level}.up"] = f"up.{level}"
    for theirs, ours in blocks.items():
        for conv in (1, 2):
            layers[f"{theirs}.conv{conv}.0"] = f"{ours}.conv{conv}"
            norms[f"{theirs}.conv{conv}.1"] = f"{ours}.norm{conv}"
    return _entries(layers) | _entries(norms, norms=True)


def loaded(network: nn.Module, state: dict[str, torch.Tensor], names: dict[str, str]) -> nn.Module:
    """One of our networks with the authors' entries under our names, in evaluation mode; every one has its place."""
    network.load_state_dict({names[theirs]: value for theirs, value in state.items()})
    return network.eval()

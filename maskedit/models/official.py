"""The names the MaskGAN authors' checkpoints use, and their translation to ours.

``latest_net_G.pth`` is a bare state dict of 94 entries, 16 of them AdaIN buffers that nothing reads; some copies
lack those, some carry a ``module.`` prefix from DataParallel. All are accepted, anything else is refused by name.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from maskedit.errors import UserError
from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.checkpoint import load_strictly
from maskedit.models.config import AlphaBlenderConfig, DmnConfig, MaskVaeConfig, NetworkConfig, ParserConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import UNet

Network = TypeVar("Network", bound=nn.Module)


def _entries(layers: dict[str, str], *, norms: bool = False) -> dict[str, str]:
    """Layer names -> names of their entries, those of batch normalisations with their statistics."""
    parts = ["weight", "bias", *(["running_mean", "running_var", "num_batches_tracked"] if norms else [])]
    return {f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in layers.items() for part in parts}


def _dmn_names() -> dict[str, str]:
    names = {"model.1": "stem", "model.33": "head", "enc_style.model_last.1": "encoder.head"}
    names |= {f"model.{4 + 3 * level}": f"down.{level}" for level in range(4)}
    names |= {f"model.{20 + 3 * level}": f"up.{level}" for level in range(4)}
    for block in range(4):
        for conv in range(2):
            names[f"model.{16 + block}.conv_block.{conv}.conv"] = f"blocks.{block}.conv{conv + 1}"
    for conv in range(3):
        names[f"enc_style.model.{conv}.conv"] = f"encoder.conv{conv + 1}"
        names[f"enc_style.model_middle.{conv}.conv"] = f"encoder.conv{conv + 4}"
        names[f"enc_label.model.{conv}.conv"] = f"encoder.labels.conv{conv + 1}"
        names[f"enc_label.model_last.{conv + 1}.conv"] = f"encoder.labels.conv{conv + 4}"
    for sft in (1, 2):
        for part in ("scale", "shift"):
            for conv in (1, 2):
                names[f"enc_style.sft{sft}.SFT_{part}_conv{conv}"] = f"encoder.sft{sft}.{part}{conv}"
    return names


def _mask_vae_names() -> dict[str, str]:
    layers = {"fc1": "mean", "fc2": "log_variance", "d1": "expand", "d8": "head"}
    layers |= {f"e{level + 1}": f"down.{level}" for level in range(7)}
    layers |= {f"d{level + 2}": f"up.{level}" for level in range(6)}
    norms = {f"bn{level + 1}": f"down_norms.{level}" for level in range(7)}
    norms |= {f"bn{level + 8}": f"up_norms.{level}" for level in range(6)}
    return _entries(layers) | _entries(norms, norms=True)


def _blender_names() -> dict[str, str]:
    layers = {"model.1": "stem", "model.26": "head"}
    layers |= {f"model.{4 + 3 * level}": f"down.{level}" for level in range(3)}
    layers |= {f"model.{16 + 3 * level}": f"up.{level}" for level in range(3)}
    for block in range(3):
        for conv in range(2):
            layers[f"model.{13 + block}.conv_block.{conv}.conv"] = f"blocks.{block}.conv{conv + 1}"
    return _entries(layers)


def _parser_names() -> dict[str, str]:
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


DMN_NAMES: dict[str, str] = _entries(_dmn_names())
"""Released key -> ours, for the DMN."""
MASK_VAE_NAMES: dict[str, str] = _mask_vae_names()
"""Their key -> ours, for MaskVAE."""
BLENDER_NAMES: dict[str, str] = _blender_names()
"""Their key -> ours, for the Alpha Blender."""
PARSER_NAMES: dict[str, str] = _parser_names()
"""Their key -> ours, for the U-Net face parser."""
DMN_UNUSED: frozenset[str] = frozenset(
    f"model.{16 + block}.conv_block.{conv}.norm.running_{part}"
    for block in range(4)
    for conv in range(2)
    for part in ("mean", "var")
)
"""Buffers of the released AdaIN layers, overwritten before every use."""


def convert_dmn(state: dict[str, Tensor], *, source: str = "The state dict", size: int = 512) -> DenseMappingNetwork:
    """A released DMN state dict as our network, evaluation mode; the width is read off its first convolution.

    Args:
        source: what a message calls the state dict.
        size: side in pixels of the squares it was trained on (released: 512).

    Raises:
        UserError: a key is missing, unknown or misshapen; all are named as the file names them.
    """
    state = _bare(state, source, "the released latest_net_G.pth")
    stem = _weight(state, "model.1.weight", 4, source, "the generator of the released MaskGAN demo")
    used = {name: value for name, value in state.items() if name not in DMN_UNUSED}
    return _converted(DenseMappingNetwork, DmnConfig(width=stem.shape[0], size=size), used, DMN_NAMES, source)


def convert_mask_vae(state: dict[str, Tensor], *, source: str = "The state dict") -> MaskVAE:
    """The authors' 512 px MaskVAE as our network, evaluation mode; width and latent length are read off the weights.

    Args and Raises: as ``convert_dmn``.
    """
    wanted = "the authors' MaskVAE"
    state = _bare(state, source, wanted)
    width = _weight(state, "e1.weight", 4, source, wanted).shape[0]
    latent = _weight(state, "fc1.weight", 2, source, wanted).shape[0]
    return _converted(MaskVAE, MaskVaeConfig(width=width, size=512, latent=latent), state, MASK_VAE_NAMES, source)


def convert_blender(state: dict[str, Tensor], *, source: str = "The state dict", size: int = 512) -> AlphaBlender:
    """The authors' Alpha Blender as our network, evaluation mode; the width is read off its first convolution.

    Args and Raises: as ``convert_dmn``.
    """
    wanted = "the authors' Alpha Blender"
    state = _bare(state, source, wanted)
    width = _weight(state, "model.1.weight", 4, source, wanted).shape[0]
    return _converted(AlphaBlender, AlphaBlenderConfig(width=width, size=size), state, BLENDER_NAMES, source)


def convert_parser(state: dict[str, Tensor], *, source: str = "The state dict", size: int = 512) -> UNet:
    """The authors' U-Net face parser as our network, evaluation mode; the width is read off its first convolution.

    No output of theirs was at hand to check against: names and shapes agree, and each level reads the skip before
    the doubled channels, as U-Nets of this layout do.

    Args and Raises: as ``convert_dmn``.
    """
    wanted = "the authors' U-Net face parser"
    state = _bare(state, source, wanted)
    width = _weight(state, "conv1.conv1.0.weight", 4, source, wanted).shape[0]
    return _converted(UNet, ParserConfig(kind="unet", width=width, size=size), state, PARSER_NAMES, source)


def _bare(state: object, source: str, wanted: str) -> dict[str, Tensor]:
    """The state dict without DataParallel's prefix, if it is one at all."""
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise UserError(f"{source} holds no bare state dict; wanted {wanted}.")
    return {name.removeprefix("module."): value for name, value in state.items()}


def _weight(state: dict[str, Tensor], name: str, dimensions: int, source: str, wanted: str) -> Tensor:
    """The entry off which a width is read."""
    value = state.get(name)
    if value is None or value.ndim != dimensions:
        raise UserError(f"{source} has no {name}: it is not {wanted}.")
    return value


def _converted(
    kind: type[Network], config: NetworkConfig, state: dict[str, Tensor], names: dict[str, str], source: str
) -> Network:
    with torch.device("meta"):
        network = kind(config)
    load_strictly(network, state, source=source, names={ours: theirs for theirs, ours in names.items()})
    return network.eval().requires_grad_(False)


def read_dmn(path: str | Path, *, size: int = 512) -> DenseMappingNetwork:
    """Read ``latest_net_G.pth``; only tensors are read, code in the file never runs (``weights_only=True``).

    Raises:
        UserError: no such file, a file that is damaged or holds more than tensors, or as ``convert_dmn``.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}.") from error
    except pickle.UnpicklingError as error:  # torch's own message tells how to run the code all the same
        raise UserError(f"{path} is damaged or holds more than tensors; nothing in it was run.") from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} could not be read as a PyTorch state dict: {reason}") from error
    return convert_dmn(state, source=str(path), size=size)

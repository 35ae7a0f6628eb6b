"""The names the MaskGAN authors' checkpoint uses, and their translation to ours.

``latest_net_G.pth`` is a bare state dict of 94 entries, 16 of them AdaIN buffers that nothing reads; some copies
lack those, some carry a ``module.`` prefix from DataParallel. All are accepted, anything else is refused by name.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from maskedit.errors import UserError
from maskedit.models.checkpoint import load_strictly
from maskedit.models.config import DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork


def _dmn_names() -> dict[str, str]:
    """Layer names, theirs -> ours."""
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


DMN_NAMES: dict[str, str] = {
    f"{theirs}.{part}": f"{ours}.{part}" for theirs, ours in _dmn_names().items() for part in ("weight", "bias")
}
"""Released key -> ours, for the DMN."""
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
    state = _bare(state, source)
    stem = state.get("model.1.weight")
    if stem is None or stem.ndim != 4:
        raise UserError(f"{source} has no model.1.weight: it is not the generator of the released MaskGAN demo.")
    used = {name: value for name, value in state.items() if name not in DMN_UNUSED}
    with torch.device("meta"):
        network = DenseMappingNetwork(DmnConfig(width=stem.shape[0], size=size))
    load_strictly(network, used, source=source, names={ours: theirs for theirs, ours in DMN_NAMES.items()})
    return network.eval().requires_grad_(False)


def _bare(state: object, source: str) -> dict[str, Tensor]:
    """The state dict without DataParallel's prefix, if it is one at all."""
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise UserError(f"{source} holds no bare state dict; wanted the released latest_net_G.pth.")
    return {name.removeprefix("module."): value for name, value in state.items()}


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

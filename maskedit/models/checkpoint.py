"""Checkpoints: safetensors with the network's configuration and its model card in the header.

Nothing is ever unpickled: a published ``.pth`` is read with ``weights_only=True`` and converted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from maskedit.errors import UserError
from maskedit.imaging import atomic_write_bytes
from maskedit.models.alpha_blender import AlphaBlender
from maskedit.models.config import AlphaBlenderConfig, DmnConfig, MaskVaeConfig, NetworkConfig, ParserConfig
from maskedit.models.dense_mapping import Generator
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import Parser, build_parser
from maskedit.models.variants import build_generator

Network = TypeVar("Network", bound=nn.Module)

HEADER_KEY = "maskedit"
FORMAT = 1
OPTIONAL = ("region_encoder.usual",)
"""How names end that files of earlier versions lack: their network does without."""


class Kind(NamedTuple):
    """One of the networks a checkpoint may hold."""

    config: type[NetworkConfig]
    build: Callable[[NetworkConfig], nn.Module]
    network: type[nn.Module]
    """The class of what ``build`` returns, or a class it is derived from."""
    title: str
    """What a message calls it."""


NETWORKS: dict[str, Kind] = {
    "dmn": Kind(DmnConfig, build_generator, Generator, "a Dense Mapping Network"),
    "mask_vae": Kind(MaskVaeConfig, MaskVAE, MaskVAE, "a MaskVAE"),
    "alpha_blender": Kind(AlphaBlenderConfig, AlphaBlender, AlphaBlender, "an Alpha Blender"),
    "parser": Kind(ParserConfig, build_parser, Parser, "a face parser"),
}
"""Name in the header -> the network."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says about itself."""

    network: str
    """Which network: a key of ``NETWORKS``."""
    config: NetworkConfig
    card: dict = field(default_factory=dict)
    """The model card: data, command, steps, time, validation figures, licence; free text and numbers."""


def save_checkpoint(path: str | Path, network: nn.Module, card: dict, *, dtype: torch.dtype = torch.float16) -> Path:
    """Write a network's weights and card, whole or not at all; an existing file is replaced.

    Args:
        card: what JSON can hold.
        dtype: of the parameters. float16 halves the file; every weight of a trained network lies well inside its
            range. Buffers keep their own: a batch normalisation's variances need not fit, and its count is int64.

    Raises:
        UserError: a weight is not finite in ``dtype``, or the disk refuses; an older file stays as it was.
    """
    path = Path(path)
    names = [name for name, kind in NETWORKS.items() if isinstance(network, kind.network)]
    header = {"format": FORMAT, "network": names[0], "config": network.config.to_dict(), "card": card}
    parameters = {name for name, _ in network.named_parameters()}
    tensors = {
        name: value.detach().to("cpu", dtype if name in parameters else value.dtype).contiguous()
        for name, value in network.state_dict().items()
    }
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise UserError(f"The weights {name} are not finite in {dtype}; nothing was written to {path}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {path.parent} cannot be made: {error.strerror}.") from error
    return atomic_write_bytes(path, save(tensors, metadata={HEADER_KEY: json.dumps(header)}), overwrite=True)


def read_header(path: str | Path) -> Header:
    """The header alone, without the weights.

    Raises:
        UserError: no such file, no whole safetensors file, or not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no weight file at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        header = json.loads(metadata[HEADER_KEY])
        if header["format"] != FORMAT or header["network"] not in NETWORKS:
            raise UserError(
                f"{path} holds a {header['network']!r} network in format {header['format']}; this version reads "
                f"{', '.join(NETWORKS)} in format {FORMAT}."
            )
        config = NETWORKS[header["network"]].config
        return Header(header["network"], config.from_dict(header["config"]), dict(header["card"]))
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{path} is not a safetensors file ({error}); convert a .pth with maskedit-weights import."
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} was not written by maskedit; convert it with maskedit-weights import.") from error


def load_checkpoint(path: str | Path, wanted: type[Network] = Generator) -> tuple[Network, Header]:
    """The network in evaluation mode, float32, on the CPU, with its header; the keys must match exactly.

    Args:
        wanted: the class the network must be of: ``Generator``, ``MaskVAE``, ``AlphaBlender``, ``Parser``, or
            ``nn.Module`` for any.

    Raises:
        UserError: as ``read_header``; another network than ``wanted``, both named; or keys or shapes that are not
            the network's, all named.
    """
    header = read_header(path)
    with torch.device("meta"):  # building with real storage would draw 90 million random numbers for nothing
        network = NETWORKS[header.network].build(header.config)
    if not isinstance(network, wanted):
        kinds = [
            kind for kind in NETWORKS.values() if issubclass(kind.network, wanted) or issubclass(wanted, kind.network)
        ]
        titles = " or ".join(kind.title for kind in kinds)
        raise UserError(f"{path} holds {NETWORKS[header.network].title}, wanted {titles}; choose another weight file.")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    load_strictly(network, tensors, source=str(path))
    return network.eval().requires_grad_(False), header


def load_strictly(
    network: nn.Module, tensors: dict[str, torch.Tensor], *, source: str, names: Mapping[str, str] | None = None
) -> None:
    """Load a state dict whose keys and shapes must be exactly the network's; otherwise a UserError names them.

    Values are converted to the network's own types: float32, and int64 for a batch normalisation's count.

    Args:
        source: what the message calls the state dict.
        names: the network's names -> those of ``tensors``, where they differ; the message uses the latter.
    """
    names = {name: (names or {}).get(name, name) for name in network.state_dict()}
    wanted = {names[name]: tuple(value.shape) for name, value in network.state_dict().items()}
    missing = sorted(name for name in wanted.keys() - tensors.keys() if not name.endswith(OPTIONAL))
    unknown = sorted(tensors.keys() - wanted.keys())
    misshapen = [
        f"{name} is {tuple(tensors[name].shape)}, wanted {shape}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    problems = [
        *([f"missing: {_some(missing)}"] if missing else []),
        *([f"unknown: {_some(unknown)}"] if unknown else []),
        *([f"wrong shape: {_some(misshapen)}"] if misshapen else []),
    ]
    if problems:
        raise UserError(f"{source} does not fit the network; {'; '.join(problems)}.")
    types = {name: value.dtype for name, value in network.state_dict().items()}
    state = {ours: tensors[theirs].to(types[ours]) for ours, theirs in names.items() if theirs in tensors}
    network.load_state_dict(state, assign=True)


def _some(names: list[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"

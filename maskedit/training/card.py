"""Where a run stands, and the model card that its checkpoints carry: data, command, time, figures, licence."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from maskedit.data.folder import brief_folder
from maskedit.models.checkpoint import read_header
from maskedit.training.config import RunOptions
from maskedit.training.run_folder import LATEST
from maskedit.training.stage import Stage


@dataclass
class Progress:
    """Where a run stands; saved with the networks."""

    step: int = 0
    seconds: float = 0.0
    images: int = 0
    best: float = float("inf")
    figures: dict = field(default_factory=dict)
    """Of the last validation."""


def model_card(
    stage: Stage, options: RunOptions, *, data: str, progress: Progress, figures: dict, processes: int
) -> dict[str, Any]:
    """The card of a stage's network at a point of its run.

    Args:
        data: what it was trained on, in words.
        progress: where the run stands.
        figures: of the validation that belongs to the weights.
        processes: how many train together.
    """
    card = {
        "stage": stage.name,
        "data": data,
        "licence": options.licence,
        "command": f"maskedit-train {stage.name} " + _flags(options),
        "steps": progress.step,
        "images": progress.images,
        "hours": round(progress.seconds / 3600, 3),
        "hardware": _hardware(stage, processes),
        "validation": figures,
    }
    if options.init:
        init = Path(options.init)
        earlier = init / LATEST if init.is_dir() else init
        if earlier.is_file():
            card["initialised_from"] = read_header(earlier).card
    return card


def _hardware(stage: Stage, processes: int) -> str:
    name = torch.cuda.get_device_name(stage.device) if stage.device.type == "cuda" else stage.device.type
    several = f"{processes} x " if processes > 1 else ""
    return f"{several}{name}, {torch.get_num_threads()} threads, {stage.precision}"


def _flags(options: RunOptions) -> str:
    """The options that differ from the defaults, as flags; of paths only the last part."""
    words = []
    for option in fields(options):
        value = getattr(options, option.name)
        if value == option.default:
            continue
        flag = "--" + option.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
            continue
        if option.name == "data":
            words += [f"{flag} {shlex.quote(brief_folder(folder))}" for folder in value]
            continue
        if option.metadata.get("path"):
            kind = next((kind for kind in ("vgg19:", "squeezenet:", "parser:") if value.startswith(kind)), "")
            value = kind + Path(value.removeprefix(kind)).name
        words.append(f"{flag} {shlex.quote(str(value))}")
    return " ".join(words)

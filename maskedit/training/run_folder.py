"""A run folder: options, statistics, samples, checkpoints; whatever is killed, a whole checkpoint is left.

``options.json`` is written first; ``stats.jsonl`` grows by one line at a time; ``state.pt`` and the one before it
hold networks, optimisers, the moving average and the position; ``latest.safetensors`` and ``best.safetensors`` open
in the editor.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskedit import imaging
from maskedit.errors import UserError

STATE = "state.pt"
PREVIOUS = "state.previous.pt"
LATEST = "latest.safetensors"
BEST = "best.safetensors"
STATS = "stats.jsonl"


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def numbered(cls, stage: str, *, below: Path = Path("runs")) -> RunFolder:
        """A new folder ``runs/00003-dmn``: one more than the highest there."""
        taken = [int(path.name[:5]) for path in below.glob("[0-9][0-9][0-9][0-9][0-9]-*")]
        return cls(below / f"{max(taken, default=-1) + 1:05d}-{stage}")

    def create(self, options: dict) -> None:
        """Make the folder and write the options into it."""
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            text = json.dumps(options, indent=1) + "\n"
            (self.path / "options.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"--out {self.path} cannot be used as a run folder ({error.strerror}).") from error

    def record(self, row: dict) -> None:
        """Add one line to ``stats.jsonl``; a killed run loses at most the line being written."""
        with self.writing(), (self.path / STATS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def save_sheet(self, step: int, sheet: np.ndarray) -> None:
        imaging.write_photo(self.path / "samples" / f"{step:07d}.png", sheet, overwrite=True)

    @property
    def has_state(self) -> bool:
        return (self.path / STATE).exists() or (self.path / PREVIOUS).exists()

    def save_state(self, state: dict[str, Any]) -> None:
        """Write a checkpoint, whole or not at all, and keep the one before it."""
        temporary = self.path / f".{STATE}.tmp"
        with self.writing():
            try:
                torch.save(state, temporary)
                if (self.path / STATE).exists():
                    os.replace(self.path / STATE, self.path / PREVIOUS)
                os.replace(temporary, self.path / STATE)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def load_state(self) -> dict[str, Any]:
        """The newest checkpoint that can be read; tensors and plain values only (``weights_only=True``)."""
        problems = []
        for name in (STATE, PREVIOUS):
            path = self.path / name
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except FileNotFoundError:
                problems.append(f"there is no {name}")
            except Exception as error:
                problems.append(f"{name} could not be read ({str(error).splitlines()[0]})")
        raise UserError(f"{self.path} holds no checkpoint to start from: {'; '.join(problems)}.")

    def writing(self) -> _DiskErrors:
        """A context in which a full disk becomes one sentence."""
        return _DiskErrors(self.path)


class _DiskErrors:
    """Turns a full or vanished disk into one sentence; the last checkpoint is still whole."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> None:
        # torch.save wraps a full disk in a RuntimeError of its own zip writer.
        if isinstance(error, OSError) or (isinstance(error, RuntimeError) and "PytorchStreamWriter" in str(error)):
            raise UserError(
                f"{self._path} could not be written ({error}); the last checkpoint is whole: make room and run again."
            ) from error

"""A run folder: options, statistics, samples, checkpoints; whatever is killed, a whole checkpoint is left.

``options.json`` is written first; ``stats.jsonl`` grows by one line at a time, and TensorBoard's event file with it;
``state-STEP.pt``, the last few of them, hold networks, optimisers, the moving average and the position;
``latest.safetensors`` and ``best.safetensors`` open in the editor.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from maskedit import imaging
from maskedit.errors import UserError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LATEST = "latest.safetensors"
BEST = "best.safetensors"
STATS = "stats.jsonl"


class RunFolder:
    """The files of one run.

    Args:
        path: of the folder; it need not be there yet.
        keep: how many checkpoints stay.
    """

    def __init__(self, path: Path, *, keep: int = 2):
        self.path = path
        self.keep = keep
        self._board: SummaryWriter | None = None

    @classmethod
    def numbered(cls, stage: str, *, keep: int = 2) -> RunFolder:
        """A new folder ``runs/00003-dmn``: one more than the highest there."""
        below = Path("runs")
        taken = [int(path.name[:5]) for path in below.glob("[0-9][0-9][0-9][0-9][0-9]-*")]
        return cls(below / f"{max(taken, default=-1) + 1:05d}-{stage}", keep=keep)

    def create(self, options: dict, *, step: int = 0) -> None:
        """Make the folder, write the options into it and open TensorBoard's event file, to go on from ``step``."""
        try:
            (self.path / "samples").mkdir(parents=True, exist_ok=True)
            text = json.dumps(options, indent=1) + "\n"
            (self.path / "options.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"--out {self.path} cannot be used as a run folder ({error.strerror}).") from error
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return  # stats.jsonl holds all of it
        # What a killed run wrote after the checkpoint that we go on from is no longer true.
        with self.writing():
            self._board = SummaryWriter(str(self.path), purge_step=step + 1 if step else None)

    def record(self, row: dict) -> None:
        """Add one line to ``stats.jsonl``; a killed run loses at most the line being written.

        Args:
            row: numbers by name, ``step`` among them; numbers of one kind may stand together as a dict.
        """
        with self.writing():
            with (self.path / STATS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if self._board is not None:
                groups = {name: value for name, value in row.items() if isinstance(value, dict)}
                groups["training"] = {name: row[name] for name in row.keys() - groups.keys() - {"step"}}
                for group, values in groups.items():
                    for name, value in values.items():
                        self._board.add_scalar(f"{group}/{name}", value, row["step"])

    def save_sheet(self, step: int, sheet: np.ndarray) -> None:
        with self.writing():
            imaging.write_photo(self.path / "samples" / f"{step:07d}.png", sheet, overwrite=True)
            if self._board is not None:
                self._board.add_image("samples", sheet, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what TensorBoard's file still lacks."""
        board, self._board = self._board, None
        if board is not None:
            with contextlib.suppress(OSError):  # a full disk has been told of; stats.jsonl has what was written
                board.close()

    @property
    def options(self) -> dict[str, Any]:
        """What the run was last started with; nothing before it was."""
        try:
            return json.loads((self.path / "options.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    @property
    def states(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted(self.path.glob("state-*.pt"), reverse=True)

    @property
    def step(self) -> int:
        """Of the newest checkpoint that can be read; 0 without any."""
        return self.load_state(mapped=True)["progress"]["step"] if self.states else 0

    def save_state(self, step: int, state: dict[str, Any]) -> None:
        """Write the checkpoint of a step, whole or not at all; then the oldest beyond those to keep are deleted."""
        temporary = self.path / ".state.pt.tmp"
        with self.writing():
            try:
                torch.save(state, temporary)
                os.replace(temporary, self.path / f"state-{step:07d}.pt")
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            for old in self.states[self.keep :]:
                old.unlink()

    def load_state(self, *, mapped: bool = False) -> dict[str, Any]:
        """The newest checkpoint that can be read; tensors and plain values only (``weights_only=True``).

        Args:
            mapped: leave tensors in the file; for a quick look.
        """
        problems = []
        for path in self.states:
            try:
                return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
            except Exception as error:
                problems.append(f"{path.name} could not be read ({str(error).splitlines()[0]})")
        reasons = "; ".join(problems) or "there is no state-STEP.pt"
        raise UserError(f"{self.path} holds no checkpoint to start from: {reasons}.")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A context in which a full or vanished disk becomes one sentence; the last checkpoint is still whole."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            # torch.save wraps a full disk in a RuntimeError of its own zip writer.
            if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
                raise
            raise UserError(
                f"{self.path} could not be written ({error}); the last checkpoint is whole: make room and run again."
            ) from error

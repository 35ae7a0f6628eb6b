"""Stage I: the Dense Mapping Network against two discriminators (MaskGAN section 3.2, Eq. 6-9).

One step: both networks are judged on the same forward passes, as pix2pixHD does it; the generator's loss uses the
discriminator as it was before its own update. What is kept is the moving average of the generator's weights.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shlex
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from maskedit.dataset import Pairs, find_pairs, load_pairs, split
from maskedit.errors import UserError
from maskedit.models.checkpoint import load_checkpoint, read_header, save_checkpoint
from maskedit.models.config import PRESETS, DmnConfig
from maskedit.models.dense_mapping import DenseMappingNetwork
from maskedit.models.device import choose_device, choose_precision
from maskedit.models.discriminator import MultiscaleDiscriminator
from maskedit.models.perceptual import make_perceptual
from maskedit.models.tensors import one_hot
from maskedit.training.config import DmnOptions
from maskedit.training.data import batch_indices, prepare_batch
from maskedit.training.losses import adversarial_loss, feature_matching_loss
from maskedit.training.report import append_stats, sample_grid, validate

STATE = "state.pt"
LATEST = "latest.safetensors"
BEST = "best.safetensors"


@dataclass
class Progress:
    """Where a run stands; saved with the networks."""

    step: int = 0
    seconds: float = 0.0
    images: int = 0
    best: float = float("inf")
    figures: dict = field(default_factory=dict)
    """Of the last validation."""


class DmnTrainer:
    """Networks, optimisers and their moving average; ``fit`` runs until the options say stop."""

    def __init__(self, options: DmnOptions, run: Path):
        options.check()
        self.options = options
        self.run = run
        if options.threads:
            torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.device = _device(options.device)
        self.precision = choose_precision(options.precision, self.device)
        preset = PRESETS[options.preset]
        self.config = DmnConfig(width=preset.width, size=options.size or preset.size)
        self.memory_format = torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        self.generator = self._place(DenseMappingNetwork(self.config))
        self.discriminator = self._place(MultiscaleDiscriminator(options.discriminator_width or preset.width))
        self.perceptual = make_perceptual(options.perceptual)
        if self.perceptual is not None:
            self._place(self.perceptual)
        fused = self.device.type == "cuda"
        self.optimiser_g = torch.optim.Adam(self.generator.parameters(), options.rate, (0.5, 0.999), fused=fused)
        self.optimiser_d = torch.optim.Adam(self.discriminator.parameters(), options.rate, (0.5, 0.999), fused=fused)
        self.progress = Progress()
        if options.init:
            self._initialise(Path(options.init))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.data = "none yet"
        self._stop = False

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=self.memory_format)

    # One step ---------------------------------------------------------------------------------------------------

    def step(self, photos: Tensor, ids: Tensor) -> dict[str, Tensor]:
        """One update of both networks on photos (N, 3, S, S) in [-1, 1] and label ids (N, S, S) uint8."""
        options = self.options
        photos = photos.contiguous(memory_format=self.memory_format)
        labels = one_hot(ids, dtype=self.precision).contiguous(memory_format=self.memory_format)
        autocast = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        rate = options.rate * self._decay()
        for group in (*self.optimiser_g.param_groups, *self.optimiser_d.param_groups):
            group["lr"] = rate

        with autocast:
            fake = self.generator(photos, labels, labels)
            real_outputs = self.discriminator(labels, photos)
            fake_outputs = self.discriminator(labels, fake.detach())
            loss_d = 0.5 * (
                adversarial_loss(real_outputs, real=True, kind=options.adversarial)
                + adversarial_loss(fake_outputs, real=False, kind=options.adversarial)
            )
        self.optimiser_d.zero_grad(set_to_none=True)
        loss_d.backward()

        self.discriminator.requires_grad_(False)
        with autocast:
            judged = self.discriminator(labels, fake)
            losses = {"adversarial": adversarial_loss(judged, real=True, kind=options.adversarial)}
            total = losses["adversarial"]
            losses["features"] = feature_matching_loss(judged, real_outputs)
            total = total + options.feature_weight * losses["features"]
            if self.perceptual is not None:
                losses["perceptual"] = self.perceptual(fake, photos)
                total = total + options.perceptual_weight * losses["perceptual"]
            losses["l1"] = F.l1_loss(fake, photos)
            total = total + options.l1_weight * losses["l1"]
        self.optimiser_g.zero_grad(set_to_none=True)
        total.backward()
        self.discriminator.requires_grad_(True)
        self.optimiser_d.step()
        self.optimiser_g.step()
        self._update_average()
        self.progress.step += 1
        self.progress.images += len(photos)
        return {name: value.detach() for name, value in losses.items()} | {
            "discriminator": loss_d.detach(),
            "total": total.detach(),
        }

    def _decay(self) -> float:
        start = self.options.decay_from * self.options.steps
        remaining = self.options.steps - self.progress.step
        return min(1.0, remaining / max(1.0, self.options.steps - start))

    def _update_average(self) -> None:
        # A young average follows quickly, or it would remember the random start for thousands of steps.
        decay = min(self.options.ema, (1 + self.progress.step) / (10 + self.progress.step))
        ours, theirs = list(self.average.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(ours, [value.detach() for value in theirs], 1 - decay)

    # A whole run ------------------------------------------------------------------------------------------------

    def fit(self, training: Pairs, validation: Pairs) -> None:
        """Train until --steps or --minutes, or SIGTERM; saves as it goes, so that the same command goes on."""
        options = self.options
        self.data = f"{Path(options.data).name}: {len(training)} photos, and {len(validation)} held out"
        started = last_saved = time.monotonic()
        before = self.progress.seconds
        bar = tqdm(
            total=options.steps,
            initial=self.progress.step,
            desc=f"dmn {self.config.size} px",
            unit="step",
            mininterval=1,
        )
        with _on_signal(self._request_stop), bar:
            while self.progress.step < options.steps and not self._stop:
                step = self.progress.step
                indices = batch_indices(len(training), options.batch, seed=options.seed, step=step)
                batch = prepare_batch(training, indices, seed=options.seed, step=step, augment=options.augment)
                losses = self.step(*batch)
                bar.update()
                now = time.monotonic()
                self.progress.seconds = before + now - started
                if self.progress.step % 20 == 0:
                    self._record(losses, bar)
                if self.progress.step % options.validate_every == 0:
                    self._validate(validation)
                if now - last_saved > options.checkpoint_minutes * 60:
                    self.save()
                    last_saved = time.monotonic()
                if options.minutes and now - started > options.minutes * 60:
                    break
        if self.progress.step % options.validate_every:
            self._validate(validation)
        self.save()

    def _record(self, losses: dict[str, Tensor], bar: tqdm) -> None:
        values = {name: float(value) for name, value in losses.items()}
        if not all(value == value and abs(value) != float("inf") for value in values.values()):
            raise UserError(
                f"The loss is not finite at step {self.progress.step} ({values}); {self.run / STATE} holds the last "
                "good state: resume with a smaller --rate or --precision float32."
            )
        append_stats(self.run, {"step": self.progress.step, "seconds": round(self.progress.seconds, 1), **values})
        bar.set_postfix(total=f"{values['total']:.2f}", d=f"{values['discriminator']:.3f}", refresh=False)

    def _validate(self, pairs: Pairs) -> None:
        figures = validate(self.average, pairs, self.perceptual, batch=self.options.batch, precision=self.precision)
        step = self.progress.step
        append_stats(self.run, {"step": step, "seconds": round(self.progress.seconds, 1), "validation": figures})
        tqdm.write(f"step {step}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        sample_grid(self.average, pairs, self.run / "samples" / f"{step:07d}.png", precision=self.precision)
        score = figures.get("perceptual", figures["l1"])
        if score < self.progress.best:
            self.progress.best = score
            self._export(BEST, figures)
        self.progress.figures = figures

    def _export(self, name: str, figures: dict) -> None:
        card = {
            "stage": "dmn",
            "data": self.data,
            "licence": self.options.licence,
            "command": "maskedit-train dmn " + _flags(self.options),
            "steps": self.progress.step,
            "images": self.progress.images,
            "hours": round(self.progress.seconds / 3600, 3),
            "hardware": f"{self.device.type}, {torch.get_num_threads()} threads, {self.precision}",
            "validation": figures,
        }
        if self.options.init:
            init = Path(self.options.init)
            earlier = init / LATEST if init.is_dir() else init
            if earlier.is_file():
                card["initialised_from"] = _without_folders(read_header(earlier).card)
        save_checkpoint(self.run / name, self.average, card)

    # Saving and resuming ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Networks, optimisers, average and position, whole or not at all; and the average for the editor."""
        self._export(LATEST, self.progress.figures)  # first: it refuses what is not finite, and the old state stays
        state = {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "average": self.average.state_dict(),
            "optimiser_g": self.optimiser_g.state_dict(),
            "optimiser_d": self.optimiser_d.state_dict(),
            "progress": dict(vars(self.progress)),
        }
        temporary = self.run / f".{STATE}.tmp"
        torch.save(state, temporary)
        os.replace(temporary, self.run / STATE)

    def resume(self) -> None:
        """Go on from the run folder's last checkpoint."""
        state = _read_state(self.run / STATE)
        self._load_networks(state, source=self.run / STATE)
        self.average.load_state_dict(state["average"])
        self.optimiser_g.load_state_dict(state["optimiser_g"])
        self.optimiser_d.load_state_dict(state["optimiser_d"])
        self.progress = Progress(**state["progress"])

    def _initialise(self, source: Path) -> None:
        if source.is_dir():
            self._load_networks(_read_state(source / STATE), source=source, averaged=True)
            return
        network, header = load_checkpoint(source)
        if header.config.width != self.config.width:
            raise UserError(f"--init {source} has width {header.config.width}, --preset asks for {self.config.width}.")
        self.generator.load_state_dict(network.state_dict())

    def _load_networks(self, state: dict, *, source: Path, averaged: bool = False) -> None:
        try:
            # A new run at another size starts from the average: it is the better network, and the noise is gone.
            self.generator.load_state_dict(state["average" if averaged else "generator"])
            self.discriminator.load_state_dict(state["discriminator"])
        except (KeyError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{source} was made with other options ({reason}); use its --preset and widths.") from error

    def _request_stop(self) -> None:
        self._stop = True


def train_dmn(options: DmnOptions) -> Path:
    """Run or resume stage I; returns the run folder, which holds ``latest.safetensors`` and ``best.safetensors``."""
    options.check()
    run = Path(options.out) if options.out else _new_run()
    trainer = DmnTrainer(options, run)
    if (run / STATE).exists():
        trainer.resume()
        tqdm.write(f"{run}: going on from step {trainer.progress.step}")
    training, validation = split(find_pairs(options.data), options.validation)
    # Only now: a command that cannot run leaves no empty run folder, and an older run's options as they were.
    try:
        (run / "samples").mkdir(parents=True, exist_ok=True)
        (run / "options.json").write_text(json.dumps(options.to_dict(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {run} cannot be used as a run folder ({error.strerror}).") from error
    held_out = load_pairs(validation, trainer.config.size).to(trainer.device)
    trainer.fit(load_pairs(training, trainer.config.size).to(trainer.device), held_out)
    return run


def _new_run() -> Path:
    taken = [int(path.name[:5]) for path in Path("runs").glob("[0-9][0-9][0-9][0-9][0-9]-*")]
    return Path("runs") / f"{max(taken, default=-1) + 1:05d}-dmn"


def _read_state(path: Path) -> dict:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}; give a run folder that has one.") from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} could not be read ({reason}); delete it to start anew.") from error


def _device(choice: str) -> torch.device:
    try:
        return choose_device(choice)
    except UserError as error:
        raise UserError(f"--device: {error}") from error


def _flags(options: DmnOptions) -> str:
    """The options that differ from the defaults, as flags; paths by their last part only."""
    default, words = DmnOptions(), []
    for name, value in options.to_dict().items():
        if value == getattr(default, name):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words.append(f"{flag} {shlex.quote(str(_without_folders(value)))}")
    return " ".join(words)


def _without_folders(value):
    """A card's entry, or all of a card, with every path cut to its last part: weights travel, machines stay."""
    if isinstance(value, dict):
        return {name: _without_folders(entry) for name, entry in value.items()}
    if isinstance(value, str) and os.sep in value and " " not in value:
        kind, _, path = value.rpartition(":")
        return (kind + ":" if kind else "") + Path(path).name
    return value


@contextlib.contextmanager
def _on_signal(callback):
    """Call ``callback`` at SIGTERM or Ctrl+C instead of dying; a second one dies."""
    previous = {}

    def handle(number, frame):
        signal.signal(number, previous[number])
        callback()

    for number in (signal.SIGTERM, signal.SIGINT):
        previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

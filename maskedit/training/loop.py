"""The loop every stage runs in: batches, phases, schedule, moving average, checkpoints.

Hugging Face Accelerate says who we are among the processes, so that one command serves a CPU, a GPU, several GPUs
and several machines (``accelerate launch -m maskedit.training.cli dmn ...``, or ``torchrun``). Gradients are averaged
once a phase as one flat tensor: a step with several forward passes through the same network, as a GAN's, needs no
wrapper then, and gives to rounding what one process gives with the same global batch.

Everything random is a pure function of (seed, step): a resumed run gives the weights of an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import copy
import math
import signal
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from maskedit.data.batch import prepare_batch
from maskedit.data.order import WeightedOrder
from maskedit.data.pairs import Pairs, load_pairs
from maskedit.data.source import Source, make_source
from maskedit.data.training_photos import TrainingPhotos, find_photos
from maskedit.errors import UserError
from maskedit.models.checkpoint import NETWORKS, load_checkpoint, save_checkpoint
from maskedit.models.device import choose_device
from maskedit.processes import keep_freed_memory
from maskedit.training.card import Progress, model_card
from maskedit.training.config import RunOptions
from maskedit.training.run_folder import BEST, LATEST, RunFolder
from maskedit.training.stage import Losses, Stage

if TYPE_CHECKING:
    from accelerate import Accelerator

RECORD_EVERY = 20
"""Steps between two lines of statistics; reading a loss makes a GPU wait."""


class Trainer:
    """Trains one stage in one run folder.

    Args:
        stage: networks and losses.
        options: of the run.
        folder: where it leaves its files; only the main process writes.
        accelerator: who we are among the processes.
    """

    def __init__(self, stage: Stage, options: RunOptions, folder: RunFolder, accelerator: Accelerator):
        self.stage = stage
        self.options = options
        self.folder = folder
        self.accelerator = accelerator
        self.progress = Progress()
        self.data = "none yet"
        self.waited = 0.0
        """Seconds this process has waited for photos."""
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self._stop = False
        self._parts = accelerator.num_processes * options.accumulate
        if options.batch % self._parts:
            raise UserError(
                f"--batch {options.batch} cannot be shared by {accelerator.num_processes} processes with --accumulate "
                f"{options.accumulate}; make it a multiple of {self._parts}."
            )
        if options.batch < stage.fewest * self._parts:
            raise UserError(
                f"--batch {options.batch} gives a process {options.batch // self._parts} photo at a time, and "
                f"{stage.name} needs {stage.fewest}; make it at least {stage.fewest * self._parts}."
            )
        if options.init:
            self._initialise(Path(options.init))
        self.average = copy.deepcopy(stage.networks[stage.kept]).eval().requires_grad_(False)
        if options.compile:
            for network in stage.networks.values():
                network.compile()

    # One step ---------------------------------------------------------------------------------------------------

    def begin(self, training: Source, weights: Sequence[Fraction] | None = None) -> None:
        """Let the stage look at the data, and line up the batches from the present step on.

        Args:
            training: N pairs.
            weights: how often each is shown, beside what the stage says; all alike when None.
        """
        options, repeats = self.options, self.stage.prepare(training).tolist()
        rates = repeats if weights is None else [a * b for a, b in zip(repeats, weights, strict=True)]
        stream = WeightedOrder(rates, seed=options.seed)

        def order(step: int) -> Tensor:
            indices = stream.batch(options.batch, step=step)
            return torch.cat([indices[part] for part in self._own_parts])

        self._batches = training.batches(order, self.progress.step, options.steps)

    def close(self) -> None:
        """Let go of the training pairs and of the processes that read them."""
        self._batches = iter(())

    @property
    def _own_parts(self) -> list[slice]:
        """Which photos of a batch this process computes, micro-batch by micro-batch."""
        first = self.accelerator.process_index * self.options.accumulate
        return [slice(first + micro, None, self._parts) for micro in range(self.options.accumulate)]

    def step(self) -> Losses:
        """One pass through the stage's phases with this step's batch; the losses of this process's share of it."""
        options, step = self.options, self.progress.step
        started = time.monotonic()
        photos, ids = next(self._batches)
        self.waited += time.monotonic() - started
        # Only now: a loader that starts draws from the same generator.
        torch.manual_seed((options.seed * 1_000_003 + step) * 4096 + self.accelerator.process_index)
        augment = self.stage.augmentation if options.augment else None
        batches = [
            prepare_batch(
                *some, seed=options.seed, step=step, augment=augment, count=options.batch, part=part
            )
            for *some, part in zip(
                photos.chunk(options.accumulate), ids.chunk(options.accumulate), self._own_parts, strict=True
            )
        ]  # fmt: skip
        rate = options.rate * self._decay()
        losses: Losses = {}
        for phase in self.stage.phases:
            optimisers = [self.stage.optimisers[name] for name in phase.optimisers]
            for optimiser in optimisers:
                optimiser.zero_grad(set_to_none=True)
                for group in optimiser.param_groups:
                    group["lr"] = rate
            for photos, ids in batches:
                photos = photos.contiguous(memory_format=self.stage.memory_format)
                for name, value in phase.backward(photos, ids, 1 / options.accumulate).items():
                    losses[name] = losses.get(name, 0.0) + value.detach() / options.accumulate
            for optimiser in optimisers:
                self._average_gradients(optimiser)
                optimiser.step()
        self.progress.step += 1
        self.progress.images += options.batch
        self._update_average()
        return losses

    def _average_gradients(self, optimiser: torch.optim.Optimizer) -> None:
        if self.accelerator.num_processes == 1:
            return
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        flat = self.accelerator.reduce(flat, reduction="mean")
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def _decay(self) -> float:
        start = self.options.decay_from * self.options.steps
        remaining = self.options.steps - self.progress.step
        return min(1.0, remaining / max(1.0, self.options.steps - start))

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average follows quickly, or it would remember the random start for thousands of steps.
        decay = min(self.options.ema, self.progress.step / (9 + self.progress.step))
        network = self.stage.networks[self.stage.kept]
        torch._foreach_lerp_(list(self.average.parameters()), list(network.parameters()), 1 - decay)
        for ours, theirs in zip(self.average.buffers(), network.buffers(), strict=True):
            ours.copy_(theirs)

    # A whole run ------------------------------------------------------------------------------------------------

    def fit(self, training: Source, validation: Pairs, photos: TrainingPhotos) -> None:
        """Train until --steps or --minutes, or SIGTERM; saves as it goes, so that the same command goes on.

        Args:
            training: the pairs of ``photos``.
            validation: those held out.
            photos: where they come from and how often each is shown.
        """
        options = self.options
        self.data = str(photos)
        self.begin(training, photos.weights)
        started = last_saved = time.monotonic()
        before = self.progress.seconds
        bar = tqdm(
            total=options.steps, initial=self.progress.step, desc=f"{self.stage.name} {self.stage.size} px",
            unit="step", mininterval=1, disable=None if self.accelerator.is_main_process else True,
        )  # fmt: skip
        with on_signal(self._request_stop), bar:
            while self.progress.step < options.steps and not self._agree(self._stop):
                losses = self.step()
                bar.update()
                now = time.monotonic()
                self.progress.seconds = before + now - started
                if self.progress.step % RECORD_EVERY == 0:
                    self._record(losses, bar)
                if self.progress.step % options.validate_every == 0:
                    self._validate(validation)
                if self.accelerator.is_main_process and now - last_saved > options.checkpoint_minutes * 60:
                    self.save()
                    last_saved = time.monotonic()
                if options.minutes and now - started > options.minutes * 60:
                    self._stop = True
        # First of all: who asked us to stop may not wait for a validation.
        if self.accelerator.is_main_process:
            self.save()
        if self.progress.step % options.validate_every:
            self._validate(validation)
            if self.accelerator.is_main_process:
                self.save()
        self.accelerator.wait_for_everyone()

    def _agree(self, stop: bool) -> bool:
        """Whether any process was asked to stop: all leave the loop at the same step, or none."""
        if self.accelerator.num_processes == 1:
            return stop
        asked = torch.tensor(float(stop), device=self.stage.device)
        return bool(self.accelerator.reduce(asked, reduction="sum") > 0)

    def _record(self, losses: dict[str, Tensor], bar: tqdm) -> None:
        stacked = self.accelerator.reduce(torch.stack([value.float() for value in losses.values()]), reduction="mean")
        values = dict(zip(losses, stacked.tolist(), strict=True))
        if not all(math.isfinite(value) for value in values.values()):
            raise UserError(
                f"The loss is not finite at step {self.progress.step} ({values}); {self.folder.path} holds the last "
                "good state: resume with a smaller --rate or --precision float32."
            )
        if self.accelerator.is_main_process:
            row = {"step": self.progress.step, "seconds": round(self.progress.seconds, 1)}
            self.folder.record({**row, "waited": round(self.waited, 1), **values})
        bar.set_postfix(total=f"{values['total']:.3f}", refresh=False)

    def _validate(self, pairs: Pairs) -> None:
        if not self.accelerator.is_main_process:
            return
        figures = self.stage.validate(self.average, pairs)
        step = self.progress.step
        self.folder.record({"step": step, "seconds": round(self.progress.seconds, 1), "validation": figures})
        tqdm.write(f"step {step}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        self.folder.save_sheet(step, self.stage.sheet(self.average, pairs))
        score = self.stage.score(figures)
        if score < self.progress.best:
            self.progress.best = score
            self._export(BEST, figures)
        self.progress.figures = figures

    def _export(self, name: str, figures: dict) -> None:
        card = model_card(
            self.stage,
            self.options,
            data=self.data,
            progress=self.progress,
            figures=figures,
            processes=self.accelerator.num_processes,
        )
        self.stage.finish(self.average)
        with self.folder.writing():
            save_checkpoint(self.folder.path / name, self.average, card)

    # Saving and resuming ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Networks, optimisers, average and position; and the average for the editor."""
        self._export(LATEST, self.progress.figures)  # first: it refuses what is not finite, and the old state stays
        self.folder.save_state(
            self.progress.step,
            {
                "networks": {name: network.state_dict() for name, network in self.stage.networks.items()},
                "optimisers": {name: optimiser.state_dict() for name, optimiser in self.stage.optimisers.items()},
                "average": self.average.state_dict(),
                "progress": dict(vars(self.progress)),
            },
        )

    def resume(self) -> None:
        """Go on from the run folder's last checkpoint."""
        state = self.folder.load_state()
        try:
            for name, network in self.stage.networks.items():
                network.load_state_dict(state["networks"][name])
            for name in self.stage.optimisers:
                self.stage.load_optimiser(name, state["optimisers"][name])
            self.average.load_state_dict(state["average"])
            self.progress = Progress(**state["progress"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise _other_options(self.folder.path, error) from error

    def _initialise(self, source: Path) -> None:
        """Start from a run folder's networks (another size, an earlier stage) or from one checkpoint file."""
        try:
            if source.is_dir():
                state = RunFolder(source).load_state()
                # The average rather than the network it follows: it is the better one, and its noise is gone.
                self.stage.initialise({**state["networks"], self.stage.kept: state["average"]})
            else:
                network = self.stage.networks[self.stage.kept]
                wanted = next(kind.network for kind in NETWORKS.values() if isinstance(network, kind.network))
                self.stage.initialise({self.stage.kept: load_checkpoint(source, wanted)[0].state_dict()})
        except (KeyError, RuntimeError) as error:
            raise _other_options(source, error) from error

    def _request_stop(self) -> None:
        self._stop = True


def train(stage_type: type[Stage], options: RunOptions) -> Path:
    """Run or resume a stage; returns the run folder, which holds ``latest.safetensors`` and ``best.safetensors``."""
    options.check()
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    accelerator = make_accelerator(options.device)
    torch.manual_seed(options.seed)
    keep = options.keep
    folder = RunFolder(Path(options.out), keep=keep) if options.out else RunFolder.numbered(stage_type.name, keep=keep)
    trainer = Trainer(stage_type(options, accelerator.device), options, folder, accelerator)
    if folder.states:
        trainer.resume()
        tqdm.write(f"{folder.path}: going on from step {trainer.progress.step}")
    size, quiet = trainer.stage.size, not accelerator.is_main_process
    photos = find_photos(options.data, validation=options.validation, size=trainer.stage.smallest)
    # Only now: a command that cannot run leaves no empty run folder, and an older run's options as they were.
    if accelerator.is_main_process:
        folder.create(options.to_dict(), step=trainer.progress.step)
    accelerator.wait_for_everyone()
    if not quiet:
        tqdm.write("\n".join(str(photos).split("; ")))
    held_out = load_pairs(photos.held_out, size, quiet=quiet).to(accelerator.device)
    source = make_source(
        photos.paths, size, accelerator.device, choice=options.data_from, workers=options.workers, quiet=quiet
    )  # fmt: skip
    try:
        trainer.fit(source, held_out, photos)
    finally:
        trainer.close()
        folder.close()
    return folder.path


def make_accelerator(device: str) -> Accelerator:
    """Who we are among the processes, on the device that ``--device`` names.

    Raises:
        UserError: accelerate is not installed, or there is no such device.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise UserError("Training needs accelerate: pip install -c constraints.txt -e '.[train]'.") from error
    try:
        chosen = choose_device(device)
    except UserError as error:
        raise UserError(f"--device: {error}") from error
    if chosen.type == "cuda" and chosen.index is not None:
        torch.cuda.set_device(chosen)
    return Accelerator(cpu=chosen.type == "cpu")


def _other_options(source: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0]
    return UserError(f"{source} was made with other options ({reason}); use its --preset, --variant and widths.")


@contextlib.contextmanager
def on_signal(callback):
    """Call ``callback`` at SIGTERM or Ctrl+C instead of dying; a second one dies.

    One inside another: the inner one's callback comes first, then the outer one's.
    """
    previous = {}

    def handle(number, frame):
        signal.signal(number, previous[number])
        callback()
        if getattr(previous[number], "ours", False):
            previous[number](number, frame)

    handle.ours = True

    for number in (signal.SIGTERM, signal.SIGINT):
        previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""``maskedit-train bench``: how fast this machine trains, stage by stage, and how well that uses it.

Every stage runs its real step in a process of its own, so that its peak memory is its own. The arithmetic of a step,
as torch counts it in matrix products and convolutions, is set against the best large matrix product in the same
precision, measured in the same process.

A second process, which gives the memory it frees back to the system at once, as processes do, runs what the stage is
compared with:

- speed-up: the same step in the same precision as it was before, on a CPU: feature maps in plain rows, normalised by
  ``F.group_norm`` (see `maskedit.models.device.fastest_memory_format` and `maskedit.processes.keep_freed_memory`). On
  other devices nothing has changed, and the column shows a dash;
- of float32 loop: the plain loop of the released code (see `maskedit.training.baseline`).
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from maskedit.data.folder import find_split
from maskedit.data.pairs import Pairs
from maskedit.data.source import DeviceSource, Source, make_source
from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import MASK_VAE_PRESETS, PARSER_PRESETS
from maskedit.models.device import (
    choose_device,
    choose_memory_format,
    choose_precision,
    memory_format_name,
    peak_memory,
    precision_name,
)
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import build_parser
from maskedit.processes import keep_freed_memory, processor_name
from maskedit.shell import write_json
from maskedit.training.all import RECIPES
from maskedit.training.baseline import ReleasedLoop
from maskedit.training.config import STAGES, BenchOptions, RunOptions, imported
from maskedit.training.loop import Trainer, make_accelerator
from maskedit.training.run_folder import RunFolder
from maskedit.workers import in_a_process

if TYPE_CHECKING:
    from accelerate import Accelerator

PHOTOS = 1000
"""Of a --data folder: more are read no faster or slower."""
WARM_UP = 2
"""Steps before the clock starts: the first ones allocate, choose kernels and compile."""
COUNTED = {"context": 4}
"""Steps whose operations are counted, where steps differ: only some ask for another label map. Elsewhere one."""
ENDLESS = 10**9

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One stage to measure."""

    stage: str
    size: int
    """Side of the squares in pixels; 0: the preset's."""
    batch: int
    steps: int = 0
    """Of a recipe's leg; 0 outside of recipes."""


@dataclass(frozen=True)
class Own:
    """What was measured of one job's own step."""

    stage: str
    size: int
    batch: int
    images_per_second: float
    waiting: float
    """Share of the time spent waiting for photos."""
    peak_memory_mib: float
    """The device's on CUDA; elsewhere this process's, torch and all."""
    tflops: float
    """Matrix products and convolutions, in 10^12 operations a second."""
    matmul_tflops: float
    """Of one large matrix product in the run's precision."""
    matmul_share: float


@dataclass(frozen=True)
class Row(Own):
    """What was measured of one job, and of what it is compared with."""

    before_images_per_second: float | None
    """Of the step as it was before, see this module; None where it was the same."""
    speedup: float | None
    """Against that."""
    baseline_images_per_second: float
    """Of the plain float32 loop."""
    of_float32_loop: float
    """Against that."""

    def hours(self, steps: int) -> float:
        """What so many steps take, without validation and checkpoints."""
        return steps * self.batch / self.images_per_second / 3600


def bench(options: BenchOptions) -> list[Row]:
    """Measure every job, print a table as it grows, write ``--json``.

    Raises:
        UserError: a stage cannot run here with these options, or the file cannot be written.
    """
    options.check()
    hardware = _hardware(options)
    print(f"{hardware}; preset {options.preset}")
    print(HEADER)
    measured: dict[Job, Row] = {}
    hours: list[tuple[Job, float]] = []
    for job in jobs(options):
        same = replace(job, steps=0)
        if same not in measured:
            own = _in_a_process(measure, same, options)
            before, plain = _in_a_process(measure_others, replace(same, size=own.size), options)
            rate = own.images_per_second
            measured[same] = Row(
                **asdict(own),
                before_images_per_second=before,
                speedup=before and rate / before,
                baseline_images_per_second=plain,
                of_float32_loop=rate / plain,
            )
            print(_line(measured[same]), flush=True)
        if job.steps:
            hours.append((job, measured[same].hours(job.steps)))
    for job, value in hours:
        print(f"{job.stage}, {job.steps:,} steps of {job.batch} at {job.size} px: {value:.2f} hours")
    if hours:
        print(f"`maskedit-train all --preset {options.preset}`: {sum(value for _, value in hours):.2f} hours in all")
    rows = list(measured.values())
    if options.json:
        result = {
            "hardware": hardware,
            "options": options.to_dict(),
            "rows": [asdict(row) for row in rows],
            "recipe": [{**asdict(job), "hours": value} for job, value in hours],
        }
        write_json("--json", Path(options.json), result)
    return rows


def jobs(options: BenchOptions) -> list[Job]:
    """What the options ask to be measured: stages, or the legs of the preset's recipe."""
    names = options.stage_names
    if not options.recipe:
        return [Job(name, options.size, options.batch or STAGES[name][0].batch) for name in names]
    recipe = RECIPES[options.preset]
    legs = [(name, leg) for name in STAGES for leg in recipe.of(name)]
    return [Job(name, leg.size, leg.batch, leg.steps) for name, leg in legs if name in names]


# In the process of a job ----------------------------------------------------------------------------------------------


def measure(job: Job, options: BenchOptions) -> Own:
    """Run one stage for ``--seconds``; for a fresh process, whose peak memory this is.

    Raises:
        UserError: the stage cannot run here with these options, or does not fit in the memory.
    """
    keep_freed_memory()  # as `maskedit.training.loop.train` does
    with _prepared(job, options) as (accelerator, run, folder):
        trainer = _trainer(job, options, run, folder, accelerator)
        stage, device = trainer.stage, accelerator.device
        steps, seconds, waited = _timed(trainer, options.seconds, device)
        peak = peak_memory(device)
        operations = _operations(trainer, COUNTED.get(job.stage, 1))
    tflops, matmul = operations * steps / seconds / 1e12, matmul_tflops(stage.precision, device)
    rate = steps * job.batch / seconds
    return Own(job.stage, stage.size, job.batch, rate, waited / seconds, peak, tflops, matmul, tflops / matmul)


def measure_others(job: Job, options: BenchOptions) -> tuple[float | None, float]:
    """Run what a stage is compared with, each for ``--seconds``; for a fresh process, whose allocator is as it was.

    Args:
        job: with the side of its squares, not 0.
        options: of the benchmark.

    Returns:
        Images a second of the step as it was before, None where it was the same; and of the plain float32 loop.

    Raises:
        UserError: as `measure`.
    """
    before = None
    with _prepared(job, options) as (accelerator, run, folder):
        device = accelerator.device
        if device.type == "cpu":
            trainer = _trainer(job, options, replace(run, memory_format="contiguous"), folder, accelerator)
            steps, seconds, _ = _timed(trainer, options.seconds, device)
            before = steps * job.batch / seconds
            del trainer
            gc.collect()  # a trainer and its batches hold each other; the plain loop gets their memory and workers
        loop = ReleasedLoop(job.stage, run, _source(options, job.batch, job.size, device), device)
        steps, seconds, _ = _timed(loop, options.seconds, device)
    return before, steps * job.batch / seconds


@contextmanager
def _prepared(job: Job, options: BenchOptions) -> Iterator[tuple[Accelerator, RunOptions, Path]]:
    """Who we are, the job's options, and a folder for a while; where memory ends, one sentence."""
    if options.threads:
        torch.set_num_threads(options.threads)
    accelerator = make_accelerator(options.device)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield accelerator, _run_options(job, options, Path(folder)), Path(folder)
    except torch.OutOfMemoryError as error:
        raise UserError(_too_large(job)) from error


def _trainer(job: Job, options: BenchOptions, run: RunOptions, folder: Path, accelerator: Accelerator) -> Trainer:
    """Ready for its first step."""
    device = accelerator.device
    stage = imported(STAGES[job.stage][1])(run, device)
    trainer = Trainer(stage, run, RunFolder(folder), accelerator)
    trainer.begin(_source(options, job.batch, stage.size, device))
    return trainer


def matmul_tflops(precision: torch.dtype, device: torch.device, *, repetitions: int = 5) -> float:
    """10^12 operations a second of the fastest of some products of two large square matrices."""
    side = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    seconds = []
    for _ in range(repetitions + 1):  # the first may still have to load its kernel
        _synchronise(device)
        started = time.perf_counter()
        a @ b
        _synchronise(device)
        seconds.append(time.perf_counter() - started)
    return 2 * side**3 / min(seconds) / 1e12


def _timed(loop: Trainer | ReleasedLoop, least: float, device: torch.device) -> tuple[int, float, float]:
    """(steps, seconds they took, seconds of these spent waiting for photos), after warming up."""
    for _ in range(WARM_UP):
        loop.step()
    _synchronise(device)
    waited, steps, started = loop.waited, 0, time.perf_counter()
    while time.perf_counter() - started < least:
        loop.step()
        steps += 1
    _synchronise(device)
    return steps, time.perf_counter() - started, loop.waited - waited


def _operations(trainer: Trainer, steps: int) -> float:
    """Multiplications and additions in a step's matrix products and convolutions, forward and backward; the mean."""
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        for _ in range(steps):
            trainer.step()
    return counter.get_total_flops() / steps


def _run_options(job: Job, options: BenchOptions, folder: Path) -> RunOptions:
    """Options of the job's stage, with untrained networks where it builds on trained ones: they take as long."""
    kind = STAGES[job.stage][0]
    shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
    values = {name: getattr(options, name) for name in shared}
    values |= {"size": job.size, "batch": job.batch, "steps": ENDLESS}
    recipe = RECIPES[options.preset]
    if job.stage == "ebst":
        vae = MaskVAE(replace(MASK_VAE_PRESETS[options.preset], size=recipe.vae.size))
        values["vae"] = str(save_checkpoint(folder / "vae.safetensors", vae, {}))
    if job.stage == "context" or values.get("perceptual") == "parser":
        parser = build_parser(replace(PARSER_PRESETS[options.preset], size=recipe.parser[-1].size))
        path = save_checkpoint(folder / "parser.safetensors", parser, {})
        if job.stage == "context":
            values["parser"] = str(path)
        if values.get("perceptual") == "parser":
            values["perceptual"] = f"parser:{path}"
    return kind(**values)


def _source(options: BenchOptions, batch: int, size: int, device: torch.device) -> Source:
    """Pairs of the data folder, read as training reads them; or some random ones on the device."""
    if options.data:
        paths = find_split(options.data, 1)[0][:PHOTOS]
        return make_source(paths, size, device, choice=options.data_from, workers=options.workers, quiet=True)
    count = 2 * batch
    photos = torch.randint(256, (count, 3, size, size), dtype=torch.uint8)
    labels = torch.randint(NUM_LABELS, (count, size, size), dtype=torch.uint8)
    return DeviceSource(Pairs(photos, labels, [str(index) for index in range(count)]).to(device))


def _synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


# In the command's own process -----------------------------------------------------------------------------------------


def _in_a_process(function: Callable[[Job, BenchOptions], T], job: Job, options: BenchOptions) -> T:
    return in_a_process(function, job, options, killed=_too_large(job))


def _too_large(job: Job) -> str:
    size = f"{job.size} px" if job.size else "the size of the preset"
    return (
        f"There is not enough memory for {job.stage} with {job.batch} photos of {size} a step: give a smaller --batch, "
        "or a larger --accumulate."
    )


HEADER = (
    f"{'stage':7} {'size':>5} {'batch':>5} {'images/s':>9} {'waiting':>7} {'memory':>10} {'TFLOP/s':>8} "
    f"{'of matmul':>16} {'speed-up':>8} {'of float32 loop':>16}"
)


def _line(row: Row) -> str:
    of_matmul = f"{row.matmul_share:.0%} of {row.matmul_tflops:.4g}"
    speedup = "-" if row.speedup is None else f"{row.speedup:.2f}x"
    return (
        f"{row.stage:7} {row.size:5} {row.batch:5} {row.images_per_second:9.2f} {row.waiting:7.1%} "
        f"{row.peak_memory_mib:6.0f} MiB {row.tflops:8.4g} {of_matmul:>16} {speedup:>8} {row.of_float32_loop:15.2f}x"
    )


def _hardware(options: BenchOptions) -> str:
    try:
        device = choose_device(options.device)
    except UserError as error:
        raise UserError(f"--device: {error}") from error
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({processor_name()})"
    precision = choose_precision(options.precision, device)
    memory_format = memory_format_name(choose_memory_format(options.memory_format, device, precision))
    threads = options.threads or torch.get_num_threads()
    return f"{name}, {threads} threads, {precision_name(precision)}, {memory_format}, torch {torch.__version__}"

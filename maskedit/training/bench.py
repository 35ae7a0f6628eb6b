"""``maskedit-train bench``: how fast this machine trains, stage by stage, and how well that uses it.

Every stage runs its real step in a process of its own, so that its peak memory is its own, and after it the plain
float32 loop (see `maskedit.training.baseline`). The arithmetic of a step, as torch counts it in matrix products and
convolutions, is set against the best large matrix product in the same precision, measured in the same process.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from maskedit.dataset import Pairs, find_split
from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS
from maskedit.models.checkpoint import save_checkpoint
from maskedit.models.config import MASK_VAE_PRESETS, PARSER_PRESETS
from maskedit.models.device import choose_device, choose_precision, peak_memory, precision_name
from maskedit.models.mask_vae import MaskVAE
from maskedit.models.parser import build_parser
from maskedit.processes import processor_name
from maskedit.training.all import RECIPES
from maskedit.training.baseline import ReleasedLoop
from maskedit.training.config import BenchOptions, DmnOptions, EbstOptions, ParserOptions, RunOptions, VaeOptions
from maskedit.training.dmn import DmnStage
from maskedit.training.ebst import EbstStage
from maskedit.training.loop import Trainer, make_accelerator
from maskedit.training.parser import ParserStage
from maskedit.training.run_folder import RunFolder
from maskedit.training.source import DeviceSource, Source, make_source
from maskedit.training.stage import Stage
from maskedit.training.vae import VaeStage

STAGES: dict[str, tuple[type[Stage], type[RunOptions]]] = {
    "parser": (ParserStage, ParserOptions),
    "vae": (VaeStage, VaeOptions),
    "dmn": (DmnStage, DmnOptions),
    "ebst": (EbstStage, EbstOptions),
}
PHOTOS = 1000
"""Of a --data folder: more are read no faster or slower."""
WARM_UP = 2
"""Steps before the clock starts: the first ones allocate, choose kernels and compile."""
ENDLESS = 10**9


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
class Row:
    """What was measured of one job."""

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
    baseline_images_per_second: float
    """Of the plain float32 loop."""
    speedup: float

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
            measured[same] = _in_a_process(same, options)
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
        try:
            Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"--json {options.json} could not be written: {error.strerror}.") from error
    return rows


def jobs(options: BenchOptions) -> list[Job]:
    """What the options ask to be measured: stages, or the legs of the preset's recipe."""
    names = options.stage_names
    if not options.recipe:
        return [Job(name, options.size, options.batch or STAGES[name][1].batch) for name in names]
    recipe = RECIPES[options.preset]
    legs = [
        *(("parser", leg) for leg in recipe.parser),
        ("vae", recipe.vae),
        *(("dmn", leg) for leg in recipe.dmn),
        ("ebst", recipe.ebst),
    ]
    return [Job(name, leg.size, leg.batch, leg.steps) for name, leg in legs if name in names]


# In the process of a job ----------------------------------------------------------------------------------------------


def measure(job: Job, options: BenchOptions) -> Row:
    """Run one stage and the plain loop, each for ``--seconds``; for a fresh process, whose peak memory this is.

    Raises:
        UserError: the stage cannot run here with these options, or does not fit in the memory.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    accelerator = make_accelerator(options.device)
    device = accelerator.device
    try:
        with tempfile.TemporaryDirectory() as folder:
            run = _run_options(job, options, Path(folder))
            stage = STAGES[job.stage][0](run, device)
            size, precision = stage.size, stage.precision
            source = _source(options, job.batch, size, device)
            trainer = Trainer(stage, run, RunFolder(Path(folder)), accelerator)
            trainer.begin(source)
            steps, seconds, waited = _timed(trainer, options.seconds, device)
            peak = peak_memory(device)
            operations = _operations(trainer)
            del trainer, stage
            gc.collect()  # a trainer and its batches hold each other; the plain loop gets their memory and workers
            plain_steps, plain_seconds, _ = _timed(
                ReleasedLoop(job.stage, run, source, device), options.seconds, device
            )
    except torch.OutOfMemoryError as error:
        raise UserError(_too_large(job)) from error
    rate, plain_rate = steps * job.batch / seconds, plain_steps * job.batch / plain_seconds
    tflops, matmul = operations * steps / seconds / 1e12, matmul_tflops(precision, device)
    return Row(
        job.stage, size, job.batch, rate, waited / seconds, peak, tflops, matmul, tflops / matmul, plain_rate,
        rate / plain_rate,
    )  # fmt: skip


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


def _operations(trainer: Trainer) -> int:
    """Multiplications and additions in a step's matrix products and convolutions, forward and backward."""
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops()


def _run_options(job: Job, options: BenchOptions, folder: Path) -> RunOptions:
    """Options of the job's stage, with untrained networks where it builds on trained ones: they take as long."""
    kind = STAGES[job.stage][1]
    shared = {field.name for field in fields(kind)} & {field.name for field in fields(options)}
    values = {name: getattr(options, name) for name in shared}
    values |= {"size": job.size, "batch": job.batch, "steps": ENDLESS}
    recipe = RECIPES[options.preset]
    if kind is EbstOptions:
        vae = MaskVAE(replace(MASK_VAE_PRESETS[options.preset], size=recipe.vae.size))
        values["vae"] = str(save_checkpoint(folder / "vae.safetensors", vae, {}))
    if values.get("perceptual") == "parser":
        parser = build_parser(replace(PARSER_PRESETS[options.preset], size=recipe.parser[-1].size))
        values["perceptual"] = f"parser:{save_checkpoint(folder / 'parser.safetensors', parser, {})}"
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


def _in_a_process(job: Job, options: BenchOptions) -> Row:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(measure, job, options).result()
        except BrokenProcessPool as error:  # killed, as Linux does when its memory is full
            raise UserError(_too_large(job)) from error


def _too_large(job: Job) -> str:
    size = f"{job.size} px" if job.size else "the size of the preset"
    return (
        f"There is not enough memory for {job.stage} with {job.batch} photos of {size} a step: give a smaller --batch, "
        "or a larger --accumulate."
    )


HEADER = (
    f"{'stage':6} {'size':>5} {'batch':>5} {'images/s':>9} {'waiting':>7} {'memory':>10} {'TFLOP/s':>8} "
    f"{'of matmul':>16} {'of float32 loop':>16}"
)


def _line(row: Row) -> str:
    of_matmul = f"{row.matmul_share:.0%} of {row.matmul_tflops:.4g}"
    return (
        f"{row.stage:6} {row.size:5} {row.batch:5} {row.images_per_second:9.2f} {row.waiting:7.1%} "
        f"{row.peak_memory_mib:6.0f} MiB {row.tflops:8.4g} {of_matmul:>16} {row.speedup:15.2f}x"
    )


def _hardware(options: BenchOptions) -> str:
    try:
        device = choose_device(options.device)
    except UserError as error:
        raise UserError(f"--device: {error}") from error
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({processor_name()})"
    precision = precision_name(choose_precision(options.precision, device))
    threads = options.threads or torch.get_num_threads()
    return f"{name}, {threads} threads, {precision}, torch {torch.__version__}"

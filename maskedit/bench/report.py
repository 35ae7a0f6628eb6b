"""What is to be measured, what was measured, and how a person reads it; without torch and Qt."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from maskedit import workers
from maskedit.processes import follow_parent

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One weight file on one device."""

    preset: str
    """What a row calls the weights: the preset, or the file's name."""
    weights: Path
    random: bool
    """Whether the weights are untrained: as fast as trained ones, but their pictures show nothing."""
    device: str
    precision: str
    size: int
    """Side to render at, in pixels."""
    seconds: float
    """How long a row is measured, at least; three measurements are made in any case."""
    threads: int
    """Of torch; 0 leaves it to torch."""
    edits: tuple[int, ...]
    """Sides of the edited squares, in pixels."""
    load: int = 0
    """Busy processes beside the stroke."""


@dataclass(frozen=True)
class Row:
    """What was measured of one kind of work; None where a figure has no meaning."""

    device: str
    preset: str
    size: int
    work: str
    seconds: float
    """The median."""
    count: int
    """How many measurements it is the median of."""
    edit_px: int | None = None
    """Side of the square that an edit changes."""
    mode: str | None = None
    """``full``; ``quick`` where the renderer was allowed to compute only what an edit changes, or to complete a photo
    without its texture."""
    box_share: float | None = None
    """Of the edits in mode ``quick``: how many the renderer did so; the others were full renders."""
    ratio: float | None = None
    """How many times faster than the baseline's picture."""
    max_error: float | None = None
    """Levels of 255: in mode ``full`` against the baseline's picture of the same label map, in mode ``quick`` against
    the renderer's own full one, within the edit's box, right after another full render."""
    mean_error: float | None = None
    peak_memory_mib: float | None = None
    """By the end of this row: the device's on CUDA; elsewhere this process's, torch and all."""
    cache_mib: float | None = None
    """What the renderer keeps for mode ``quick``."""
    engine: str | None = None
    """What rendered whole images, in the renderer's words; the rows ``engine`` are renders by each there is."""
    p50: float | None = None
    """Seconds, as p95; of the stroke's events."""
    p95: float | None = None
    updates_per_second: float | None = None
    """New results on the screen while the brush moved."""
    longest_gap: float | None = None
    """The longest time in seconds that the window's thread was busy with one thing, while the brush moved."""
    modes: dict[str, int] | None = None
    """Results per mode of rendering, during the stroke and until its result was final."""
    screen: str | None = None
    """Qt's platform, e.g. ``offscreen``."""
    load: int | None = None
    """Busy processes beside the stroke."""


HEADER = (
    f"{'work':25} {'edit':>6} {'mode':>9} {'ms':>9} {'of':>4} {'of baseline':>11} "
    f"{'error max':>9} {'mean':>5} {'memory':>10}"
)


def line(row: Row) -> str:
    """A row of the table under ``HEADER``."""
    edit = "" if row.edit_px is None else f"{row.edit_px} px"
    mode = row.mode or ""
    if row.box_share is not None and row.box_share < 1:
        mode += f" {row.box_share:.0%}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    errors = ("", "") if row.max_error is None else (f"{row.max_error:.0f}", f"{row.mean_error:.2f}")
    memory = "" if row.peak_memory_mib is None else f"{row.peak_memory_mib:.0f} MiB"
    work = row.engine.split(", ")[0] if row.work == "engine" else row.work
    return (
        f"{work:25} {edit:>6} {mode:>9} {1000 * row.seconds:9.1f} "
        f"{row.count:4} {ratio:>11} {errors[0]:>9} {errors[1]:>5} {memory:>10}"
    ).rstrip()


def stroke_line(row: Row) -> str:
    """A row of the stroke as a sentence."""
    work = f"{row.work} beside {row.load} busy processes" if row.load else row.work
    times = f"{work}: {1000 * row.seconds:.1f} ms"
    if row.p50 is not None:
        times = f"{work}: p50 {1000 * row.p50:.1f} ms, p95 {1000 * row.p95:.1f} ms, {row.count} events"
    if row.ratio is not None:
        times += f", {row.ratio:.2f}x of the baseline"
    if row.longest_gap is not None:
        times += f"; the window's thread was busy for {1000 * row.longest_gap:.1f} ms at most"
    if row.updates_per_second is not None:
        times += f"; {row.updates_per_second:.1f} new results a second while the brush moved"
    if row.modes:
        times += f" ({', '.join(f'{count} {mode}' for mode, count in sorted(row.modes.items()))} in all)"
    return times


def memory_line(row: Row) -> str:
    """A row of the editor's memory as a sentence."""
    return f"{row.work}: {row.peak_memory_mib:.0f} MiB at most, until it was edited and exported"


def in_a_process(work: Callable[[Job], T], job: Job) -> T:
    """``work(job)`` as `maskedit.workers.in_a_process` does it; caches of earlier runs are out of its reach."""
    killed = (
        f"The process that measured {job.preset} at {job.size} px on {job.device} was ended before it was done, as "
        "systems do when memory is full: give a smaller --size."
    )
    with tempfile.TemporaryDirectory() as caches:
        return workers.in_a_process(work, job, killed=killed, start=partial(_begin, caches))


def _begin(caches: str) -> None:
    """Called in the new process: what earlier runs found out about the machine is found out again."""
    follow_parent()
    os.environ["MASKEDIT_CACHE"] = caches


def too_large(job: Job) -> str:
    """One sentence for a machine that cannot do it."""
    return f"There is not enough memory for {job.preset} at {job.size} px on {job.device}: give a smaller --size."

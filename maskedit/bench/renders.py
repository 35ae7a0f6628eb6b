"""How long renders take, against the released graph: float32, style encoder and generator for every picture."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maskedit import imaging
from maskedit.bench.report import Job, Row, too_large
from maskedit.errors import UserError
from maskedit.labels import BACKGROUND, NUM_LABELS
from maskedit.models.checkpoint import load_checkpoint
from maskedit.models.device import peak_memory
from maskedit.models.tensors import one_hot, photo_to_tensor, tensor_to_photo
from maskedit.render.modes import FULL, QUICK
from maskedit.render.renderer import Renderer
from maskedit.resources import portrait

LEAST = 3
"""Measurements of a row, however long they take."""
PORTRAIT = "collins"
COMPLETED = 512
"""Side in pixels of the photo that is completed: the bundled portraits'."""
MIB = 2**20


@dataclass(frozen=True)
class Edit:
    """A label map that differs from the one before it in one square."""

    labels: np.ndarray
    """(S, S) uint8."""
    box: tuple[slice, slice]
    """Rows and columns of the square."""


@dataclass(frozen=True)
class Timed:
    """Runs of one kind of work, and the last of its pictures that shows an edit."""

    seconds: list[float]
    results: list[str]
    """Each result's mode."""
    last: Edit
    image: np.ndarray
    """(S, S, 3) uint8, of ``last``."""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def measure_renders(job: Job) -> list[Row]:
    """Every row of a job but the stroke's; the first is the baseline. For a fresh process, whose peak memory it is.

    Raises:
        UserError: the weights or the device cannot be used, or the memory is too small.
    """
    if job.threads:
        torch.set_num_threads(job.threads)
    try:
        rows, pictures = _renderer_rows(job)
        gc.collect()  # the others get the renderer's memory
        engines = _engine_rows(job)
        rows += [row for row, _, _ in engines]
        pictures += engines
        gc.collect()
        rows += _completion_rows(job)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return _with_baseline(job, rows, pictures)
    except torch.OutOfMemoryError as error:
        raise UserError(too_large(job)) from error


def scene(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A bundled portrait, (S, S, 3) uint8, and its label map, (S, S) uint8, of the side ``size``."""
    photo, labels = portrait(PORTRAIT)
    return (
        imaging.resize_photo(imaging.read_photo(photo), (size, size)),
        imaging.resize_labels(imaging.read_labels(labels), (size, size)),
    )


def edits(labels: np.ndarray, pixels: int, seed: int = 0) -> Iterator[Edit]:
    """Squares of ``pixels`` at random places of the face, painted and taken back by turns, without end.

    They are painted with the commonest class that the square has none of, so that every pixel of it changes.
    """
    random = np.random.default_rng(seed)
    side = len(labels)
    common = np.argsort(-np.bincount(labels.ravel(), minlength=NUM_LABELS), kind="stable")
    face = np.argwhere(labels != BACKGROUND)
    while True:
        top, left = np.clip(random.choice(face) - pixels // 2, 0, side - pixels)
        box = slice(top, top + pixels), slice(left, left + pixels)
        painted = labels.copy()
        painted[box] = next(id for id in common if id not in labels[box])
        yield Edit(painted, box)
        yield Edit(labels, box)


# The renderer ---------------------------------------------------------------------------------------------------------


def _renderer_rows(job: Job) -> tuple[list[Row], list[tuple[Row, np.ndarray, np.ndarray]]]:
    """The renderer's rows; and for those to be compared with the baseline the row, its label map and its picture."""
    renderer = Renderer(job.weights, device=job.device, precision=job.precision, size=job.size)
    photo, labels = scene(job.size)
    _begin(renderer, photo, labels)
    blank = Row(job.device, job.preset, job.size, "", 0.0, 0)
    rows, compared = [], []

    def add(row: Row, labels: np.ndarray | None = None, image: np.ndarray | None = None) -> None:
        row = replace(row, engine=renderer.engine, peak_memory_mib=peak_memory(renderer.device))
        rows.append(row)
        if image is not None:
            compared.append((row, labels, image))

    sizes = [pixels for pixels in job.edits if pixels <= job.size]
    full = {pixels: _timed(renderer.render, edits(labels, pixels), job.seconds) for pixels in sizes}
    first_seconds, image = _first_renders(renderer, photo, labels, job.seconds)
    first = statistics.median(first_seconds)
    # The renderer does not tell what the style code cost it; it is what the first picture takes longer.
    usual = statistics.median(timed.median for timed in full.values()) if full else first
    add(replace(blank, work="style code", seconds=max(first - usual, 0.0), count=len(first_seconds)))
    add(replace(blank, work="first render", mode="full", seconds=first, count=len(first_seconds)), labels, image)
    for pixels, timed in full.items():
        row = replace(blank, work="edit", edit_px=pixels, mode="full", seconds=timed.median, count=len(timed.seconds))
        add(row, timed.last.labels, timed.image)
    _begin(renderer, photo, labels)
    for pixels in sizes:
        _rendered(renderer, labels)  # every series begins from the label map that its first edit changes
        timed = _timed(renderer.update, edits(labels, pixels), job.seconds)
        # Untrained networks answer an edit far away as well as within it: that says nothing of a trained one's error.
        errors = {} if job.random else _box_errors(renderer, labels, pixels)
        add(
            replace(
                blank, work="edit", edit_px=pixels, mode=QUICK, seconds=timed.median, count=len(timed.seconds),
                box_share=timed.results.count(QUICK) / len(timed.results), cache_mib=renderer.cache_bytes / MIB,
                **errors,
            )
        )  # fmt: skip
    return rows, compared


def _engine_rows(job: Job) -> list[tuple[Row, np.ndarray, np.ndarray]]:
    """A full render by each of the ways that the renderer chooses from, as in ``_renderer_rows``."""
    photo, labels = scene(job.size)
    blank = Row(job.device, job.preset, job.size, "engine", 0.0, 0, mode="full")
    found = []
    for engine in ("compiled",) if job.device.startswith("cuda") else ("torch", "openvino", "int8"):
        renderer = Renderer(job.weights, device=job.device, precision=job.precision, size=job.size, engine=engine)
        renderer.set_target(photo, labels)
        image = renderer.render(labels).image
        if any(row.engine == renderer.engine for row, _, _ in found):
            continue  # OpenVINO is not installed
        timed = _timed(renderer.render, edits(labels, job.edits[0]), job.seconds)
        row = replace(blank, seconds=timed.median, count=len(timed.seconds), engine=renderer.engine)
        found.append((row, labels, image))
        del renderer
        gc.collect()
    return found


def _completion_rows(job: Job) -> list[Row]:
    """Edits of a photo by a network that sees it: in mode ``quick`` as while the brush moves, in ``full`` with texture.

    None for weights that draw whole faces only.
    """
    renderer = Renderer(job.weights, device=job.device, precision=job.precision)
    if not renderer.completes:
        return []
    photo, labels = scene(COMPLETED)
    renderer.set_target(photo, labels)
    while renderer.idle():
        pass
    rows = []
    for mode in (QUICK, FULL):
        for pixels in job.edits:
            if pixels > COMPLETED:
                continue
            # Not those that take an edit back: they leave nothing to complete.
            painted = islice(edits(labels, pixels), 0, None, 2)
            timed = _timed(partial(renderer.complete, quick=mode == QUICK), painted, job.seconds)
            rows.append(
                Row(
                    job.device, job.preset, job.size, f"completion at {COMPLETED} px", timed.median, len(timed.seconds),
                    edit_px=pixels, mode=mode, peak_memory_mib=peak_memory(renderer.device),
                    engine=renderer.complete(timed.last.labels, quick=True).engine,
                )
            )  # fmt: skip
    return rows


def _begin(renderer: Renderer, photo: np.ndarray, labels: np.ndarray) -> None:
    """As a person finds the renderer who has looked at the photo for a moment before the first stroke."""
    renderer.set_target(photo, labels)
    _rendered(renderer, labels)


def _rendered(renderer: Renderer, labels: np.ndarray) -> None:
    """A full render, and whatever the renderer does after it."""
    renderer.render(labels)
    while renderer.idle():
        pass


def _timed(render: Callable[[np.ndarray], Any], changes: Iterable[Edit], least: float) -> Timed:
    """Render edit after edit for ``least`` seconds."""
    seconds, modes, last, image = [], [], None, None
    began = time.perf_counter()
    for index, edit in enumerate(changes):
        if index >= LEAST and time.perf_counter() - began >= least:
            break
        started = time.perf_counter()
        result = render(edit.labels)
        seconds.append(time.perf_counter() - started)
        modes.append(result.mode)
        if index % 2 == 0:  # the others show the photo's own labels again
            last, image = edit, result.image
    return Timed(seconds, modes, last, image)


def _box_errors(renderer: Renderer, labels: np.ndarray, pixels: int) -> dict[str, float]:
    """How far the first box after a full render is from the full render of the same edit, over some edits.

    Not the boxes of the timing: their errors add up, and how many there are depends on the machine.
    """
    each = []
    for edit in islice(edits(labels, pixels), 0, 2 * LEAST, 2):
        _rendered(renderer, labels)
        box = renderer.update(edit.labels).image
        each.append(_errors(box, renderer.render(edit.labels).image, edit.box))
    return {
        "max_error": max(errors["max_error"] for errors in each),
        "mean_error": statistics.mean(errors["mean_error"] for errors in each),
    }


def _first_renders(
    renderer: Renderer, photo: np.ndarray, labels: np.ndarray, least: float
) -> tuple[list[float], np.ndarray]:
    """Seconds of ``set_target`` and a render, each time of another photo; and the picture (S, S, 3) of this one."""
    targets = cycle([(np.ascontiguousarray(photo[:, ::-1]), np.ascontiguousarray(labels[:, ::-1])), (photo, labels)])
    seconds, image = [], None
    began = time.perf_counter()
    while len(seconds) < LEAST or time.perf_counter() - began < least:
        target = next(targets)
        started = time.perf_counter()
        renderer.set_target(*target)
        result = renderer.render(target[1])
        seconds.append(time.perf_counter() - started)
        if target[0] is photo:
            image = result.image
    return seconds, image


# The baseline ---------------------------------------------------------------------------------------------------------


def _with_baseline(job: Job, rows: list[Row], compared: list[tuple[Row, np.ndarray, np.ndarray]]) -> list[Row]:
    """The baseline's row, then the others with what they are to it."""
    photo, labels = scene(job.size)
    draw = released_graph(job.weights, torch.device(job.device), photo, labels)
    draw(labels)
    seconds, errors = [], {}
    began = time.perf_counter()
    for index, (row, own, image) in enumerate(cycle(compared)):
        if index >= max(LEAST, len(compared)) and time.perf_counter() - began >= job.seconds:
            break
        started = time.perf_counter()
        picture = draw(own)
        seconds.append(time.perf_counter() - started)
        errors[id(row)] = _errors(image, picture)
    baseline = statistics.median(seconds)
    first = Row(
        job.device, job.preset, job.size, "baseline", baseline, len(seconds), mode="full", ratio=1.0,
        engine=f"torch {torch.__version__}, float32, style encoder and generator",
    )  # fmt: skip
    return [first] + [
        replace(row, ratio=baseline / row.seconds if row.seconds else None, **errors.get(id(row), {})) for row in rows
    ]


def released_graph(
    weights: Path, device: torch.device, photo: np.ndarray, reference_labels: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that draws label maps (S, S) uint8 as the released code does: (S, S, 3) uint8, float32, eager.

    Style encoder and generator run for every picture, in torch's usual memory format.
    """
    network = load_checkpoint(weights)[0].to(device)

    def ids(labels: np.ndarray) -> torch.Tensor:
        return one_hot(torch.from_numpy(labels.copy()).to(device))

    @torch.inference_mode()
    def draw(labels: np.ndarray) -> np.ndarray:
        return tensor_to_photo(network(photo_to_tensor(photo).to(device), ids(reference_labels), ids(labels))[0])

    return draw


def _errors(image: np.ndarray, wanted: np.ndarray, box: tuple[slice, slice] = np.s_[:, :]) -> dict[str, float]:
    """How far two pictures (S, S, 3) uint8 are apart in a box, in levels of 255."""
    difference = np.abs(image[box].astype(np.int16) - wanted[box])
    return {"max_error": float(difference.max()), "mean_error": float(difference.mean())}

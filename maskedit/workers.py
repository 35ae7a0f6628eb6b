"""Work in other processes: many small jobs on all cores, or one that wants a process to itself.

They are spawned, not forked: a fork would copy the locks of whatever threads run here. They end with this process,
however that ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

import cv2
from tqdm import tqdm

from maskedit.errors import UserError
from maskedit.processes import follow_parent

Job = TypeVar("Job")
Result = TypeVar("Result")

_SPAWN = multiprocessing.get_context("spawn")


def default_workers() -> int:
    """The cores this process may use, 16 at most: beyond that the disk is the limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


def run_jobs(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    workers: int,
    title: str,
    quiet: bool = False,
    jobs_a_process: int = 16,
) -> Iterator[Result]:
    """``function`` of every job, in the order they are finished; few jobs or one worker run in this process.

    Args:
        function: of a module's top level, as it is sent to other processes.
        workers: processes at most.
        title: of the progress bar, which only a terminal shows.
        jobs_a_process: a process is started for so many jobs; about as many as take as long as to start it.

    Raises:
        UserError: a process was killed from outside.
        Exception: whatever ``function`` raises; jobs that run are finished first and the others dropped, as they are
            on Ctrl+C.
    """
    workers = min(workers, -(-len(jobs) // jobs_a_process))
    results = (function(job) for job in jobs) if workers <= 1 else _in_processes(function, jobs, workers)
    bar = tqdm(total=len(jobs), desc=title, disable=quiet or None)
    with contextlib.closing(bar), contextlib.closing(results):
        for result in results:
            yield result
            bar.update()


def in_a_process(
    function: Callable[..., Result], *arguments: object, killed: str, start: Callable[[], None] = follow_parent
) -> Result:
    """``function`` of the arguments in a process of its own, whose peak memory and window are its own.

    Args:
        function: of a module's top level, as it is sent to the other process.
        killed: one sentence for the case that the process is ended from outside, as systems do when memory is full.
        start: called there first; must have it end with this process.

    Raises:
        UserError: of ``function``; or with ``killed``.
    """
    with ProcessPoolExecutor(1, mp_context=_SPAWN, initializer=start) as process:
        try:
            return process.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise UserError(killed) from error


def _in_processes(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    executor = ProcessPoolExecutor(workers, mp_context=_SPAWN, initializer=_start_worker)
    waiting = iter(jobs)
    pending = set()
    try:
        while True:
            for job in islice(waiting, 4 * workers - len(pending)):
                with _no_interrupts():
                    pending.add(executor.submit(function, job))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process was killed, perhaps for want of memory; run the same command again with fewer --workers."
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _no_interrupts() -> Iterator[None]:
    """Hold SIGINT back while a process is started: it inherits that, and Ctrl+C is for this process alone.

    Held back here it is not lost, but comes at the end of the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    follow_parent()

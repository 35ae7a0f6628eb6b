"""Where a step's photos come from: uint8 tensors on the device when they fit, else files read by worker processes.

Either way a step's batch is what ``order`` says it is, so that a run gives the same weights from both, and a resumed
run sees what an uninterrupted one would have seen. Nothing is augmented here: that happens on the device.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import psutil
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from maskedit import imaging
from maskedit.data.folder import Pair, mend_left_right
from maskedit.data.pairs import Pairs, load_pair, load_pairs
from maskedit.errors import UserError
from maskedit.labels import NUM_LABELS

Order = Callable[[int], Tensor]
"""Step -> the indices (n,) int64 of the pairs that this process sees at it."""

ROOM = 0.5
"""Share of the free memory that the pairs may take; the rest is for networks and activations."""


class Source(ABC):
    """Training pairs, batch after batch."""

    @abstractmethod
    def __len__(self) -> int:
        """How many pairs there are."""

    @abstractmethod
    def counts(self) -> Tensor:
        """(N, 19) int64: how many pixels of each class each label map holds."""

    @abstractmethod
    def batches(self, order: Order, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        """For every step from ``first`` to before ``last``: photos (n, 3, S, S) and label ids (n, S, S), uint8, on
        the device."""


class DeviceSource(Source):
    """All pairs on the device: nothing is ever waited for."""

    def __init__(self, pairs: Pairs):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def counts(self) -> Tensor:
        return torch.tensor([_count(labels) for labels in self.pairs.labels])

    def batches(self, order: Order, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.pairs.photos.device
        for step in range(first, last):
            indices = order(step).to(device)
            yield self.pairs.photos[indices], self.pairs.labels[indices]


class DiskSource(Source):
    """Files, decoded by ``workers`` processes some steps ahead of the one that is computed.

    Args:
        paths: (photo, label map) files.
        size: side S of the squares in pixels.
        device: where batches go.
        workers: processes that read; 0 reads in this one.
    """

    def __init__(self, paths: list[Pair], size: int, device: torch.device, *, workers: int):
        self.paths = paths
        self.size = size
        self.device = device
        self.workers = workers
        if workers:
            atexit.unregister(_end_workers)  # once is enough
            atexit.register(_end_workers)

    def __len__(self) -> int:
        return len(self.paths)

    def counts(self) -> Tensor:
        def count(pair: Pair) -> list[int]:
            labels = imaging.square_labels(imaging.read_labels(pair[1]), self.size)
            return _count(torch.from_numpy(mend_left_right(labels)))

        with ThreadPoolExecutor() as pool:
            counted = tqdm(pool.map(count, self.paths), total=len(self.paths), desc="counting classes", disable=None)
            return torch.tensor(list(counted))

    def batches(self, order: Order, first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
        cuda = self.device.type == "cuda"
        loader = DataLoader(
            _Files(self.paths, self.size),
            batch_sampler=(order(step).tolist() for step in range(first, last)),
            num_workers=self.workers,
            pin_memory=cuda,
            worker_init_fn=_start_worker,
            # Workers that are forked from a process with threads may hang; fresh ones start everywhere alike.
            multiprocessing_context="spawn" if self.workers else None,
        )
        for photos, labels in _whole_errors(loader):
            yield photos.to(self.device, non_blocking=cuda), labels.to(self.device, non_blocking=cuda)


def make_source(
    paths: list[Pair], size: int, device: torch.device, *, choice: str, workers: int, quiet: bool
) -> Source:
    """The pairs on the device, or from disk; ``choice`` is ``device``, ``disk`` or ``auto``: whether they fit.

    Raises:
        UserError: a file cannot be read; with ``disk`` that shows when its turn comes.
    """
    wanted = len(paths) * 4 * size * size
    if choice == "device" or (choice == "auto" and wanted <= ROOM * _free_memory(device)):
        return DeviceSource(load_pairs(paths, size, quiet=quiet).to(device))
    return DiskSource(paths, size, device, workers=workers)


def _whole_errors(loader: DataLoader) -> Iterator:
    """A worker's UserError as it was: on its way the loader puts the worker's traceback before it."""
    try:
        yield from loader
    except UserError as error:
        raise UserError(str(error).rsplit("UserError: ", 1)[-1].strip()) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            f"A process that reads photos ended ({error}); give fewer --workers, or 0, if memory is short."
        ) from error


class _Files(Dataset):
    """Pairs as uint8 tensors, read when asked for."""

    def __init__(self, paths: list[Pair], size: int):
        self.paths = paths
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        photo, labels = load_pair(self.paths[index], self.size)
        return torch.from_numpy(photo).permute(2, 0, 1).contiguous(), torch.from_numpy(labels)


def _start_worker(worker: int) -> None:
    # Who stops a run signals all of its processes: the main one saves, and then ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # As many processes as wanted, not that many times as many threads.
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _end_workers() -> None:
    """At the end of this process, end those that read for it and nobody has closed.

    Python would ask them with SIGTERM, which they do not heed, and wait for ever.
    """
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


def _count(labels: Tensor) -> list[int]:
    # No tensor is kept: small ones that lie between the large ones of the next label map, and the next, make the heap
    # grow by a label map of int64 each time, 13 GB for 6,700 photos of 512 px.
    return torch.bincount(labels.flatten().long(), minlength=NUM_LABELS).tolist()


def _free_memory(device: torch.device) -> int:
    """Bytes that may still be taken where the pairs would live, and on the way there."""
    # Every process of this machine holds its own copy.
    host = psutil.virtual_memory().available // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(host, torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else host

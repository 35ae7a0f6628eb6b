"""When a GPU's memory ends: try again with its cache emptied, then go on without the GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

logger = logging.getLogger(__name__)

TRIED_AGAIN = "GPU memory ran short; the render was tried again and went through."
GAVE_WAY = "The GPU has too little memory left; rendering goes on, slower, on the CPU."


def with_memory(work: Callable[[], T], give_way: Callable[[], None]) -> tuple[T, str]:
    """What ``work`` returns, and one sentence for the person where memory ran short on the way, else empty.

    Args:
        work: may raise ``torch.OutOfMemoryError`` and be called again.
        give_way: called where it has no memory twice: must have it work without the GPU from then on.
    """
    for notice in ("", TRIED_AGAIN):
        result, fits = attempted(work)
        if fits:
            return result, notice
    give_way()
    return work(), GAVE_WAY


def attempted(work: Callable[[], T]) -> tuple[T | None, bool]:
    """What ``work`` returns, and True; None and False where the memory ends, with the GPU's cache emptied."""
    try:
        return work(), True
    except torch.OutOfMemoryError:
        logger.warning("This does not fit into the GPU's memory.", exc_info=True)
    # Outside the except block: inside it, the traceback would keep the failed tensors alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
    return None, False

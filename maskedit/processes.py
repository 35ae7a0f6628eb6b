"""This process and its machine: ending with the process that started it, its memory, the processor it runs on."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import platform
import re
import sys
import threading
from pathlib import Path

import psutil


def follow_parent() -> None:
    """End this process with the one that started it, however that ends; watched for in the background."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=wait, daemon=True).start()


def peak_memory() -> float:
    """The most memory that this process ever held, in MiB."""
    if sys.platform == "linux":
        # Not ru_maxrss, which Linux starts from the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 2**10
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    # In bytes on macOS, in KiB on the BSDs.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Options of glibc's ``mallopt``."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for good; False where the system's allocator is not glibc's.

    glibc gives large blocks back to the system as soon as they are freed, and every page of them must be fetched anew,
    filled with zeros, at its next use. A training step frees and takes the same gigabytes each time.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    options = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 64 << 20}
    return sum(mallopt(option, value) for option, value in options.items()) == len(options)  # 1 each where it worked


def processor_name() -> str:
    """What the system calls its processor."""
    try:
        return re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))[1]
    except (OSError, TypeError):
        return platform.processor() or platform.machine()

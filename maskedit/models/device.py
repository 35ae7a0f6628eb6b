"""Which device and which precision a network runs in."""

from __future__ import annotations

import torch

from maskedit import processes
from maskedit.errors import UserError

PRECISIONS = ("auto", "float32", "bfloat16")
MEMORY_FORMATS = ("auto", "channels_last", "contiguous")


def choose_device(choice: str = "auto") -> torch.device:
    """``auto`` is CUDA, else MPS, else the CPU; ``cpu``, ``cuda``, ``cuda:N`` and ``mps`` are taken at their word."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, present in available.items() if present))
    try:
        device = torch.device(choice)
    except RuntimeError as error:
        raise UserError(f"The device {choice!r} is unknown; give auto, cpu, cuda, cuda:N or mps.") from error
    if not available.get(device.type, False):
        raise UserError(f"The device {choice!r} was asked for, but torch finds none here; give auto or cpu.")
    if device.type == "cuda" and device.index is not None and device.index >= torch.cuda.device_count():
        raise UserError(f"The device {choice!r} was asked for, but there are only {torch.cuda.device_count()} GPUs.")
    return device


def precision_name(precision: torch.dtype) -> str:
    """As a person writes it: ``"float32"``, ``"bfloat16"``."""
    return str(precision).removeprefix("torch.")


def peak_memory(device: torch.device) -> float | None:
    """MiB: the most that was allocated on CUDA, elsewhere held by this process; None where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return processes.peak_memory()


def choose_precision(choice: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the device computes in it natively, else float32."""
    if choice not in PRECISIONS:
        raise UserError(f"The precision {choice!r} is unknown; give {', '.join(PRECISIONS)}.")
    if choice != "auto":
        return getattr(torch, choice)
    native = {"cuda": _cuda_bfloat16, "cpu": _cpu_bfloat16}.get(device.type, lambda: False)
    return torch.bfloat16 if native() else torch.float32


def choose_memory_format(choice: str, device: torch.device, precision: torch.dtype) -> torch.memory_format:
    """How networks that are trained keep their feature maps; ``auto`` is `fastest_memory_format`.

    It changes how fast they are and, to rounding, nothing else.
    """
    if choice not in MEMORY_FORMATS:
        raise UserError(f"The memory format {choice!r} is unknown; give {', '.join(MEMORY_FORMATS)}.")
    if choice == "auto":
        return fastest_memory_format(device.type, precision)
    return torch.channels_last if choice == "channels_last" else torch.contiguous_format


def fastest_memory_format(device: str, precision: torch.dtype) -> torch.memory_format:
    """The memory format in which a network trains fastest on a device of a type.

    channels_last on CUDA, whose tensor cores want it, and in bfloat16 on a CPU: a whole step of generator and
    discriminator at 256 px then takes 1 / 1.9 of the time with AMX, and 1 / 1.35 with AVX-512 BF16 (``context``, batch
    4, two cores of an AMD EPYC: 2.5 and 1.85 s). Elsewhere plain rows. In float32 on an AMD EPYC (Milan, AVX2) a step
    of ``context`` took 1.00 times as long in channels_last at 256 px, and 1.14 times at 128 px: convolutions gain a
    fifth forward and lose it backward, and the normalisation takes three times as long.
    """
    if device == "cuda" or (device == "cpu" and precision == torch.bfloat16):
        return torch.channels_last
    return torch.contiguous_format


def memory_format_name(memory_format: torch.memory_format) -> str:
    """As a person writes it: ``"channels_last"``, ``"contiguous"``."""
    return str(memory_format).removeprefix("torch.").removesuffix("_format")


def _cuda_bfloat16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=False)


def _cpu_bfloat16() -> bool:
    # Emulated bfloat16 is slower than float32, so the processor's own instructions are what counts.
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        found = capabilities()
        return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(check and check())

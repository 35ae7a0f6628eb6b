"""The names that renderers and their callers share; needs no torch."""

from __future__ import annotations

from enum import StrEnum, auto


class Mode(StrEnum):
    """How a render is made."""

    FULL = auto()
    """As good as it gets."""
    QUICK = auto()
    """Sooner, while the brush moves: only boxes around what changed are rendered anew or, with weights that complete
    the photo, its texture is left out."""


FULL, QUICK = Mode

GRAPHS = ("graph", "compiled")
"""On an NVIDIA GPU, ``graph`` is the network as one CUDA graph, and ``compiled`` one of what torch.compile makes of it,
which may take a minute at every start. ``auto`` takes neither: no GPU has measured them yet."""
TORCH, INT8 = "torch", "int8"
ENGINES = ("auto", TORCH, "openvino", INT8, *GRAPHS)
"""On a CPU, ``auto`` measures which is the fastest, ``torch`` uses nothing else, ``openvino`` is OpenVINO in the
network's precision and ``int8`` in 8-bit integers. Completions are not measured: with ``auto`` they are OpenVINO's
where the processor has bfloat16. On a GPU, ``auto`` is ``torch``."""


class Cancelled(Exception):
    """A render was given up between two layers, because its caller wanted so."""


def never() -> bool:
    """A ``cancelled`` that lets every render end."""
    return False
